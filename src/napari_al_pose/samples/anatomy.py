"""From posture to shape: spine, ears, eyes, paws, tail and the bodyparts that are labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.samples.motion import BODY_LENGTH, Motion

BODYPARTS = ("snout", "leftear", "rightear", "bodycentre", "tailbase", "tailmid", "tailtip")
SKELETON = (
    ("snout", "leftear"),
    ("snout", "rightear"),
    ("leftear", "bodycentre"),
    ("rightear", "bodycentre"),
    ("bodycentre", "tailbase"),
    ("tailbase", "tailmid"),
    ("tailmid", "tailtip"),
)

_CENTRE_AT = 0.42
SPINE_AT = np.concatenate([np.linspace(0, 0.8, 32), np.linspace(0.82, 1, 16)])
"""Where the spine's nodes lie, from tail base (0) to snout (1); closer together where the head tapers."""
_PROFILE_AT = (0, 0.03, 0.08, 0.14, 0.22, 0.32, 0.45, 0.56, 0.64, 0.7, 0.76, 0.82, 0.87, 0.92, 0.96, 1)
_PROFILE = (4.5, 9.5, 15, 19, 21.5, 22, 20.5, 18, 15.8, 14.2, 13.6, 12.8, 10.6, 7.8, 5.6, 3.8)


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """The mouse's shape, frame by frame, in source pixels (x then y).

    Parameters
    ----------
    spine, tangent : float array, (N, S, 2)
        Nodes of the spine from tail base to snout, and its unit direction there.
    radius : float array, (N, S)
        Half the body's width at each node.
    haunches : float array, (N, 2, 2)
        Centres of the left and right thigh.
    ears, ear_axes : float array, (N, 2, 2)
        Centres of the left and right ear and the unit vectors they stand out along.
    eyes : float array, (N, 2, 2)
    paws, ankles : float array, (N, 4, 2)
        Left fore, right fore, left hind, right hind; where the toes and the heel are.
    tail : float array, (N, T, 2)
    height : float array, (N,)
        How far the head is above the floor, 0 (walking) to 1 (upright).
    keypoints : float array, (N, K, 2)
        `BODYPARTS`.
    number : int array, (N,)
        The frames' numbers.
    """

    spine: NDArray[np.float64]
    tangent: NDArray[np.float64]
    radius: NDArray[np.float64]
    haunches: NDArray[np.float64]
    ears: NDArray[np.float64]
    ear_axes: NDArray[np.float64]
    eyes: NDArray[np.float64]
    paws: NDArray[np.float64]
    ankles: NDArray[np.float64]
    tail: NDArray[np.float64]
    height: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    number: NDArray[np.int64]


