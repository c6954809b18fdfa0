"""Which bodypart comes next, what a guess may fill, when to learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Prediction
from napari_al_pose.domain.labelling import (
    bodypart_after_edit,
    bodypart_after_undo,
    first_bodypart,
    neighbour_bodypart,
    next_unseen,
    open_guess,
    time_to_train,
)
from napari_al_pose.domain.settings import LoopSettings

U, P, X = (int(state) for state in (KeypointState.UNSEEN, KeypointState.PLACED, KeypointState.NOT_VISIBLE))
KEY = FrameKey("v", 3)


def states(*values: int) -> np.ndarray:
    return np.array(values, np.int8)


@pytest.mark.parametrize(
    ("frame", "current", "expected"),
    [((P, U, U), 0, 1), ((U, P, P), 2, 0), ((P, X, P), 1, None), ((P, U, P), 1, 1), ((U,), 0, 0)],
)
def test_next_unseen_goes_round(frame, current, expected):
    assert next_unseen(states(*frame), current) == expected


def test_a_frame_starts_with_its_first_unseen_bodypart():
    assert first_bodypart(states(P, U, U)) == 1
    assert first_bodypart(states(P, X)) == 0


@pytest.mark.parametrize(
    ("before", "after", "current", "edited", "expected"),
    [
        ((U, U, U), (P, U, U), 0, 0, 1),  # placed the chosen one: on to the next
        ((U, U, U), (X, U, U), 0, 0, 1),  # not visible counts as done
        ((P, U, P), (P, P, P), 1, 1, 1),  # the last one: complete, stay
        ((P, P, U), (P, P, U), 0, 0, 0),  # moved a label: stay
        ((U, U, U), (U, P, U), 0, 1, 0),  # dragged another's guess: the chosen one is still open
        ((P, P, U), (U, P, U), 2, 0, 0),  # cleared: choose it again
        ((U, U, P), (P, P, P), 0, 0, 0),  # accepted the whole guess
        ((U, P, U), (U, P, P), 2, 2, 0),  # goes round
    ],
)
def test_bodypart_after_an_edit(before, after, current, edited, expected):
    assert bodypart_after_edit(states(*before), states(*after), current, edited) == expected


def test_an_undo_chooses_what_it_reopened_and_a_redo_goes_on():
    assert bodypart_after_undo(states(P, P, U), states(P, U, U), 2) == 1
    assert bodypart_after_undo(states(U, U, U), states(P, U, U), 0) == 1
    assert bodypart_after_undo(states(P, P, U), states(P, P, U), 2) == 2


@given(n=st.integers(1, 8), start=st.integers(0, 7))
def test_placing_one_after_the_other_completes_the_frame_in_as_many_clicks_as_bodyparts(n, start):
    frame, current = states(*[U] * n), start % n
    for _ in range(n):
        assert frame[current] == U
        placed = frame.copy()
        placed[current] = P
        current, frame = bodypart_after_edit(frame, placed, current, current), placed
    assert (frame == P).all()


def test_neighbours_go_round():
    assert neighbour_bodypart(2, 1, 3) == 0
    assert neighbour_bodypart(0, -1, 3) == 2


def prediction(n: int) -> Prediction:
    return Prediction(KEY, 4, np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.full(n, 0.5, np.float32))


def test_a_guess_is_only_open_where_nobody_looked():
    annotation = Annotation(KEY, np.full((3, 2), np.nan), states(P, U, X))
    guess = open_guess(prediction(3), annotation)
    assert guess.model_version == 4
    np.testing.assert_array_equal(np.isfinite(guess.xy).all(axis=1), [False, True, False])
    np.testing.assert_array_equal(guess.xy[1], [2, 3])
    np.testing.assert_array_equal(guess.likelihood, np.float32([0, 0.5, 0]))


def test_no_guess_is_left_for_a_complete_frame_or_of_a_model_of_other_bodyparts():
    assert open_guess(prediction(2), Annotation(KEY, np.zeros((2, 2)), states(P, X))) is None
    assert open_guess(prediction(2), Annotation.empty(KEY, 3)) is None
    assert open_guess(None, Annotation.empty(KEY, 3)) is None


def test_a_prediction_without_a_place_is_no_guess():
    nowhere = Prediction(KEY, 1, np.full((2, 2), np.nan, np.float32), np.zeros(2, np.float32))
    assert open_guess(nowhere, Annotation.empty(KEY, 2)) is None


def test_it_is_time_to_train_after_enough_frames_and_never_for_zero():
    assert time_to_train(10, 10)
    assert not time_to_train(9, 10)
    assert not time_to_train(500, 0)


def test_settings_of_older_projects_say_when_to_train_under_another_name():
    older = LoopSettings.model_validate_json('{"learn_after": 7}')
    assert older.train_after == 7
    assert LoopSettings.model_validate_json(older.model_dump_json()).train_after == 7
    assert "learn_after" not in older.model_dump_json()
