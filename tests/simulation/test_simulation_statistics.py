"""Areas, pairs, intervals and permutation tests, on numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.simulation.statistics import (
    aulc,
    compare,
    hierarchical_interval,
    holm,
    labels_interval,
    labels_to_reach,
    paired_ratio,
    sign_flip_p,
)

BUDGETS = [20, 40, 80, 160]
A, B = [0.5, 0.4, 0.3, 0.25], [0.5, 0.35, 0.27, 0.25]


def test_the_area_is_taken_over_log2_of_the_budget():
    assert aulc(BUDGETS, A) == pytest.approx(0.358333, abs=1e-6)
    assert aulc(BUDGETS, B) == pytest.approx(0.331667, abs=1e-6)


def test_sign_flips_are_exact():
    # All four pairs agree: of 16 signs only two are as extreme.
    assert sign_flip_p(np.array([-1.0, -2.0, -0.5, -1.5])) == pytest.approx(2 / 16)
    assert sign_flip_p(np.array([1.0, -1.0])) == 1.0
    assert sign_flip_p(np.full(20, -1.0)) < 1e-3


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_labels_to_reach_go_by_log2():
    assert labels_to_reach(BUDGETS, A, 0.35) == pytest.approx(40 * math.sqrt(2))
    assert labels_to_reach(BUDGETS, A, 0.6) == 20
    assert labels_to_reach(BUDGETS, A, 0.2) == math.inf


def test_a_better_arm_needs_fewer_labels_for_the_baselines_error():
    baseline = {(0, seed): A for seed in range(4)}
    estimate, low, high = labels_interval(BUDGETS, dict.fromkeys(baseline, B), baseline, at=80)
    assert low == pytest.approx(estimate) == pytest.approx(high)
    assert estimate == pytest.approx(2 ** (math.log2(40) + (0.35 - 0.3) / (0.35 - 0.27)))
    assert estimate < 80


def test_a_clear_difference_is_found_and_its_pairs_are_counted():
    rng = np.random.default_rng(0)
    noise = {(fold, seed): rng.normal(0, 0.05) for fold in range(3) for seed in range(5)}
    arm = {r: 0.40 + n + rng.normal(0, 0.004) for r, n in noise.items()}
    baseline = {r: 0.42 + n for r, n in noise.items()}
    d = compare(arm, {**baseline, (9, 9): 99.0})  # a replicate that only one arm has doesn't count
    assert d.verdict == "better"
    assert d.n_pairs == 15
    assert -0.025 < d.low < d.mean < d.high < -0.015
    assert d.p < 0.001
    back = compare(baseline, arm)
    assert back.verdict == "worse"
    assert back.mean == pytest.approx(-d.mean)


def test_no_difference_is_a_result_and_noise_is_undecided():
    baseline = {(fold, seed): 0.4 for fold in range(3) for seed in range(5)}
    same = {r: 0.4 + 0.0005 * (-1) ** r[1] for r in baseline}
    assert compare(same, baseline).verdict == "equal"
    rng = np.random.default_rng(1)
    noisy = {r: 0.4 + rng.normal(0, 0.05) for r in baseline}
    d = compare(noisy, baseline)
    assert d.verdict == "undecided"
    assert d.detectable == pytest.approx(2.8 * d.sd / math.sqrt(15))


def test_the_interval_knows_that_seeds_of_a_fold_are_alike():
    # Two folds that disagree: a bootstrap over all ten values alone would be far too sure.
    values = {(fold, seed): (0.1 if fold else -0.1) + 1e-6 * seed for fold in range(2) for seed in range(5)}
    low, high = hierarchical_interval(values)
    assert low == pytest.approx(-0.1, abs=1e-3)
    assert high == pytest.approx(0.1, abs=1e-3)


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=8), st.floats(0.01, 10))
def test_the_p_value_does_not_depend_on_scale_or_direction(differences, factor):
    values = np.array(differences, np.float64)
    p = sign_flip_p(values)
    assert 0 < p <= 1
    assert sign_flip_p(-values) == pytest.approx(p)
    assert sign_flip_p(values * factor) == pytest.approx(p)


def test_a_ratio_is_of_pairs_drawn_together():
    rng = np.random.default_rng(0)
    baseline = {(fold, seed): float(rng.uniform(1, 9)) for fold in range(3) for seed in range(4)}
    halves = {pair: value / 2 for pair, value in baseline.items()}
    assert paired_ratio(halves, baseline) == pytest.approx((0.5, 0.5, 0.5)), "pairs differ, their ratios do not"
    noisy = {pair: value * rng.uniform(0.3, 0.7) for pair, value in baseline.items()}
    ratio, low, high = paired_ratio(noisy, baseline)
    assert 0.3 < low < ratio < high < 0.7
    assert paired_ratio(baseline, dict.fromkeys(baseline, 0.0)) is None
    assert paired_ratio({}, baseline) is None
