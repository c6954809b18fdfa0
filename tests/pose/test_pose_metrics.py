"""Each number is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose import error_report, summarise
from napari_al_pose.pose.metrics import OKS_SIGMA, distances, mean_average_precision, oks

PLACED, UNSEEN, HIDDEN = KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.NOT_VISIBLE


def test_numbers_by_hand():
    annotated = np.array([[[0.0, 0], [100, 0]], [[0, 0], [np.nan, np.nan]]])
    predicted = np.array([[[3.0, 4], [100, 12]], [[0, 7], [5, 5]]])
    states = np.array([[PLACED, PLACED], [PLACED, HIDDEN]], np.int8)
    report = error_report(predicted, annotated, states, ["a", "b"])
    assert report.mean == pytest.approx((5 + 12 + 7) / 3)
    assert report.median == 7
    assert report.p95 == 12
    assert report.rmse == pytest.approx(np.sqrt((25 + 144 + 49) / 3))
    assert report.rmse != pytest.approx(report.mean)
    assert report.reference_px == 100
    assert report.pck == pytest.approx(
        {"5px": 1 / 3, "10px": 2 / 3, "20px": 1.0, "0.05ref": 1 / 3, "0.1ref": 2 / 3, "0.2ref": 1.0}
    )
    assert report.per_bodypart == {"a": 6.0, "b": 12.0}
    assert (report.n_frames, report.n_keypoints) == (2, 3)


def test_unseen_and_hidden_keypoints_count_nowhere():
    states = np.array([[PLACED, UNSEEN, HIDDEN]], np.int8)
    annotated = np.array([[[1.0, 1.0], [9.0, 9.0], [9.0, 9.0]]])
    errors = distances(np.zeros((1, 3, 2)), annotated, states)
    assert errors[0, 0] == pytest.approx(np.sqrt(2))
    assert np.isnan(errors[0, 1:]).all()


def test_a_keypoint_not_found_is_not_dropped():
    report = error_report(np.full((1, 1, 2), np.nan), np.zeros((1, 1, 2)), np.array([[PLACED]]), ["a"])
    assert report.mean == np.inf
    assert report.pck["20px"] == 0


def test_nothing_to_measure_is_nan():
    states = np.zeros((2, 1), np.int8)
    report = error_report(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), states, ["a"])
    assert np.isnan([report.mean, report.median, report.rmse, report.per_bodypart["a"]]).all()
    summary = summarise(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), states)
    assert summary.n_frames == 0
    assert np.isnan(summary.mean)


def test_the_reference_length_is_each_videos_own():
    """A mouse filmed twice as close errs twice as far in pixels, and as far in body lengths."""
    states = np.full((4, 3), PLACED)
    annotated = np.array([[[0.0, 0], [10, 0], [0, 40]]] * 2 + [[[0.0, 0], [20, 0], [0, 80]]] * 2)
    predicted = annotated + np.array([[[1.0, 0]]] * 2 + [[[2.0, 0]]] * 2)
    videos = ["far", "far", "near", "near"]
    report = error_report(predicted, annotated, states, ["eye", "nose", "tail"], videos=videos, between=(0, 1))
    assert report.reference_px == 15
    assert report.normalised == pytest.approx({"mean": 0.1, "median": 0.1, "p95": 0.1, "rmse": 0.1})
    assert report.per_video == {"far": 1.0, "near": 2.0}
    assert (report.pck["0.05ref"], report.pck["0.1ref"]) == (0, 1)
    with_diagonals = error_report(predicted, annotated, states, ["eye", "nose", "tail"], videos=videos)
    assert with_diagonals.normalised["mean"] == pytest.approx(1 / np.hypot(10, 40))


def test_a_video_without_a_reference_length_is_left_out_of_what_is_normalised():
    states = np.array([[PLACED, PLACED], [PLACED, HIDDEN]], np.int8)
    annotated = np.array([[[0.0, 0], [10, 0]], [[0, 0], [np.nan, np.nan]]])
    report = error_report(annotated + 1.0, annotated, states, ["a", "b"], videos=["one", "two"])
    assert report.n_keypoints == 3
    assert report.normalised["mean"] == pytest.approx(np.sqrt(2) / 10)
    assert report.reference_px == 10


def test_similarity_by_hand():
    annotated = np.array([[[0.0, 0], [20, 10]], [[0.0, 0], [30, 0]]])
    predicted = annotated + np.array([[[3.0, 4], [0, 0]]] * 2)
    states = np.full((2, 2), PLACED)
    values = oks(predicted, annotated, states)
    assert values[0] == pytest.approx((np.exp(-25 / (2 * 200 * 0.04)) + 1) / 2)
    assert np.isnan(values[1])  # no area
    assert np.isnan(oks(predicted, annotated, np.full((2, 2), HIDDEN))).all()


def test_average_precision_falls_with_what_is_ranked_first():
    good_first = mean_average_precision(np.array([0.99, 0.99, 0.1]), np.array([0.9, 0.8, 0.1]))
    bad_first = mean_average_precision(np.array([0.99, 0.99, 0.1]), np.array([0.2, 0.3, 0.9]))
    assert bad_first < good_first < 1
    assert mean_average_precision(np.array([0.99, 0.97]), np.array([0.1, 0.2])) == 1
    assert np.isnan(mean_average_precision(np.array([np.nan]), np.array([1.0])))


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_pycocotools(seed):
    """COCO's own program on made-up frames of one animal each."""
    from pycocotools import coco, cocoeval

    rng = np.random.default_rng(seed)
    n, k = 20, 5
    annotated = rng.uniform(20, 200, (n, k, 2))
    states = np.where(rng.random((n, k)) < 0.8, PLACED, HIDDEN).astype(np.int8)
    states[:, :2] = PLACED
    predicted = annotated + rng.normal(0, 12, (n, k, 2))
    scores = rng.random(n)
    placed = states == PLACED
    areas = [float(np.prod(np.ptp(xy[p], axis=0))) for xy, p in zip(annotated, placed, strict=True)]
    truth = coco.COCO()
    truth.dataset = {
        "images": [{"id": i} for i in range(n)],
        "categories": [{"id": 1}],
        "annotations": [
            {
                "id": i + 1, "image_id": i, "category_id": 1, "iscrowd": 0, "area": areas[i], "bbox": [0, 0, 1, 1],
                "num_keypoints": int(placed[i].sum()),
                "keypoints": np.column_stack([annotated[i], 2 * placed[i]]).ravel().tolist(),
            }
            for i in range(n)
        ],
    }  # fmt: skip
    truth.createIndex()
    found = truth.loadRes(
        [
            {
                "image_id": i, "category_id": 1, "score": float(scores[i]),
                "keypoints": np.column_stack([predicted[i], np.ones(k)]).ravel().tolist(),
            }
            for i in range(n)
        ]
    )  # fmt: skip
    run = cocoeval.COCOeval(truth, found, "keypoints")
    run.params.kpt_oks_sigmas = np.full(k, OKS_SIGMA)
    run.evaluate()
    run.accumulate()
    run.summarize()
    assert mean_average_precision(oks(predicted, annotated, states), scores) == pytest.approx(run.stats[0], abs=1e-9)


