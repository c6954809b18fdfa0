"""Groups of frames that look alike, and how much of the videos each stands for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.frame_groups import grouped

FPS = {"long": 30.0, "short": 30.0}


@pytest.fixture
def frames():
    """Two videos: 60 candidates stand for 6,000 frames, 20 for 400; one in ten of the long one is a rare look."""
    random = np.random.default_rng(0)
    keys = [*(FrameKey("long", 100 * i) for i in range(60)), *(FrameKey("short", 20 * i) for i in range(20))]
    looks = np.array([2 if i % 10 == 0 else 0 for i in range(60)] + [1] * 20)
    vectors = np.eye(8)[looks] + random.normal(0, 0.02, (80, 8))
    return keys, vectors.astype(np.float32), looks


def test_shares_count_frames_and_not_candidates(frames):
    keys, vectors, looks = frames
    found = grouped(keys, vectors, n_candidates=80, labelled=[], lengths={"long": 6000, "short": 400}, fps=FPS)
    share = {}
    for key, look in zip(keys, looks.tolist(), strict=True):
        share.setdefault(look, set()).add(found.group_of[key])
    assert not share[0] & share[1]
    assert not (share[0] | share[1]) & share[2], "no group mixes looks"
    total = {look: sum(found.groups[i].share for i in groups) for look, groups in share.items()}
    assert total[0] == pytest.approx(0.9 * 6000 / 6400)
    assert total[1] == pytest.approx(400 / 6400)
    assert total[2] == pytest.approx(0.1 * 6000 / 6400)


def test_what_has_no_labels_comes_first_and_labelled_frames_are_not_offered(frames):
    keys, vectors, looks = frames
    labelled = [key for key, look in zip(keys, looks.tolist(), strict=True) if look != 2][::3]
    extra = FrameKey("long", 55)
    found = grouped(
        [*keys, extra],
        np.concatenate([vectors, vectors[:1] * 0 + np.eye(8, dtype=np.float32)[0]]),
        n_candidates=80,
        labelled=[*labelled, extra],
        lengths={"long": 6000, "short": 400},
        fps=FPS,
    )
    assert found.groups[0].n_labelled == 0
    counts = [group.n_labelled for group in found.groups]
    assert counts == sorted(counts)
    assert sum(counts) == len(labelled) + 1
    assert not {key for group in found.groups for key in group.typical} & {*labelled, extra}


def test_typical_frames_are_apart_in_time():
    keys = [FrameKey("long", i) for i in range(60)]
    vectors = np.repeat(np.eye(4, dtype=np.float32)[:2], 30, axis=0)
    found = grouped(keys, vectors, n_candidates=60, labelled=[], lengths={"long": 60}, fps={"long": 5.0})
    numbers = [sorted(key.frame for key in group.typical) for group in found.groups]
    assert max(map(len, numbers)) > 1
    assert all(gap >= 10 for each in numbers for gap in np.diff(each))


def test_blank_frames_are_in_no_group_and_few_frames_make_none():
    keys = [FrameKey("long", i) for i in range(40)]
    vectors = np.repeat(np.eye(4, dtype=np.float32)[:2], 20, axis=0)
    vectors[3] = np.nan
    found = grouped(keys, vectors, n_candidates=40, labelled=[], lengths={"long": 40}, fps=FPS)
    assert keys[3] not in found.group_of
    assert sum(group.share for group in found.groups) == pytest.approx(39 / 40)
    few = grouped(keys[:5], vectors[:5], n_candidates=5, labelled=[], lengths={"long": 5}, fps=FPS)
    assert (few.groups, dict(few.group_of)) == ((), {})
    empty = np.zeros((0, 0), np.float32)
    assert grouped([], empty, n_candidates=0, labelled=[], lengths={}, fps={}).groups == ()
