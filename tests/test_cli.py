"""The command line as a user or a machine calls it: real processes, exit codes, one JSON document."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from napari_al_pose import headless
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.messages import Progress
from napari_al_pose.project import open_project

QUICK = LoopSettings(pool_size=30, train=TrainSettings(steps=4, long_side=128, batch_size=2))


def call(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "napari_al_pose", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )


def refused(*arguments):
    """Call what can't work; return what it said, which is no traceback."""
    done = call(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def openfield(data_dir, tmp_path):
    """Ten labelled frames of openfield, ready for quick trainings."""
    source = data_dir / "openfield-Pranav-2018-10-30"
    config = tmp_path / "openfield" / "config.yaml"
    shutil.copytree(source, config.parent)
    with open_project(config) as project:
        project.save_settings(QUICK)
    return config


def test_help_names_the_verbs():
    done = call("--help")
    assert done.returncode == 0
    for verb in ("demo", "rank", "train", "predict", "evaluate"):
        assert verb in done.stdout


@pytest.mark.slow
def test_the_loop_without_a_window(openfield):
    first = json.loads(call("rank", openfield, "--strategy", "mpe", "--top", "5", "--json").stdout)
    assert len(first) == 5
    assert {row["provenance"] for row in first} == {"diverse"}

    trained = call("train", openfield, "--json")
    assert trained.returncode == 0, trained.stderr
    assert "Training" in trained.stderr
    result = json.loads(trained.stdout)
    assert result["model_version"] == 1
    assert result["steps"] == 4
    assert result["holdout"]["n_frames"] == result["n_holdout"] == 23

    for strategy in ("mpe", "influence"):
        ranked = json.loads(call("rank", openfield, "--strategy", strategy, "--top", "6", "--json").stdout)
        assert len({(row["video"], row["frame"]) for row in ranked}) == 6
        assert {row["strategy"] for row in ranked} == {strategy}
        assert all(isinstance(row["score"], float) for row in ranked)


@pytest.mark.slow
def test_predict_writes_what_it_says(openfield, tmp_path):
    call("train", openfield)
    folder = tmp_path / "out"
    folder.mkdir()
    done = call(
        *("predict", openfield, "m4s1", "--format", "deeplabcut", "--format", "lightning-pose", "--smooth", "median"),
        *("--labelled-video", "--output", folder, "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["model_version"], result["videos"]) == (1, ["m4s1"])
    assert sorted(map(os.path.basename, result["paths"])) == sorted(path.name for path in folder.iterdir())
    assert sum("_filtered" in path.name for path in folder.iterdir()) == 4

    assert "no video 'm5'" in refused("predict", openfield, "m5")


@pytest.mark.slow
def test_evaluate_leaves_the_project_as_it_is(openfield):
    before = {p: p.stat().st_mtime_ns for p in openfield.parent.rglob("*") if p.is_file()}
    done = call("evaluate", openfield, "--train-frames", "10", "--seed", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["n_train"] == 10
    assert result["n_test"] == 106
    assert result["mean_error_px"] <= result["rmse_px"]
    assert set(result["per_bodypart"]) == {"snout", "leftear", "rightear", "tailbase"}
    assert before == {p: p.stat().st_mtime_ns for p in openfield.parent.rglob("*") if p.is_file()}


def test_no_such_project_is_named(tmp_path):
    for verb in ("rank", "train", "evaluate"):
        said = refused(verb, tmp_path / "nowhere" / "config.yaml")
        assert "nowhere" in said


def test_a_config_that_is_not_yaml_is_named(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_bytes(b"\x00\xff{[: not yaml")
    assert str(config) in refused("rank", config)


def test_a_config_without_bodyparts_is_named(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("Task: t\nscorer: s\ndate: Jan1\nvideo_sets: {}\n")
    said = refused("train", config)
    assert str(config) in said
    assert "bodyparts" in said


def test_labels_that_are_not_hdf5_are_named(openfield):
    shutil.rmtree(openfield.parent / "al-pose")
    folder = openfield.parent / "labeled-data" / "m4s1"
    (folder / "CollectedData_Pranav.csv").unlink()
    (folder / "CollectedData_Pranav.h5").write_bytes(b"this is no hdf5 file")
    said = refused("train", openfield)  # its labels were the only ones
    assert "CollectedData_Pranav.h5" in said
    assert "backup" in said


def test_a_video_cut_in_half_is_named(openfield):
    for name in ("m3v1mp4.mp4",):
        video = openfield.parent / "videos" / name
        video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    said = refused("predict", openfield, "m3v1mp4")
    assert "m3v1mp4" in said or "no model" in said.lower()


def test_an_unknown_strategy_lists_the_known_ones(openfield):
    said = refused("rank", openfield, "--strategy", "magic")
    assert "magic" in said
    assert "mpe" in said


def test_an_unknown_video_lists_the_known_ones(openfield):
    assert "m4s1" in refused("predict", openfield, "nonsense")


def test_too_many_training_frames_are_refused(openfield):
    assert "116" in refused("evaluate", openfield, "--train-frames", "116")


def test_the_window_without_a_display_says_what_to_do(openfield):
    assert "display" in refused(openfield)


def test_the_window_on_a_bad_path_names_it(tmp_path):
    assert "nothing-here" in refused(tmp_path / "nothing-here")


def test_a_mistyped_verb_is_told_the_verb():
    assert "did you mean 'predict'?" in refused("predcit", "project")


def test_the_window_takes_one_project_or_videos(openfield, tmp_path):
    video = next((openfield.parent / "videos").iterdir())
    assert str(openfield) in refused(video, openfield)
    assert f"no file {tmp_path / 'mouse.mp4'}" in refused(tmp_path / "mouse.mp4")
    assert "display" in refused(video, video)
    labels = tmp_path / "labels.json"
    labels.write_text("{}")
    assert "display" in refused(labels)
    assert str(labels) in refused(video, labels)
    assert "display" in refused(video.parent)
    assert "display" in refused(openfield.parent / "labeled-data" / "m4s1")
    images = shutil.copytree(openfield.parent / "labeled-data" / "m4s1", tmp_path / "m4s1")
    assert f"{images} holds 116 images, but no project" in refused(images)


def test_a_fault_of_ours_is_a_sentence_and_a_log(tmp_path):
    """A fault is made by breaking the package's own lookup; exit code 1, the traceback in a file."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from napari_al_pose import cli, headless; headless.train = lambda path: 1 / 0; cli.main(['train', 'x'])",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in done.stderr
    (log,) = tmp_path.glob("napari-al-pose-*.log")
    assert "Traceback" in log.read_text()


def test_earlier_labels_are_listed_and_restored(openfield):
    video = "m4s1"
    with open_project(openfield) as project:
        key = project.labels.complete_keys()[0]
        part = project.skeleton.bodyparts[0]
        before = project.labels.annotation(key).xy[0].tolist()
        project.labels.place(key, part, 1.0, 2.0)
        project.export_labels()
    listed = call("restore", openfield, video, "--json")
    (version,) = json.loads(listed.stdout)
    assert version["version"] == 1
    assert str(version["version"]) in call("restore", openfield, video).stdout
    done = call("restore", openfield, video, "--version", 1)
    assert done.returncode == 0, done.stderr
    assert "Restored version 1" in done.stdout
    with open_project(openfield) as project:
        assert project.labels.annotation(key).xy[0].tolist() == pytest.approx(before)
        project.labels.undo()
        assert project.labels.annotation(key).xy[0].tolist() == [1.0, 2.0]
    assert "no version 7" in refused("restore", openfield, video, "--version", 7)
    assert video in refused("restore", openfield, "m9")


def test_the_bar_shows_the_time_left_of_the_whole_work(capsys):
    def work():
        yield Progress(1, "Predicting mouse (1 of 2)", 100, 400, 900.0)
        yield Progress(1, "Following the animals of mouse", 120, 400, 65.0)
        yield Progress(1, "Writing the table of mouse", 0, 400, -1.0)

    headless.show_progress(work())
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert any(line.startswith("Predicting mouse (1 of 2):  25%") and "<15:00" in line for line in lines)
    assert any(line.startswith("Following the animals of mouse:  30%") and "<01:05" in line for line in lines)
    assert any(line.startswith("Writing the table of mouse:   0%") and "<?" in line for line in lines)
