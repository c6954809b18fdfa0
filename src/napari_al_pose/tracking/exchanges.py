"""Finds where two tracks went on with each other's animal, from how the animals look while they are apart.

Between contacts it is certain which poses belong together, and not which animal they are of. For each such stretch we
know by how much the one track looks different from the other: in colour and in size. If the animals differ, these
differences have one direction, forwards or backwards: backwards means exchanged (the sign of the first principal
component). Where animals look alike, the differences are noise of all sizes, and nothing is concluded from them.
Labels of a project in which names are kept (``identity``) say the same of the stretches they are in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.steps import finish

APART = 0.8
"""Distance of the middles of two animals, in lengths, from which on nothing of one is taken for the other's."""

LEAST, BLOCK = 8, 15
"""Fewest frames apart that count as a stretch, and frames of a stretch whose mean is one observation."""

FEWEST_STRETCHES, FEWEST_BLOCKS = 5, 6
"""Fewest stretches and observations from which something is concluded by looks."""

CLEAR, FEW_ARE_LESS_CLEAR = 1.5, 7.5
"""Least ratio of the mean size of differences to its deviation at which looks tell animals apart, and how much more is
asked of n stretches, over n - 2. One of fifty sets of differences that are noise has so large a ratio."""

VISIBLE, NEARLY_ALL = 3.0, 0.8
"""Least size, in deviations within stretches, that so many of the differences must have."""

EXCHANGE = 2.0
"""Log-odds against an exchange in a contact, before looks and labels are known."""

LABEL = 6.0
"""Log-odds of a labelled frame; a person may err, too."""

MOST_SURE = 12.0
"""Largest log-odds of a stretch by its looks: its frames are not independent."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Frames in which two animals are apart.

    Parameters
    ----------
    first, stop : int
        The first frame, and the one after the last.
    blocks : slice
        Numbers of its observations among those of all stretches.
    votes : int
        Labelled frames that say the tracks are right, minus those that say they are exchanged.
    """

    first: int
    stop: int
    blocks: slice
    votes: int = 0


class StretchCollector:
    """Collects the stretches of two tracks frame by frame, as a context manager.

    Its memory grows with the contacts only: the observations lie in a file that goes when this is closed.

    Parameters
    ----------
    folder : Path, optional
        Where the file lies; by default where the system has its temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._done: list[Stretch] = []
        self._first = -1
        self._votes = 0
        self._begun = self._n_blocks = self._n_looks = 0
        self._file = tempfile.TemporaryFile(prefix=".al-pose-", dir=folder)  # noqa: SIM115 - closed by `__exit__`
        self._block: list[NDArray[np.float64]] = []

    def __enter__(self) -> StretchCollector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def blocks(self, stretch: Stretch) -> NDArray[np.float64]:
        """Return by how much the first track looks different from the second, (B, D).

        These are means over some frames each, NaN for unknown.
        """
        size = np.dtype(np.float64).itemsize * self._n_looks
        self._file.seek(stretch.blocks.start * size)
        stored = self._file.read((stretch.blocks.stop - stretch.blocks.start) * size)
        return np.frombuffer(stored, np.float64).reshape(-1, self._n_looks)

    def add(self, frame: int, difference: NDArray[np.floating] | None, vote: int = 0) -> None:
        """Add the next frame: the difference of looks, (D,), or None if the animals touch or one is not found."""
        if difference is None:
            self._close(frame)
            return
        if self._first < 0:
            self._first = frame
        self._votes += vote
        self._block.append(np.asarray(difference, np.float64))
        if len(self._block) == BLOCK:
            self._end_block()

    def add_frames(
        self,
        first: int,
        poses: NDArray[np.floating],
        colours: NDArray[np.floating],
        votes: NDArray[np.integer] | None = None,
    ) -> None:
        """Add some frames.

        Parameters
        ----------
        first : int
            Number of the first of them.
        poses : float array, (n, 2, K, 2)
            Of the two tracks; NaN for no position.
        colours : float array, (n, 2, K, 3)
            At their keypoints; NaN where they are unknown.
        votes : int array, (n,), optional
            See `Stretch`.
        """
        apart = _are_apart(poses)
        looks = np.concatenate([colours.reshape(len(poses), 2, -1), _sizes(poses)], axis=-1)
        for i in range(len(poses)):
            vote = 0 if votes is None else int(votes[i])
            self.add(first + i, looks[i, 0] - looks[i, 1] if apart[i] else None, vote)

    def stretches(self, stop: int) -> list[Stretch]:
        """Return all stretches of a video of ``stop`` frames."""
        self._close(stop)
        return self._done

    def _end_block(self) -> None:
        if len(self._block) >= min(LEAST, BLOCK):
            mean = _mean(np.stack(self._block))
            self._n_looks = len(mean)
            self._file.write(mean.tobytes())
            self._n_blocks += 1
        self._block = []

    def _close(self, stop: int) -> None:
        self._end_block()
        if self._first >= 0 and self._n_blocks > self._begun:
            self._done.append(Stretch(self._first, stop, slice(self._begun, self._n_blocks), self._votes))
        self._first, self._votes, self._begun, self._block = -1, 0, self._n_blocks, []


def exchanged(collected: StretchCollector, stretches: Sequence[Stretch]) -> list[bool]:
    """Return in which stretches two tracks have each other's animal."""
    return finish(exchanged_in_steps(collected, stretches))


