"""Quantiles, scaling, aggregation and the one order of scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_al_pose.acquisition.fusion import aggregate, min_max, pool_quantiles
from napari_al_pose.acquisition.ordering import key_order, rank_order, says_nothing
from napari_al_pose.domain import FrameKey

KEYS = [FrameKey("mouse", i) for i in range(3)]


def test_quantiles_share_ties_and_leave_out_what_is_not_known():
    assert_allclose(pool_quantiles(np.array([10.0, 30.0, 20.0, 20.0])), [0.25, 1.0, 0.625, 0.625])
    assert_allclose(pool_quantiles(np.array([np.nan, 5.0, np.inf, 7.0])), [np.nan, 0.5, np.nan, 1.0])
    table = np.array([[1.0, 9.0], [2.0, 9.0], [3.0, np.nan]])
    assert_allclose(pool_quantiles(table), [[1 / 3, 0.75], [2 / 3, 0.75], [1.0, np.nan]])
    assert pool_quantiles(np.zeros((0, 3))).shape == (0, 3)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40))
def test_quantiles_depend_on_the_order_only(values):
    array = np.array(values, float)
    assert_allclose(pool_quantiles(array), pool_quantiles(np.exp(array / 10) * 3 + 1))


def test_min_max():
    assert_allclose(min_max(np.array([0.2, 0.7, 1.2])), [0, 0.5, 1])
    assert_allclose(min_max(np.array([4.0, 4.0, np.nan])), [0, 0, np.nan])  # VATL4Pose divides by zero here
    assert np.isnan(min_max(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("weight", "totals", "order"),
    [(0.15, [0.85, 0.5, 0.15], [0, 1, 2]), (0.85, [0.15, 0.5, 0.85], [2, 1, 0]), (0.5, [0.5] * 3, [0, 1, 2])],
)
def test_dynamic_combination(weight, totals, order):
    uncertain, typical = np.array([0.2, 0.7, 1.2]), np.array([0.9, 0.6, 0.3])
    total = weight * min_max(uncertain) + (1 - weight) * min_max(typical)
    assert_allclose(total, totals)
    # At one half they differ in their last bits only, which must not make an order.
    assert rank_order(KEYS, total).tolist() == order


def test_nan_comes_last_and_ties_go_by_key():
    keys = [FrameKey("b", 0), FrameKey("a", 9), FrameKey("a", 10), FrameKey("c", 0)]
    assert rank_order(keys, np.array([1.0, 1.0, 1.0, np.nan])).tolist() == [1, 2, 0, 3]
    assert rank_order(keys, np.array([np.nan, np.nan, 0.0, 1.0])).tolist() == [3, 2, 1, 0]
    assert key_order(keys).tolist() == [1, 2, 0, 3]


def test_scores_that_say_nothing():
    assert says_nothing(np.full(4, np.nan))
    assert says_nothing(np.array([0.3, 0.1 + 0.2, np.nan]))
    assert says_nothing(np.zeros(0))
    assert not says_nothing(np.array([0.3, 0.31]))


def test_aggregation():
    table = np.array([[1.0, 3.0, np.nan], [2.0, 1.0, 5.0], [np.nan, np.nan, np.nan]])
    assert_allclose(aggregate(table, "mean"), [2, 8 / 3, np.nan])
    assert_allclose(aggregate(table, "max"), [3, 5, np.nan])
    assert_allclose(aggregate(table, "sum"), [4, 8, np.nan])
    assert_allclose(aggregate(table, "quantile"), [0.75, (1 + 0.5 + 1) / 3, np.nan])
