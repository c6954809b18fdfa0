"""The strip above the canvas: what the next click does, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.asked_bodyparts import asked_bodyparts
from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses, Threshold, believed, is_doubtful
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.tools import LabelMode, Tool

TEST_FRAME = "Test frame: never used for training"
READ_ONLY = "Read-only: labels can be looked at, not changed"
COMPLETE = "Complete"
PAN = "Pan: the mouse moves the view"
ADD_KEY, SELECT_KEY = "{options.set tool add}: add labels", "{options.set tool select}: select"
NEXT_FRAME, NEXT_INDIVIDUAL = "{next_suggestion}: next frame", "{next_individual}: next individual"
ACCEPT_OR_NEXT = "{accept_guess} or "
NOT_VISIBLE = "{mark_not_visible}: not visible"
NUDGE = "Arrow keys: move it by 1 px"
ACCEPT_ALL = "{accept_guess}: accept"
EVERY_ANIMAL = "{accept_all_guesses}: those of every animal"
DOUBTED_BECOME = {
    DoubtfulGuesses.OPEN: "leave {} open",
    DoubtfulGuesses.NOT_VISIBLE: "mark {} not visible",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the strip shows.

    Parameters
    ----------
    text : str
        What it is about: the bodypart, the tool.
    keys : str
        Which keys help; each ``{name}`` stands for the key of an action.
    warning : str
        What must not be overlooked, before the text.
    """

    text: str = ""
    keys: str = ""
    warning: str = ""

    @property
    def is_of_test_frame(self) -> bool:
        """Whether the warning is that the frame is a test frame."""
        return self.warning == TEST_FRAME


@dataclass(frozen=True, slots=True, eq=False)
class Guessed:
    """The guess in front of the user, and how far it is believed.

    Parameters
    ----------
    pose : Prediction
        What is not labelled yet.
    threshold : float, or float array, (K,)
        Likelihood from which a bodypart is believed.
    unbelieved : DoubtfulGuesses
        What becomes of the others when it is accepted.
    copied_from : FrameKey or None
        The frame whose labels it shows, where it is no model's.
    """

    pose: Prediction
    threshold: Threshold
    unbelieved: DoubtfulGuesses = DoubtfulGuesses.OPEN
    copied_from: FrameKey | None = None

    @property
    def believed(self) -> NDArray[np.bool_]:
        """Which bodyparts have a position that is believed, (K,)."""
        return np.asarray(np.isfinite(believed(self.pose, self.threshold)).all(axis=1))

    @property
    def doubted(self) -> NDArray[np.bool_]:
        """Which bodyparts have a position that is not believed, (K,)."""
        return is_doubtful(self.pose, self.threshold)


def prompt(
    annotation: Annotation | None,
    guessed: Guessed | None,
    bodypart: str,
    *,
    role: FrameRole = FrameRole.TRAIN,
    tool: Tool = Tool.ADD,
    mode: LabelMode = LabelMode.SEQUENTIAL,
    individuals: Sequence[str] = (),
    others_guessed: bool = False,
    read_only: bool = False,
    asks_bodyparts: bool = False,
    asks_whole: bool = False,
    queue_end: str = "",
) -> Prompt:
    """Return what is said of the current frame, an empty prompt without one.

    ``others_guessed`` says whether there is a guess for another individual too, ``asks_bodyparts`` whether only
    some bodyparts are asked for, and ``asks_whole`` whether this frame is an exception from that. ``queue_end``
    says what follows where no frame of the queue is left to go to.
    """
    if annotation is None:
        return Prompt()
    warning = TEST_FRAME if role is FrameRole.HOLDOUT else ""
    if read_only:
        return Prompt(READ_ONLY, "", warning)
    who = f"{annotation.individual}: " if len(individuals) > 1 else ""
    n = len(annotation.states)
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    if tool is Tool.PAN:
        return Prompt(PAN, _joined(ADD_KEY, SELECT_KEY), warning)
    if done == n:
        following = queue_end or (NEXT_FRAME if who else ACCEPT_OR_NEXT + NEXT_FRAME)
        return Prompt(f"{who}{COMPLETE}", _joined(following, NEXT_INDIVIDUAL if who else ""), warning)
    if tool is Tool.SELECT:
        return Prompt(f"{who}{bodypart} selected", _joined(NUDGE, ADD_KEY), warning)
    through_all = " in every frame" if mode is LabelMode.LOOP else f" ({done} of {n} done)"
    if asks_bodyparts and guessed is not None and guessed.copied_from is None:
        asked = asked_bodyparts(annotation, guessed.pose, guessed.threshold)
        through_all = f" ({_left(asked, guessed)} left)"
        if not asked:
            keys = _joined(_accepting(guessed), queue_end or f"{NEXT_FRAME}, leave them open")
            return Prompt(f"{who}The model is sure of {f'the other {n - done}' if done else f'all {n}'}", keys, warning)
    accepting = "" if guessed is None else _accepting(guessed)
    keys = _joined(accepting, EVERY_ANIMAL if others_guessed else "", NOT_VISIBLE)
    what = f"{who}Whole frame: click" if asks_whole else f"{who}Click"
    return Prompt(f"{what} the {bodypart}{through_all}", keys, warning)


