"""How the sample's mouse moves: bouts of walking, sniffing, grooming and rearing in an arena."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

FPS = 30
BODY_LENGTH = 118.0
"""Snout to tail base of the stretched mouse, px."""
TAIL_NODES = 23
_TAIL_STEP = 4.6
_STRIDE = 44.0
"""Pixels walked per gait cycle; the feet stand still on the floor because they swing by a quarter of it."""

BOUTS = ("walk", "pause", "rear", "groom", "rest", "shelter", "jump")
"""What a mouse can be doing."""


@dataclass(frozen=True, slots=True)
class Repertoire:
    """What a mouse does, and for how long at a time.

    Parameters
    ----------
    after_walk : mapping of str to float
        What follows a walk, of `BOUTS`, and how often; sums to 1. Everything else is followed by a walk.
    seconds : mapping of str to (float, float)
        The shortest and longest time of each.
    """

    after_walk: Mapping[str, float]
    seconds: Mapping[str, tuple[float, float]]


LIVELY = Repertoire(
    {"pause": 0.4, "rear": 0.3, "groom": 0.3},
    {"walk": (1.8, 4.0), "pause": (0.5, 1.3), "groom": (1.0, 2.2), "rear": (0.7, 1.4)},
)
"""A mouse of which every minute shows everything."""


class Floor(Protocol):
    """The floor of an arena."""

    def inside(self, point: complex, *, margin: float) -> complex:
        """Return ``point``, moved to the nearest place at least ``margin`` px from the walls."""

    def draw(self, rng: np.random.Generator, *, margin: float) -> complex:
        """Draw a place at least ``margin`` px from the walls."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The mouse's posture, frame by frame; every array has N entries on its first axis.

    Parameters
    ----------
    centre : float array, (N, 2)
        Body centre, source pixels, x then y.
    heading : float array, (N,)
        Direction of the trunk, radians, 0 along +x, growing towards +y.
    bend, head_yaw : float array, (N,)
        Curvature of the trunk and the head's own turn, radians.
    length, rear, groom : float array, (N,)
        Stretch of the body (1 is walking), how far it rears and how far it grooms (0 to 1).
    gait, stride : float array, (N,)
        Gait phase in cycles, and how wide the steps are (0 to 1).
    tail : float array, (N, TAIL_NODES, 2)
        From tail base to tip, relative to the tail base.
    bout : int array, (N,)
        What it is doing, as a place in `BOUTS`.
    number : int array, (N,)
        The frames' numbers.
    """

    centre: NDArray[np.float64]
    heading: NDArray[np.float64]
    bend: NDArray[np.float64]
    head_yaw: NDArray[np.float64]
    length: NDArray[np.float64]
    rear: NDArray[np.float64]
    groom: NDArray[np.float64]
    gait: NDArray[np.float64]
    stride: NDArray[np.float64]
    tail: NDArray[np.float64]
    bout: NDArray[np.int8]
    number: NDArray[np.int64]

    def of(self, frames: Sequence[int]) -> Self:
        """Return the motion of some frames only."""
        rows = np.asarray(frames, np.int64)
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(slots=True)
class _Mouse:
    """State of the simulation between two frames."""

    place: complex
    heading: float
    target: complex
    speed: float = 0.0
    turn: float = 0.0
    cruise: float = 5.0
    bend: float = 0.0
    head_yaw: float = 0.0
    length: float = 1.0
    rear: float = 0.0
    groom: float = 0.0
    gait: float = 0.0
    side: float = 1.0
    bout: str = "walk"
    frames_left: int = 45
    tail: list[complex] = field(default_factory=list)


def simulate(
    rng: np.random.Generator,
    n_frames: int,
    region: Floor,
    haunts: tuple[complex, ...] = (),
    repertoire: Repertoire = LIVELY,
) -> Motion:
    """Let a mouse wander.

    Parameters
    ----------
    rng : numpy.random.Generator
        Every choice is drawn from it.
    n_frames : int
        At `FPS`.
    region : Floor
        The floor it stays on.
    haunts : tuple of complex
        Places (``x + 1j * y``) it likes to visit, such as a shelter, which comes first.
    repertoire : Repertoire, optional
        What it does.

    Returns
    -------
    Motion
    """
    start = region.draw(rng, margin=70)
    mouse = _Mouse(place=start, heading=rng.uniform(-math.pi, math.pi), target=region.draw(rng, margin=60))
    mouse.tail = [-_TAIL_STEP * i * cmath.rect(1, mouse.heading) for i in range(TAIL_NODES)]
    rows: list[tuple[float, ...]] = []
    tails: list[list[complex]] = []
    bouts: list[int] = []
    for frame in range(n_frames):
        _plan(mouse, rng, region, haunts, repertoire)
        _steer(mouse, region)
        _pose(mouse, frame / FPS)
        _drag_tail(mouse, region)
        posture = (mouse.heading, mouse.bend, mouse.head_yaw, mouse.length, mouse.rear, mouse.groom)
        rows.append((mouse.place.real, mouse.place.imag, *posture, mouse.gait, min(1.0, mouse.speed / 3)))
        tails.append([node - mouse.tail[0] for node in mouse.tail])
        bouts.append(BOUTS.index(mouse.bout))
    table = np.array(rows)
    tail = np.array(tails)
    heading, bend, head_yaw, length, rear, groom, gait, stride = table[:, 2:].T
    return Motion(
        centre=table[:, :2],
        heading=heading,
        bend=bend,
        head_yaw=head_yaw,
        length=length,
        rear=rear,
        groom=groom,
        gait=gait,
        stride=stride,
        tail=_wave(np.stack([tail.real, tail.imag], axis=-1), rng),
        bout=np.array(bouts, np.int8),
        number=np.arange(n_frames),
    )


def _plan(
    mouse: _Mouse, rng: np.random.Generator, region: Floor, haunts: tuple[complex, ...], repertoire: Repertoire
) -> None:
    """Choose the next bout when the last one is over, and the next target when it is reached."""
    mouse.frames_left -= 1
    if mouse.frames_left <= 0:
        follows = repertoire.after_walk
        mouse.bout = str(rng.choice(list(follows), p=list(follows.values()))) if mouse.bout == "walk" else "walk"
        mouse.frames_left = int(FPS * rng.uniform(*repertoire.seconds[mouse.bout]))
        mouse.cruise = 17.0 if mouse.bout == "jump" else rng.uniform(3.5, 8.0)
        mouse.side = float(rng.choice((-1.0, 1.0)))
        if mouse.bout == "shelter" and haunts:
            mouse.target = haunts[0]
            return
    elif abs(mouse.target - mouse.place) > 40 or mouse.bout != "walk":
        return
    if haunts and rng.random() < 0.2:
        mouse.target = haunts[int(rng.integers(len(haunts)))]
    else:
        mouse.target = max((region.draw(rng, margin=60) for _ in range(2)), key=lambda place: abs(place - mouse.place))


def _steer(mouse: _Mouse, region: Floor) -> None:
    """Turn towards the target and walk; the speed gives way in tight turns."""
    off = _wrapped(cmath.phase(mouse.target - mouse.place) - mouse.heading)
    arrived = mouse.bout == "shelter" and abs(mouse.target - mouse.place) < 15
    walking = mouse.bout in ("walk", "jump", "shelter") and not arrived
    wanted_turn = max(-0.15, min(0.15, 0.11 * off)) if walking else 0.0
    wanted_speed = mouse.cruise * (0.3 + 0.7 * max(0.0, math.cos(off))) if walking else 0.0
    mouse.turn += 0.22 * (wanted_turn - mouse.turn)
    mouse.speed += 0.12 * (wanted_speed - mouse.speed)
    mouse.heading += mouse.turn
    before = mouse.place
    mouse.place = region.inside(before + cmath.rect(mouse.speed, mouse.heading), margin=52)
    mouse.speed = min(mouse.speed, abs(mouse.place - before) + 0.5)
    mouse.gait += mouse.speed / _STRIDE + abs(mouse.turn) * 0.15


def _pose(mouse: _Mouse, seconds: float) -> None:
    """Let posture follow what the mouse is doing."""
    tau = 2 * math.pi
    off = _wrapped(cmath.phase(mouse.target - mouse.place) - mouse.heading)
    yaw = 0.45 * max(-1.0, min(1.0, off))
    length = 0.97 + 0.012 * mouse.speed
    if mouse.bout == "pause":
        yaw = 0.55 * math.sin(tau * 0.55 * seconds + mouse.side) + 0.12 * math.sin(tau * 1.7 * seconds)
        length = 0.9 + 0.02 * math.sin(tau * 6 * seconds)
    elif mouse.bout == "groom":
        yaw = mouse.side * 0.75 + 0.1 * math.sin(tau * 4.5 * seconds)
        length = 0.74
    elif mouse.bout == "rear":
        yaw = 0.35 * math.sin(tau * 0.8 * seconds + mouse.side)
        length = 0.9
    elif mouse.bout == "rest":
        yaw = mouse.side * 0.5
        length = 0.8 + 0.004 * math.sin(tau * 1.8 * seconds)
    curl = mouse.groom * 0.5 + (0.9 if mouse.bout == "rest" else 0.0)
    mouse.rear += 0.14 * ((mouse.bout == "rear") - mouse.rear)
    mouse.groom += 0.14 * ((mouse.bout == "groom") - mouse.groom)
    mouse.bend += 0.18 * (6 * mouse.turn + curl * mouse.side - mouse.bend)
    mouse.head_yaw += 0.2 * (yaw - mouse.head_yaw)
    mouse.length += 0.15 * (length - mouse.length)


def _drag_tail(mouse: _Mouse, region: Floor) -> None:
    """Pull the tail along the path of its base: a chain of stiff links that lies on the floor."""
    forward = cmath.rect(1, mouse.heading - 0.5 * mouse.bend)
    base = mouse.place - forward * BODY_LENGTH * 0.42 * mouse.length
    nodes = [base]
    direction = -forward
    for old in mouse.tail[1:]:
        pull = old - nodes[-1]
        direction = pull / (abs(pull) or 1.0) + 1.1 * direction
        direction /= abs(direction) or 1.0
        nodes.append(region.inside(nodes[-1] + _TAIL_STEP * direction, margin=5))
    mouse.tail = nodes


def _wave(tail: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add a wave that runs down the tail and grows towards its tip."""
    seconds = np.arange(len(tail))[:, None] / FPS
    along = np.linspace(0, 1, tail.shape[1])[None]
    swing = np.sin(2 * np.pi * (0.8 * seconds - along) + rng.uniform(0, 6)) + 0.6 * np.sin(
        2 * np.pi * (0.37 * seconds - 0.6 * along) + rng.uniform(0, 6)
    )
    step = np.gradient(tail, axis=1)
    normal = np.stack([-step[..., 1], step[..., 0]], axis=-1) / np.linalg.norm(step, axis=-1, keepdims=True).clip(1e-6)
    return tail + normal * (7 * along**1.4 * swing)[..., None]


def _wrapped(angle: float) -> float:
    """Return ``angle`` in (-pi, pi]."""
    return math.remainder(angle, 2 * math.pi)
