"""The layers' arithmetic: axis flips, scoremap picture, what a press means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Prediction, ScoremapGrid
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.layers.overlay import another_hue, compose_scoremaps, grid_transform, on_frame
from napari_al_pose.gui.layers.picking import Points, hit, inside, points_on_canvas
from napari_al_pose.gui.layers.shapes import FAINTEST, fade, parse_colours, segments, to_napari, to_source

RED, GREEN = np.float32([1, 0, 0]), np.float32([0, 1, 0])
KEY = FrameKey("v", 0)
U, P, X = KeypointState.UNSEEN, KeypointState.PLACED, KeypointState.NOT_VISIBLE


def test_points_are_flipped_and_missing_ones_hidden():
    yx, shown = to_napari(np.array([[3.0, 7.0], [np.nan, np.nan]]))
    np.testing.assert_array_equal(yx, [[7, 3], [0, 0]])
    np.testing.assert_array_equal(shown, [True, False])
    assert to_source((12, 7.5, 3.25)) == (3.25, 7.5)


def test_only_links_with_both_ends_are_drawn():
    xy = np.array([[1.0, 2.0], [4.0, 6.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(segments(xy, [(0, 1), (1, 2)]), [[[2, 1], [4, 3]]])
    np.testing.assert_array_equal(segments(xy, []), [[[0, 0], [0, 0]]])  # napari crashes with an empty one


def test_guesses_fade_but_stay_visible():
    alpha = fade(np.zeros((3, 3)), np.array([0.0, 1.0, np.nan]))[:, 3]
    np.testing.assert_allclose(alpha, [FAINTEST, 1, FAINTEST])


@pytest.mark.parametrize("n", [1, 8, 25])
def test_every_bodypart_has_a_colour_of_its_own(n):
    rgb = parse_colours(bodypart_colours(n))
    assert rgb.shape == (n, 3)
    assert len(np.unique(rgb.round(3), axis=0)) == n


def test_an_empty_scoremap_leaves_the_video_as_it_is():
    assert not compose_scoremaps(np.full((2, 3, 4), 0.09), np.stack([RED, GREEN]))[..., 3].any()
    assert not compose_scoremaps(np.full((1, 3, 4), np.nan), RED[None]).any()


def test_each_peak_has_its_bodyparts_colour_and_the_middle_is_mixed():
    maps = np.zeros((2, 1, 3))
    maps[0, 0] = [1, 0.5, 0]
    maps[1, 0] = [0, 0.5, 0.25]
    picture = compose_scoremaps(maps, np.stack([RED, GREEN]))[0]
    np.testing.assert_allclose(picture[:, :3], [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]])
    assert 0.7 > picture[0, 3] > picture[1, 3] > picture[2, 3] > 0.15


@given(seed=st.integers(0, 100), k=st.integers(1, 6))
def test_a_scoremap_picture_is_always_a_picture(seed, k):
    maps = np.random.default_rng(seed).normal(0.5, 1, (k, 4, 5)).astype(np.float16)
    picture = compose_scoremaps(maps, np.random.default_rng(seed).random((k, 3)))
    assert picture.dtype == np.float32
    assert ((picture >= 0) & (picture <= 1)).all()


@given(
    stride=st.sampled_from([4.0, 8.0, 6.3]),
    height=st.integers(20, 70),
    width=st.integers(20, 70),
    seed=st.integers(0, 50),
)
def test_a_scoremap_ends_with_the_frame_and_keeps_its_peak(stride, height, width, seed):
    rows, columns = int(height / stride) + 2, int(width / stride) + 2
    grid = ScoremapGrid(stride, stride, stride / 2 - 0.5, stride / 2 - 0.5)
    row, column = np.random.default_rng(seed).integers(1, [max(2, rows - 3), max(2, columns - 3)])
    maps = np.zeros((1, rows, columns), np.float16)
    maps[0, row, column] = 1
    maps[0, 0, 0] = np.nan
    fine, there = on_frame(maps, grid, height, width)
    first = np.array([there.offset_x - there.stride_x / 2, there.offset_y - there.stride_y / 2])
    last = first + np.array([there.stride_x * fine.shape[2], there.stride_y * fine.shape[1]])
    np.testing.assert_allclose([*first, *last], [-0.5, -0.5, width - 0.5, height - 0.5])
    weights = fine[0] / fine[0].sum()
    cells = np.array(
        [(weights.sum(0) * np.arange(fine.shape[2])).sum(), (weights.sum(1) * np.arange(fine.shape[1])).sum()]
    )
    np.testing.assert_allclose(there.to_source(cells), grid.to_source(np.array([column, row])), atol=stride / 4)


def test_a_scoremap_of_a_window_says_nothing_outside_it():
    fine, there = on_frame(np.ones((1, 4, 4)), ScoremapGrid(4, 4, 21.5, 21.5), 80, 80)
    lit = np.argwhere(fine[0] > 0)
    assert there.to_source(lit.min(axis=0)[::-1] - 0.5).tolist() == [19.5, 19.5]
    assert there.to_source(lit.max(axis=0)[::-1] + 0.5).tolist() == [35.5, 35.5]


def test_a_single_scoremap_is_of_another_hue_than_its_ring():
    np.testing.assert_allclose(another_hue(np.stack([RED, GREEN])), [[0.1, 1, 1], [1, 0.1, 1]], atol=0.01)


def test_scale_and_translate_are_in_napari_s_order():
    assert grid_transform(ScoremapGrid(8, 4, 3.5, 1.5)) == ((4, 8), (1.5, 3.5))


def points(*xy, labels=()) -> Points:
    return Points(np.array(xy, float), np.array([i in labels for i in range(len(xy))]))


def test_the_nearest_point_in_reach_is_hit_and_the_chosen_one_first():
    on_canvas = points((10, 10), (14, 10), (np.nan, np.nan))
    assert hit(on_canvas, (13, 10), 5, 2) == 1
    assert hit(on_canvas, (13, 10), 5, 0) == 0
    assert hit(on_canvas, (30, 10), 5, 0) is None
    assert hit(points((np.nan, np.nan)), (0, 0), 1e9, 0) is None


def test_labels_hide_guesses_and_so_does_not_visible():
    annotation = Annotation(KEY, np.array([[1, 2], [np.nan] * 2, [np.nan] * 2]), np.array([P, X, U], np.int8))
    guess = Prediction(KEY, 1, np.full((3, 2), 9, np.float32), np.ones(3, np.float32))
    on_canvas = points_on_canvas([annotation], guess, 0)
    np.testing.assert_array_equal(on_canvas.xy, [[1, 2], [np.nan, np.nan], [9, 9]])
    np.testing.assert_array_equal(on_canvas.is_label, [True, False, False])


def test_the_guess_is_the_chosen_individual_s_and_labels_are_everybody_s():
    first = Annotation(KEY, np.array([[1.0, 2], [np.nan] * 2]), np.array([P, U], np.int8), "a")
    guess = Prediction(KEY, 1, np.full((2, 2), 9, np.float32), np.ones(2, np.float32))
    on_canvas = points_on_canvas([first, Annotation.empty(KEY, 2, "b")], guess, 1)
    np.testing.assert_array_equal(on_canvas.xy, [[1, 2], [np.nan, np.nan], [9, 9], [9, 9]])
    np.testing.assert_array_equal(on_canvas.is_label, [True, False, False, False])


def test_the_image_ends_half_a_pixel_beyond_its_last_centres():
    assert inside((-0.5, 479.5), 480, 640)
    assert not inside((639.6, 0), 480, 640)
    assert not inside((0, -1), 480, 640)
