"""Labelling effort from the edit log: seconds of each kind of action, clicks, guesses accepted and corrected.

The time between two actions of a session belongs to the second one. Gaps of more than half a minute are pauses and are
left out. The first action in a frame takes longer than the same action later; the difference is the time spent looking
at the frame. All values are medians, so a few long ones do not count.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction

PAUSE_SECONDS = 30.0
"""A longer gap between two actions is a pause."""


class Gesture(enum.StrEnum):
    """The kind of an action."""

    PLACED = "placed"
    """A point was placed where there was none."""
    CORRECTED = "corrected"
    """A guess was moved."""
    ACCEPTED = "accepted"
    """Guesses were accepted as they were."""
    MOVED = "moved"
    """A label was moved."""
    HIDDEN = "hidden"
    """A bodypart was marked as not visible."""
    CLEARED = "cleared"
    """A label was cleared."""
    UNDONE = "undone"
    """An action was undone or redone."""


CLICKS = (Gesture.PLACED, Gesture.CORRECTED, Gesture.MOVED)
"""The gestures made with a pointer."""


@dataclass(frozen=True, slots=True)
class Act:
    """One action of the log.

    Parameters
    ----------
    number : int
        Its number in the log.
    time : datetime
    session : str
        Opaque; times of different sessions are not compared.
    gesture : Gesture
    frame : FrameKey
    points : int
        Keypoints it changed.
    """

    number: int
    time: datetime
    session: str
    gesture: Gesture
    frame: FrameKey
    points: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Median seconds of a kind of action, and their number; None if unknown."""

    seconds: float | None
    n: int


@dataclass(frozen=True, slots=True)
class RoundEffort:
    """The labelling between two trainings.

    Parameters
    ----------
    number : int
        Of the round that learnt from it; the last one plus one for labels that no model has learnt from yet.
    seconds : float
        Without pauses.
    frames, clicks : int
        Frames worked on; points placed, corrected and moved.
    accepted, corrected, placed : int
        Points: guesses accepted as they were, guesses corrected, and points placed without a guess.
    undone : int
        Actions undone or redone.
    """

    number: int
    seconds: float
    frames: int
    clicks: int
    accepted: int
    corrected: int
    placed: int
    undone: int


@dataclass(frozen=True, slots=True)
class Effort:
    """The measured labelling effort.

    Parameters
    ----------
    look, place, drag, accept, undo : Taken
        Seconds of each kind of action: looking at a frame, placing a point, correcting one, accepting guesses, undoing.
    rounds : tuple of RoundEffort
        Ascending, without rounds in which nothing was labelled.
    seconds, clicks, frames : float, int, int
        Over all rounds; a frame counts once.
    pauses : int
        Gaps that were left out.
    """

    look: Taken
    place: Taken
    drag: Taken
    accept: Taken
    undo: Taken
    rounds: tuple[RoundEffort, ...]
    seconds: float
    clicks: int
    frames: int
    pauses: int

    @property
    def seconds_a_frame(self) -> float | None:
        """Mean seconds per frame; None without a frame."""
        return self.seconds / self.frames if self.frames else None

    @property
    def clicks_a_frame(self) -> float | None:
        """Mean clicks per frame; None without a frame."""
        return self.clicks / self.frames if self.frames else None


@dataclass(frozen=True, slots=True)
class _Timed:
    """An action with the seconds it took, None after a pause, and whether it was the first in its frame.

    An action that ``opens`` a session counts; the time before it belongs to nobody.
    """

    act: Act
    seconds: float | None
    first: bool
    opens: bool


def gesture_of(before: Annotation, guess: Prediction | None, index: int) -> Gesture:
    """Return the gesture of placing the bodypart at ``index``, given the frame's labels and guesses before."""
    if before.states[index] == KeypointState.PLACED:
        return Gesture.MOVED
    if guess is not None and np.isfinite(guess.xy[index]).all():
        return Gesture.CORRECTED
    return Gesture.PLACED


def measure(acts: Sequence[Act], learnt_from: Mapping[int, int]) -> Effort:
    """Measure labelling effort.

    Parameters
    ----------
    acts : sequence of Act
        In the order of the log.
    learnt_from : mapping of int to int
        By round number, the number of the last action that the round learnt from.
    """
    timed = list(_timed(acts))
    kinds = {
        "place": (Gesture.PLACED,),
        "drag": (Gesture.CORRECTED, Gesture.MOVED),
        "accept": (Gesture.ACCEPTED, Gesture.HIDDEN),
        "undo": (Gesture.UNDONE, Gesture.CLEARED),
    }
    taken = {
        name: _taken([t.seconds for t in timed if not t.first and t.act.gesture in of]) for name, of in kinds.items()
    }
    usual = {gesture: taken[name].seconds for name, of in kinds.items() for gesture in of}
    looks = [
        max(0.0, t.seconds - own)
        for t in timed
        if t.first and t.seconds is not None and (own := usual[t.act.gesture]) is not None
    ]
    rounds = tuple(_rounds(timed, learnt_from))
    return Effort(
        look=_taken(looks),
        rounds=rounds,
        seconds=sum(one.seconds for one in rounds),
        clicks=sum(one.clicks for one in rounds),
        frames=len({act.frame for act in acts}),
        pauses=sum(t.seconds is None and not t.opens for t in timed),
        **taken,
    )


def _timed(acts: Sequence[Act]) -> Iterator[_Timed]:
    last: dict[str, Act] = {}
    for act in acts:
        before = last.get(act.session)
        last[act.session] = act
        if before is None:
            yield _Timed(act, None, first=True, opens=True)
            continue
        seconds = (act.time - before.time).total_seconds()
        usable = 0 <= seconds <= PAUSE_SECONDS
        yield _Timed(act, seconds if usable else None, first=before.frame != act.frame, opens=False)


def _taken(seconds: Sequence[float | None]) -> Taken:
    known = [value for value in seconds if value is not None]
    return Taken(statistics.median(known) if known else None, len(known))


def _rounds(timed: Sequence[_Timed], learnt_from: Mapping[int, int]) -> Iterator[RoundEffort]:
    ends = sorted(learnt_from.items(), key=lambda item: item[1])
    newest = max(learnt_from, default=0) + 1
    of: dict[int, list[_Timed]] = {}
    for one in timed:
        number = next((number for number, end in ends if one.act.number <= end), newest)
        of.setdefault(number, []).append(one)
    for number in sorted(of):
        own = of[number]

        def points(*gestures: Gesture, own: list[_Timed] = own) -> int:
            return sum(t.act.points for t in own if t.act.gesture in gestures)

        yield RoundEffort(
            number=number,
            seconds=sum(t.seconds or 0.0 for t in own),
            frames=len({t.act.frame for t in own}),
            clicks=sum(t.act.gesture in CLICKS for t in own),
            accepted=points(Gesture.ACCEPTED),
            corrected=points(Gesture.CORRECTED),
            placed=points(Gesture.PLACED),
            undone=sum(t.act.gesture is Gesture.UNDONE for t in own),
        )
