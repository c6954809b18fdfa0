"""The long form of the sample as a data set: frames to choose from whole recordings, tested on others by behaviour."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.samples.large import large_skeleton
from napari_al_pose.samples.longform import BEHAVIOURS, DAYS, Recording
from napari_al_pose.samples.motion import FPS
from napari_al_pose.simulation.dataset import RawDataset

CANDIDATES = 3_000
"""Frames to choose from over all recordings, a recording's share by the square root of its length, as in the loop."""

TESTED_A_BEHAVIOUR = 6
"""Most frames of a behaviour that a recording is tested on, evenly spread over it."""

_SPLITS = 3
_MICE = 10


def open_long_form(seed: int, rotation_degrees: float) -> RawDataset:
    """Open the long form: the first days to choose from, the second days of the same mice to test on.

    Each of three splits has two thirds of the mice. Frames to choose from are evenly spread over whole recordings;
    frames to test on are of every behaviour alike.
    """
    recordings = [[Recording(mouse, day, seed=seed) for day in range(len(DAYS))] for mouse in range(_MICE)]
    lengths = [pair[0].n_frames for pair in recordings]
    shares = allocate(CANDIDATES, [n**0.5 for n in lengths], lengths).tolist()
    chosen: list[tuple[Recording, list[int]]] = []
    for (first, second), share in zip(recordings, shares, strict=True):
        chosen.append((first, [int(i) for i in systematic(first.n_frames, share, 0.5)]))
        chosen.append((second, _of_each_behaviour(second)))
    keys = tuple(FrameKey(one.name, number) for one, numbers in chosen for number in numbers)
    xy = np.concatenate([one.truth(numbers) for one, numbers in chosen])
    shown = [(one.behaviours(), numbers) for one, numbers in chosen]
    placed = np.isfinite(xy).all(axis=-1)
    by_name = {one.name: one for one, _ in chosen}

    def read(rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for name, group in itertools.groupby((keys[row] for row in rows), key=lambda key: key.video):
            yield from by_name[name].draw([key.frame for key in group])

    return RawDataset(
        name=f"longform-{seed}",
        skeleton=large_skeleton(),
        keys=keys,
        xy=xy,
        states=np.where(placed, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8),
        sizes=np.full((len(keys), 2), (480, 640), np.int64),
        read=read,
        rotation_degrees=rotation_degrees,
        fps=float(FPS),
        splits=tuple(_split(recordings, number) for number in range(_SPLITS)),
        behaviours=tuple(all_shown[number] for all_shown, numbers in shown for number in numbers),
    )


def _of_each_behaviour(recording: Recording) -> list[int]:
    """Return frames of every behaviour, evenly spread over those that show it, ascending."""
    shown = np.array(recording.behaviours())
    numbers: list[int] = []
    for behaviour in BEHAVIOURS:
        rows = np.flatnonzero(shown == behaviour)
        numbers += rows[systematic(len(rows), min(len(rows), TESTED_A_BEHAVIOUR), 0.5)].tolist()
    return sorted(numbers)


def _split(
    recordings: Sequence[Sequence[Recording]], number: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    kept = [pair for mouse, pair in enumerate(recordings) if mouse % _SPLITS != number]
    return (), tuple(first.name for first, _ in kept), tuple(second.name for _, second in kept)
