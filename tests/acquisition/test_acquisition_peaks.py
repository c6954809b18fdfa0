"""Peaks against scikit-image, which defines their semantics, and against worked cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_al_pose.acquisition import find_peaks


def coordinates(peaks, index=()):
    n = int(peaks.counts[index])
    return [(int(r), int(c)) for r, c in zip(peaks.rows[index][:n], peaks.columns[index][:n], strict=True)]


def test_peaks_are_sorted_by_height_and_padded():
    maps = np.zeros((2, 16, 16))
    maps[0, 11, 10], maps[0, 4, 4] = 0.4, 0.8
    peaks = find_peaks(maps, min_distance=2, threshold_abs=0.0, threshold_rel=None)
    assert coordinates(peaks, 0) == [(4, 4), (11, 10)]
    assert peaks.values[0, :2].tolist() == [0.8, 0.4]
    assert np.isnan(peaks.values[0, 2:]).all()
    assert peaks.rows[0, 2:].tolist() == peaks.columns[0, 2:].tolist() == [-1, -1, -1]
    assert peaks.counts.tolist() == [2, 0]


def test_border_peak_is_kept_unless_told_otherwise():
    maps = np.zeros((64, 64), np.float32)
    maps[3, 30], maps[40, 40] = 1.0, 0.05
    kept = find_peaks(maps, min_distance=8, threshold_abs=0.0, threshold_rel=None)
    assert coordinates(kept) == [(3, 30), (40, 40)]
    # What peak_local_max does by default, and VL4Pose and AL4Pose with it: the true peak is lost.
    lost = find_peaks(maps, min_distance=8, threshold_abs=0.0, threshold_rel=None, exclude_border=True)
    assert coordinates(lost) == [(40, 40)]


def test_corner_cells_and_single_row_maps():
    maps = np.zeros((1, 5, 6))
    maps[0, 0, 0], maps[0, 4, 5], maps[0, 0, 5] = 3.0, 2.0, 1.0
    assert coordinates(find_peaks(maps, min_distance=2, threshold_abs=0, threshold_rel=None), 0) == [
        (0, 0),
        (4, 5),
        (0, 5),
    ]
    row = np.array([[0.0, 1.0, 0.0, 0.5, 0.0, 0.0, 0.7]])
    assert coordinates(find_peaks(row, min_distance=1, threshold_abs=0, threshold_rel=None)) == [(0, 1), (0, 6), (0, 3)]


def test_plateau_counts_once_and_constant_map_never():
    maps = np.zeros((3, 12, 12))
    maps[0, 4:6, 4:6] = 1.0
    maps[1] = 0.7
    maps[2, 3, 3] = np.nan
    peaks = find_peaks(maps, min_distance=2, threshold_abs=0.1, threshold_rel=None)
    assert coordinates(peaks, 0) == [(4, 4)]
    assert peaks.counts[1:].tolist() == [0, 0]


def test_thresholds_are_strict():
    maps = np.zeros((9, 9))
    maps[1, 1], maps[7, 7], maps[1, 7] = 1.0, 0.25, 0.2500001
    assert coordinates(find_peaks(maps, min_distance=2, threshold_abs=0.25, threshold_rel=None)) == [(1, 1), (1, 7)]
    assert coordinates(find_peaks(maps, min_distance=2, threshold_abs=None, threshold_rel=0.25)) == [(1, 1), (1, 7)]


def test_only_the_highest_are_kept():
    maps = np.zeros((30, 30))
    maps[3::6, 3::6] = np.arange(1, 26).reshape(5, 5)
    peaks = find_peaks(maps, min_distance=2, threshold_abs=0, threshold_rel=None, max_peaks=3)
    assert peaks.values.tolist() == [25.0, 24.0, 23.0]


def test_leading_axes_and_empty_input():
    assert find_peaks(np.zeros((0, 4, 8, 8)), min_distance=2, threshold_abs=0, threshold_rel=None).values.shape == (
        0,
        4,
        5,
    )
    maps = np.random.default_rng(0).random((3, 4, 9, 7))
    whole = find_peaks(maps, min_distance=1, threshold_abs=0, threshold_rel=None)
    one = find_peaks(maps[2, 1], min_distance=1, threshold_abs=0, threshold_rel=None)
    assert np.array_equal(whole.rows[2, 1], one.rows)
    assert np.array_equal(whole.values[2, 1], one.values)


def test_many_maps_are_the_same_as_one_by_one():
    maps = np.random.default_rng(1).random((700, 40, 40)).astype(np.float32)
    whole = find_peaks(maps, min_distance=3, threshold_abs=0.3, threshold_rel=0.1)
    for i in (0, 327, 328, 699):
        one = find_peaks(maps[i], min_distance=3, threshold_abs=0.3, threshold_rel=0.1)
        assert np.array_equal(whole.values[i], one.values)
        assert np.array_equal(whole.columns[i], one.columns)


def test_half_precision_and_memory_maps(tmp_path):
    maps = np.random.default_rng(2).random((4, 12, 12)).astype(np.float16)
    np.save(tmp_path / "maps.npy", maps)
    stored = np.load(tmp_path / "maps.npy", mmap_mode="r")
    half = find_peaks(stored, min_distance=2, threshold_abs=0.05, threshold_rel=0.1)
    single = find_peaks(maps.astype(np.float32), min_distance=2, threshold_abs=0.05, threshold_rel=0.1)
    assert np.array_equal(half.values, single.values, equal_nan=True)


@pytest.mark.parametrize("bad", [{"min_distance": 0}, {"max_peaks": 0}])
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match=">= 1"):
        find_peaks(np.zeros((4, 4)), **{"min_distance": 2, "threshold_abs": 0, "threshold_rel": None, **bad})
    with pytest.raises(ValueError, match="shape"):
        find_peaks(np.zeros(4), min_distance=2, threshold_abs=0, threshold_rel=None)


@settings(deadline=None, max_examples=300)
@given(
    image=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=14),
        elements=st.sampled_from([0.0, 0.03, 0.05, 0.25, 0.5, 0.5, 0.75, 1.0]),  # few levels: many ties and plateaus
    ),
    distance=st.integers(1, 5),
    threshold_abs=st.sampled_from([None, 0.0, 0.05, 0.5]),
    threshold_rel=st.sampled_from([None, 0.1, 0.5]),
    exclude_border=st.booleans(),
)
def test_same_as_scikit_image(image, distance, threshold_abs, threshold_rel, exclude_border):
    feature = pytest.importorskip("skimage.feature")
    settings_ = {
        "min_distance": distance,
        "threshold_abs": threshold_abs,
        "threshold_rel": threshold_rel,
        "exclude_border": exclude_border,
    }
    theirs = feature.peak_local_max(image, num_peaks=5, **settings_)
    assert coordinates(find_peaks(image, max_peaks=5, **settings_)) == [tuple(c) for c in theirs.tolist()]