def playing_prompt(n_frames: int) -> Prompt:
    """Return what is said while the frames around the current one are played."""
    return Prompt(f"Playing {n_frames} frames around this one", "{layers.toggle_context}: back to it")


def point_name(bodyparts: Sequence[str], index: int, guessed: Guessed | None, *, individual: str = "") -> str:
    """Return what the mouse shows over a point: its name, and of a guess where it comes from.

    Parameters
    ----------
    bodyparts : sequence of str
        The project's.
    index : int
        Of the point's bodypart.
    guessed : Guessed or None
        None over a label.
    individual : str
        "" in a single-animal project.
    """
    name = f"{individual}: {bodyparts[index]}" if individual else bodyparts[index]
    if guessed is None:
        return name
    if guessed.copied_from is not None:
        return f"{name}: {copied_sentence(guessed.copied_from, current=guessed.pose.key).lower()}"
    likelihood = float(guessed.pose.likelihood[index])
    return f"{name}: guess, {likelihood:.0%}" + (", not visible?" if guessed.doubted[index] else "")


def copied_sentence(key: FrameKey, *, current: FrameKey | None) -> str:
    """Return where a copied pose comes from: "Copied from frame 3"."""
    elsewhere = f" of {key.video}" if current is not None and key.video != current.video else ""
    return f"Copied from frame {key.frame}{elsewhere}"


def _left(asked: Sequence[int], guessed: Guessed) -> str:
    """Return how many bodyparts are asked for, and why: "2 doubtful, 1 drawn at random"."""
    n_drawn = int(guessed.believed[list(asked)].sum())
    n_doubtful = len(asked) - n_drawn
    words = (f"{n_doubtful} doubtful" if n_doubtful else "", f"{n_drawn} drawn at random" if n_drawn else "")
    return ", ".join(filter(None, words))


def _accepting(guessed: Guessed) -> str:
    """Return what the key that accepts does: how many guesses become labels, and what becomes of the others."""
    n_believed, n_doubted = int(guessed.believed.sum()), int(guessed.doubted.sum())
    if not n_believed and not n_doubted:
        return ""
    doubted = DOUBTED_BECOME[guessed.unbelieved].format(n_doubted)
    if not n_believed:
        return f"{{accept_guess}}: {doubted}" if guessed.unbelieved is DoubtfulGuesses.NOT_VISIBLE else ""
    what = "copied point" if guessed.copied_from is not None else "guess"
    plural = f"{n_believed} {what}" + ("" if n_believed == 1 else "s" if what != "guess" else "es")
    return f"{ACCEPT_ALL} {plural}" + (f", {doubted}" if n_doubted else "")


def _joined(*parts: str) -> str:
    return "   ".join(part for part in parts if part)