def build(motion: Motion, *, size: float = 1.0) -> Anatomy:
    """Return the shape for every frame of ``motion``; ``size`` scales the animal."""
    angle = _spine_angle(motion)
    tangent = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    spine = _spine(motion, tangent, size)
    swell = 1 + 0.35 * (1 - motion.length)[:, None]
    head_closer = 1 + 0.18 * motion.rear[:, None] * _ramp(SPINE_AT, 0.4, 0.9)
    radius = size * np.interp(SPINE_AT, _PROFILE_AT, _PROFILE)[None] * swell * head_closer
    frame = _Frame(spine, tangent, radius)

    ears = frame.pair(0.755, 0.93)
    forward, outward = frame.axes(0.755)
    ear_axes = np.stack([-outward - 0.45 * forward, outward - 0.45 * forward], axis=1)
    ear_axes /= np.linalg.norm(ear_axes, axis=-1, keepdims=True)
    ears = ears + ear_axes * 1.5 * size
    eyes = frame.pair(0.885, 0.72)
    tail = spine[:, :1] + motion.tail * size
    paws, ankles = _feet(motion, frame, size)
    haunches = frame.pair(0.2, 0.42) + 0.25 * (ankles[:, 2:] - frame.pair(0.12, 0.9))
    middle = tail.shape[1] // 2
    keypoints = np.stack(
        [frame.at(0.995), ears[:, 0], ears[:, 1], frame.at(_CENTRE_AT), spine[:, 0], tail[:, middle], tail[:, -1]],
        axis=1,
    )
    return Anatomy(
        spine=spine,
        tangent=tangent,
        radius=radius,
        haunches=haunches,
        ears=ears,
        ear_axes=ear_axes,
        eyes=eyes,
        paws=paws,
        ankles=ankles,
        tail=tail,
        height=motion.rear.copy(),
        keypoints=keypoints,
        number=motion.number,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The spine as a frame of reference: places are given along it and across it."""

    spine: NDArray[np.float64]
    tangent: NDArray[np.float64]
    radius: NDArray[np.float64]

    def at(self, s: float) -> NDArray[np.float64]:
        """Return the point at ``s`` on the spine, (N, 2)."""
        return self._mix(self.spine, s)

    def axes(self, s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the unit vectors forward and to the mouse's right at ``s``, each (N, 2)."""
        forward = self._mix(self.tangent, s)
        forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
        return forward, np.stack([-forward[:, 1], forward[:, 0]], axis=-1)

    def pair(self, s: float, across: float) -> NDArray[np.float64]:
        """Return the points left and right of ``s``, ``across`` radii from the spine, (N, 2, 2)."""
        _, right = self.axes(s)
        off = right * across * self._mix(self.radius[..., None], s)
        return np.stack([self.at(s) - off, self.at(s) + off], axis=1)

    def _mix(self, values: NDArray[np.float64], s: float) -> NDArray[np.float64]:
        upper = int(np.clip(np.searchsorted(SPINE_AT, s), 1, len(SPINE_AT) - 1))
        share = (s - SPINE_AT[upper - 1]) / (SPINE_AT[upper] - SPINE_AT[upper - 1])
        return (1 - share) * values[:, upper - 1] + share * values[:, upper]


def _spine_angle(motion: Motion) -> NDArray[np.float64]:
    s = SPINE_AT[None]
    wiggle = 0.07 * motion.stride[:, None] * np.sin(2 * np.pi * (motion.gait[:, None] - 0.9 * s))
    trunk = motion.heading[:, None] + motion.bend[:, None] * (s - _CENTRE_AT) + wiggle
    return trunk + motion.head_yaw[:, None] * _ramp(s, 0.56, 0.8)


def _spine(motion: Motion, tangent: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Walk along the tangents; a rearing mouse is foreshortened from the hips forward."""
    shorter = 1 - 0.62 * motion.rear[:, None] * _ramp(SPINE_AT, 0.15, 0.45)
    pace = (BODY_LENGTH * size * motion.length)[:, None] * shorter
    middle = 0.5 * (tangent[:, 1:] + tangent[:, :-1]) * (0.5 * (pace[:, 1:] + pace[:, :-1]))[..., None]
    steps = middle * np.diff(SPINE_AT)[None, :, None]
    walked = np.concatenate([np.zeros_like(steps[:, :1]), np.cumsum(steps, axis=1)], axis=1)
    anchor = int(np.searchsorted(SPINE_AT, _CENTRE_AT))
    return motion.centre[:, None] + walked - walked[:, anchor : anchor + 1]


def _feet(motion: Motion, frame: _Frame, size: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place the paws: a trot in which each foot stands still while it bears weight."""
    toes, heels = [], []
    for index, (s, across, phase, splay, length) in enumerate(
        [
            (0.66, 1.0, 0.0, 0.15, 7.0),
            (0.66, 1.0, 0.5, 0.15, 7.0),
            (0.2, 1.02, 0.5, 0.4, 14.0),
            (0.2, 1.02, 0.0, 0.4, 14.0),
        ]
    ):
        side = -1 if index % 2 == 0 else 1
        forward, right = frame.axes(s)
        hip = frame.pair(s, across)[:, index % 2]
        swing = 11.0 * size * motion.stride * _step(motion.gait + phase)
        point = forward + side * splay * right
        point /= np.linalg.norm(point, axis=-1, keepdims=True)
        heel = hip + forward * (swing - (0.0 if index < 2 else 5.0) * size)[:, None]
        toe = heel + point * length * size
        if index < 2:
            toe, heel = _lift_to_face(motion, frame, side, toe, heel, size)
        toes.append(toe)
        heels.append(heel)
    return np.stack(toes, axis=1), np.stack(heels, axis=1)


def _lift_to_face(
    motion: Motion,
    frame: _Frame,
    side: int,
    toe: NDArray[np.float64],
    heel: NDArray[np.float64],
    size: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring a forepaw to the face while the mouse grooms."""
    _, right = frame.axes(0.9)
    rub = 2.5 * np.sin(2 * np.pi * 5 * motion.number / 30)[:, None]
    at_face = frame.at(0.94) + side * right * (7 + rub) * size
    share = motion.groom[:, None]
    return (1 - share) * toe + share * at_face, (1 - share) * heel + share * frame.pair(0.72, 0.95)[:, (side + 1) // 2]


def _step(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the foot is in its cycle, -1 to 1: back evenly on the floor, forward smoothly in the air."""
    phase = phase % 1.0
    return np.where(phase < 0.5, 1 - 4 * phase, -np.cos(2 * np.pi * (phase - 0.5)))


def _ramp(x: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