def exchanged_in_steps(collected: StretchCollector, stretches: Sequence[Stretch]) -> Generator[int, None, list[bool]]:
    """Do what `exchanged` does, and yield 0 after each stretch that was looked at."""
    if not stretches:
        return []
    by_looks = yield from _odds_by_looks(collected, stretches)
    odds = by_looks + LABEL * np.array([stretch.votes for stretch in stretches], float)
    # The likeliest sequence of right and exchanged stretches (Viterbi 1967).
    gain, came = np.array([odds[0], -odds[0]]) / 2, []
    for log_odds in odds[1:]:
        stay, change = gain, gain[::-1] - EXCHANGE
        came.append(np.where(stay >= change, [0, 1], [1, 0]))
        gain = np.maximum(stay, change) + np.array([log_odds, -log_odds]) / 2
    state = int(gain[1] > gain[0])
    found = [state]
    for source in reversed(came):
        state = int(source[state])
        found.append(state)
    return [bool(one) for one in reversed(found)]


def swapped_ranges(
    stretches: Sequence[Stretch], is_exchanged: Sequence[bool], margins: NDArray[np.floating]
) -> list[tuple[int, int]]:
    """Return the frames, first and after the last, in which two tracks are to be swapped.

    Between two stretches the tracks change where it was least clear which animal is which, by ``margins``, (N,).
    """
    ranges: list[tuple[int, int]] = []
    begun = 0 if is_exchanged and is_exchanged[0] else -1
    for before, after, was, now in zip(stretches, stretches[1:], is_exchanged, is_exchanged[1:], strict=False):
        if was == now:
            continue
        at = before.stop + int(np.argmin(margins[before.stop : max(after.first, before.stop + 1)]))
        if now:
            begun = at
        else:
            ranges.append((begun, at))
            begun = -1
    return [*ranges, (begun, len(margins))] if begun >= 0 else ranges


