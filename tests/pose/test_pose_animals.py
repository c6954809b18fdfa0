"""Several animals in a frame: found, told apart, counted; what nobody labelled teaches nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pose_tools import finish

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.animal_batch_sampler import AnimalBatchSampler
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.evaluation import examine, predict_labelled
from napari_al_pose.pose.frames import once_each
from napari_al_pose.pose.matching import matched
from napari_al_pose.pose.pasting import bones_of, outline
from napari_al_pose.pose.targets import NOT_VISIBLE_WEIGHT
from napari_al_pose.pose.training_plan import make_plan, view_is_fixed
from napari_al_pose.pose.window import Window

PARTS = ("head", "middle", "tail")
LENGTH = 32.0
COLOURS = ([250, 40, 40], [40, 220, 40], [40, 40, 250])
SETTINGS = TrainSettings(device="cpu", steps=110, batch_size=6, long_side=160)


def worm(middle: np.ndarray, angle: float) -> np.ndarray:
    """Return head, middle and tail of a worm."""
    along = np.array([np.cos(angle), np.sin(angle)]) * LENGTH / 2
    return np.stack([middle + along, middle, middle - along])


def drawn(worms: list[np.ndarray], rng: np.random.Generator, *, height: int = 120, width: int = 160) -> LabelledFrame:
    """Draw worms; what is outside the picture is not visible."""
    image = rng.integers(80, 110, (height, width, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for xy in worms:
        for t in np.linspace(0, 1, 20):
            x, y = xy[0] + t * (xy[2] - xy[0])
            image[np.hypot(columns - x, rows - y) < 2.5] = 160
        for (x, y), colour in zip(xy, COLOURS, strict=True):
            image[np.hypot(columns - x, rows - y) < 4] = colour
    if not worms:
        nowhere = np.full((3, 2), np.nan)
        return LabelledFrame(image, nowhere, np.full(3, KeypointState.NOT_VISIBLE, np.int8))
    first, *others = (labels_of(image, xy) for xy in worms)
    return replace(first, others=tuple(others))


def labels_of(image: np.ndarray, xy: np.ndarray) -> LabelledFrame:
    inside = ((xy >= 0) & (xy < np.array(image.shape[1::-1]))).all(axis=1)
    states = np.where(inside, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8)
    return LabelledFrame(image, np.where(inside[:, None], xy, np.nan), states)


def apart(rng: np.random.Generator, n: int, *, height: int = 120, width: int = 160) -> list[np.ndarray]:
    """Return worms whose middles are more than half a worm from each other."""
    middles: list[np.ndarray] = []
    while len(middles) < n:
        middle = rng.uniform(18, [width - 18, height - 18])
        if all(np.hypot(*(middle - other)) > 0.75 * LENGTH for other in middles):
            middles.append(middle)
    return [worm(middle, rng.uniform(0, 2 * np.pi)) for middle in middles]


@pytest.fixture(scope="module")
def frames() -> list[LabelledFrame]:
    rng = np.random.default_rng(0)
    return [drawn(apart(rng, n), rng) for n in (2, 1, 2, 0, 2, 2, 1, 2, 2, 0, 2, 1, 2, 2)]


@pytest.fixture(scope="module")
def model(frames) -> PoseModel:
    """Learnt from frames that show none, one or two worms."""
    return finish(train(frames, PARTS, SETTINGS, animals=2))[1]


@pytest.fixture(scope="module")
def test_frames() -> list[LabelledFrame]:
    rng = np.random.default_rng(7)
    return [drawn(apart(rng, n), rng) for n in (2, 1, 0, 2, 2, 1, 2, 0)]


def test_each_animal_is_found_where_it_is_and_none_where_there_is_none(model, test_frames):
    assert model.animals == Animals(2, always=False)
    errors, _ = examine(model, test_frames)
    assert errors.missed == 0
    assert errors.extra == 0
    assert errors.mean < 3
    assert errors.oks_map > 0.8


def test_poses_scoremaps_and_grids_of_each_animal_belong_together(model, test_frames):
    frame = test_frames[0]
    said = model.predict(frame.image[None])
    assert said.animals is not None
    assert said.animals.scoremaps is not None
    for xy, maps, grid in zip(said.animals.xy[0], said.animals.scoremaps[0], said.animals.grids[0], strict=True):
        for point, scoremap in zip(xy, maps, strict=True):
            row, column = np.unravel_index(scoremap.argmax(), scoremap.shape)
            peak = grid.to_source(np.array([column, row], float))
            assert np.abs(peak - point).max() <= grid.stride_x
    # Whoever knows of one animal only sees the surest.
    np.testing.assert_array_equal(said.xy[0], said.animals.xy[0, 0])
    moved = said.moved(np.array([5.0, 7.0]))
    np.testing.assert_allclose(moved.animals.xy, said.animals.xy + np.float32([5, 7]), rtol=1e-5)


def test_an_animal_half_out_of_the_frame_is_found(model):
    rng = np.random.default_rng(3)
    frame = drawn([worm(np.array([4.0, 60.0]), 0.3), worm(np.array([100.0, 60.0]), 2.0)], rng)
    assert (frame.each[0].states == KeypointState.NOT_VISIBLE).sum() == 1
    xy, _, extra = matched(*_poses(model, frame.image), frame)
    assert extra == 0
    errors = np.hypot(*(xy - np.stack([one.xy for one in frame.animals])).transpose(2, 0, 1))
    assert np.nanmax(errors) < 6


def test_two_animals_side_by_side_keep_their_own_keypoints(model):
    rng = np.random.default_rng(4)
    frame = drawn([worm(np.array([70.0, 60.0]), 1.5), worm(np.array([84.0, 60.0]), 1.4 + np.pi)], rng)
    xy, _, _ = matched(*_poses(model, frame.image), frame)
    errors = np.hypot(*(xy - np.stack([one.xy for one in frame.animals])).transpose(2, 0, 1))
    assert np.median(errors) < 4


def test_of_two_that_cross_in_one_place_more_than_one_is_found(model):
    """They have one centre: only a second look, which knows the first, tells the other."""
    rng = np.random.default_rng(6)
    two = replace_animals(model, Animals(2, always=True))
    right = []
    for angle in (0.3, 1.0, 2.2, 2.9):
        frame = drawn([worm(np.array([80.0, 60.0]), angle), worm(np.array([81.0, 60.0]), angle + np.pi / 2)], rng)
        xy, _, _ = matched(*_poses(two, frame.image), frame)
        errors = np.hypot(*(xy - np.stack([one.xy for one in frame.animals])).transpose(2, 0, 1))
        right.append((np.nan_to_num(errors[:, [0, 2]], nan=99) < 6).mean())
    assert np.mean(right) > 0.55


def test_marks_of_nothing_change_nothing(model):
    image, spot = torch.rand(1, 3, 96, 96) * 255, torch.full((1, 2), 48.0)
    with torch.inference_mode():
        plain = model.network(image, spot)
        torch.testing.assert_close(model.network(image, spot, torch.full((1, 3, 2), torch.nan)), plain)
        torch.testing.assert_close(model.network(image, spot, torch.zeros(1, 0, 2)), plain)
        marked = model.network(image, spot, torch.full((1, 1, 2), 48.0))
    assert (marked - plain).abs().max() > 1e-3


def replace_animals(model: PoseModel, animals: Animals) -> PoseModel:
    """Return a model that looks for others."""
    return PoseModel(
        model.network,
        bodyparts=PARTS,
        settings=model.settings,
        long_side=model.long_side,
        window=model.window,
        animals=animals,
    )


def _poses(model: PoseModel, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    said = model.predict(image[None], with_scoremaps=False).animals
    assert said is not None
    return said.xy[0], said.likelihood[0]


def test_it_goes_to_a_file_and_comes_back(model, test_frames, tmp_path):
    model.save(tmp_path / "model.pt")
    again = PoseModel.load(tmp_path / "model.pt", device="cpu")
    assert again.animals == model.animals
    for got, expected in zip(_poses(again, test_frames[0].image), _poses(model, test_frames[0].image), strict=True):
        np.testing.assert_array_equal(got, expected)
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    for damaged in ([0, True], [2], "two", [2, 1], [True, True]):
        torch.save(content | {"animals": damaged}, tmp_path / "damaged.pt")
        with pytest.raises(AlPoseError, match="damaged"):
            PoseModel.load(tmp_path / "damaged.pt")


def test_a_model_of_two_finds_forty_when_it_is_told_to_look_for_them(model):
    rng = np.random.default_rng(5)
    grid = [np.array([30.0 + 44 * x, 30.0 + 44 * y]) for x in range(8) for y in range(5)]
    many = drawn([worm(middle, rng.uniform(0, 2 * np.pi)) for middle in grid], rng, height=240, width=370)
    forty = PoseModel(
        model.network,
        bodyparts=PARTS,
        settings=model.settings,
        long_side=370,
        window=Window(model.window.side, 320),
        animals=Animals(40, always=False),
    )
    xy, _, extra = matched(*_poses(forty, many.image), many)
    assert np.isfinite(xy[..., 0]).any(axis=1).sum() >= 38
    assert extra <= 2
    # More animals than are named: the surest of them, and no more.
    assert len(_poses(model, many.image)[0]) == 2


def test_missed_animals_count_as_missed_and_not_as_errors(model, test_frames):
    frame = test_frames[0]
    hidden = replace(frame, image=np.full_like(frame.image, 95))
    errors, _ = examine(model, [frame, hidden])
    assert errors.missed == 0.5
    assert errors.oks_mar <= 0.5
    assert errors.oks_mar == pytest.approx(examine(model, [frame])[0].oks_mar / 2)
    assert np.isfinite(errors.mean)
    predicted, likelihood, known, states = predict_labelled(model, [frame, hidden])
    assert len(predicted) == len(likelihood) == len(known) == len(states) == 2


def test_two_labels_of_one_animal_teach_and_are_found_once(frames):
    doubled = [replace(frame, others=(replace(frame, others=()),)) if frame.animals else frame for frame in frames]
    settings = SETTINGS.model_copy(update={"steps": 3, "animal_count": "fixed"})
    ticks, model = finish(train(doubled, PARTS, settings, animals=2))
    assert np.isfinite(ticks[-1].loss)
    n_doubled = sum(bool(frame.animals) for frame in frames)
    assert f"In {n_doubled} frames an animal is labelled twice" in ticks[-1].notice
    # Whether another animal was meant, nobody knows.
    cleaned, _ = once_each(doubled)
    assert all(len(frame.each) == 1 and not frame.every_animal for frame in cleaned if frame.animals)
    assert once_each(frames) == (frames, "")
    assert model.animals == Animals(2, always=True)
    xy, _ = _poses(model, frames[0].image)
    assert len(xy) == 2


def sampler(frames: list[LabelledFrame], **changed) -> AnimalBatchSampler:
    views = Views((96, 96), 180.0)
    made = AnimalBatchSampler(
        views, long_side=160, batch_size=64, seed=0, window=Window(96, 128), length=LENGTH, **changed
    )
    made.add(frames)
    return made


def test_what_is_cut_out_is_the_animal(frames):
    xy = worm(np.array([48.0, 48.0]), 0.0)
    others = np.stack([xy, xy + 1, np.where([[True], [True], [False]], xy, np.nan)])
    bones = bones_of(others)
    assert sorted(tuple(sorted(bone)) for bone in bones) == [(0, 1), (1, 2)]
    mask = outline(xy, bones, (96, 96), LENGTH)
    assert mask[48, 32:65].min() == 1
    assert mask[48 + round(LENGTH / 4), 48] == 0
    assert not outline(np.full((3, 2), np.nan), bones, (96, 96), LENGTH).any()
    # Two bodyparts that are never seen together are not joined.
    apart = np.stack([np.where([[True], [True], [False]], xy, np.nan), np.where([[False], [True], [True]], xy, np.nan)])
    assert (0, 2) not in bones_of(apart)


def test_views_mark_other_animals_and_hide_no_label_that_teaches(frames):
    two = [frame for frame in frames if len(frame.animals) == 2]
    draws = sampler(two)
    batch = draws.batch()
    close = ~torch.isnan(batch.spots[:, 0])
    assert torch.isnan(batch.marks[~close]).all()
    marked = torch.isfinite(batch.marks[..., 0]).any(dim=1)
    assert marked[close].any()
    assert not marked[close].all()
    # Labels that a pasted animal covers teach nothing.
    assert any((more.weights[torch.isfinite(more.uv[..., 0])] == 0).any() for more in (draws.batch() for _ in range(8)))
    # Where all are known already, nothing is left to be found.
    nothing = close & torch.isnan(batch.uv[..., 0]).all(dim=1)
    assert nothing.any()
    assert (batch.weights[nothing] == NOT_VISIBLE_WEIGHT).all()


def test_what_nobody_labelled_is_not_taught_as_background(frames):
    alone = [replace(frame, others=(), every_animal=False) for frame in frames if len(frame.animals) == 2]
    batch = sampler(alone).batch()
    coarse = torch.isnan(batch.spots[:, 0])
    assert coarse.any()
    assert not (batch.teaches[~coarse] > 0).any()
    reach = 0.4 * LENGTH * 128 / 160 * 1.3 / 4
    rows, columns = np.mgrid[:24, :24]
    for centres, teaches in zip(batch.centres[coarse], batch.teaches[coarse], strict=True):
        x, y = (centres[0].numpy() - 1.5) / 4
        far = np.hypot(columns - x, rows - y) > reach
        assert not teaches.numpy()[far].any()
    # Without all animals labelled nobody knows where there is none.
    shown = batch.weights[~coarse]
    assert (shown == 1).any(dim=1).all()
    assert (sampler(frames).batch().teaches.sum(dim=(1, 2)) == 24 * 24).any()


def test_without_any_frame_labelled_whole_what_looks_like_no_animal_is_learnt_from(frames):
    """Imported labels say nothing of animals that are not there, so that no frame may be known to be whole."""
    two = [frame for frame in frames if len(frame.animals) == 2]
    alone = [replace(frame, others=(), every_animal=False) for frame in two]
    assert (sampler(alone).batch().unless > 0).any()
    assert not (sampler([*alone, two[0]]).batch().unless > 0).any()
    _, taught = finish(train(alone, PARTS, SETTINGS, animals=2))
    rng = np.random.default_rng(21)
    found = [
        np.isfinite(_poses(taught, drawn(apart(rng, n), rng).image)[0][..., 0]).any(axis=1).sum() for n in (0, 1, 2)
    ]
    assert found == [0, 1, 2]


def test_empty_frames_teach_that_nothing_is_there(frames):
    empty = [frame for frame in frames if not frame.animals]
    batch = sampler(empty).batch()
    assert torch.isnan(batch.uv).all()
    assert torch.isnan(batch.centres).all()
    coarse = torch.isnan(batch.spots[:, 0])
    assert (batch.teaches[coarse] == 1).all()
    assert (batch.weights[~coarse] == NOT_VISIBLE_WEIGHT).all()


def test_an_animal_labelled_by_half_has_no_centre_yet(frames):
    frame = frames[0]
    states = np.array([KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.UNSEEN], np.int8)
    half = replace(frame.each[0], states=states, xy=np.where(states[:, None] == 1, frame.xy, np.nan))
    batch = sampler([replace(half, others=frame.others)]).batch()
    coarse = torch.isnan(batch.spots[:, 0])
    assert (torch.isfinite(batch.centres[coarse][..., 0]).sum(dim=1) == 1).all()
    assert (batch.teaches[coarse] == 0).any()


def test_the_number_of_animals_is_fixed_where_labels_show_it(frames):
    two = [frame for frame in frames if len(frame.animals) == 2]
    assert make_plan(two, SETTINGS, animals=2).animals == Animals(2, always=True)
    assert make_plan(frames, SETTINGS, animals=2).animals == Animals(2, always=False)
    unsure = [replace(frame, every_animal=False) for frame in two]
    assert make_plan(unsure, SETTINGS, animals=2).animals == Animals(2, always=False)
    said = SETTINGS.model_copy(update={"animal_count": "up to"})
    assert make_plan(two, said, animals=2).animals == Animals(2, always=False)
    assert make_plan(two, SETTINGS).animals is None


def test_animals_that_rest_do_not_make_a_fixed_view():
    rng = np.random.default_rng(0)
    resting = [drawn([worm(np.array([50.0, 60.0]), 0), worm(np.array([100.0, 60.0]), 0.05)], rng) for _ in range(10)]
    assert view_is_fixed(resting)
    assert make_plan(resting, SETTINGS, animals=2).rotation_degrees == 180
    walking = [
        drawn([worm(np.array([20.0 + 10 * i, 40.0]), 0), worm(np.array([30.0 + 10 * i, 90.0]), 0.05)], rng)
        for i in range(10)
    ]
    assert make_plan(walking, SETTINGS, animals=2).rotation_degrees == 25


def test_a_round_carries_on_and_one_of_one_animal_does_not(model, frames):
    rng = np.random.default_rng(11)
    more = [*frames, *(drawn(apart(rng, 2), rng) for _ in range(3))]
    ticks, _ = finish(train(more, PARTS, SETTINGS.model_copy(update={"steps": 2}), initial=model, animals=2))
    assert ticks[-1].fine_tuned
    single = [replace(frame, others=()) for frame in more if frame.animals]
    ticks, alone = finish(train(single, PARTS, SETTINGS.model_copy(update={"steps": 2}), initial=model))
    assert not ticks[-1].fine_tuned
    assert alone.animals is None
