"""Small animals are followed: the geometry of windows, what is chosen, and what comes of a training with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pose_tools import BODYPARTS, finish

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, train, window
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.auxiliary import ActivationProbe, turned_poses
from napari_al_pose.pose.batch_sampler import BatchSampler
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.geometry import InputGeometry, Windows
from napari_al_pose.pose.training_plan import fine_tuning_plan, make_plan
from napari_al_pose.pose.window import Window, places

SIZE = (540, 960)
SETTINGS = TrainSettings(device="cpu", steps=50)


def dots(rng: np.random.Generator, *, size=SIZE, at=None) -> LabelledFrame:
    """Two dots of 8 pixels, 24 apart."""
    height, width = size
    first = rng.uniform([30, 30], [width - 60, height - 30]) if at is None else np.array(at, float)
    xy = first + np.array([[0.0, 0.0], [24.0, 0.0]])
    image = rng.integers(90, 110, (height, width, 3)).astype(np.uint8)
    for (x, y), colour in zip(xy.round().astype(int), ([250, 30, 30], [30, 30, 250]), strict=True):
        image[y - 4 : y + 5, x - 4 : x + 5] = colour
    return LabelledFrame(image, xy, np.full(2, KeypointState.PLACED, np.int8))


@pytest.fixture(scope="module")
def small_frames() -> list[LabelledFrame]:
    rng = np.random.default_rng(0)
    return [dots(rng) for _ in range(14)]


@pytest.fixture(scope="module")
def following(small_frames) -> PoseModel:
    _, model = finish(train(small_frames[:10], BODYPARTS, SETTINGS, threads=1))
    assert model.window is not None
    return model


@pytest.mark.parametrize(("size", "side"), [((100, 200), 64), ((50, 200), 64), ((40, 60), 96)])
def test_windows_lie_in_the_frame_and_their_cells_where_they_say(size, side):
    rng = np.random.default_rng(1)
    whole = InputGeometry(tuple(2 * n for n in size), size)
    uv = rng.uniform(-20, 220, (20, 2))
    windows = Windows.around(uv, whole, side)
    last = np.array(windows.corners) + windows.resized[::-1]
    assert (windows.corners >= 0).all()
    assert (last <= size[::-1]).all()
    images = torch.zeros(20, 3, *size)
    images[:, 0] = torch.arange(size[1])
    images[:, 1] = torch.arange(size[0])[:, None]
    cut = windows.cut(images)
    assert cut.shape[-2:] == windows.resized
    # What is drawn in a window's pixel lies in the source where the cell over it says.
    xy = windows.to_source(np.tile([[[1.0, 2.0]]], (20, 1, 1)))
    for i, grid in enumerate(windows.grids(20)):
        np.testing.assert_allclose(grid.to_source(np.array([1.0, 2.0])), xy[i, 0])
        drawn = cut[i, :2, 8:12, 4:8].mean(dim=(1, 2)).numpy()
        np.testing.assert_allclose(whole.to_network(xy[i, 0]), drawn)
        np.testing.assert_allclose(windows.to_network(xy)[i, 0], [5.5, 9.5])


def test_the_window_goes_where_most_keypoints_agree():
    uv = np.array(
        [[[100, 100], [110, 100], [105, 108], [400, 50]], [[10, 10], [300, 200], [305, 200], [900, 900]]], float
    )
    weights = np.array([[0.4, 0.3, 0.3, 0.9], [0.3, 0.3, 0.3, 0.0]])
    middles, votes = places(uv, weights, 64)
    np.testing.assert_allclose(middles[0, 0], np.average(uv[0, :3], axis=0, weights=weights[0, :3]))
    np.testing.assert_allclose(middles[0, 1], uv[0, 3])
    np.testing.assert_allclose(votes[0], [1.0, 0.9, 0.0])
    np.testing.assert_allclose(middles[1, 0], [302.5, 200])
    assert np.isfinite(places(uv, np.zeros((2, 4)), 64)[0]).all()


def frame_with(extent: float, size: tuple[int, int]) -> LabelledFrame:
    xy = np.array([[10.0, 10.0], [10.0 + extent * max(size), 10.0]])
    return LabelledFrame(np.zeros((*size, 3), np.uint8), xy, np.full(2, KeypointState.PLACED, np.int8))


@pytest.mark.parametrize(
    ("extent", "size", "follows"),
    [
        (0.03, (1080, 1920), True),
        (0.08, (1080, 1920), True),
        (0.1, (1080, 1920), False),  # 40 px and more at the usual scale
        (0.3, (1080, 1920), False),
        (0.05, (240, 320), False),  # there is no finer scale to be had
    ],
)
def test_animals_are_followed_where_they_are_too_small_otherwise(extent, size, follows):
    frames = [frame_with(extent, size)] * 3
    plan = make_plan(frames, TrainSettings())
    assert (plan.window is not None) == follows
    off = make_plan(frames, TrainSettings(follow_animal="off"))
    assert off.window is None
    if not follows:
        assert plan == off  # nothing else changes
    else:
        assert plan.long_side > off.long_side or plan.long_side == max(size)
        assert plan.window.search_side < off.long_side
        assert plan.crop == (plan.window.side, plan.window.side)
        assert plan.window.side >= 1.3 * extent * plan.long_side
    # A scale that the user has fixed is for whole frames, unless they say otherwise.
    assert make_plan(frames, TrainSettings(long_side=600)).window is None


def test_the_user_may_have_larger_animals_followed():
    plan = make_plan([frame_with(0.12, (1080, 1920))], TrainSettings(follow_animal="on"))
    assert plan.window == Window(160, 256)


def test_a_window_is_kept_from_round_to_round_as_the_scale_is():
    settings = TrainSettings()
    plan = make_plan([frame_with(0.05, (1080, 1920))] * 3, settings)
    near = Window(plan.window.side + 32, plan.window.search_side)
    assert fine_tuning_plan(plan, plan.long_side - 100, near, settings, new_share=0.2).window == near
    assert fine_tuning_plan(plan, plan.long_side // 2, near, settings, new_share=0.2).window == plan.window


def test_views_come_at_both_scales_and_from_elsewhere(small_frames):
    """Three kinds of views: the dots 24 px apart and 6 px apart, and none."""
    views = Views((64, 64), 0.0)
    sampler = BatchSampler(views, long_side=960, batch_size=200, seed=0, window=Window(64, 256))
    sampler.add(small_frames[:3])
    uv = sampler.batch().uv
    apart = (uv[:, 1, 0] - uv[:, 0, 0]).numpy()
    seen = ((uv > 0) & (uv < 64)).all(dim=(1, 2)).numpy()
    coarse, fine = apart < 12, apart > 12
    assert 0.15 < coarse.mean() < 0.35
    assert 0.5 < (fine & seen).mean() < 0.75
    assert (fine & ~seen).mean() > 0.05


def test_it_finds_small_animals_and_says_where_its_maps_lie(following, small_frames):
    for frame in small_frames[10:]:
        batch = following.predict(frame.image[None])
        np.testing.assert_allclose(batch.xy[0], frame.xy, atol=3)
        assert batch.scoremaps.shape[2] <= following.window.side // 4
        cells = batch.grids[0].to_cells(batch.xy[0])
        rows, columns = np.divmod(batch.scoremaps[0].reshape(2, -1).argmax(-1), batch.scoremaps.shape[3])
        np.testing.assert_allclose(cells, np.stack([columns, rows], -1), atol=0.51)


def test_its_likelihoods_can_be_believed(following):
    """They are calibrated on what both passes together make of frames not learnt from."""
    rng = np.random.default_rng(7)
    errors, reliability = examine(following, [dots(rng) for _ in range(24)])
    assert errors.mean < 3
    assert reliability.expected_error < 0.25


def test_many_frames_each_have_a_window_and_frames_may_come_scaled(following, small_frames):
    frames = np.stack([frame.image for frame in small_frames[10:]])
    batch = following.predict(frames)
    assert len({grid.offset_x for grid in batch.grids}) == 4
    alone = np.concatenate([following.predict(frame[None], with_scoremaps=False).xy for frame in frames])
    np.testing.assert_allclose(batch.xy, alone, atol=0.05)
    double = frames.repeat(2, axis=1).repeat(2, axis=2)
    assert following.input_size_for(1080, 1920) == SIZE
    np.testing.assert_allclose(following.predict(double).xy, 2 * batch.xy + 0.5, atol=3)
    np.testing.assert_allclose(following.predict(frames, source=(1080, 1920)).xy, 2 * batch.xy + 0.5, atol=0.01)
    assert following.predict(frames[:0]).scoremaps.shape == (0, 2, *batch.scoremaps.shape[2:])


def test_where_there_is_no_animal_it_says_so(following):
    rng = np.random.default_rng(5)
    empty = np.stack([rng.integers(90, 110, (*SIZE, 3)).astype(np.uint8), np.zeros((*SIZE, 3), np.uint8)])
    batch = following.predict(empty)
    assert np.isfinite(batch.xy).all()
    assert batch.likelihood.max() < 0.5


def test_a_first_pass_that_is_off_by_some_pixels_is_survived(following, small_frames, monkeypatch):
    usual = Windows.around
    rng = np.random.default_rng(2)
    off = classmethod(lambda _cls, uv, whole, side: usual(uv + rng.uniform(-20, 20, uv.shape), whole, side))
    monkeypatch.setattr(Windows, "around", off)
    for frame in small_frames[10:]:
        np.testing.assert_allclose(following.predict(frame.image[None]).xy[0], frame.xy, atol=3)


@pytest.mark.parametrize("share", [0.9, 0.1])
def test_where_keypoints_disagree_in_the_first_pass_each_place_is_looked_at(
    following, small_frames, monkeypatch, share
):
    """Something else outvotes the animal in the second of two frames; nearly as many votes are asked about."""
    frames, truth = (np.stack([getattr(frame, name) for frame in small_frames[10:12]]) for name in ("image", "xy"))
    usual = window.places

    def outvoted(uv, weights, side):
        middles, votes = usual(uv, weights, side)
        middles[1, 1], middles[1, 0] = middles[1, 0], (middles[1, 0] + 400) % 500
        votes[1] = 1.0, share, 0.0
        return middles, votes

    monkeypatch.setattr(window, "places", outvoted)
    geometry = InputGeometry.fit(SIZE, following.long_side)
    chunk = predict_chunk(following.network, frames, geometry, following.window, with_scoremaps=False)
    np.testing.assert_allclose(chunk.xy[0], truth[0], atol=3)
    off = np.abs(chunk.xy[1] - truth[1]).max()
    assert off < 3 if share == 0.9 else off > 50


def test_a_first_pass_that_is_wrong_gives_low_likelihoods(following, small_frames, monkeypatch):
    usual = Windows.around
    frame = small_frames[10]
    far = np.array([[60.0, 60.0]]) + np.where(frame.xy[0] < 300, 600, 0) * [1, 0.5]
    monkeypatch.setattr(Windows, "around", classmethod(lambda _cls, uv, whole, side: usual(far, whole, side)))
    batch = following.predict(frame.image[None])
    assert batch.likelihood.max() < 0.5


def test_what_looks_inside_follows_too(following, small_frames):
    view = ActivationProbe(following)
    frames = np.stack([frame.image for frame in small_frames[10:12]])
    seen = view.look(frames)
    np.testing.assert_allclose(seen.xy, following.predict(frames).xy, atol=0.5)
    turned = turned_poses(view, frames)
    assert np.abs(turned - np.stack([frame.xy for frame in small_frames[10:12]])[:, None]).max(axis=(2, 3)).mean() < 6


def test_a_following_model_is_saved_and_carried_on(following, small_frames, tmp_path):
    path = tmp_path / "model.pt"
    following.save(path)
    again = PoseModel.load(path, device="cpu")
    assert again.window == following.window
    np.testing.assert_array_equal(
        again.predict(small_frames[0].image[None]).xy, following.predict(small_frames[0].image[None]).xy
    )
    ticks, carried = finish(train(small_frames, BODYPARTS, TrainSettings(device="cpu"), initial=again), stop_at=1)
    assert ticks[-1].fine_tuned
    assert carried.window == following.window
    off = TrainSettings(device="cpu", follow_animal="off")
    ticks, whole = finish(train(small_frames, BODYPARTS, off, initial=again), stop_at=0)
    assert not ticks[-1].fine_tuned
    assert whole.window is None
    content = torch.load(path, weights_only=True)
    torch.save(
        {name: value for name, value in content.items() if name != "window"}, path
    )  # as older versions wrote them
    assert PoseModel.load(path, device="cpu").window is None
    torch.save(content | {"window": [100, 256]}, path)
    with pytest.raises(AlPoseError, match="damaged"):
        PoseModel.load(path)
