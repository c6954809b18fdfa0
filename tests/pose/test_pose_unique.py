"""Unique bodyparts beside several animals: learnt, found wherever they are, and told apart by their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose_tools import finish
from test_pose_animals import PARTS, SETTINGS, apart, drawn

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.unique_views import UniqueViews

UNIQUE = ("left lamp", "right lamp", "arm")
PLACES = np.array([(20.0, 15.0), (140.0, 15.0)])
YELLOW, CYAN = [250, 240, 60], [60, 240, 240]


def with_lamps(rng: np.random.Generator, *, arm: bool = True, n: int = 2) -> LabelledFrame:
    """Draw worms under two lamps that look the same, and an arm that comes and goes."""
    frame = drawn(apart(rng, n), rng)
    image = frame.image.copy()
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    xy = np.vstack([PLACES + rng.uniform(-3, 3, 2), rng.uniform((15, 40), (145, 105))])
    for (x, y), colour in zip(xy, (YELLOW, YELLOW, CYAN), strict=True):
        if arm or colour is not CYAN:
            image[np.hypot(columns - x, rows - y) < 5] = colour
    states = np.array(
        [KeypointState.PLACED] * 2 + [KeypointState.PLACED if arm else KeypointState.NOT_VISIBLE], np.int8
    )
    if not arm:
        xy[2] = np.nan
    return replace(
        frame,
        image=image,
        others=tuple(replace(other, image=image) for other in frame.others),
        unique_xy=xy,
        unique_states=states,
    )


@pytest.fixture(scope="module")
def frames() -> list[LabelledFrame]:
    rng = np.random.default_rng(1)
    return [with_lamps(rng, arm=i % 3 > 0) for i in range(12)]


@pytest.fixture(scope="module")
def model(frames) -> PoseModel:
    settings = SETTINGS.model_copy(update={"steps": 130})
    return finish(train(frames, PARTS, settings, animals=2, unique_bodyparts=UNIQUE))[1]


def test_each_is_found_and_what_is_not_there_is_not(model):
    rng = np.random.default_rng(7)
    there, gone = [with_lamps(rng) for _ in range(6)], [with_lamps(rng, arm=False) for _ in range(3)]
    said = [model.predict(frame.image[None]).animals for frame in there]
    errors = np.array([np.hypot(*(one.unique.xy[0] - f.unique_xy).T) for one, f in zip(said, there, strict=True)])
    assert (errors[:, :2] < 4).all(), "lamps that look alike are told apart by where they are"
    assert np.median(errors[:, 2]) < 4
    absent = [model.predict(frame.image[None]).animals.unique.likelihood[0, 2] for frame in gone]
    assert max(absent) < np.median([one.unique.likelihood[0, 2] for one in said])
    # The animals are found as well.
    found = [np.isfinite(one.xy[0, :, 0, 0]).sum() for one in said]
    assert np.mean(found) == 2


def test_scoremaps_lie_where_the_points_are_and_all_moves_together(model):
    frame = with_lamps(np.random.default_rng(8))
    said = model.predict(np.stack([frame.image, frame.image])).moved(np.array([100.0, 50.0])).animals
    unique = said.unique
    assert unique.xy.shape == (2, 3, 2)
    scoremap, grid = unique.scoremaps[0, 0], unique.grids[0]
    rows, columns = np.mgrid[: scoremap.shape[0], : scoremap.shape[1]]
    cells = grid.to_source(np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(float))
    near = np.hypot(*(cells - unique.xy[0, 0]).T) < 6 * grid.stride_x  # a lamp is found by its place too
    peak = cells[np.where(near, scoremap.ravel(), -np.inf).argmax()]
    assert np.hypot(*(peak - unique.xy[0, 0])) < grid.stride_x
    assert np.hypot(*(unique.xy[0, 0] - (frame.unique_xy[0] + (100, 50)))) < 4


def test_a_model_file_keeps_them_and_older_models_have_none(model, frames, tmp_path):
    model.save(tmp_path / "model.pt")
    again = PoseModel.load(tmp_path / "model.pt", "cpu")
    assert again.unique_bodyparts == UNIQUE
    image = frames[0].image[None]
    np.testing.assert_array_equal(model.predict(image).animals.unique.xy, again.predict(image).animals.unique.xy)
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["bodyparts"] += content.pop("unique_bodyparts")
    del content["state"]["places"]
    torch.save(content, tmp_path / "model.pt")
    old = PoseModel.load(tmp_path / "model.pt", "cpu")
    assert old.unique_bodyparts == ()
    assert old.predict(image).animals.unique is None


def test_views_show_the_points_where_they_are_neither_mirrored_nor_turned(frames):
    views = UniqueViews((96, 96), long_side=160, search_side=96)
    views.add([frames[1], replace(frames[1], unique_xy=None, unique_states=None)])
    assert len(views) == 1
    rng = np.random.default_rng(0)
    for _ in range(12):
        view, uv, weights = views.draw(rng)
        shown = (uv >= 0).all(dim=1) & (uv < 96).all(dim=1)
        assert weights[shown].tolist() == [1] * int(shown.sum())
        arrow = (uv[1] - uv[0]).numpy()
        assert abs(np.degrees(np.arctan2(arrow[1], arrow[0]))) < 9
        inside = (uv >= 3).all(dim=1) & (uv < 93).all(dim=1)
        for (x, y), colour in zip(uv[inside].tolist(), np.array([YELLOW, YELLOW, CYAN])[inside.numpy()], strict=True):
            seen = view[:, round(y), round(x)].numpy()
            assert seen.std() < 3 or seen.argmin() == np.argmin(colour)  # a covered part of a view is grey


def test_one_animal_beside_unique_bodyparts_is_learnt_too(frames):
    alone = [replace(frame, others=()) for frame in frames[:6]]
    settings = SETTINGS.model_copy(update={"steps": 3})
    model = finish(train(alone, PARTS, settings, unique_bodyparts=UNIQUE))[1]
    said = model.predict(frames[0].image[None])
    assert said.animals.xy.shape == (1, 1, 3, 2)
    assert said.animals.unique.xy.shape == (1, 3, 2)
