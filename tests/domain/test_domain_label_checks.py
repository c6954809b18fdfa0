"""Which labels are worth a second look."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Prediction
from napari_al_pose.domain.label_checks import (
    LabelCheck,
    find_checks,
    is_in_place,
    points_of_model,
)
from napari_al_pose.domain.views.label_checks import check_button_text, check_marks, check_rows

PARTS = ("nose", "left ear", "right ear", "tail")
PAIRS = (("left ear", "right ear"),)
POSE = np.array([[50.0, 20], [40, 30], [60, 30], [50, 120]])


def label(frame, xy, states=None):
    states = np.full(4, KeypointState.PLACED, np.int8) if states is None else np.array(states, np.int8)
    return Annotation(FrameKey("v", frame), np.where((states == KeypointState.PLACED)[:, None], xy, np.nan), states)


def said(frame, *, likelihood=0.9, noise=1.0):
    rng = np.random.default_rng(frame)
    xy = (POSE + rng.normal(0, noise, POSE.shape)).astype(np.float32)
    return Prediction(FrameKey("v", frame), 1, xy, np.full(4, likelihood, np.float32))


def checks(labels, predictions, **options):
    return find_checks(labels, {p.key: p for p in predictions}, PARTS, PAIRS, **options)


def test_good_labels_give_nothing_to_check():
    assert checks([label(i, POSE) for i in range(6)], [said(i) for i in range(6)]) == ()


def test_a_label_far_from_a_sure_model_is_found_and_an_unsure_one_proves_nothing():
    wrong = POSE.copy()
    wrong[3] += [40, 0]
    labels = [label(i, POSE) for i in range(5)] + [label(5, wrong), label(6, wrong)]
    found = checks(labels, [said(i) for i in range(6)] + [said(6, likelihood=0.1)])
    assert [(check.key.frame, check.bodypart, check.kind) for check in found] == [(5, "tail", "far")]
    assert found[0].distance == pytest.approx(40, abs=4)
    assert (found[0].x, found[0].y) == (90, 120)
    assert found[0].seen == tuple(said(5).xy[3].tolist())


def test_swapped_sides_are_one_check_and_not_two_far_ones():
    swapped = POSE[[0, 2, 1, 3]]
    found = checks([label(i, POSE) for i in range(5)] + [label(5, swapped)], [said(i) for i in range(6)])
    assert [(check.key.frame, check.bodypart, check.kind) for check in found] == [(5, "left ear", "swapped")]
    assert found[0].counterpart == "right ear"
    assert points_of_model(found[0], label(5, swapped), PARTS) == {"left ear": (40, 30), "right ear": (60, 30)}
    assert points_of_model(found[0], label(5, swapped, [1, 1, 0, 1]), PARTS) == {}


def test_a_bodypart_the_model_never_finds_is_not_listed_frame_by_frame():
    """Where the model is always off, the labels are not to blame."""
    off = [said(i) for i in range(6)]
    for prediction in off:
        prediction.xy[3] += [50, 0]
    assert checks([label(i, POSE) for i in range(6)], off) == ()


def test_frames_without_a_judge_and_keypoints_not_placed_are_left_alone():
    states = [KeypointState.PLACED, KeypointState.NOT_VISIBLE, KeypointState.UNSEEN, KeypointState.PLACED]
    wrong = POSE + 60
    labels = [label(i, POSE) for i in range(4)] + [label(4, wrong)]
    assert checks(labels, [said(i) for i in range(4)]) == ()
    assert checks([*labels[:4], label(5, POSE, states)], [said(i) for i in range(4)] + [said(5)]) == ()
    assert checks([], []) == ()


def test_the_worst_comes_first_and_the_list_is_bounded():
    labels = [label(i, POSE) for i in range(40)]
    for i in range(8):
        moved = POSE.copy()
        moved[0] += [0, 25 + 5 * i]
        labels[i] = label(i, moved)
    found = checks(labels, [said(i, noise=0.5) for i in range(40)], limit=5)
    assert [check.key.frame for check in found] == [7, 6, 5, 4, 3]


def test_a_label_that_was_moved_is_no_longer_in_place():
    wrong = POSE.copy()
    wrong[3] += [40, 0]
    (found,) = checks([label(i, POSE) for i in range(5)] + [label(5, wrong)], [said(i) for i in range(6)])
    assert is_in_place(found, label(5, wrong), PARTS)
    assert not is_in_place(found, label(5, POSE), PARTS)
    assert not is_in_place(found, label(5, wrong, [1, 1, 1, KeypointState.UNSEEN]), PARTS)
    assert not is_in_place(found, label(5, wrong), PARTS[:3])


def test_both_places_are_marked_with_the_distance_between_them():
    far = LabelCheck(FrameKey("v", 5), "tail", "far", 90, 120, 50, 0.9, seen=(60, 80))
    marks = check_marks(far)
    assert (marks.label, marks.seen, marks.text) == ((90, 120), (60, 80), "model, 50 px away")
    assert points_of_model(far, label(5, POSE), PARTS) == {"tail": (60, 80)}
    of_before = LabelCheck(FrameKey("v", 5), "tail", "far", 90, 120, 50, 0.9)
    assert check_marks(of_before) is None
    assert points_of_model(of_before, label(5, POSE), PARTS) == {}


def test_rows_say_where_and_why():
    wrong = POSE.copy()
    wrong[3] += [40, 0]
    (row,) = check_rows(checks([label(i, POSE) for i in range(5)] + [label(5, wrong)], [said(i) for i in range(6)]))
    assert row.title == "v, frame 5"
    assert "tail" in row.detail
    assert "90%" in row.detail
    assert check_button_text(1) == "Check 1 label"
    assert check_button_text(0) == ""