def _are_apart(poses: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return in which frames two animals, (n, 2, K, 2), are both found and far enough from each other."""
    there = np.isfinite(poses[..., 0]).any(axis=2).all(axis=1)
    apart = np.zeros(len(poses), bool)
    if there.any():
        own = np.asarray(poses, np.float64)[there]
        length = np.hypot(*np.moveaxis(np.nanmax(own, axis=2) - np.nanmin(own, axis=2), -1, 0)).max(axis=1)
        gap = np.hypot(*np.diff(np.nanmedian(own, axis=2), axis=1)[:, 0].T)
        apart[there] = gap >= APART * length
    return apart


def _sizes(poses: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far each keypoint is from the middle of its animal, (n, 2, K)."""
    shown = np.asarray(poses, np.float64)
    there = np.isfinite(shown[..., 0]).any(axis=2)
    middle = np.full((*shown.shape[:2], 2), np.nan)
    middle[there] = np.nanmedian(shown[there], axis=1)
    return np.asarray(np.hypot(*np.moveaxis(shown - middle[:, :, None], -1, 0)), np.float64)


def _odds_by_looks(
    collected: StretchCollector, stretches: Sequence[Stretch]
) -> Generator[int, None, NDArray[np.float64]]:
    """Return how sure it is by the looks that each stretch is right, as log-odds; 0 if looks tell nothing."""
    nothing = np.zeros(len(stretches))
    n_blocks = sum(stretch.blocks.stop - stretch.blocks.start for stretch in stretches)
    if len(stretches) < FEWEST_STRETCHES or n_blocks < FEWEST_BLOCKS:
        return nothing
    noise = yield from _noise(collected, stretches)
    total = np.zeros((len(noise), len(noise)))
    for scaled in _scaled(collected, stretches, noise):
        total += scaled.T @ scaled
        yield 0
    main = _direction(total)
    means = np.empty(len(stretches))
    # Each stretch is judged by a direction that the others say: any noise agrees with itself.
    for i, scaled in enumerate(_scaled(collected, stretches, noise)):
        others = _direction(total - scaled.T @ scaled)
        means[i] = scaled.mean(axis=0) @ (others if others @ main >= 0 else -others)
        yield 0
    size = np.abs(means)
    spread = max(float(size.std()), 1e-6 * float(size.mean()), 1e-12)
    clear = CLEAR + FEW_ARE_LESS_CLEAR / (len(stretches) - 2)
    if size.mean() < clear * spread or (size >= VISIBLE).mean() < NEARLY_ALL:
        return nothing
    lengths = np.array([stretch.stop - stretch.first for stretch in stretches])
    if (means * lengths).sum() < 0:
        means = -means  # tracks are right most of the time
    return np.clip(2 * means * size.mean() / spread**2, -MOST_SURE, MOST_SURE)


def _scaled(
    collected: StretchCollector, stretches: Sequence[Stretch], noise: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Yield the differences of each stretch in units of their noise; 0 for unknown."""
    for stretch in stretches:
        yield np.nan_to_num(collected.blocks(stretch) / noise)


def _noise(collected: StretchCollector, stretches: Sequence[Stretch]) -> Generator[int, None, NDArray[np.float64]]:
    """Return the deviation of each difference within stretches; over all where none is long enough."""
    squares, steps, n_steps = _SumOfSquares(), _SumOfSquares(), 0
    for stretch in stretches:
        blocks = collected.blocks(stretch)
        squares.add(blocks)
        steps.add(np.diff(blocks, axis=0))
        n_steps += len(blocks) - 1
        yield 0
    overall = np.sqrt(squares.mean())
    if n_steps >= FEWEST_STRETCHES:
        within = np.sqrt(steps.mean() / 2)
        overall = np.where(within > 0, np.maximum(within, 0.05 * overall), overall)
    return np.where(overall > 0, overall, np.inf)


class _SumOfSquares:
    """The squares of rows, summed without NaN."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | float = 0.0
        self._n: NDArray[np.int64] | int = 0

    def add(self, rows: NDArray[np.float64]) -> None:
        there = np.isfinite(rows)
        self._sum = self._sum + (np.where(there, rows, 0.0) ** 2).sum(axis=0)
        self._n = self._n + there.sum(axis=0)

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of the squares; 0 where nothing is known."""
        return np.asarray(self._sum / np.maximum(self._n, 1), np.float64)


def _direction(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector along which differences, whose products are summed in (D, D), are largest."""
    return np.asarray(np.linalg.eigh(products)[1][:, -1], np.float64)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the first axis without NaN; NaN where nothing is known."""
    there = np.isfinite(values)
    n = there.sum(axis=0)
    return np.where(n > 0, np.where(there, values, 0).sum(axis=0) / np.maximum(n, 1), np.nan)
