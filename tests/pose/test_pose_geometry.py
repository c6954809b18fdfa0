"""Source pixels, network pixels and scoremap cells agree to a fraction of a cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.targets import decode, keypoint_weights, render, scoremap_loss

sizes = st.tuples(st.integers(40, 900), st.integers(40, 900))


@settings(max_examples=150, deadline=None)
@given(size=sizes, long_side=st.integers(64, 512), at=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_decoding_a_rendered_peak_gives_it_back(size, long_side, at):
    geometry = InputGeometry.fit(size, long_side)
    rows, columns = geometry.cells
    if min(rows, columns) < 3:
        return
    # Inside the outermost cells: a peak needs a neighbour on both sides.
    cells = np.array([1 + at[0] * (columns - 3), 1 + at[1] * (rows - 3)])
    xy = geometry.grid.to_source(cells)
    uv = torch.from_numpy(geometry.to_network(xy))
    found, likelihood = decode(render(uv[None, None], rows, columns).float())
    np.testing.assert_allclose(found[0, 0].numpy(), cells, atol=0.02)
    np.testing.assert_allclose(
        geometry.grid.to_source(found[0, 0].double().numpy()),
        xy,
        atol=0.05 * max(geometry.grid.stride_x, geometry.grid.stride_y),
    )
    assert 0.7 < float(likelihood) <= 1.0


@pytest.mark.parametrize("corner", [(0, 0), (0, 9), (7, 0), (7, 9)])
def test_peaks_at_the_border_stay_in_their_cell(corner):
    maps = torch.zeros(1, 1, 8, 10)
    maps[0, 0, corner[0], corner[1]] = 0.9
    cells, likelihood = decode(maps)
    assert cells[0, 0].tolist() == [corner[1], corner[0]]
    assert float(likelihood) == pytest.approx(0.9)


def test_flat_and_empty_maps_decode_to_finite_positions():
    for value in (0.0, 0.5, 1.0):
        cells, likelihood = decode(torch.full((1, 2, 6, 7), value))
        assert torch.isfinite(cells).all()
        assert torch.allclose(likelihood, torch.tensor(value))


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(60, 300), st.integers(60, 300)), long_side=st.integers(64, 256), data=st.data())
def test_resizing_moves_a_blob_where_the_geometry_says(size, long_side, data):
    height, width = size
    x = data.draw(st.floats(20, width - 21))
    y = data.draw(st.floats(20, height - 21))
    geometry = InputGeometry.fit(size, long_side)
    rows, columns = np.mgrid[:height, :width]
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 5.0**2))
    frame = np.repeat((blob * 250).round().astype(np.uint8)[..., None], 3, axis=2)
    small = resize_frames(frame[None], geometry)[0, 0].double().numpy()
    assert small.shape == geometry.resized
    vs, us = np.mgrid[: small.shape[0], : small.shape[1]]
    centre = np.array([(us * small).sum(), (vs * small).sum()]) / small.sum()
    np.testing.assert_allclose(centre, geometry.to_network(np.array([x, y])), atol=0.15)


@given(size=sizes, long_side=st.integers(64, 512))
def test_cell_centres_are_four_network_pixels_apart_and_cover_the_image(size, long_side):
    geometry = InputGeometry.fit(size, long_side)
    cells = np.array([[0.0, 0.0], [1.0, 1.0]])
    uv = geometry.to_network(geometry.grid.to_source(cells))
    np.testing.assert_allclose(uv, 4 * cells + 1.5, atol=1e-6)
    assert all(4 * n >= side for n, side in zip(geometry.cells, geometry.resized, strict=True))
    assert all(side % 32 == 0 for side in geometry.padded)


def test_unseen_keypoints_teach_nothing_and_invisible_ones_teach_less():
    states = torch.tensor([[KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.NOT_VISIBLE]])
    weights = keypoint_weights(states)
    assert weights[0, 0] == 1
    assert weights[0, 1] == 0
    assert 0 < weights[0, 2] < 1
    taken = keypoint_weights(states, torch.ones_like(states, dtype=torch.bool))
    assert 0 < taken[0, 0] < 1
    assert taken[0, 1] == 0

    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    targets = render(torch.tensor([[[10.0, 10.0], [np.nan, np.nan], [np.nan, np.nan]]]), 8, 8)
    assert targets[0, 2].sum() == 0
    scoremap_loss(logits, targets, weights).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].abs().sum() > 0
    assert logits.grad[0, 1].abs().sum() == 0
    assert (logits.grad[0, 2] > 0).all()


def test_the_loss_is_least_at_the_target():
    targets = render(torch.tensor([[[13.0, 9.0]]]), 8, 8)
    weights = torch.ones(1, 1)
    at_target = scoremap_loss(torch.logit(targets.clamp(1e-6, 1 - 1e-6)), targets, weights)
    assert float(at_target) == pytest.approx(0, abs=1e-2)
    assert scoremap_loss(torch.zeros(1, 1, 8, 8), targets, weights) > 1
    assert torch.isfinite(scoremap_loss(torch.zeros(1, 1, 8, 8), targets, torch.zeros(1, 1)))


def test_resizing_without_change_keeps_the_pixels():
    frame = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3)).astype(np.uint8)
    kept = resize_frames(frame, InputGeometry((32, 48), (32, 48)))
    assert (kept.permute(0, 2, 3, 1).numpy() == frame).all()
    assert F.pad(kept, (0, 16)).shape == (1, 3, 32, 64)
