"""How an annotator works, and what it takes: workflows, actions, and what an action costs.

Seconds of a piece of work are a linear model of its actions: ``look`` for every frame that is opened, ``point``
for every guess that is judged, ``place`` for a point placed where none was, ``drag`` for a guess put right,
``accept`` for a key (these guesses are right; this bodypart is not visible). Looking for a point that is placed
is part of placing it.
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
    """Seconds of each action; the defaults are taken until people's own are measured."""

    look: float = 2.0
    point: float = 0.3
    place: float = 2.5
    drag: float = 3.0
    accept: float = 0.7

    @classmethod
    def parse(cls, text: str) -> Costs:
        """Read ``look=2,drag=3.5``; what is not named stays as it is by default.

        Raises
        ------
        AlPoseError
            If an action is unknown or its seconds are no number above 0.
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
    """What an annotator did, counted.

    Parameters
    ----------
    looks : int
        Frames opened.
    points : int
        Guesses judged, those that were moved while others were put right once more.
    placed, dragged : int
        Points placed where none was, and guesses put right: the clicks.
    accepted : int
        Keys: guesses taken as they are (a whole frame's are one key), and bodyparts marked as not visible.
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
        """Return how long it took."""
        return (
            self.looks * costs.look
            + self.points * costs.point
            + self.placed * costs.place
            + self.dragged * costs.drag
            + self.accepted * costs.accept
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """How frames are labelled once there is a model; the first frames are labelled from scratch by all.

    Parameters
    ----------
    guesses : bool
        Whether the model's guesses are drawn and put right; else every point is placed.
    fused : bool
        Whether guesses combine the scoremaps with the poses of the labels (`domain.pose_inference`).
    mended : bool
        Whether each correction updates the other guesses of the frame (`domain.pose_inference`).
    share : float
        Of a frame's bodyparts that are asked for, those in most doubt; 1 asks for all of them.
    drawn : float
        Share of the bodyparts asked for that are drawn at random instead.
    whole : float
        Share of the frames that are asked for as a whole all the same.
    sure : bool
        Whether one key takes what the model is sure of among the bodyparts nobody asked for; else they stay not looked
        at.
    strategy : str
        Which frames, as arms name it.
    """

    guesses: bool = True
    fused: bool = False
    mended: bool = False
    share: float = 1.0
    drawn: float = 0.2
    whole: float = 0.0
    sure: bool = False
    strategy: str = "uniform"

    @property
    def by_points(self) -> bool:
        """Whether it asks for bodyparts rather than for frames."""
        return self.share < 1.0


_NAMED = {
    FROM_SCRATCH: Workflow(guesses=False),
    PREFILLED: Workflow(),
    SHIPPED: Workflow(fused=True, mended=True),
}
_FLAGS: dict[str, dict[str, Any]] = {
    "fused": {"fused": True},
    "mended": {"mended": True},
    "sure": {"sure": True},
    "hybrid": {"strategy": "hybrid"},
}


def parse_workflow(text: str) -> Workflow | None:
    """Read ``from-scratch``, ``prefilled``, ``shipped``, or another to study, as ``points25-mended-whole10-hybrid``.

    ``prefilled`` and ``points<percent>`` take ``fused``, ``mended``, ``sure``, ``whole<percent>``, ``drawn<percent>``
    and ``hybrid``.

    Returns
    -------
    Workflow or None
        None if it is no workflow.
    """
    if text in _NAMED:
        return _NAMED[text]
    head, *rest = text.split("-")
    points = re.fullmatch(r"points(\d{1,2})", head)
    if head != PREFILLED and not points:
        return None
    settings: dict[str, Any] = {"share": int(points[1]) / 100} if points else {}
    for word in rest:
        share = re.fullmatch(r"(whole|drawn)(\d{1,2})", word)
        if share:
            settings[share[1]] = int(share[2]) / 100
        elif word in _FLAGS:
            settings.update(_FLAGS[word])
        else:
            return None
    return Workflow(**settings)
