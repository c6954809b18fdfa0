"""How an annotator works, and what that takes: workflows, actions, and the cost of each action.

The seconds of a piece of work are a linear model of its actions: ``look`` for every opened frame, ``point`` for every
judged guess, ``place`` for a point placed where there was none, ``drag`` for a corrected guess, and ``accept`` for a
key (these guesses are right; this bodypart is not visible). Placing a point includes looking for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from napari_al_pose.domain import AlPoseError

FROM_SCRATCH, PREFILLED, SHIPPED = "from-scratch", "prefilled", "shipped"
WORKFLOWS = (FROM_SCRATCH, PREFILLED, SHIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of each action; the defaults apply until people's own are measured."""

    look: float = 2.0
    point: float = 0.3
    place: float = 2.5
    drag: float = 3.0
    accept: float = 0.7

    @classmethod
    def parse(cls, text: str) -> Costs:
        """Read ``look=2,drag=3.5``; actions that are not named keep their defaults.

        Raises
        ------
        AlPoseError
            If an action is unknown, or its seconds are not a number above 0.
        """
        known = [field.name for field in fields(cls)]
        given: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (piece.strip() for piece in part.partition("="))
            try:
                given[name] = float(value)
            except ValueError:
                given[name] = 0.0
            if name not in known or not 0 < given[name] < 1e6:
                raise AlPoseError(
                    f"Unknown cost {part!r}.", f"Give seconds like look=2,drag=3; of: {', '.join(known)}."
                )
        return cls(**given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Counts of an annotator's actions.

    Parameters
    ----------
    looks : int
        Frames opened.
    points : int
        Judged guesses; those that moved while others were corrected count again.
    placed, dragged : int
        Points placed where there was none, and corrected guesses: the clicks.
    accepted : int
        Keys: accepted guesses (one key for a whole frame), and bodyparts marked as not visible.
    """

    looks: int = 0
    points: int = 0
    placed: int = 0
    dragged: int = 0
    accepted: int = 0

    def __add__(self, other: Actions) -> Actions:
        return Actions(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})

    @property
    def clicks(self) -> int:
        """Points placed and dragged."""
        return self.placed + self.dragged

    def seconds(self, costs: Costs) -> float:
        """Return the seconds they took."""
        return (
            self.looks * costs.look
            + self.points * costs.point
            + self.placed * costs.place
            + self.dragged * costs.drag
            + self.accepted * costs.accept
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """How frames are labelled once there is a model; all label the first frames from scratch.

    Parameters
    ----------
    guesses : bool
        Whether the model's guesses are drawn and corrected; otherwise every point is placed.
    fused : bool
        Whether guesses combine the scoremaps with the poses of the labels (`domain.pose_inference`).
    mended : bool
        Whether each correction updates the other guesses of the frame (`domain.pose_inference`).
    weighed : bool
        Whether guesses that were taken as they are weigh less than what was placed (`pose.targets.TAKEN_WEIGHT`).
    share : float
        Share of a frame's bodyparts to ask for, the most doubtful ones; 1 asks for all.
    drawn : float
        Share of these that is drawn at random instead.
    whole : float
        Share of the frames that are labelled completely nevertheless.
    sure : float or None
        Probability of being right above which one key accepts the guesses of the other bodyparts; None leaves them
        unseen.
    strategy : str
        Which frames, in an arm's form.
    """

    guesses: bool = True
    fused: bool = False
    mended: bool = False
    weighed: bool = False
    share: float = 1.0
    drawn: float = 0.2
    whole: float = 0.0
    sure: float | None = None
    strategy: str = "uniform"

    @property
    def by_points(self) -> bool:
        """Whether it asks for bodyparts rather than for frames."""
        return self.share < 1.0


_NAMED = {
    FROM_SCRATCH: Workflow(guesses=False),
    PREFILLED: Workflow(),
    SHIPPED: Workflow(fused=True, mended=True, weighed=True),
}
_FLAGS: dict[str, dict[str, Any]] = {
    "fused": {"fused": True},
    "mended": {"mended": True},
    "weighed": {"weighed": True},
    "hybrid": {"strategy": "hybrid"},
}


def parse_workflow(text: str) -> Workflow | None:
    """Read ``from-scratch``, ``prefilled``, ``shipped``, or a form to study, like ``points25-mended-whole10-hybrid``.

    ``prefilled`` and ``points<percent>`` take ``fused``, ``mended``, ``weighed``, ``sure<percent>``,
    ``whole<percent>``, ``drawn<percent>`` and ``hybrid``.

    Returns
    -------
    Workflow or None
        None if it is not a workflow.
    """
    if text in _NAMED:
        return _NAMED[text]
    head, *rest = text.split("-")
    points = re.fullmatch(r"points(\d{1,2})", head)
    if head != PREFILLED and not points:
        return None
    settings: dict[str, Any] = {"share": int(points[1]) / 100} if points else {}
    for word in rest:
        share = re.fullmatch(r"(sure|whole|drawn)(\d{1,2})", word)
        if share:
            settings[share[1]] = int(share[2]) / 100
        elif word in _FLAGS:
            settings.update(_FLAGS[word])
        else:
            return None
    return Workflow(**settings)