def test_one_frame_has_no_interval():
    summary = summarise(np.ones((1, 2, 2)), np.zeros((1, 2, 2)), np.full((1, 2), PLACED))
    assert np.isnan([summary.low, summary.high]).all()
    assert summary.mean == pytest.approx(np.sqrt(2))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 1000))
def test_the_interval_holds_the_mean_and_repeats(n, seed):
    rng = np.random.default_rng(seed)
    predicted = rng.normal(0, 5, (n, 3, 2))
    states = np.full((n, 3), PLACED)
    summary = summarise(predicted, np.zeros((n, 3, 2)), states)
    assert summary.low <= summary.mean <= summary.high
    assert summary == summarise(predicted, np.zeros((n, 3, 2)), states)
    assert summary.n_frames == n


def test_the_interval_is_of_frames_not_of_keypoints():
    """Keypoints that err together make the interval as wide as one keypoint a frame would."""
    rng = np.random.default_rng(0)
    one = np.abs(rng.normal(10, 4, (30, 1, 1))) * np.array([1.0, 0.0])
    many = np.repeat(one, 8, axis=1)
    few = summarise(one, np.zeros_like(one), np.full((30, 1), PLACED))
    lots = summarise(many, np.zeros_like(many), np.full((30, 8), PLACED))
    assert lots.high - lots.low == pytest.approx(few.high - few.low)
