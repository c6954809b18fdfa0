"""One click mends the rest: swaps, missing peaks, what must stay, and real poses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.domain.evidence import Evidence, of_scoremaps
from napari_al_pose.domain.pose_inference import infer_pose
from napari_al_pose.domain.pose_prior import fit_prior

GRID = ScoremapGrid(4.0, 4.0, 1.5, 1.5)
MOUSE = np.array([[0, -40], [-14, -22], [14, -22], [0, 0], [0, 36]], float)
"""Snout, left ear, right ear, centre, tail base; y points down."""

NAMES = ("openfield-Pranav-2018-10-30", "Reaching-Mackenzie-2018-08-30", "lips")


def mice(n: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        angle = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        made.append((MOUSE + rng.normal(0, 1.5, MOUSE.shape)) @ turn.T + rng.uniform(80, 180, 2))
    return np.array(made)


def scoremaps(peaks: list[list[tuple[float, float, float]]], height: int = 64, width: int = 64) -> np.ndarray:
    """Draw Gaussian peaks ``(x, y, height)`` in source pixels."""
    rows, columns = np.mgrid[:height, :width]
    maps = np.zeros((len(peaks), height, width), np.float32)
    for own, drawn in zip(maps, peaks, strict=True):
        for x, y, top in drawn:
            cx, cy = (x - 1.5) / 4, (y - 1.5) / 4
            np.maximum(own, top * np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / 2), out=own)
    return maps


def at(pose: np.ndarray, k: int, top: float) -> tuple[float, float, float]:
    return float(pose[k, 0]), float(pose[k, 1]), top


def clicked(*which: int) -> np.ndarray:
    return np.isin(np.arange(5), which)


@pytest.fixture(scope="module")
def prior():
    return fit_prior(mice(20))


@pytest.fixture(scope="module")
def pose():
    return mice(1, seed=99)[0]


def test_peaks_are_found_between_cells_highest_first(pose):
    evidence = of_scoremaps(scoremaps([[at(pose, 0, 0.9), at(pose, 4, 0.4)], [], [(3.0, 2.0, 0.5)]]), GRID)
    assert evidence.xy[0, 0] == pytest.approx(pose[0], abs=0.05)
    assert evidence.xy[0, 1] == pytest.approx(pose[4], abs=0.05)
    assert evidence.height[0, :2] == pytest.approx([0.9, 0.4], abs=0.1)
    assert not evidence.height[1].any()
    assert np.isfinite(evidence.xy[2, 0]).all()  # at the border of the map
    assert evidence.area == 64 * 64 * 16


def test_flat_and_empty_maps_have_no_candidates():
    for maps in (np.zeros((2, 8, 8)), np.full((2, 8, 8), 1e-4)):
        assert not of_scoremaps(maps, GRID).height.any()


def test_a_left_and_a_right_that_were_exchanged_go_back(prior, pose):
    both = [at(pose, 1, 0.5), at(pose, 2, 0.6)], [at(pose, 1, 0.6), at(pose, 2, 0.5)]
    evidence = of_scoremaps(scoremaps([[at(pose, 0, 0.9)], *both, [at(pose, 3, 0.9)], [at(pose, 4, 0.9)]]), GRID)
    guess = pose[[0, 2, 1, 3, 4]].copy()
    guess[1] = pose[1]  # the click
    found = infer_pose(prior, evidence, xy=guess, clicked=clicked(1), open_=~clicked(1))
    assert found.changed.tolist() == [False, False, True, False, False]
    assert np.abs(found.xy - pose).max() < 3


def test_a_mouse_found_the_wrong_way_round_turns(prior, pose):
    ends = [at(pose, 0, 0.5), at(pose, 4, 0.6)], [at(pose, 0, 0.6), at(pose, 4, 0.5)]
    ears = [at(pose, 1, 0.5), at(pose, 2, 0.6)], [at(pose, 1, 0.6), at(pose, 2, 0.5)]
    evidence = of_scoremaps(scoremaps([ends[0], *ears, [at(pose, 3, 0.9)], ends[1]]), GRID)
    guess = pose[[4, 2, 1, 3, 0]].copy()
    guess[0] = pose[0]
    found = infer_pose(prior, evidence, xy=guess, clicked=clicked(0), open_=~clicked(0))
    assert np.abs(found.xy - pose).max() < 3


def test_what_was_found_nowhere_is_drawn_where_the_prior_expects_it(prior, pose):
    evidence = of_scoremaps(scoremaps([[at(pose, k, 0.9)] if k != 2 else [] for k in range(5)]), GRID)
    guess = pose.copy()
    guess[2] = np.nan
    found = infer_pose(prior, evidence, xy=guess, clicked=clicked(0), open_=~clicked(0))
    assert found.changed[2]
    assert np.hypot(*(found.xy[2] - pose[2])) < 8


def test_clicks_stay_where_they_are_however_odd(prior, pose):
    odd = pose.copy()
    odd[4] += 70
    evidence = of_scoremaps(scoremaps([[at(pose, k, 0.9)] for k in range(5)]), GRID)
    found = infer_pose(prior, evidence, xy=odd, clicked=clicked(4), open_=~clicked(4))
    assert np.array_equal(found.xy[4], odd[4])
    assert found.xy[:4] == pytest.approx(pose[:4], abs=1.0)


def test_a_sure_guess_does_not_tremble(prior, pose):
    evidence = of_scoremaps(scoremaps([[at(pose, k, 0.95)] for k in range(5)]), GRID)
    guess = evidence.xy[:, 0].copy()
    guess[0] = pose[0] + 1.5
    found = infer_pose(prior, evidence, xy=guess, clicked=clicked(0), open_=~clicked(0))
    assert not found.changed.any()


def test_what_is_not_open_is_left_alone_and_has_no_say(prior, pose):
    evidence = of_scoremaps(scoremaps([[at(pose, k, 0.9)] for k in range(5)]), GRID)
    guess = pose.copy()
    guess[1] = 3.0, 3.0
    found = infer_pose(prior, evidence, xy=guess, clicked=clicked(0), open_=clicked(2, 3, 4))
    assert np.array_equal(found.xy[1], [3.0, 3.0])
    assert not found.changed[1]


def test_without_anything_open_or_anything_to_go_by_nothing_changes(prior, pose):
    evidence = Evidence(pose[:, None], np.full((5, 1), 0.5), 1e5)
    for which, open_ in ((~clicked(), clicked()), (clicked(0), clicked()), (clicked(), clicked(0, 1))):
        found = infer_pose(prior, evidence, xy=pose, clicked=which, open_=open_)
        assert not found.changed.any()
        assert np.array_equal(found.xy, pose)


def test_one_click_on_an_empty_frame_says_nothing_wild(prior):
    nothing = Evidence(np.full((5, 1, 2), np.nan), np.zeros((5, 1)), 1e5)
    alone = np.full((5, 2), np.nan)
    alone[0] = 100, 100
    found = infer_pose(prior, nothing, xy=alone, clicked=clicked(0), open_=~clicked(0))
    shown = found.xy[np.isfinite(found.xy).all(axis=1)]
    assert (np.hypot(*(shown - 100).T) < 150).all()


def test_the_answer_is_the_same_every_time_and_does_not_change_what_was_given(prior, pose):
    evidence = of_scoremaps(scoremaps([[at(pose, k, 0.2)] for k in range(5)]), GRID)
    guess = pose + 5.0
    before = guess.copy()
    first, second = (infer_pose(prior, evidence, xy=guess, clicked=clicked(3), open_=~clicked(3)) for _ in range(2))
    assert np.array_equal(first.xy, second.xy)
    assert np.array_equal(guess, before)


def test_before_the_first_click_a_doubtful_guess_is_moved_towards_where_poses_have_it(prior, pose):
    off = pose.copy()
    off[2] += (4, -3)
    heights = (0.9, 0.9, 0.05, 0.9, 0.9)
    evidence = of_scoremaps(scoremaps([[at(off, k, top)] for k, top in enumerate(heights)]), GRID)
    found = infer_pose(prior, evidence, xy=evidence.xy[:, 0], clicked=clicked(), open_=~clicked())
    assert found.changed.tolist() == [False, False, True, False, False]
    assert np.hypot(*(found.xy[2] - pose[2])) < np.hypot(*(off[2] - pose[2]))


def test_nothing_found_and_nothing_clicked_is_left_as_it_is(prior):
    nothing = Evidence(np.full((5, 1, 2), np.nan), np.zeros((5, 1)), 1e5)
    found = infer_pose(prior, nothing, xy=np.full((5, 2), np.nan), clicked=clicked(), open_=~clicked())
    assert np.isnan(found.xy).all()
    guess_elsewhere = np.arange(10.0).reshape(5, 2) ** 2
    infer_pose(prior, nothing, xy=guess_elsewhere, clicked=clicked(), open_=~clicked())


def test_a_prior_of_other_bodyparts_is_refused(prior):
    with pytest.raises(ValueError, match="5 bodyparts"):
        infer_pose(
            prior,
            Evidence(np.zeros((4, 1, 2)), np.ones((4, 1)), 1e5),
            xy=np.zeros((4, 2)),
            clicked=clicked(),
            open_=clicked(),
        )


def real_poses(name: str) -> np.ndarray:
    data = os.environ.get("NAPARI_AL_POSE_DATA")
    if not data or not (Path(data) / name).is_dir():
        pytest.skip("NAPARI_AL_POSE_DATA names no folder with DeepLabCut's examples and lips")
    from napari_al_pose.project import open_project

    with open_project(Path(data) / name, read_only=True) as project:
        found = [annotation.xy for annotation in project.labels.annotations() if annotation.is_complete]
    return np.array(found)


@pytest.mark.parametrize("name", NAMES)
def test_exchanged_points_of_real_poses_go_back(name):
    """Two bodyparts of a pose that was left out are exchanged; both peaks are there, the wrong one higher."""
    labels = real_poses(name)
    prior = fit_prior(labels[::2])
    rng = np.random.default_rng(0)
    mended = total = 0
    for true in labels[1::2]:
        there = np.flatnonzero(np.isfinite(true[:, 0]))
        if len(there) < 4:
            continue
        i, j = rng.choice(there, 2, replace=False)
        length = np.hypot(*np.ptp(true[there], axis=0))
        if np.hypot(*(true[i] - true[j])) < 0.2 * length:
            continue
        xy, height = np.full((len(true), 2, 2), np.nan), np.zeros((len(true), 2))
        xy[:, 0], height[:, 0] = true, np.isfinite(true[:, 0]) * 0.8
        xy[i], xy[j] = [true[j], true[i]], [true[i], true[j]]
        height[i] = height[j] = 0.6, 0.4
        guess = true.copy()
        guess[j] = true[i]  # still wrong; i is clicked
        which = np.arange(len(true)) == i
        found = infer_pose(
            prior,
            Evidence(xy, height, (6 * length) ** 2),
            xy=guess,
            clicked=which,
            open_=np.isfinite(true[:, 0]) & ~which,
        )
        mended += np.hypot(*(found.xy[j] - true[j])) < 0.1 * length
        total += 1
    assert total > 8
    assert mended / total > 0.7
