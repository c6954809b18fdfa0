"""The strip above the canvas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.asked_bodyparts import is_drawn
from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.domain.views.prompt import Guessed, copied_sentence, prompt

KEY = FrameKey("v", 7)
P, X = KeypointState.PLACED, KeypointState.NOT_VISIBLE


def guess(*likelihoods):
    return Prediction(KEY, 1, np.ones((len(likelihoods), 2), np.float32), np.array(likelihoods, np.float32))


def test_it_names_the_bodypart_and_the_key_for_what_can_not_be_seen():
    said = prompt(Annotation.empty(KEY, 2), None, "snout")
    assert said.text == "Click the snout (0 of 2 done)"
    assert said.keys == "{mark_not_visible}: not visible"
    assert not said.warning
    assert prompt(None, None, "").text == ""


@pytest.mark.parametrize(
    ("likelihoods", "unbelieved", "expected"),
    [
        ((0.9, 0.8), DoubtfulGuesses.OPEN, "{accept_guess}: accept 2 guesses   "),
        ((0.9, 0.3), DoubtfulGuesses.OPEN, "{accept_guess}: accept 1 guess, leave 1 open   "),
        ((0.9, 0.3), DoubtfulGuesses.NOT_VISIBLE, "{accept_guess}: accept 1 guess, mark 1 not visible   "),
        ((0.1, 0.3), DoubtfulGuesses.NOT_VISIBLE, "{accept_guess}: mark 2 not visible   "),
        ((0.1, 0.3), DoubtfulGuesses.OPEN, ""),
    ],
)
def test_it_says_what_accepting_does_before_it_is_done(likelihoods, unbelieved, expected):
    said = prompt(Annotation.empty(KEY, 2), Guessed(guess(*likelihoods), 0.5, unbelieved), "snout")
    assert said.keys == f"{expected}{{mark_not_visible}}: not visible"


def test_a_copied_pose_is_no_guess():
    copied = Guessed(guess(1, 1), 0.5, copied_from=FrameKey("v", 3))
    assert "accept 2 copied points" in prompt(Annotation.empty(KEY, 2), copied, "snout").keys
    assert copied_sentence(FrameKey("v", 3), current=KEY) == "Copied from frame 3"
    assert copied_sentence(FrameKey("w", 3), current=KEY) == "Copied from frame 3 of w"


def test_a_test_frame_says_so_first_and_the_tool_the_mode_and_the_individual_are_named():
    empty, names = Annotation.empty(KEY, 2, "mouse 1"), ["mouse 1", "mouse 2"]
    said = prompt(empty, None, "snout", role=FrameRole.HOLDOUT, mode=LabelMode.LOOP, individuals=names)
    assert said.warning == "Test frame: never used for training"
    assert said.text == "mouse 1: Click the snout in every frame"
    assert prompt(empty, None, "snout", tool=Tool.SELECT).text == "snout selected"
    assert prompt(empty, None, "snout", tool=Tool.PAN).text.startswith("Pan")
    assert prompt(empty, None, "snout", read_only=True).text.startswith("Read-only")
    complete = Annotation(KEY, np.ones((2, 2)), np.array([P, X], np.int8), "mouse 1")
    done = prompt(complete, None, "snout", individuals=names)
    assert done.text == "mouse 1: Complete"
    assert done.keys == "{next_suggestion}: next frame   {next_individual}: next individual"
    assert prompt(complete, None, "snout").keys == "{accept_guess} or {next_suggestion}: next frame"


def test_where_only_doubtful_bodyparts_are_asked_for_it_counts_those():
    empty, guessed = Annotation.empty(KEY, 3), Guessed(guess(0.9, 0.3, 0.2), 0.5)
    assert prompt(empty, guessed, "tail", asks_bodyparts=True).text == "Click the tail (2 doubtful left)"
    assert prompt(empty, guessed, "tail").text == "Click the tail (0 of 3 done)"
    copied = Guessed(guess(0.9, 0.3, 0.2), 0.5, copied_from=FrameKey("v", 3))
    assert prompt(empty, copied, "tail", asks_bodyparts=True).text == "Click the tail (0 of 3 done)", "no model's"


def test_what_was_drawn_is_said_beside_what_is_doubtful():
    key = next(key for key in (FrameKey("v", n) for n in range(999)) if is_drawn(key, "", 3).tolist() == [1, 0, 0])
    empty = Annotation.empty(key, 3)
    sure = Guessed(replace(guess(0.9, 0.9, 0.9), key=key), 0.5)
    assert prompt(empty, sure, "snout", asks_bodyparts=True).text == "Click the snout (1 drawn at random left)"
    unsure = Guessed(replace(guess(0.9, 0.9, 0.2), key=key), 0.5)
    assert (
        prompt(empty, unsure, "tail", asks_bodyparts=True).text == "Click the tail (1 doubtful, 1 drawn at random left)"
    )
