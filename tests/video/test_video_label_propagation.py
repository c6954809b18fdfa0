"""Labels carried along in time: followed, turned, found again, lost where they must be."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from napari_al_pose.video.label_propagation import propagate_labels

POINTS = np.array([[60.0, 50], [90, 50], [90, 80], [60, 80], [75, 65]])


def textured(seed: int, size: tuple[int, int], blur: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 60, size).clip(0, 255).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), blur), None, 20, 235, cv2.NORM_MINMAX)


FLOOR = textured(0, (200, 240), 6.0)
ANIMAL = textured(1, (60, 60), 2.0)


def scene(dx: float, dy: float, degrees: float = 0.0, *, hidden: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Draw the animal, moved and turned about its middle, on a floor that stays; return frame and points."""
    matrix = cv2.getRotationMatrix2D((29.5, 29.5), degrees, 1.0)
    matrix[:, 2] += (45 + dx, 35 + dy)
    shape = FLOOR.shape[::-1]
    moved = cv2.warpAffine(ANIMAL, matrix, shape)
    mask = cv2.warpAffine(np.ones_like(ANIMAL), matrix, shape)
    image = FLOOR if hidden else FLOOR * (1 - mask) + moved * mask
    points = (POINTS - (45, 35)) @ matrix[:, :2].T + matrix[:, 2]
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2), points


def errors(steps: list[tuple[float, float, float]], **options) -> list[np.ndarray]:
    frames = [scene(*step) for step in steps]
    first, points = scene(0, 0)
    found = list(propagate_labels(first, points, (frame for frame, _ in frames), **options))
    return [np.hypot(*(one.xy - frames[one.step - 1][1]).T) for one in found]


def test_points_are_followed_as_the_animal_moves_and_turns():
    off = errors([(2.0 * i, 1.0 * i, 4.0 * i) for i in range(1, 25)])
    assert len(off) == 24
    assert np.nanmax(off[-1]) < 1.5
    assert np.isfinite(off[-1]).all()


def test_errors_do_not_add_up():
    there_and_back = [(3 * np.sin(i / 3), 2 * np.cos(i / 4) - 2, 10 * np.sin(i / 5)) for i in range(1, 80)]
    off = errors(there_and_back)
    assert len(off) == 79
    assert np.nanmax(off[-1]) < 0.7


def test_a_track_ends_where_the_animal_is_gone():
    frames = [scene(2 * i, 0)[0] for i in range(1, 6)] + [scene(0, 0, hidden=True)[0]] * 10
    first, points = scene(0, 0)
    found = list(propagate_labels(first, points, frames))
    assert [one.step for one in found] == [1, 2, 3, 4, 5]


def test_points_that_leave_the_image_are_lost_and_the_others_go_on():
    frames = [scene(-6.0 * i, 0)[0] for i in range(1, 12)]
    first, points = scene(0, 0)
    last = list(propagate_labels(first, points, frames))[-1]
    gone = np.isnan(last.xy[:, 0])
    assert 0 < gone.sum() < 5
    assert (last.likelihood[gone] == 0).all()
    assert (last.likelihood[~gone] >= 0.5).all()


def test_what_was_not_there_stays_away_and_grey_images_do():
    first, points = scene(0, 0)
    points[2] = np.nan
    (found,) = propagate_labels(first[..., 0], points, [scene(1, 1)[0][..., 0]])
    assert np.isnan(found.xy[2]).all()
    assert found.likelihood[2] == 0
    assert np.isfinite(found.xy[[0, 1, 3, 4]]).all()


def test_without_points_or_frames_nothing_is_carried():
    first, points = scene(0, 0)
    assert list(propagate_labels(first, np.full((3, 2), np.nan), [first])) == []
    assert list(propagate_labels(first, np.zeros((0, 2)), [first])) == []
    assert list(propagate_labels(first, points, [])) == []


def test_one_point_alone_is_carried():
    first, points = scene(0, 0)
    frame, there = scene(3, 2)
    (found,) = propagate_labels(first, points[4:], [frame])
    assert np.hypot(*(found.xy[0] - there[4])) < 1.0


def test_frames_are_asked_for_one_by_one():
    asked = []

    def frames():
        for i in range(1, 100):
            asked.append(i)
            yield scene(i, 0)[0]

    first, points = scene(0, 0)
    track = propagate_labels(first, points, frames())
    next(track)
    next(track)
    assert asked == [1, 2]
    track.close()


@pytest.mark.skipif(
    not (Path(os.environ.get("NAPARI_AL_POSE_DATA", "")) / "flies/clip.slp").is_file(),
    reason="NAPARI_AL_POSE_DATA has no flies",
)
def test_real_flies_are_followed():
    from napari_al_pose.formats.sleap import read_sleap
    from napari_al_pose.video import open_source

    folder = Path(os.environ["NAPARI_AL_POSE_DATA"]) / "flies"
    truth = {a.key.frame: a.xy for a in read_sleap(folder / "clip.slp").annotations if a.individual == "male"}
    source = open_source(folder / "clip.mp4")
    start = 700
    found = list(
        propagate_labels(np.asarray(source[start]), truth[start], (np.asarray(source[start + i]) for i in range(1, 9)))
    )
    source.close()
    length = np.hypot(*np.nanmax(truth[start], axis=0) - np.nanmin(truth[start], axis=0))
    off = np.hypot(*(found[-1].xy - truth[start + 8]).T) / length
    assert len(found) == 8
    assert np.nanmean(off < 0.1) > 0.8
