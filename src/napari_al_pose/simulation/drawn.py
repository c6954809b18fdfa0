"""The samples that are drawn on demand, as data sets: short videos, and long recordings tested on by behaviour."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.samples.arena import HEIGHT, WIDTH
from napari_al_pose.samples.large import FRAMES_A_VIDEO, draw_large, large_scenes, large_skeleton
from napari_al_pose.samples.longform import BEHAVIOURS, DAYS, Recording
from napari_al_pose.samples.motion import FPS
from napari_al_pose.simulation.dataset import RawDataset

_FRAMES_DRAWN = 60
"""Number of frames that take part from each synthetic video: all 20,000 would only take longer to draw."""

CANDIDATES = 3_000
"""Frames to choose from over all recordings, a recording's share by the square root of its length, as in the loop."""

TESTED_A_BEHAVIOUR = 6
"""Most frames of a behaviour that a recording is tested on, evenly spread over it."""

Splits = tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]

_SPLITS = 3
_MICE = 10


def open_synthetic(seed: int, rotation_degrees: float) -> RawDataset:
    """Use evenly spread frames of the large sample's ten videos."""
    numbers = np.linspace(0, FRAMES_A_VIDEO - 1, _FRAMES_DRAWN).round().astype(int).tolist()
    scenes = large_scenes()
    truths = [draw_large(i, numbers, seed=seed)[1] for i in range(len(scenes))]
    keys = tuple(FrameKey(scene.name, number) for scene in scenes for number in numbers)
    xy = np.concatenate(truths)

    def read(rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for i, group in _runs([divmod(row, len(numbers)) for row in rows]):
            yield from draw_large(i, [numbers[j] for j in group], seed=seed)[0]

    return _drawn(f"synthetic-{seed}", keys, xy, read, rotation_degrees=rotation_degrees)


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
    by_name = {one.name: one for one, _ in chosen}

    def read(rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for name, group in itertools.groupby((keys[row] for row in rows), key=lambda key: key.video):
            yield from by_name[name].draw([key.frame for key in group])

    return _drawn(
        f"longform-{seed}",
        keys,
        xy,
        read,
        rotation_degrees=rotation_degrees,
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


def _runs(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, list[int]]]:
    """Group neighbouring pairs by their first number."""
    group: list[int] = []
    for n, (i, j) in enumerate(pairs):
        group.append(j)
        if n + 1 == len(pairs) or pairs[n + 1][0] != i:
            yield i, group
            group = []


def _drawn(
    name: str,
    keys: tuple[FrameKey, ...],
    xy: NDArray[np.float64],
    read: Callable[[Sequence[int]], Iterator[NDArray[np.uint8]]],
    *,
    rotation_degrees: float,
    splits: Splits = (),
    behaviours: tuple[str, ...] = (),
) -> RawDataset:
    placed = np.isfinite(xy).all(axis=-1)
    return RawDataset(
        name=name,
        skeleton=large_skeleton(),
        keys=keys,
        xy=xy,
        states=np.where(placed, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8),
        sizes=np.full((len(keys), 2), (HEIGHT, WIDTH), np.int64),
        read=read,
        rotation_degrees=rotation_degrees,
        fps=float(FPS),
        splits=splits,
        behaviours=behaviours,
    )
