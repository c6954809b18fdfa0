"""Whole videos by the real command: killed and resumed, damaged, replaced, outside the project."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_al_pose.domain import AlPoseError, steps
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.engine import pose_export, whole_videos
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.tracks import predict_and_follow
from napari_al_pose.engine.whole_videos import plan, predict_planned
from napari_al_pose.project import ProjectVideo, open_project

NO_FILES = ExportOptions(formats=())


def finish(work):
    """Run a generator to its end; return what it returns and what it told on the way."""
    told = []
    return steps.finish(work, told.append), told


@pytest.fixture
def short_segments(monkeypatch):
    """The sample's videos are short; the command in a process of its own has segments of the usual length."""
    monkeypatch.setattr(whole_videos, "SEGMENT", 24)
    monkeypatch.setattr(whole_videos, "LONGEST_SEGMENT", 48)


def export(project, videos, options, model):
    return finish(pose_export.export(project, videos, options, model=model, version=1, job=5))


def copy_packets(source, target, n):
    """Copy the first ``n`` frames of a video without encoding them."""
    with av.open(str(source)) as video, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(video.streams.video[0])
        for packet in itertools.islice((p for p in video.demux(video=0) if p.size), n):
            packet.stream = stream
            made.mux(packet)


@pytest.mark.slow
def test_killed_at_forty_percent_and_resumed_gives_the_same(sample_copy, add_model, data_dir, tmp_path):
    """A real video, the real command, SIGKILL."""
    video = tmp_path / "mouse.mp4"
    copy_packets(data_dir / "openfield-Pranav-2018-10-30" / "videos" / "m3v1mp4.mp4", video, 600)
    command = [sys.executable, "-m", "napari_al_pose", "predict", str(sample_copy), str(video)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run_command():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        run = predictions.find(1, "mouse")
        assert run.is_complete
        (csv,) = tmp_path.glob("mouseDLC*.csv")
        return run.path.read_bytes(), csv.read_bytes()

    with open_project(sample_copy, read_only=True) as project:
        add_model(project, long_side=32)
        predictions = project.video_predictions
        expected = run_command()
        for path in [*predictions.find(1, "mouse").path.parent.iterdir(), *tmp_path.glob("mouseDLC*")]:
            path.unlink()
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + 120
            while (run := predictions.find(1, "mouse")) is None or run.header.n_done < 250:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
        assert 250 <= predictions.find(1, "mouse").header.n_done < 600
        assert not list(tmp_path.glob("mouseDLC*"))
        assert run_command() == expected


def test_a_model_that_ran_out_of_memory_goes_on_and_says_so(model_project, short_segments, monkeypatch):
    project, model = model_project
    usual = model.network.__class__.forward
    fails = iter([True])

    def once(self, images):
        if next(fails, False):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return usual(self, images)

    monkeypatch.setattr(model.network.__class__, "forward", once)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    planned, _ = finish(plan(project, project.videos[:1], model, 1, 5))
    _, told = finish(predict_planned(planned, model))
    assert planned[0].run.is_complete
    assert told[-1].stage == f"Predicting {project.videos[0].name}, little memory: 1 at once"


def test_a_run_that_is_given_up_goes_on_and_predicts_nothing_twice(model_project, short_segments):
    project, model = model_project
    videos = project.videos[:2]
    planned, _ = finish(plan(project, videos, model, 1, 5))
    assert [len(item.run.header.segments) for item in planned] > [2, 2]
    work = predict_planned(planned, model)
    while not planned[0].run.header.done:
        next(work)
    work.close()
    again, _ = finish(plan(project, videos, model, 1, 5))
    kept = again[0].run.header.n_done
    assert 0 < kept < again[0].run.header.n_frames
    calls = []
    predict = model.predict
    model.predict = lambda frames, **options: calls.append(len(frames)) or predict(frames, **options)
    _, told = finish(predict_and_follow(project, again, predict_planned(again, model), 5))
    total = sum(item.run.header.n_frames for item in again)
    assert sum(calls) == total - kept
    assert (told[-1].done, told[-1].total) == (total, total)
    assert told[-1].stage == f"Predicting {videos[1].name} (2 of 2)"
    resumed = [item.run.rows(0, item.run.header.n_frames) for item in again]
    for item in again:
        item.run.path.with_suffix(".json").unlink()
    anew, _ = finish(plan(project, videos, model, 1, 5))
    finish(predict_planned(anew, model))
    for before, item in zip(resumed, anew, strict=True):
        np.testing.assert_array_equal(before, item.run.rows(0, item.run.header.n_frames))


def test_a_video_that_was_replaced_is_predicted_anew(model_project):
    project, model = model_project
    first, second = project.videos[:2]
    export(project, [first], NO_FILES, model)
    os.chmod(first.path, 0o644)
    shutil.copy(second.path, first.path)
    _, told = export(project, [first], NO_FILES, model)
    assert [message.done for message in told if message.stage.startswith("Predicting")][-1] > 0
    assert export(project, [first], NO_FILES, model)[1][-1].stage == "Opening the videos"


def test_frames_that_do_not_decode_have_no_pose(model_project, tmp_path):
    project, model = model_project
    whole = project.videos[0].path
    cut = tmp_path / "cut.mp4"
    content = bytearray(whole.read_bytes())
    # The last part of the pictures, not the table of contents behind them.
    middle = content.rfind(b"moov") * 3 // 4 if content.rfind(b"moov") > len(content) // 2 else len(content) * 3 // 4
    content[middle : middle + len(content) // 8] = bytes(len(content) // 8)
    cut.write_bytes(content)
    (video,) = pose_export.choose_videos(project, [str(cut)])
    export(project, [video], NO_FILES, model)
    run = project.video_predictions.find(1, "cut")
    rows = run.rows(0, run.header.n_frames)
    lost = np.isnan(rows[..., 0]).all(axis=1)
    assert 0 < lost.sum() < len(rows)
    assert (rows[lost, :, 2] == 0).all()
    assert np.isfinite(rows[~lost]).all()


def test_videos_are_given_by_name_by_file_or_from_outside(model_project, tmp_path):
    project, _ = model_project
    video = project.videos[0]
    outside = tmp_path / "elsewhere" / video.path.name
    outside.parent.mkdir()
    shutil.copy(video.path, outside)
    chosen = pose_export.choose_videos(project, [video.name, str(video.path), str(outside)])
    assert chosen[0] == video
    assert len(chosen) == 2
    assert chosen[1].path == outside
    assert chosen[1].name != video.name
    assert pose_export.choose_videos(project, []) == [v for v in project.videos if v.has_video]
    with pytest.raises(AlPoseError, match="no video 'nothing'"):
        pose_export.choose_videos(project, ["nothing"])


def test_every_file_is_named_for_the_program_that_reads_it(model_project, tmp_path):
    pytest.importorskip("sleap_io")
    project, model = model_project
    video = project.videos[0]
    formats = ("deeplabcut", "sleap", "lightning-pose", "table")
    options = ExportOptions(formats=formats, smoothing="kalman", labelled_video=True, folder=str(tmp_path))
    done, told = export(project, [video], options, model)
    names = [os.path.basename(path) for path in done.paths]
    scorer = f"DLC_EfficientnetLite0_{project.config.task}{project.config.date}al-pose_snapshot_1"
    assert names == [
        f"{video.name}{scorer}.h5",
        f"{video.name}{scorer}.csv",
        f"{video.name}.al-pose-1.predictions.slp",
        f"{video.name}.al-pose-1.lightning-pose.csv",
        f"{video.name}{scorer}_filtered.h5",
        f"{video.name}{scorer}_filtered.csv",
        f"{video.name}.al-pose-1_filtered.predictions.slp",
        f"{video.name}.al-pose-1_filtered.lightning-pose.csv",
        f"{video.name}.al-pose-1.poses.csv",
        f"{video.name}{scorer}_filtered_labeled.mp4",
    ]
    assert [message.stage for message in told][-1] == f"Drawing {video.name}"
    raw, smooth = (pd.read_hdf(tmp_path / f"{video.name}{scorer}{mark}.h5").to_numpy() for mark in ("", "_filtered"))
    assert not np.array_equal(raw, smooth)
    np.testing.assert_array_equal(raw[:, 2::3], smooth[:, 2::3])
    table = pd.read_csv(tmp_path / f"{video.name}.al-pose-1.poses.csv")
    np.testing.assert_array_equal(table[["x", "y", "likelihood"]].to_numpy(np.float32).reshape(raw.shape), raw)
    beside = table[["x_kalman", "y_kalman"]].to_numpy(np.float32).reshape(len(raw), -1, 2)
    np.testing.assert_array_equal(beside, smooth.reshape(len(raw), -1, 3)[..., :2])
    with video.open() as source:
        assert table.seconds.iloc[-1] == pytest.approx(source.seconds(len(source) - 1), abs=1e-6)
    # DeepLabCut's mark: the labelled copy does not become a video of the project.
    shutil.copy(tmp_path / names[-1], project.root / "videos")
    with open_project(project.root, read_only=True) as again:
        assert len(again.videos) == len(project.videos)


def test_the_table_of_extracted_images_has_no_times(model_project, tmp_path):
    project, model = model_project
    with_file = project.videos[0]
    images = tmp_path / "extracted"
    images.mkdir()
    with with_file.open() as source:
        for number in (3, 40):
            Image.fromarray(source[number]).save(images / f"img{number:03d}.png")
    video = ProjectVideo("extracted", None, images)
    options = ExportOptions(formats=("table",), folder=str(tmp_path))
    done, _ = export(project, [video], options, model)
    assert [os.path.basename(path) for path in done.paths] == ["extracted.al-pose-1.poses.csv"]
    table = pd.read_csv(done.paths[0])
    assert sorted(set(table.frame)) == [3, 40]
    assert table.seconds.isna().all()


def test_cancelling_while_files_are_written_leaves_none(model_project, tmp_path):
    project, model = model_project
    options = ExportOptions(labelled_video=True, folder=str(tmp_path))
    work = pose_export.export(project, project.videos[:1], options, model=model, version=1, job=5)
    while not next(work).stage.startswith("Drawing"):
        pass
    work.close()
    with suppress(StopIteration):
        next(work)
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".h5", ".csv"}


def test_a_model_and_a_folder_that_are_not_there_are_said(model_project, tmp_path):
    project, _ = model_project
    loop = ActiveLearningLoop(project.root, device="cpu")
    loop.refresh(project)
    with pytest.raises(AlPoseError, match=r"no model 7\. It has: 1"):
        finish(loop.export(project, [], ExportOptions(version=7)))
    with pytest.raises(AlPoseError, match=r"no folder .*gone"):
        finish(loop.export(project, [project.videos[0].name], ExportOptions(folder=str(tmp_path / "gone"))))
    loop.close()
