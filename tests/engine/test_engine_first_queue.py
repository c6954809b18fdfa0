"""The queue that is there before torch is: coarse, quick, and from the project's own videos."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from napari_al_pose.acquisition.pool import near_keyframes
from napari_al_pose.engine.first_queue import first_queue, needs_first_queue
from napari_al_pose.engine.messages import Progress, Ranked
from napari_al_pose.project import open_project


class Stretch:
    """A video of ``n`` frames with a keyframe every ``gap``."""

    fps = 30.0

    def __init__(self, n, gap):
        self.keyframes = np.arange(0, n, gap)
        self._n = n

    def __len__(self):
        return self._n


@pytest.mark.parametrize(("n", "gap"), [(2330, 250), (2330, 2330), (60, 1), (7, 3), (10_000, 12)])
def test_frames_near_keyframes_spread_over_the_video_and_decode_in_few_steps(n, gap):
    video = Stretch(n, gap)
    found = near_keyframes(video, 60, decoded=520)
    assert len(set(found)) == len(found)
    assert found == sorted(found)
    assert min(n, 60) * 0.9 <= len(found) <= 60 + len(video.keyframes) or n < 60
    assert set(found) <= set(range(n))
    cost = sum(1 + max(p - k for p in found if k <= p < k + gap) for k in {p // gap * gap for p in found})
    assert cost <= 520 + len(found)
    if len(video.keyframes) > 1:
        assert found[-1] >= n - 2 * max(gap, n // 60 + 1)


def test_a_new_project_gets_frames_that_differ_and_progress_from_the_start(sample_copy):
    with open_project(sample_copy, read_only=True) as project:
        assert needs_first_queue(project)
        replies = list(first_queue(project, 3))
        size = project.settings.batch_size
        videos = {video.name for video in project.videos}
    assert isinstance(replies[0], Progress)
    assert (replies[0].job, replies[0].done) == (3, 0)
    ranked = replies[-1]
    assert isinstance(ranked, Ranked)
    keys = [suggestion.key for suggestion in ranked.suggestions]
    assert len(keys) == len(set(keys)) == size
    assert {key.video for key in keys[:2]} == videos, "videos take turns"


def test_labelled_frames_are_not_suggested_and_a_kept_queue_is_enough(sample_copy):
    with open_project(sample_copy) as project:
        first = list(first_queue(project, 1))[-1].suggestions
        for bodypart in project.skeleton.bodyparts:
            project.labels.place(first[0].key, bodypart, 30.0, 30.0)
        again = list(first_queue(project, 1))[-1].suggestions
        assert first[0].key not in {suggestion.key for suggestion in again}
        project.queue.save("hybrid", 0, again)
        assert not needs_first_queue(project)


def test_a_project_whose_videos_are_missing_has_no_first_queue(sample_copy):
    with open_project(sample_copy) as project:
        for video in project.videos:
            video.path.rename(video.path.with_suffix(".gone"))
        assert not [reply for reply in first_queue(project, 1) if isinstance(reply, Ranked)]


def test_nothing_slow_is_imported_for_it():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, napari_al_pose.engine.child; print(sorted({'torch', 'sklearn', 'pandas'} & set(sys.modules)))",
        ],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
