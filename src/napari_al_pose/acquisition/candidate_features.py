"""What a learned policy knows of a candidate frame, given the labels and the frames of the batch before it.

Most features are quantiles within the pool, so that they mean the same in every data set. Those that depend on what is
labelled are computed again after each pick of a batch: the next pick knows the others.

Cost: a kernel of N frames and at most 1,000 that stand for the pool, then O(1,000 N) a pick.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.herding import kernel_width, unit_labelled
from napari_al_pose.acquisition.strategies.kcenter import usable_rows
from napari_al_pose.acquisition.strategies.pose_novelty import LEAST_LIKELIHOOD, PoseNovelty
from napari_al_pose.acquisition.strategy import ScoreContext, given

_STANDING_IN = 1_000
"""Most frames that stand for the pool."""

_NEIGHBOURS = 10

_LOOKED_AT = {
    "doubt": "how unsure the model is",
    "doubt of the worst bodypart": "its most doubtful bodypart",
    "doubt around": "doubt in frames that look like it",
    "unusual pose": "how unusual its pose is",
    "typical": "how many frames look like it",
    "close company": "how close the frames most like it are",
    "scarce bodyparts": "bodyparts that few labels show",
    "size": "how large the animal looks",
    "coverage gained": "how many frames a label would cover",
    "doubt covered": "how much doubt a label would resolve",
    "unlike labels": "how unlike any label it looks",
    "gap in time": "how far in time from any label it is",
    "pose unlike labels": "how unlike any labelled pose its pose is",
    "place unlike labels": "how far from any labelled place the animal is",
    "labels of its video": "how many labels its video has",
    "labels": "the number of labels",
    "reliability": "how well the model did on new labels",
    "doubt over candidates": "doubt over all frames",
    "picked": "the frames chosen before it",
}
FEATURE_NAMES = tuple(_LOOKED_AT)
FEATURE_WORDS = tuple(_LOOKED_AT.values())
OF_A_FRAME = FEATURE_NAMES.index("labels")
"""Features before this one tell frames apart; the others are the same for all."""


class CandidateFeatures:
    """The features of a pool's frames, up to date with the picks of a batch.

    Parameters
    ----------
    context : ScoreContext
        With predictions and image features.

    Attributes
    ----------
    order : int64 array, (n,)
        Rows of the context that have usable image features, by video and frame; all else here is in this order.
    """

    def __init__(self, context: ScoreContext) -> None:
        self.order, rows, _ = usable_rows(context)
        self._n, self._context = len(rows), context
        self._rows = rows
        stand_ins = systematic(self._n, min(self._n, _STANDING_IN), 0.5)
        self._open = rows[stand_ins]
        labelled = unit_labelled(context, rows)
        self._width = kernel_width(labelled, self._open) if self._n else 1.0
        self._kernel = self._alike(rows)
        doubts = 1.0 - np.asarray(given(context.likelihood, "likelihood"), np.float64)[self.order]
        self._doubt = _mean(doubts)
        self._weight = np.nan_to_num(self._doubt[stand_ins], nan=1.0)
        self._poses = _Poses(context, self.order)
        self._static = self._unchanging(doubts)
        self._covered = np.zeros(len(self._open))
        for start in range(0, len(labelled), 256):
            self._covered = np.maximum(self._covered, self._alike(labelled[start : start + 256]).max(axis=0, initial=0))
        self._far = _distance(rows, labelled)
        self._time = _Times(context, self.order)
        self._n_labels, self._picks = context.n_labelled, 0

    def __len__(self) -> int:
        return self._n

    def copy(self) -> CandidateFeatures:
        """Return the same features, to go on from here with other picks."""
        other = copy.copy(self)
        other._time, other._poses = copy.copy(self._time), copy.copy(self._poses)
        other._time.own_labels()
        return other

    def table(self) -> NDArray[np.float64]:
        """Return the features of all frames, (n, F): quantiles in (0, 1], and four numbers that all frames share."""
        gain = np.maximum(self._kernel - self._covered, 0.0)
        columns = [
            *self._static,
            gain.mean(axis=1) if self._n else np.zeros(0),
            gain @ self._weight,
            self._far,
            self._time.gaps(),
            self._poses.unlike,
            self._poses.elsewhere,
            self._time.shares(),
        ]
        quantiles = pool_quantiles(np.stack([np.round(column, 9) for column in columns], axis=1))
        shared = (
            np.log2(max(1, self._n_labels + self._picks)),
            self._context.reliability,
            float(np.nanmean(self._doubt)) if np.isfinite(self._doubt).any() else np.nan,
            self._picks / max(1, self._context.batch_size),
        )
        return np.concatenate([quantiles, np.broadcast_to(shared, (self._n, len(shared)))], axis=1)

    def pick(self, row: int) -> None:
        """Count frame ``row`` as labelled."""
        self._covered = np.maximum(self._covered, self._kernel[row])
        self._far = np.minimum(self._far, _distance(self._rows, self._rows[row : row + 1]))
        self._time.pick(row)
        self._poses.pick(row)
        self._picks += 1

    def _unchanging(self, doubts: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the features that no label changes, as long as the model is the same."""
        nearest = np.sort(self._kernel, axis=1)[:, -_NEIGHBOURS - 1 : -1] if self._n else np.zeros((0, 1))
        around = (self._kernel @ self._weight) / np.maximum(self._kernel.sum(axis=1), 1e-12)
        unusual = np.full(self._n, np.nan)
        if self._context.n_labelled:
            unusual = PoseNovelty().score(self._context)[self.order]
        worst = np.where(np.isfinite(doubts), doubts, -np.inf).max(axis=1, initial=-np.inf)
        return [
            self._doubt,
            np.where(np.isfinite(worst), worst, np.nan),
            around,
            unusual,
            self._kernel.mean(axis=1) if self._n else np.zeros(0),
            nearest.mean(axis=1) if nearest.size else np.zeros(self._n),
            _mean((1.0 - doubts) * _scarcity(self._context)),
            self._poses.size,
        ]

    def _alike(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return how alike rows and the pool's stand-ins are, (r, n), in [0, 1]."""
        squared = np.maximum(2.0 - 2.0 * (rows @ self._open.T), 0.0).astype(np.float32)
        return np.exp(-squared / np.float32(self._width**2))


class _Times:
    """The places of labels in time. If a video's length is unknown, its known frames give its span."""

    def __init__(self, context: ScoreContext, order: NDArray[np.int64]) -> None:
        keys = [context.keys[row] for row in order.tolist()]
        names = sorted({key.video for key in keys})
        self._video = np.array([names.index(key.video) for key in keys], np.int64)
        self._frame = np.array([key.frame for key in keys], np.float64)
        self._labels = np.zeros(len(names))
        self._gap = np.full(len(keys), np.inf)
        self._span = np.ones(len(names))
        for number in range(len(names)):
            own = self._frame[self._video == number]
            self._span[number] = max(1.0, float(own.max() - own.min() + 1))
        for key in context.labelled_keys:
            if key.video in names:
                self._put(names.index(key.video), float(key.frame))

    def own_labels(self) -> None:
        """Count labels apart from whom this was copied from."""
        self._labels, self._gap = self._labels.copy(), self._gap.copy()

    def gaps(self) -> NDArray[np.float64]:
        """Return each frame's distance to the nearest label of its video, in stretches between labels."""
        span = self._span[self._video]
        gap: NDArray[np.float64] = np.minimum(self._gap, span) / span * (1.0 + self._labels[self._video])
        return gap

    def shares(self) -> NDArray[np.float64]:
        """Return the labels of each frame's video, in those it would have if all videos had alike."""
        mean = max(float(self._labels.mean()), 1e-9) if len(self._labels) else 1.0
        return self._labels[self._video] / mean

    def pick(self, row: int) -> None:
        """Count a frame as labelled."""
        self._put(int(self._video[row]), float(self._frame[row]))

    def _put(self, video: int, frame: float) -> None:
        own = self._video == video
        self._gap[own] = np.minimum(self._gap[own], np.abs(self._frame[own] - frame))
        self._labels[video] += 1


class _Poses:
    """Predicted poses, and how far each is from what is labelled; in lengths of the animal."""

    def __init__(self, context: ScoreContext, order: NDArray[np.int64]) -> None:
        xy = np.asarray(given(context.xy, "poses"), np.float64)[order]
        sure = (np.asarray(given(context.likelihood, "likelihood"))[order] >= LEAST_LIKELIHOOD)[..., None]
        poses = np.where(sure, xy, np.nan)
        self.size = _extent(poses)
        known = context.labelled_xy if context.labelled_xy is not None else np.zeros((0, *xy.shape[1:]))
        sizes = _extent(np.asarray(known, np.float64))
        sizes = sizes[np.isfinite(sizes)] if np.isfinite(sizes).any() else self.size[np.isfinite(self.size)]
        self._length = max(float(np.median(sizes)), 1e-6) if len(sizes) else 1.0
        self._centre = _centre(poses)
        self._shape = (poses - self._centre[:, None]) / self._length
        self.unlike = np.full(len(xy), np.inf)
        self.elsewhere = np.full(len(xy), np.inf)
        for pose in np.asarray(known, np.float64):
            centre = _centre(pose[None])[0]
            self._put((pose - centre) / self._length, centre)

    def pick(self, row: int) -> None:
        """Count a predicted pose as labelled."""
        self._put(self._shape[row], self._centre[row])

    def _put(self, shape: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
        apart = np.linalg.norm(self._shape - shape, axis=2)
        self.unlike = np.fmin(self.unlike, _mean(apart))
        self.elsewhere = np.fmin(self.elsewhere, np.linalg.norm(self._centre - centre, axis=1) / self._length)


def _distance(rows: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each unit row's distance to the nearest of others; infinite if there are none."""
    if not len(others):
        return np.full(len(rows), np.inf)
    nearest = (rows @ others.T).max(axis=1)
    return np.sqrt(np.maximum(2.0 - 2.0 * nearest.astype(np.float64), 0.0))


def _scarcity(context: ScoreContext) -> NDArray[np.float64]:
    """Return for each bodypart 1 less the labels that show it, over those that show the most shown, (K,)."""
    if context.labelled_xy is None or not len(context.labelled_xy):
        return np.ones(context.skeleton.n_bodyparts)
    shown = np.isfinite(context.labelled_xy[..., 0]).sum(axis=0)
    return 1.0 - shown / max(1, int(shown.max()))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each row's finite values; NaN without any."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _centre(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([_mean(poses[..., axis]) for axis in (0, 1)], axis=1)


def _extent(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the diagonal of the box around each pose; NaN for fewer than two points."""
    known = np.isfinite(poses[..., 0])
    low = np.where(known[..., None], poses, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known[..., None], poses, -np.inf).max(axis=1, initial=-np.inf)
    apart = np.where((known.sum(axis=1) > 1)[:, None], high - low, np.nan)
    return np.sqrt((apart**2).sum(axis=1))
