"""A dot drawn at a keypoint is still under the keypoint afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose import LabelledFrame
from napari_al_pose.pose.augmentation import Views, cut, disturb, flip
from napari_al_pose.pose.batch_sampler import BatchSampler


def dot(height: int, width: int, x: float, y: float, sigma: float = 2.5) -> torch.Tensor:
    rows, columns = np.mgrid[:height, :width]
    blob = 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) + 20
    return torch.from_numpy(blob.round().astype(np.uint8)).expand(3, -1, -1).contiguous()


def centroid(view: torch.Tensor, near: np.ndarray) -> np.ndarray:
    """Return the dot's centre of mass within 15 px of ``near``."""
    image = view[0].numpy().astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    close = np.hypot(columns - near[0], rows - near[1]) < 15
    mass = np.where(close, np.maximum(image - 25, 0), 0)
    return np.array([(columns * mass).sum(), (rows * mass).sum()]) / mass.sum()


@settings(max_examples=120, deadline=None)
@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.7, 1.4),
    x=st.floats(55, 75),
    y=st.floats(45, 55),
    dx=st.floats(-8, 8),
    dy=st.floats(-8, 8),
    size=st.sampled_from([(64, 64), (64, 96), (96, 64)]),
)
def test_the_dot_stays_under_its_keypoint(angle, scale, x, y, dx, dy, size):
    image, uv = dot(100, 131, x, y), np.array([[x, y], [np.nan, np.nan]])
    view, moved = cut(image, uv, centre=np.array([x + dx, y + dy]), angle=angle, scale=scale, size=size)
    assert view.shape == (3, *size)
    assert np.isnan(moved[1]).all()
    np.testing.assert_allclose(centroid(view, moved[0]), moved[0], atol=0.2)


@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_right_angles_move_pixels_onto_pixels(angle):
    """Half a pixel off in torchvision's convention would blur these."""
    image = torch.zeros(3, 60, 60, dtype=torch.uint8)
    image[:, 33, 25] = 255
    view, moved = cut(
        image, np.array([[25.0, 33.0]]), centre=np.array([30.0, 30.0]), angle=angle, scale=1.0, size=(32, 32)
    )
    column, row = np.round(moved[0]).astype(int)
    np.testing.assert_allclose(moved[0], [column, row], atol=1e-6)
    assert view[0, row, column] == 255


def test_views_beyond_the_frame_are_grey_there():
    image = torch.full((3, 40, 40), 255, dtype=torch.uint8)
    view, _ = cut(image, np.zeros((1, 2)), centre=np.array([0.0, 0.0]), angle=0.0, scale=1.0, size=(32, 32))
    assert view[0, 0, 0] == 127
    assert view[0, -1, -1] == 255


def test_views_are_bounded_finite_and_repeat_with_the_seed():
    image = dot(80, 100, 50, 40)
    views = Views((64, 64), 180.0)
    drawn = []
    for _ in range(2):
        rng = np.random.default_rng(5)
        drawn.append([views.draw(image, np.array([[50.0, 40.0]]), rng) for _ in range(12)])
    for (view, uv), (again, uv_again) in zip(*drawn, strict=True):
        assert view.dtype == torch.float32
        assert 0 <= view.min() <= view.max() <= 255
        assert torch.equal(view, again)
        np.testing.assert_array_equal(uv, uv_again)
    assert not torch.equal(drawn[0][0][0], drawn[0][1][0])


def test_no_rotation_is_none():
    image = dot(80, 100, 50, 40)
    rng = np.random.default_rng(0)
    pair = np.array([[50.0, 40.0], [70.0, 40.0]])
    for _ in range(20):
        _, uv = Views((64, 64), 0.0).draw(image, pair, rng)
        assert uv[0, 1] == pytest.approx(uv[1, 1])
        assert uv[0, 0] < uv[1, 0]


def test_in_a_mirror_left_becomes_right_and_the_dot_stays_under_its_keypoint():
    image = dot(60, 80, 20, 30)
    view, moved = flip(image, np.array([[20.0, 30.0], [50.0, 30.0], [np.nan, np.nan]]), (1, 0, 2))
    np.testing.assert_allclose(moved[1], [59, 30])
    np.testing.assert_allclose(moved[0], [29, 30])
    assert np.isnan(moved[2]).all()
    np.testing.assert_allclose(centroid(view, moved[1]), moved[1], atol=0.05)


def test_what_is_known_of_a_keypoint_goes_with_it_into_the_mirror():
    """Of a frame labelled by half: nothing may be learnt of the ear nobody looked at, whichever it is in a view."""
    xy = np.array([[20.0, 30.0], [np.nan, np.nan], [40.0, 30.0]])
    states = np.array([KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.PLACED], np.int8)
    image = dot(64, 64, 20, 30).permute(1, 2, 0).numpy()
    frame = LabelledFrame(image, xy, states, taken=np.array([True, False, False]))
    sampler = BatchSampler(Views((64, 64), 0.0, mirror=(1, 0, 2)), long_side=64, batch_size=60, seed=0)
    sampler.add([frame])
    batch = sampler.batch()
    known = torch.isfinite(batch.uv).all(dim=2)
    assert torch.equal(batch.weights > 0, known)
    assert set(known[:, :2].int().argmin(dim=1).tolist()) == {0, 1}
    assert (batch.weights[:, :2].amax(dim=1) < batch.weights[:, 2]).all()


@pytest.mark.parametrize("mirror", [None, (1, 0)])
def test_views_are_mirrored_only_where_something_says_how(mirror):
    image = dot(80, 100, 50, 40)
    rng = np.random.default_rng(0)
    views = Views((64, 64), 0.0, mirror)
    pair = np.array([[45.0, 35.0], [55.0, 45.0]])
    drawn = [views.draw(image, pair, rng, mirrored=views.draw_mirrored(rng))[1] for _ in range(30)]
    # From the first keypoint the second lies to the lower right; in the mirror, renamed, to the upper right.
    downwards = [uv[1, 1] > uv[0, 1] for uv in drawn]
    assert all(uv[1, 0] > uv[0, 0] for uv in drawn)
    assert all(downwards) if mirror is None else 5 < sum(downwards) < 25


def test_frames_without_keypoints_can_be_viewed():
    view, uv = Views((64, 64), 90.0).draw(dot(80, 100, 5, 5), np.full((2, 2), np.nan), np.random.default_rng(0))
    assert view.shape == (3, 64, 64)
    assert np.isnan(uv).all()


@given(seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_light_and_noise_never_move_anything(seed):
    image = dot(48, 48, 24, 24).float()
    out = disturb(image, np.random.default_rng(seed))
    assert torch.isfinite(out).all()
    np.testing.assert_allclose(centroid(out - out.min(), np.array([24.0, 24.0])), [24, 24], atol=0.3)
