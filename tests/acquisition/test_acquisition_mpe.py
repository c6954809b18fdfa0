"""Multiple peak entropy: the worked numbers, the published modes and their flaws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import Peaks, Requires, ScoreContext
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy, mpe_as_al4pose, mpe_as_residency
from napari_al_pose.domain import FrameKey, ScoremapGrid, Skeleton


def two_bodyparts():
    maps = np.zeros((2, 16, 16))
    maps[0, 4, 4], maps[0, 11, 10] = 0.8, 0.4
    maps[1, 8, 8] = 0.9
    return maps


def context(maps, **kwargs):
    names = ("left ear", "nose", "tail base")[: maps.shape[1]]
    keys = [FrameKey("mouse", i) for i in range(len(maps))]
    return ScoreContext(keys=keys, skeleton=Skeleton(names), scoremaps=maps, **kwargs)


def entropies(heights, **kwargs):
    values = np.asarray(heights, float)
    nowhere = np.full(values.shape, -1)
    return MultiplePeakEntropy(**kwargs).entropies(Peaks(values, nowhere, nowhere))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({"mode": "sum"}, 0.636514),
        ({"mode": "softmax", "beta": 1.0}, 0.673540),
        ({"mode": "softmax", "beta": 30.0}, 7.987429e-05),
    ],
)
def test_worked_example(mode, expected):
    mpe = MultiplePeakEntropy(**mode, threshold_abs=0.0, threshold_rel=None)
    peaks = mpe.peaks(two_bodyparts())
    assert peaks.rows[0, :2].tolist() == [4, 11]
    assert peaks.columns[0, :2].tolist() == [4, 10]
    assert peaks.counts.tolist() == [2, 1]
    assert_allclose(mpe.entropies(peaks), [expected, 0.0], atol=1e-6)


@pytest.mark.parametrize(("how", "expected"), [("mean", 0.318257), ("max", 0.636514), ("sum", 0.636514)])
def test_frame_scores(how, expected):
    assert_allclose(MultiplePeakEntropy(aggregation=how).score(context(two_bodyparts()[None])), [expected], atol=1e-6)


def test_default_takes_quantiles_of_each_bodypart_first():
    maps = np.zeros((3, 2, 16, 16))
    maps[:, 0, 4, 4] = 0.9  # the first bodypart is hidden in the last frame only
    maps[2, 0, 4, 4] = 0.0
    maps[:2, 1, 4, 4] = 0.9
    maps[1, 1, 10, 10] = 0.1  # the second one is a little ambiguous in the second frame
    # quantiles of the first: 1.5/3, 1.5/3, 3/3; of the second (0, .325, ln 5): 1/3, 2/3, 3/3
    assert_allclose(MultiplePeakEntropy().score(context(maps)), [5 / 12, 7 / 12, 1.0])


def test_no_peak_is_the_most_there_can_be():
    assert_allclose(entropies([[np.nan] * 5, [0.5] * 5]), math.log(5))
    blank = np.full((1, 2, 32, 32), 0.01)
    assert_allclose(MultiplePeakEntropy(aggregation="mean").score(context(blank)), [math.log(5)])


@pytest.mark.parametrize(
    ("heights", "expected"), [([1, 0, 0, 0, 0], 1.500223), ([1, 1, 0, 0, 0], 1.488170), ([0.001] * 5, 1.609438)]
)
def test_residency_saturates(heights, expected):
    residency = mpe_as_residency()
    nowhere = np.full(5, -1)
    assert_allclose(residency.entropies(Peaks(np.asarray(heights, float), nowhere, nowhere)), expected, atol=1e-6)


def test_residency_calls_two_equal_peaks_clearer_than_one_and_we_do_not():
    one, two = [0.9, np.nan, np.nan, np.nan, np.nan], [0.9, 0.9, np.nan, np.nan, np.nan]
    faint_floor = {"mode": "softmax", "beta": 1.0}
    assert entropies([0.9, 0.9, 0, 0, 0], **faint_floor) < entropies([0.9, 0, 0, 0, 0], **faint_floor)
    assert_allclose(entropies([one, two]), [0.0, math.log(2)], atol=1e-9)


def test_residency_takes_the_largest_over_bodyparts():
    maps = two_bodyparts()[None]
    assert_allclose(mpe_as_residency().score(context(maps)), [0.673540], atol=1e-6)


def test_al4pose_loses_peaks_near_the_border():
    # On a 16 x 16 map its 5-cell border takes (4, 4) and (11, 10): nothing is left, which it counts as certain.
    al4pose = mpe_as_al4pose()
    assert al4pose.peaks(two_bodyparts()).counts.tolist() == [0, 1]
    assert_allclose(al4pose.score(context(two_bodyparts()[None])), [0.0], atol=1e-9)


def test_al4pose_sums_over_bodyparts():
    maps = np.zeros((1, 2, 64, 64))
    for k in range(2):
        maps[0, k, 20, 20], maps[0, k, 40, 40] = 0.8, 0.4
    assert_allclose(mpe_as_al4pose().score(context(maps)), [2 * 7.987429e-05], atol=1e-8)


def test_scale_of_the_maps_does_not_matter_to_ours():
    heights = np.array([[0.8, 0.4, 0.3, np.nan, np.nan]])
    assert_allclose(entropies(heights), entropies(1000 * heights), atol=1e-9)
    assert entropies(heights, mode="softmax") != pytest.approx(entropies(1000 * heights, mode="softmax"))


def test_neighbourhood_grows_with_the_map():
    maps = np.zeros((200, 200))
    maps[100, 100], maps[100, 104] = 1.0, 0.5
    assert MultiplePeakEntropy().peaks(maps).counts == 1  # 6 cells
    assert MultiplePeakEntropy(min_distance=2).peaks(maps).counts == 2


def test_same_as_a_loop_over_scikit_image_and_scipy():
    feature = pytest.importorskip("skimage.feature")
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    maps = rng.random((5, 4, 64, 64)).astype(np.float32) ** 20
    maps[0, 0] = 0.01
    mpe = MultiplePeakEntropy()
    ours = mpe.entropies(mpe.peaks(maps))
    for i, k in np.ndindex(5, 4):
        image = maps[i, k]
        found = feature.peak_local_max(
            image, min_distance=2, threshold_abs=0.05, threshold_rel=0.1, num_peaks=5, exclude_border=False
        )
        heights = image[tuple(found.T)].astype(float)
        assert ours[i, k] == pytest.approx(stats.entropy(heights) if len(heights) else math.log(5), abs=1e-6)


def test_explanation_names_the_most_ambiguous_bodypart_and_where_its_peaks_are():
    maps = np.zeros((1, 2, 32, 32))
    maps[0, 0, 4, 6], maps[0, 0, 20, 10] = 0.41, 0.38
    maps[0, 1, 8, 8] = 0.9
    grid = ScoremapGrid(stride_x=4.0, stride_y=5.0, offset_x=1.5, offset_y=2.0)
    explanation = MultiplePeakEntropy().explain(context(maps, grid=grid), 0)
    assert explanation.sentence == "the model sees two possible places for the left ear"
    ear, nose = explanation.reasons
    assert (ear.bodypart, nose.bodypart) == ("left ear", "nose")
    assert_allclose(ear.peaks, [(25.5, 22.0, 0.41), (41.5, 102.0, 0.38)])
    assert nose.score == 0.0
    assert ear.score == pytest.approx(0.692426, abs=1e-6)


def test_each_video_has_its_own_grid():
    maps = np.zeros((1, 2, 32, 32))
    maps[0, :, 3, 2] = 0.9
    small, large = ScoremapGrid(1.0, 1.0, 0.0, 0.0), ScoremapGrid(8.0, 8.0, 0.0, 0.0)
    for grids, place in (({"mouse": large}, (16.0, 24.0, 0.9)), ({"rat": large}, (2.0, 3.0, 0.9))):
        explanation = MultiplePeakEntropy().explain(context(maps, grid=small, grids=grids), 0)
        assert explanation.reasons[0].peaks == (place,)


def test_explanation_of_a_bodypart_that_is_not_there_and_of_clear_ones():
    maps = np.zeros((2, 3, 32, 32))
    maps[0, :2, 8, 8] = 0.9
    maps[1, :, 8, 8] = [0.9, 0.31, 0.8]
    mpe = MultiplePeakEntropy()
    assert mpe.explain(context(maps), 0).sentence == "the model sees no possible place for the tail base"
    assert mpe.explain(context(maps), 1).sentence == "the model sees one possible place for the nose"
    maps[1, 0, [8, 20, 20], [20, 8, 20]] = [0.5, 0.4, 0.3]
    assert mpe.explain(context(maps), 1).sentence == "the model sees four possible places for the left ear"


def test_needs_scoremaps():
    mpe = MultiplePeakEntropy()
    empty = ScoreContext(keys=[FrameKey("a", 0)], skeleton=Skeleton(("nose",)))
    assert mpe.requires == Requires.SCOREMAPS
    assert mpe.requires & ~empty.available == Requires.SCOREMAPS
    with pytest.raises(ValueError, match="scoremaps"):
        mpe.score(empty)
