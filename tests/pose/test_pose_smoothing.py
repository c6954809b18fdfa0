"""Smoothed poses: nearer to the motion than what was measured, and the same however the video is cut up."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.pose import smoothing
from napari_al_pose.pose.smoothing import kalman_smoother, running_median, smoothed


@pytest.fixture
def motion():
    """Smooth paths of three keypoints, and what a noisy detector makes of them."""
    time = np.arange(900)[:, None, None]
    path = 200 + 80 * np.sin(time / 30 + np.arange(6).reshape(3, 2))
    noise = np.random.default_rng(0).normal(0, 1.5, path.shape)
    return path, np.concatenate([path + noise, np.full((900, 3, 1), 0.95)], -1)


def error(found, path):
    return np.abs(found - path)[20:-20].mean()


def test_both_filters_come_nearer_to_the_motion(motion):
    path, measured = motion
    raw = error(measured[..., :2], path)
    assert error(running_median(measured[..., :2]), path) < 0.9 * raw
    assert error(kalman_smoother(measured, cutoff=0.5), path) < 0.5 * raw


def test_the_median_is_that_of_five_frames_and_drops_a_jump(motion):
    _, measured = motion
    measured[100, 0, :2] = 5000
    found = running_median(measured[..., :2])
    np.testing.assert_allclose(found[50, 1], np.median(measured[48:53, 1, :2], axis=0))
    assert found[100, 0].max() < 400


def test_a_frame_without_a_position_keeps_none_in_the_median(motion):
    _, measured = motion
    measured[60:62, 2, :2] = np.nan
    found = running_median(measured[..., :2])
    assert np.isnan(found[60:62, 2]).all()
    np.testing.assert_allclose(found[59, 2], np.median(measured[57:60, 2, :2], axis=0))


def test_the_kalman_smoother_crosses_gaps_and_ignores_what_is_unlikely(motion):
    path, measured = motion
    measured[300:306, 1] = [4000, -4000, 0.2]
    measured[400:406, 1] = [np.nan, np.nan, 0]
    found = kalman_smoother(measured, cutoff=0.5)
    assert np.abs(found[300:306, 1] - path[300:306, 1]).max() < 4
    assert np.abs(found[400:406, 1] - path[400:406, 1]).max() < 4


def test_the_kalman_smoother_invents_nothing_before_the_first_and_after_the_last_position(motion):
    _, measured = motion
    measured[:50, 0, 2] = 0
    measured[800:, 0, 2] = 0
    measured[:, 2, 2] = 0
    found = kalman_smoother(measured, cutoff=0.5)
    seen = np.isfinite(found[:, 0]).all(axis=1)
    assert np.flatnonzero(seen)[[0, -1]].tolist() == [50, 799]
    assert np.isnan(found[:, 2]).all()
    assert np.isfinite(found[:, 1]).all()


def test_it_is_the_least_squares_solution_of_the_motion_model(motion):
    """Positions and velocities that fit the measurements and the model best, all at once."""
    _, measured = motion
    x, n = measured[:40, 0, 0], 40
    noise, q = 1 / 0.95**2, smoothing.ACCELERATION_RATIO**2
    weight = np.linalg.inv(q * np.array([[0.25, 0.5], [0.5, 1]]) + 1e-9 * np.eye(2))
    matrix, right = np.zeros((2 * n, 2 * n)), np.zeros(2 * n)
    matrix[::2, ::2] += np.eye(n) / noise
    right[::2] += x / noise
    matrix[1, 1] += 1 / 1e2
    for t in range(n - 1):
        step = np.zeros((2, 2 * n))
        step[:, 2 * t : 2 * t + 4] = [[-1, -1, 1, 0], [0, -1, 0, 1]]
        matrix += step.T @ weight @ step
    expected = np.linalg.solve(matrix, right)[::2]
    np.testing.assert_allclose(kalman_smoother(measured[:40], cutoff=0.5)[:, 0, 0], expected, atol=1e-3)


@pytest.mark.parametrize("method", ["median", "kalman"])
def test_a_long_video_is_smoothed_in_pieces_without_a_seam(motion, method, monkeypatch):
    _, measured = motion
    measured = measured.astype(np.float32)

    def whole():
        parts = smoothed(lambda first, stop: measured[first:stop], 900, method=method, cutoff=0.5)
        return np.concatenate([rows for _, rows in parts])

    expected = whole()
    monkeypatch.setattr(smoothing, "_CHUNK", 250)
    np.testing.assert_allclose(whole(), expected, atol=1e-3)
    np.testing.assert_array_equal(expected[..., 2], measured[..., 2])
