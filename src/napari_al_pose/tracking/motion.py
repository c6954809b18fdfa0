"""Where animals are expected, and how well a pose fits that.

Each keypoint has a Kalman filter of its own, whose velocity dies away unless it is seen again (an integrated
Ornstein-Uhlenbeck process; Singer 1970). A keypoint of a pose is right with about its likelihood; otherwise it lies
anywhere within an animal's length. So a pose made of parts of two animals speaks for either by the parts that fit, and
the parts that do not fit move nothing (probabilistic data association; Bar-Shalom and Tse 1975). They go along with
the other parts of their animal, from which they are hardly farther away a frame later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MEASURED = 0.03
"""Standard deviation of a predicted keypoint that is right, in lengths of the animal."""

SPEED, LEAST_SPEED, FASTEST = 0.06, 0.03, 0.5
"""Root mean square of a velocity, in lengths a frame: before it was measured, at least, and the most that counts."""

RATE = 0.02
"""Weight of a frame in the mean speed, which differs between species and between frame rates."""

WIDE = 2.0
"""Standard deviation of velocities relative to their root mean square: animals are still, then fast."""

KEPT = 0.9
"""Share of a velocity that is kept from frame to frame."""

STIFF = 0.01
"""Standard deviation by which a keypoint moves against the others of its animal in a frame, in lengths."""

RIGHT = 0.9
"""Probability that a keypoint of likelihood 1 is right."""

ANYWHERE = 3.0
"""Area in which a keypoint lies that is not right, in squares of the animal's length."""

INDEPENDENT = 3.0
"""To how many independent keypoints those of a pose amount: where one is wrong, its neighbours often are."""

FARTHEST = 4.0
"""Largest standard deviation of an expected position, in lengths: of an animal that was lost long ago."""

NEW_COST = 4.0
"""Cost of a pose for an animal that was never seen: a little less than of one where nothing fits."""


