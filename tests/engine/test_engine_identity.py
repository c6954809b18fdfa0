"""Videos of one name that are different videos: predicted, written and looked at each for itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine import pose_export
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.sources import Sources
from napari_al_pose.headless import predict, rank
from napari_al_pose.project import open_project


@pytest.fixture
def root(sample_copy, add_model) -> Path:
    """A project with an untrained model, not open."""
    with open_project(sample_copy) as project:
        add_model(project)
    return sample_copy


@pytest.fixture
def two_days(sample_copy, tmp_path) -> list[Path]:
    """Two videos called ``cam1.mp4``, of different days."""
    paths = []
    with open_project(sample_copy, read_only=True) as project:
        videos = project.videos
    for day, video in zip(("day1", "day2"), videos, strict=False):
        path = tmp_path / day / "cam1.mp4"
        path.parent.mkdir()
        shutil.copy(video.path, path)
        paths.append(path)
    return paths


def tables(predicted):
    """The .h5 among the files that `predict` names, one a video."""
    return [Path(path) for path in predicted["paths"] if path.endswith(".h5")]


def poses(path) -> np.ndarray:
    return pd.read_hdf(path).to_numpy()


def test_two_videos_of_one_name_are_both_predicted(root, two_days, tmp_path, capsys):
    apart = tables(predict(root, [str(path) for path in two_days], ExportOptions()))
    assert [path.parent for path in apart] == [path.parent for path in two_days]
    first, second = map(poses, apart)
    assert not np.array_equal(first, second)
    # Into one folder: named apart, and said.
    (tmp_path / "out").mkdir()
    together = tables(predict(root, [str(p) for p in two_days], ExportOptions(folder=str(tmp_path / "out"))))
    assert together[0].name.startswith("cam1-day1DLC")
    assert together[1].name.startswith("cam1-day2DLC")
    assert "cam1-day1, cam1-day2" in capsys.readouterr().err
    np.testing.assert_array_equal(poses(together[0]), first)
    np.testing.assert_array_equal(poses(together[1]), second)


def test_videos_that_differ_in_their_suffix_only_are_written_apart(model_project, two_days):
    project, _ = model_project
    other = two_days[0].with_suffix(".MOV")
    shutil.copy(two_days[1], other)
    videos = pose_export.choose_videos(project, [str(two_days[0]), str(other)])
    assert len({video.name for video in videos}) == 2
    assert pose_export.output_stems(videos, ExportOptions())[0] == ["cam1-mp4", "cam1-MOV"]


def test_a_file_given_twice_is_one_and_a_copy_of_it_is_written_too(root, two_days, tmp_path):
    copy = tmp_path / "day3" / "cam1.mp4"
    copy.parent.mkdir()
    shutil.copy(two_days[0], copy)
    link = tmp_path / "link.mp4"
    link.symlink_to(copy)
    with open_project(root, read_only=True) as project:
        videos = pose_export.choose_videos(project, [str(two_days[0]), str(copy), str(two_days[0]), str(link)])
    assert [video.path.resolve() for video in videos] == [two_days[0], copy]
    done = predict(root, [str(two_days[0]), str(copy)], ExportOptions())
    np.testing.assert_array_equal(*map(poses, tables(done)))


def test_features_of_a_video_recorded_anew_are_computed_anew(model_project, tmp_path):
    project, _ = model_project
    first, second = project.videos[:2]
    os.chmod(first.path, 0o644)
    cache, sources = FeatureCache(tmp_path / "features.npz", device="cpu"), Sources()
    key = FrameKey(first.name, 5)
    before = finish(cache.fetch([key], sources.refresh(project), 0))
    shutil.copy(second.path, first.path)
    expected = finish(cache.fetch([FrameKey(second.name, 5)], sources.refresh(project), 0))
    anew = FeatureCache(tmp_path / "features.npz", device="cpu")
    for which in (cache, anew):
        found = finish(which.fetch([key], sources.refresh(project), 0))
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert not np.allclose(found, before)
    sources.close()
    stored = FeatureCache(tmp_path / "features.npz", device="cpu")._known
    assert sum(key.video.endswith(f":{first.name}") for key in stored) == 1  # nothing of the file before is kept


def test_an_open_engine_sees_the_file_that_took_anothers_place(model_project):
    project, _ = model_project
    first, second = project.videos[:2]
    os.chmod(first.path, 0o644)
    loop = ActiveLearningLoop(project.root, device="cpu")
    before = loop.sources(project)[first.name][3].copy()
    shutil.copy(second.path, first.path)
    after = loop.sources(project)[first.name][3]
    assert not np.array_equal(before, after)
    loop.close()


def test_a_run_of_another_file_of_that_name_is_begun_anew(root, two_days):
    done = [predict(root, [str(path)], ExportOptions())["paths"][0] for path in two_days]
    assert not np.array_equal(*map(poses, done))
    with open_project(root, read_only=True) as again:
        assert again.video_predictions.find(1, "cam1").is_complete


def test_a_place_that_cannot_be_written_is_told_before_the_work(root, two_days, monkeypatch):
    monkeypatch.setattr(pose_export, "predict_planned", None)  # never come to
    with pytest.raises(AlPoseError, match="/proc could not be written"):
        predict(root, [str(two_days[0])], ExportOptions(folder="/proc"))
    with pytest.raises(AlPoseError, match="/proc could not be written"):
        rank(root, strategy=None, top=3, contact_sheet=Path("/proc/sheet.png"))
    with open_project(root, read_only=True) as project:
        assert project.video_predictions.videos(1) == []


@pytest.mark.parametrize("with_model", [False, True])
def test_an_empty_queue_says_why(tmp_path, capsys, add_model, with_model):
    root = tmp_path / "p"
    folder = root / "labeled-data" / "cam"
    folder.mkdir(parents=True)
    (root / "config.yaml").write_text("Task: t\nscorer: Me\ndate: May1\nbodyparts: [nose]\nvideo_sets: {}\n")
    for number in (1, 2):
        pixels = np.random.default_rng(number).integers(0, 255, (96, 128, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"img{number}.png")
    with open_project(root) as project:
        for number in (1, 2):
            project.labels.place(FrameKey("cam", number), "nose", 5.0, 5.0)
        if with_model:
            add_model(project)
    assert rank(root, strategy=None, top=3) == []
    assert "all 2 frames are labelled" in capsys.readouterr().err
