"""A labelled data set in the simulation's form: every frame at the network's scale, in arrays on disk."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError, FrameKey, KeypointState, Skeleton

_T = TypeVar("_T", bound=np.generic)

_FAR = 1000
"""Frames between two pictures if unknown: more than any rule of spacing needs."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The unit of errors.

    Parameters
    ----------
    pair : (str, str) or None
        Two bodyparts whose distance it is; None for the diagonal of the box around the placed keypoints.
    per_frame : bool
        Whether every frame has its own (PCKh); otherwise each video has the median of its frames.
    cap : float
        Largest error that counts, in this unit: a keypoint found at the other end of the cage is wrong, not ten times
        as wrong.
    """

    pair: tuple[str, str] | None = None
    per_frame: bool = False
    cap: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RawDataset:
    """Labelled frames at their original place and size.

    The P points of a frame are the K bodyparts of each of its individuals, one individual after the other.

    Parameters
    ----------
    name : str
        Safe as a folder name.
    skeleton : Skeleton
        Its individuals are as many as a frame may show.
    keys : tuple of FrameKey, N
        Folds keep each ``video`` together: a video, or an animal.
    xy : float array, (N, P, 2)
        Source pixels; NaN unless placed.
    states : int8 array, (N, P)
        `KeypointState` values; an individual of which nothing is known in a frame was not looked at there.
    sizes : int array, (N, 2)
        Height and width of each image.
    read : callable
        ``read(rows)`` yields the images of rows in that order, uint8 (H, W, 3).
    reference : Reference
    rotation_degrees : float
        Largest random rotation that keeps views plausible.
    fps : float
        Frame rate of the frame numbers; 0 if images were picked from unknown videos, so that numbers say nothing about
        time.
    splits : tuple of (base videos, pool videos, test videos)
        Published splits, where there are any.
    behaviours : tuple of str, N or none
        What each frame shows, where that is known: errors are averaged over behaviours, so that rare ones count.
    """

    name: str
    skeleton: Skeleton
    keys: tuple[FrameKey, ...]
    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    sizes: NDArray[np.int64]
    read: Callable[[Sequence[int]], Iterator[NDArray[np.uint8]]]
    reference: Reference = Reference()
    rotation_degrees: float = 180.0
    fps: float = 0.0
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = ()
    behaviours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled frames at the network's scale; rows of all arrays go with ``keys``, which are sorted.

    Parameters
    ----------
    name : str
    skeleton : Skeleton
    keys : tuple of FrameKey, N
    images : uint8 array, (N, H, W, 3)
        Padded on the right and at the bottom to one size.
    xy : float array, (N, P, 2)
        Pixels of ``images``; NaN unless placed. Points are as in `RawDataset`.
    states : int8 array, (N, P)
    scale : float array, (N,)
        Pixels of ``images`` per source pixel.
    reference : float array, (N,)
        Unit of errors, pixels of ``images``.
    cap : float
        Largest error that counts, in ``reference``.
    crop : (int, int)
        Height and width of the training views.
    rotation_degrees, fps : float
    splits, behaviours : tuple
        As in `RawDataset`.
    """

    name: str
    skeleton: Skeleton
    keys: tuple[FrameKey, ...]
    images: NDArray[np.uint8]
    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    scale: NDArray[np.float64]
    reference: NDArray[np.float64]
    cap: float
    crop: tuple[int, int]
    rotation_degrees: float = 180.0
    fps: float = 0.0
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = ()
    behaviours: tuple[str, ...] = ()

    @property
    def n_animals(self) -> int:
        """Number of individuals, A; P is A times K."""
        return len(self.skeleton.individuals)

    def by_animal(self, points: NDArray[_T]) -> NDArray[_T]:
        """Return an array along points, (n, P, ...), as one along animals and bodyparts, (n, A, K, ...)."""
        return points.reshape(len(points), self.n_animals, self.skeleton.n_bodyparts, *points.shape[2:])

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos (or animals), sorted."""
        return tuple(sorted({key.video for key in self.keys}))

    @property
    def times(self) -> tuple[FrameKey, ...]:
        """The keys for selection: the keys themselves if times are known, otherwise numbers so far apart that no frame
        is too near to another."""
        if self.fps > 0:
            return self.keys
        return tuple(FrameKey(key.video, _FAR * row) for row, key in enumerate(self.keys))

    def rows_of(self, videos: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of some videos, ascending."""
        wanted = set(videos)
        return np.array([row for row, key in enumerate(self.keys) if key.video in wanted], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """An annotator's labels of some frames of a data set, if they differ from the known ones.

    Parameters
    ----------
    xy : float64 array, (N, P, 2)
        Pixels of the data set's images, for all its rows; NaN unless placed.
    states : int8 array, (N, P)
    taken : bool array, (N, P)
        Which were guesses that were taken as they are.
    """

    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    taken: NDArray[np.bool_]

    @classmethod
    def none(cls, dataset: Dataset) -> Labels:
        """Return labels in which nothing was looked at."""
        shape = dataset.states.shape
        return cls(np.full(dataset.xy.shape, np.nan), np.zeros(shape, np.int8), np.zeros(shape, bool))


def reference_lengths(
    keys: Sequence[FrameKey],
    xy: NDArray[np.float64],
    states: NDArray[np.int8],
    skeleton: Skeleton,
    reference: Reference,
) -> NDArray[np.float64]:
    """Return the unit of each frame's errors, (N,), in the unit of ``xy``; of several animals their median.

    Raises
    ------
    AlPoseError
        If no frame has the keypoints that define it.
    """
    n, k = len(keys), skeleton.n_bodyparts
    xy, placed = xy.reshape(-1, k, 2), states.reshape(-1, k) == KeypointState.PLACED
    if reference.pair is None:
        low = np.where(placed[..., None], xy, np.inf).min(axis=1)
        high = np.where(placed[..., None], xy, -np.inf).max(axis=1)
        known = placed.sum(axis=1) >= 2
        lengths = np.hypot(*np.where(known[:, None], high - low, np.nan).T)
    else:
        a, b = (skeleton.index(name) for name in reference.pair)
        lengths = np.where(placed[:, a] & placed[:, b], np.hypot(*(xy[:, a] - xy[:, b]).T), np.nan)
    if not np.isfinite(lengths).any():
        raise AlPoseError(
            "No labelled frame has the two keypoints that the error's unit is measured between.",
            "Label at least two bodyparts in some frames.",
        )
    overall = float(np.nanmedian(lengths))
    lengths = lengths.reshape(n, -1)
    videos = np.array([key.video for key in keys])
    result = np.empty(n)
    for video in np.unique(videos):
        own = lengths[videos == video]
        median = float(np.nanmedian(own)) if np.isfinite(own).any() else overall
        known = np.isfinite(own).any(axis=1)
        of_frame = [float(np.nanmedian(one)) if some else median for one, some in zip(own, known, strict=True)]
        result[videos == video] = of_frame if reference.per_frame else median
    return result


_ARRAYS = ("images", "xy", "states", "scale", "reference")


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a data set to a new folder, whole or not at all; leave an existing one as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(dataset, name))
        about = {
            "name": dataset.name,
            "bodyparts": dataset.skeleton.bodyparts,
            "links": dataset.skeleton.links,
            "individuals": dataset.skeleton.individuals,
            "keys": [[key.video, key.frame] for key in dataset.keys],
            "cap": dataset.cap if np.isfinite(dataset.cap) else None,
            "crop": dataset.crop,
            "rotation_degrees": dataset.rotation_degrees,
            "fps": dataset.fps,
            "splits": dataset.splits,
            "behaviours": dataset.behaviours,
        }
        (temporary / "about.json").write_text(json.dumps(about), encoding="utf-8")
        if not folder.exists():
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_dataset(folder: Path) -> Dataset:
    """Open a data set that `save_dataset` wrote; images stay on disk until they are needed."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    arrays: dict[str, Any] = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r" if name == "images" else None, allow_pickle=False)
        for name in _ARRAYS
    }
    height, width = about["crop"]
    return Dataset(
        name=about["name"],
        skeleton=Skeleton(
            tuple(about["bodyparts"]),
            tuple((a, b) for a, b in about["links"]),
            tuple(about.get("individuals", (SINGLE_INDIVIDUAL,))),
        ),
        keys=tuple(FrameKey(video, frame) for video, frame in about["keys"]),
        cap=np.inf if about["cap"] is None else float(about["cap"]),
        crop=(height, width),
        rotation_degrees=float(about["rotation_degrees"]),
        fps=float(about["fps"]),
        splits=tuple((tuple(base), tuple(pool), tuple(test)) for base, pool, test in about["splits"]),
        behaviours=tuple(about.get("behaviours", ())),
        **arrays,
    )
