"""Frames of videos that differ in size, and videos that can't be opened."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine import sources as sources_module
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.sources import Sources, read_batches
from napari_al_pose.project import open_project


class Blank:
    """A video of a size, as much of a source as reading takes."""

    def __init__(self, height, width):
        self.shape = (100, height, width, 3)

    def position(self, number):
        return number

    def __getitem__(self, position):
        return np.zeros(self.shape[1:], np.uint8)


def test_one_large_video_makes_no_other_one_slow(monkeypatch):
    monkeypatch.setattr(sources_module, "BATCH_BYTES", 3 * 4 * 40 * 40)
    videos = {"a": Blank(40, 40), "large": Blank(400, 400), "z": Blank(40, 40)}
    keys = [FrameKey(name, number) for name in videos for number in range(8)]
    sizes = {}
    for batch in read_batches(keys, videos):
        sizes.setdefault(batch.video, []).append(len(batch.frames))
    assert sizes == {"a": [4, 4], "large": [1] * 8, "z": [4, 4]}


@pytest.fixture
def broken(sample_copy):
    """A project with a video that is none."""
    (sample_copy.parent / "videos" / "broken.mp4").write_bytes(b"not a video" * 50)
    return sample_copy


def test_a_video_that_cannot_be_opened_is_told_once_with_its_reason(broken):
    with open_project(broken) as project:
        sources = Sources()
        opened = sources.refresh(project)
        assert "broken" not in opened
        assert opened
        told = sources.news()
        assert told.startswith("The video broken is left out: ")
        assert "broken.mp4" in told
        sources.refresh(project)
        assert sources.news() == ""
        (broken.parent / "videos" / "worse.mp4").write_bytes(b"nor this")
    with open_project(broken) as project:
        sources.refresh(project)
        assert sources.news().startswith("The video worse is left out: ")
        sources.close()


def test_a_ranking_says_which_video_it_left_out(broken):
    with open_project(broken) as project:
        loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
        first, second = (finish(loop.rank(project, strategy="uniform", size=3)) for _ in range(2))
        loop.close()
    assert "broken is left out" in first.notice
    assert "broken" not in second.notice


def test_features_that_cannot_be_kept_stop_nothing_and_leave_nothing(sample_copy, caplog):
    with open_project(sample_copy) as project:
        sources = Sources()
        opened = sources.refresh(project)
        key = FrameKey(next(iter(opened)), 3)
        blocked = sample_copy.parent / "file"
        blocked.write_text("no folder")
        for path in (blocked / "features.npz", sample_copy.parent / "cache" / "features.npz"):
            found = finish(FeatureCache(path, device="cpu").fetch([key], opened, 0))
            assert np.isfinite(found).all()
        sources.close()
    assert "features are not kept" in caplog.text
    assert [path.name for path in (sample_copy.parent / "cache").iterdir()] == ["features.npz"]