@dataclass(frozen=True, slots=True, eq=False)
class AnimalMotion:
    """What is known of N animals of K bodyparts after a frame, or expected before the next.

    Parameters
    ----------
    xy, velocity : float64 array, (N, K, 2)
        Pixels, and pixels a frame; NaN for a bodypart that was never seen.
    spread : float64 array, (N, K, 3)
        Variance of a coordinate of the position, its covariance with the velocity, and variance of the velocity.
    length : float
        Of an animal; NaN before any was seen.
    speed : float
        Root mean square of a coordinate of the velocities, in lengths a frame.
    before : float64 array, (N, K)
        Variance of a coordinate of the position in the frame before.
    """

    xy: NDArray[np.float64]
    velocity: NDArray[np.float64]
    spread: NDArray[np.float64]
    length: float
    speed: float
    before: NDArray[np.float64]

    @classmethod
    def unknown(cls, n: int, n_bodyparts: int) -> Self:
        """Return what is known before the first frame."""
        nothing, spread = np.full((n, n_bodyparts, 2), np.nan), np.zeros((n, n_bodyparts, 3))
        return cls(nothing, np.zeros_like(nothing), spread, float("nan"), SPEED, spread[..., 0])

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which animals were seen before, (N,)."""
        return np.asarray(np.isfinite(self.xy[..., 0]).any(axis=1), np.bool_)

    def ahead(self, poses: NDArray[np.float64]) -> AnimalMotion:
        """Return what is expected one frame later; ``poses``, (P, K, 2), are the sure ones there."""
        length = self._measured(poses)
        if np.isnan(length):
            return self
        position, both, velocity = np.moveaxis(self.spread, -1, 0)
        noise = (WIDE * self.speed * length) ** 2 * (1 - KEPT**2)
        spread = np.stack(
            [
                np.minimum(position + 2 * both + velocity + noise / 4, (FARTHEST * length) ** 2),
                KEPT * (both + velocity) + noise / 2,
                KEPT**2 * velocity + noise,
            ],
            axis=-1,
        )
        return AnimalMotion(self.xy + self.velocity, KEPT * self.velocity, spread, length, self.speed, position)

    def costs(self, poses: NDArray[np.float64], likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how badly keypoints of poses, (P, K, 2), fit the expected animals, (N, P, K).

        These are negative log-likelihood ratios.
        """
        if np.isnan(self.length) or not len(poses):
            return np.zeros((len(self.xy), *poses.shape[:2]))
        fits, may = self._fits(poses[None], likelihood[None])
        ratio = np.where(may, -np.log(fits + 1 - RIGHT * likelihood), 0.0)
        cost = INDEPENDENT * ratio / np.maximum(may.sum(axis=-1, keepdims=True), 1)
        return np.where(self.is_known[:, None, None], cost, NEW_COST / cost.shape[2])

    def updated(
        self, animals: NDArray[np.integer], poses: NDArray[np.float64], likelihood: NDArray[np.float64]
    ) -> AnimalMotion:
        """Return what is known after ``poses``, (A, K, 2), were seen of ``animals``, (A,)."""
        if not len(animals):
            return self
        seen = self._of(animals)._seen(poses, likelihood)
        xy, velocity, spread = self.xy.copy(), self.velocity.copy(), self.spread.copy()
        xy[animals], velocity[animals], spread[animals] = seen.xy, seen.velocity, seen.spread
        return replace(self, xy=xy, velocity=velocity, spread=spread, speed=seen.speed)

    def state(self) -> dict[str, Any]:
        """Return all that is known after a frame in a form for JSON."""
        return {
            "xy": np.where(np.isfinite(self.xy), self.xy, -1e9).tolist(),
            "velocity": self.velocity.tolist(),
            "spread": self.spread.tolist(),
            "length": None if np.isnan(self.length) else self.length,
            "speed": self.speed,
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Self:
        """Return what a `state` holds."""
        xy = np.array(state["xy"], np.float64)
        velocity, spread = np.array(state["velocity"], np.float64), np.array(state["spread"], np.float64)
        length = float("nan") if state["length"] is None else float(state["length"])
        return cls(np.where(xy > -1e9, xy, np.nan), velocity, spread, length, float(state["speed"]), spread[..., 0])

    def _of(self, animals: NDArray[np.integer]) -> AnimalMotion:
        """Return what is known of some animals."""
        arrays = (self.xy[animals], self.velocity[animals], self.spread[animals])
        return AnimalMotion(*arrays, self.length, self.speed, self.before[animals])

    def _seen(self, poses: NDArray[np.float64], likelihood: NDArray[np.float64]) -> AnimalMotion:
        """Return what is known after a pose of each animal, (N, K, 2), was seen."""
        fits, may = (part[:, 0] for part in self._fits(poses[:, None], likelihood[:, None]))
        weight = np.where(may, fits / (fits + 1 - RIGHT * likelihood), 0.0)
        position, both, pace = self._stiffened(weight)
        # A keypoint that is right with probability w counts like one of variance r / w.
        noise = self._noise(likelihood) / np.maximum(weight, 1e-9)
        gain = (np.stack([position, both]) / np.maximum(position + noise, 1e-12))[..., None]
        off = np.where(may[..., None], poses - self.xy, 0.0)
        shift = gain[0] * off
        total = np.maximum(weight.sum(axis=1), 1e-9)[:, None]
        along = (shift * weight[..., None]).sum(axis=1) / total
        shift = shift + (1 - gain[0]) * along[:, None]
        xy, velocity = self.xy + shift, self.velocity + gain[1] * off
        spread = np.stack(
            [position * (1 - gain[0, ..., 0]), both * (1 - gain[0, ..., 0]), pace - gain[1, ..., 0] * both]
        )
        speed = self._sped(shift + self.velocity / KEPT, weight)
        new = np.isfinite(poses) & ~np.isfinite(xy)
        first = [self._noise(likelihood), np.zeros_like(pace), np.full_like(pace, (WIDE * speed * self.length) ** 2)]
        return replace(
            self,
            xy=np.where(new, poses, xy),
            velocity=np.where(new, 0.0, velocity),
            spread=np.moveaxis(np.where(new[..., 0], np.stack(first), spread), 0, -1),
            speed=speed,
        )

    def _stiffened(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the spread, (3, N, K), of keypoints that are right by weight, (N, K), knowing that of the others."""
        position, both, pace = np.moveaxis(self.spread, -1, 0)
        others = weight.sum(axis=1, keepdims=True) - weight
        held = (1 - weight) * others / (others + 1)
        least = np.minimum(position, self.before + (STIFF * self.length) ** 2)
        less = 1 - held * (1 - least / np.maximum(position, 1e-12))
        return np.stack([less * position, less * both, pace])

    def _sped(self, moved: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
        """Return the mean speed after animals moved so far, (N, K, 2), by keypoints that are right by weight."""
        if not weight.any():
            return self.speed
        squares = np.minimum((np.nan_to_num(moved) ** 2).mean(axis=-1) / self.length**2, FASTEST**2)
        square = float((weight * squares).sum() / weight.sum())
        return max(LEAST_SPEED, float(np.sqrt((1 - RATE) * self.speed**2 + RATE * square)))

    def _fits(
        self, poses: NDArray[np.float64], likelihood: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return how likely each keypoint is if it is right, relative to anywhere, and where both positions are known.

        ``poses`` are (1 or N, P, K, 2), the results (N, P, K).
        """
        squares = ((poses - self.xy[:, None]) ** 2).sum(axis=-1)
        may = np.isfinite(squares)
        variance = self.spread[:, None, :, 0] + self._noise(likelihood)
        density = np.exp(-np.where(may, squares, 0.0) / (2 * variance)) / (2 * np.pi * variance)
        return RIGHT * likelihood * ANYWHERE * self.length**2 * density, may

    def _noise(self, likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of a coordinate of keypoints that are right."""
        return np.asarray((MEASURED * self.length) ** 2 / np.maximum(likelihood, 0.1), np.float64)

    def _measured(self, poses: NDArray[np.float64]) -> float:
        """Return the animals' length, of which sure poses show a little more."""
        if not len(poses):
            return self.length
        sides = np.nanmax(poses, axis=1) - np.nanmin(poses, axis=1)
        length = max(float(np.median(np.hypot(*sides.T))), 1.0)
        return length if np.isnan(self.length) else 0.95 * self.length + 0.05 * length
