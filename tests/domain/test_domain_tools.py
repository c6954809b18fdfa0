"""What a click does with each tool and in each mode, and the ways through frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.labelling import (
    LabelTally,
    loop_step,
    neighbour_key,
    pasted,
    pose_of,
    pose_to_move,
    shift_inside,
    unlabelled_frames,
)
from napari_al_pose.domain.tools import Click, LabelMode, Tool, bodypart_after_click, click_meaning, next_mode

KEY = FrameKey("v", 0)
U, P, X = KeypointState.UNSEEN, KeypointState.PLACED, KeypointState.NOT_VISIBLE


def states(*values):
    return np.array(values, np.int8)


def annotation(*values, individual="", role=FrameRole.TRAIN, key=KEY):
    xy = np.array([[10.0 * i, 5.0] if value == P else [np.nan] * 2 for i, value in enumerate(values)])
    return Annotation(key, xy, states(*values), individual, role)


@pytest.mark.parametrize(
    ("target", "current", "before", "meaning"),
    [
        (None, 0, (U, U), Click.PLACE),  # empty image
        (None, 0, (X, U), Click.PLACE),  # it can be seen after all
        (0, 0, (P, U), Click.NOTHING),  # a label is dragged, not clicked away
        (None, 0, (P, U), Click.NOTHING),
        (1, 0, (U, P), Click.PLACE),  # two close bodyparts must be placeable
        (1, 0, (P, P), Click.CHOOSE),  # nothing to place: choose what was clicked
        (1, 0, (X, U), Click.CHOOSE),
    ],
)
def test_a_click_in_sequential_mode(target, current, before, meaning):
    assert click_meaning(target, current, states(*before)) is meaning


def test_quick_mode_moves_a_label_by_a_click_and_goes_on_in_order():
    assert click_meaning(None, 0, states(P, U), mode=LabelMode.QUICK) is Click.PLACE
    assert bodypart_after_click(states(P, P, P), 0, 0, LabelMode.QUICK) == 1
    assert bodypart_after_click(states(P, P, P), 2, 2, LabelMode.QUICK) == 2
    assert bodypart_after_click(states(U, P, U), 2, 0, LabelMode.QUICK) == 2


def test_loop_mode_keeps_the_bodypart():
    assert bodypart_after_click(states(U, U), 1, 0, LabelMode.LOOP) == 0
    assert click_meaning(None, 0, states(P, U), mode=LabelMode.LOOP) is Click.NOTHING


@pytest.mark.parametrize("mode", LabelMode)
def test_select_never_places_and_pan_does_nothing(mode):
    for before in ((U, U), (P, U), (X, P)):
        for target in (None, 0, 1):
            selected = click_meaning(target, 0, states(*before), tool=Tool.SELECT, mode=mode)
            assert selected is (Click.NOTHING if target is None else Click.CHOOSE)
            assert click_meaning(target, 0, states(*before), tool=Tool.PAN, mode=mode) is Click.NOTHING


def test_the_modes_go_round():
    mode, seen = LabelMode.SEQUENTIAL, []
    for _ in range(4):
        seen.append(mode)
        mode = next_mode(mode)
    assert seen == [LabelMode.SEQUENTIAL, LabelMode.QUICK, LabelMode.LOOP, LabelMode.SEQUENTIAL]


@given(n_frames=st.integers(1, 6), n_bodyparts=st.integers(1, 5))
def test_the_loop_visits_every_bodypart_of_every_frame_once(n_frames, n_bodyparts):
    at, seen = (0, 0), []
    while at is not None:
        seen.append(at)
        at = loop_step(n_frames, *at, n_bodyparts)
    assert seen == [(frame, part) for part in range(n_bodyparts) for frame in range(n_frames)]


def test_what_waits_for_labels():
    keys = [FrameKey("a", n) for n in range(6)]
    waiting = unlabelled_frames(queued=[keys[4], keys[1]], begun={keys[2]}, images=keys[:2], complete={keys[1]})
    assert waiting == [keys[0], keys[2], keys[4]]
    assert neighbour_key(waiting, keys[2], 1) == keys[4]
    assert neighbour_key(waiting, keys[3], -1) == keys[2]
    assert neighbour_key(waiting, keys[0], -1) is None
    assert neighbour_key(waiting, keys[5], 1) is None


def test_a_pasted_pose_never_replaces_a_label():
    pose = pose_of(annotation(P, P, X), "abc")
    assert set(pose) == {"a", "b"}
    assert pasted(pose, annotation(U, P, U), "abc") == {"a": pose["a"]}
    assert pasted(pose, annotation(P, X, U), "abc") == {}


def test_the_whole_pose_is_the_labels_and_only_without_any_the_guess():
    guess = Prediction(KEY, 1, np.full((2, 2), 7, np.float32), np.ones(2, np.float32))
    moved = pose_to_move(annotation(P, U), guess)
    assert np.isfinite(moved).tolist() == [[True, True], [False, False]]
    np.testing.assert_array_equal(pose_to_move(annotation(U, X), guess), guess.xy)


@given(dx=st.floats(-2000, 2000), dy=st.floats(-2000, 2000))
def test_a_moved_pose_keeps_its_shape_and_stays_in_the_image(dx, dy):
    xy = np.array([[10.0, 20.0], [600.0, 400.0], [np.nan, np.nan]])
    moved = shift_inside(xy, (dx, dy), 480, 640)
    assert ((moved[:2] >= 0) & (moved[:2] <= [639, 479])).all()
    np.testing.assert_allclose(moved[1] - moved[0], xy[1] - xy[0])
    assert np.isnan(moved[2]).all()


def test_a_frame_is_complete_with_one_animal_labelled_and_none_by_half():
    tally = LabelTally([annotation(P, X, individual="a")])
    assert tally.complete == {KEY}
    tally.update(annotation(P, X, individual="a"), annotation(P, U, individual="b"))
    assert tally.complete == set()
    assert tally.labelled == {KEY}
    tally.update(annotation(U, U, individual="a"), annotation(U, U, individual="b", role=FrameRole.HOLDOUT))
    assert (tally.labelled, tally.complete, tally.holdout) == (set(), set(), set())
