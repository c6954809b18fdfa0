"""Animals keep their identities from frame to frame, and what is said of that is true."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_al_pose.tracking import Bones, Tracker, keypoints, score_tracks

SHAPE = np.array([[0, 0], [10, 3], [20, 0], [30, -3]], float)


def walk(start, velocity, n=60):
    """Return the poses, (n, K, 2), of an animal that walks in a straight line."""
    return SHAPE + np.asarray(start, float) + np.arange(n)[:, None, None] * np.asarray(velocity, float)


def frames_of(truth, *, missing=(), seed=0, likelihood=0.9, noise=0.5):
    """Return poses in any order with their likelihoods, frame by frame; ``missing`` are frame and animal."""
    rng = np.random.default_rng(seed)
    n, a, k, _ = truth.shape
    frames = []
    for i in range(n):
        order = rng.permutation(a)
        poses = truth[i, order] + rng.normal(0, noise, (a, k, 2))
        poses[[(i, who) in missing for who in order]] = np.nan
        frames.append((poses, np.full((a, k), likelihood)))
    return frames


def tracks_of(frames, given):
    """Return tracks, (n, A, K, 2), of poses in any order."""
    return np.stack([keypoints(poses, found, np.nan) for (poses, _), found in zip(frames, given, strict=True)])


def unknown(n, n_bodyparts):
    """Return a tracker that knows nothing of the animals' shape."""
    return Tracker(n, Bones.unknown(n_bodyparts))


def decided(tracker, frames):
    """Return what a tracker says of frames."""
    for frame in frames:
        tracker.step(*frame)
    return tracker.decide()


def follow(truth, *, tracker=None, **options):
    """Return tracks, (n, A, K, 2), and margins of poses in any order."""
    frames = frames_of(truth, **options)
    followed = decided(tracker or unknown(*truth.shape[1:3]), frames)
    return tracks_of(frames, followed.given), followed.margins


def test_two_that_cross_keep_their_identities_and_the_margin_says_where_it_was_close():
    truth = np.stack([walk((0, 0), (4, 0)), walk((236, 12), (-4, 0))], axis=1)
    tracks, margins = follow(truth)
    scores = score_tracks(zip(tracks, truth, strict=True))
    assert (scores.idf1, scores.switches, scores.mota) == (1.0, 0, 1.0)
    assert margins.min() > 1
    both_hidden = {(i, who) for i in range(22, 38) for who in (0, 1)}
    _, margins = follow(truth, missing=both_hidden)
    assert 20 <= margins.argmin() <= 40
    assert np.isfinite(margins.min())
    assert np.isinf(margins[:20]).all()


def test_a_gap_is_closed_where_the_animal_would_be():
    truth = np.stack([walk((0, 0), (3, 0)), walk((0, 60), (3, 0))], axis=1)
    gap = {(i, 0) for i in range(20, 32)} | {(i, 1) for i in range(25, 40)}
    scores = score_tracks(zip(follow(truth, missing=gap)[0], truth, strict=True))
    assert scores.switches == 0
    assert scores.idf1 == pytest.approx(2 * (120 - 27) / (240 - 27))


def test_an_animal_that_comes_later_takes_a_free_place():
    truth = np.stack([walk((0, 0), (2, 0)), walk((300, 0), (0, 2))], axis=1)
    late = {(i, 1) for i in range(15)}
    assert score_tracks(zip(follow(truth, missing=late)[0], truth, strict=True)).switches == 0


def test_part_by_part_with_a_look_ahead_or_stopped_and_resumed_is_the_same():
    truth = np.stack([walk((0, 0), (4, 0)), walk((236, 12), (-4, 0))], axis=1)
    whole, _ = follow(truth)
    frames = frames_of(truth)
    tracker, given = unknown(2, 4), []
    for first in range(0, 60, 7):
        tracker = Tracker.resume(json.loads(json.dumps(tracker.state())))
        for i, frame in enumerate(frames[first : first + 7 + 20]):
            if i == 7:
                tracker.mark()
            tracker.step(*frame)
        given += tracker.decide().given.tolist()
    np.testing.assert_array_equal(tracks_of(frames, np.array(given)), whole)


def test_what_is_unsure_is_taken_only_where_an_animal_is_expected():
    sure, unsure = np.full((2, 4), 0.9), np.full((2, 4), 0.1)
    frames = [(np.stack([SHAPE, SHAPE + 100]), sure), (np.stack([SHAPE + 101, SHAPE + 400]), unsure)]
    assert decided(unknown(2, 4), frames).given[1].tolist() == [[-1] * 4, [0] * 4]


