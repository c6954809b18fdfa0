"""Mends the tracks of a predicted video where two animals were exchanged, by their looks and by labels with names."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, KeypointState
from napari_al_pose.domain.oks import similarity
from napari_al_pose.engine.labels import by_frame, known_labels
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.project import Project
from napari_al_pose.project.video_predictions import CHUNK, VideoRun
from napari_al_pose.tracking.exchanges import StretchCollector, exchanged_in_steps, swapped_ranges

MOST_ANIMALS = 4
"""Most animals: with more there are too many pairs to compare, since the video is gone through for each."""

PART = 512
"""Frames that are looked at in one step."""

COPIED_AT_ONCE = 8 * 2**20
"""Bytes."""

SAME = 0.3
"""Object keypoint similarity from which a track is on a labelled animal."""

Labels = Mapping[int, Sequence[Annotation]]
"""The labelled animals of a video by frame."""


def named_labels(project: Project, video: str) -> Labels:
    """Return the labels of a video if names are kept from frame to frame, as an ``identity`` project promises."""
    if not project.config.identity:
        return {}
    found = by_frame(label for label in known_labels(project) if label.key.video == video)
    return {key.frame: animals for key, animals in found.items() if len(animals) > 1}


def mend_exchanges(run: VideoRun, labels: Labels) -> Generator[int, None, list[tuple[int, int]]]:
    """Swap two tracks where they went on with each other's animal; yield the number of frames after each stretch.

    Doing it again changes nothing more. The rows of a pair are swapped all or not at all.

    Returns
    -------
    list of (int, int)
        The ranges in which tracks were swapped: first position, and the one after the last.
    """
    mended: list[tuple[int, int]] = []
    n = len(run.header.individuals)
    if not 2 <= n <= MOST_ANIMALS:
        return mended
    for pair in combinations(range(n), 2):
        with StretchCollector(run.path.parent) as collector:
            for first in range(0, run.header.n_frames, PART):
                stop = min(first + PART, run.header.n_frames)
                _collect(run, first, stop, pair, labels, collector)
                yield stop - first
            stretches = collector.stretches(run.header.n_frames)
            found = yield from exchanged_in_steps(collector, stretches)
        if any(found):
            ranges = swapped_ranges(stretches, found, open_memmap(run.margins_path, mode="r"))
            yield from _swap(run, pair, ranges)
            mended += ranges
    return mended


def _swap(run: VideoRun, pair: tuple[int, int], ranges: Sequence[tuple[int, int]]) -> Generator[int, None, None]:
    n, k = len(run.header.individuals), len(run.header.bodyparts)
    order = np.arange(n)
    order[list(pair)] = pair[::-1]
    # In a copy: rows of which only a part is swapped could not be told from tracks that exchanged their animals there.
    with replacing(run.path) as temporary:
        with run.path.open("rb") as source, temporary.open("wb") as copy:
            while part := source.read(COPIED_AT_ONCE):
                copy.write(part)
                yield 0
        for begun, end in ranges:
            for first in range(begun, end, CHUNK):
                stored = open_memmap(temporary, mode="r+")  # anew: what is mapped for long stays in memory
                rows = stored[first : min(first + CHUNK, end)]
                rows[:] = rows.reshape(-1, n, k, 3)[:, order].reshape(rows.shape)
                del stored, rows
                yield 0


def _collect(
    run: VideoRun, first: int, stop: int, pair: tuple[int, int], labels: Labels, collector: StretchCollector
) -> None:
    """Add the frames of a part of a video to the stretches of two tracks."""
    n, k = len(run.header.individuals), len(run.header.bodyparts)
    poses = run.stored_rows(first, stop).reshape(-1, n, k, 3)[:, list(pair), :, :2]
    votes = np.zeros(stop - first, np.int64)
    if labels:
        names = [run.header.individuals[one] for one in pair]
        for i, number in enumerate(run.numbers(first, stop).tolist()):
            if len(animals := labels.get(number, ())) > 1:
                votes[i] = _vote(poses[i], animals, names)
    collector.add_frames(first, poses, run.looks(first, stop)[:, list(pair)], votes)


def _vote(poses: NDArray[np.float64], animals: Sequence[Annotation], names: Sequence[str]) -> int:
    """Return 1 if two tracks are on the labelled animals of their names, -1 if each is on the other's, else 0."""
    known = {
        label.individual: np.where((label.states == KeypointState.PLACED)[:, None], label.xy, np.nan)
        for label in animals
        if label.individual in names
    }
    if len(known) < 2:
        return 0
    alike = similarity(poses, np.stack([known[name] for name in names])) >= SAME
    return int(alike[0, 0] and alike[1, 1]) - int(alike[0, 1] and alike[1, 0])