def test_nothing_and_forty_animals():
    tracker = unknown(40, 4)
    nothing = decided(tracker, [(np.full((40, 4, 2), np.nan), np.zeros((40, 4)))])
    assert (nothing.given == -1).all()
    assert nothing.margins.tolist() == [np.inf]
    truth = np.stack([walk((60 * (i % 8), 60 * (i // 8)), (1, 0.5), n=12) for i in range(40)], axis=1)
    tracks, _ = follow(truth, tracker=tracker)
    assert score_tracks(zip(tracks, truth, strict=True)).idf1 == 1.0


def test_an_exchange_counts_once_and_lowers_idf1():
    truth = np.stack([walk((0, 0), (1, 0), n=40), walk((0, 100), (1, 0), n=40)], axis=1)
    tracks = truth.copy()
    tracks[30:] = truth[30:, ::-1]
    scores = score_tracks(zip(tracks, truth, strict=True))
    assert scores.switches == 2  # of either animal
    assert scores.idf1 == pytest.approx(0.75)
    assert scores.mota == pytest.approx(1 - 2 / 80)
    assert np.isnan(score_tracks([]).idf1)


def test_scores_are_those_of_motmetrics():
    mm = pytest.importorskip("motmetrics")
    rng = np.random.default_rng(3)
    truth = np.stack([walk((0, 0), (4, 0)), walk((236, 12), (-4, 0)), walk((100, 200), (0, 1))], axis=1)
    tracks = truth + rng.normal(0, 2, truth.shape)
    tracks[40:, :2] = tracks[40:, 1::-1]
    tracks[rng.random(truth.shape[:2]) < 0.1] = np.nan
    from napari_al_pose.domain.oks import similarity
    from napari_al_pose.tracking.scores import SAME

    accumulator = mm.MOTAccumulator(auto_id=True)
    for ours, theirs in zip(tracks, truth, strict=True):
        there = np.flatnonzero(np.isfinite(ours[:, 0, 0]))
        alike = similarity(ours[there], theirs).T
        accumulator.update([0, 1, 2], there.tolist(), np.where(alike >= SAME, 1 - alike, np.nan))
    summary = mm.metrics.create().compute(accumulator, metrics=["idf1", "num_switches", "mota"]).iloc[0]
    scores = score_tracks(zip(tracks, truth, strict=True))
    assert scores.idf1 == pytest.approx(summary.idf1)
    assert scores.switches == summary.num_switches
    assert scores.mota == pytest.approx(summary.mota)


def tracked_with_mistakes(seed):
    """Return tracks and truth: three animals, two of which are exchanged for a while; some poses are missing."""
    rng = np.random.default_rng(seed)
    truth = np.stack([walk((0, 0), (4, 0)), walk((236, 12), (-4, 0)), walk((100, 200), (0, 1))], axis=1)
    tracks = truth + rng.normal(0, 0.3 + 0.4 * seed, truth.shape)
    tracks[40:50, :2] = tracks[40:50, 1::-1]
    tracks[rng.random(truth.shape[:2]) < 0.1] = np.nan
    truth[rng.random(truth.shape[:2]) < 0.1] = np.nan
    return tracks, truth


@pytest.mark.parametrize(("seed", "expected"), [(0, 0.700029), (1, 0.695896), (2, 0.614675)])
def test_hota_is_what_trackeval_said(seed, expected):
    """The figures are those of trackeval 1.3.0."""
    tracks, truth = tracked_with_mistakes(seed)
    assert score_tracks(zip(tracks, truth, strict=True)).hota == pytest.approx(expected, abs=1e-6)


def test_hota_is_that_of_trackeval_where_it_is_installed():
    hota = pytest.importorskip("trackeval.metrics.hota")
    from napari_al_pose.domain.oks import similarity

    tracks, truth = tracked_with_mistakes(3)
    score = score_tracks(zip(tracks, truth, strict=True)).hota
    there = [[np.flatnonzero(np.isfinite(side[:, 0, 0])) for side in pair] for pair in zip(tracks, truth, strict=True)]
    alike = [similarity(*pair).T for pair in zip(tracks, truth, strict=True)]
    data = {
        "num_tracker_ids": 3,
        "num_gt_ids": 3,
        "num_tracker_dets": sum(len(ours) for ours, _ in there),
        "num_gt_dets": sum(len(theirs) for _, theirs in there),
        "tracker_ids": [ours for ours, _ in there],
        "gt_ids": [theirs for _, theirs in there],
        "similarity_scores": [own[np.ix_(theirs, ours)] for own, (ours, theirs) in zip(alike, there, strict=True)],
    }
    assert score == pytest.approx(np.mean(hota.HOTA().eval_sequence(data)["HOTA"]))
