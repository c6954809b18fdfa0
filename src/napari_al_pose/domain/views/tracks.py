"""What the timeline shows of a predicted video: where each track is, how sure the model is, where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.track_edits import TrackAct, TrackEdit
from napari_al_pose.domain.views.formatting import number
from napari_al_pose.domain.views.timeline import FrameAxis
from napari_al_pose.domain.wording import counted

MOST_BINS = 2000
"""Places a video is divided into at most: more than a screen has columns for."""

DOUBT = 1.0
"""Margin of the assignment below which it is doubted which animal is which; 0 is a coin toss. On true poses of mice
that cross and of flies that touch, moved by 4 px of noise, no margin is finite."""

JOINED = 15
"""Frames between two places of the same kind that make one of them."""

MOST_PLACES = 5000
"""Places to look at that are kept of a video."""

MOST_PICKED = 50
"""Frames that are put in the queue at once."""


@dataclass(frozen=True, slots=True)
class ReviewPlace:
    """A stretch of frames worth a look.

    Parameters
    ----------
    first, last : int
        Its rows in the stored predictions.
    worst : int
        The row that is worst.
    value : float
        What is worst there: the mean likelihood, or the margin.
    doubted : bool
        Whether it is doubted there which animal is which; else the model is unsure where something is.
    """

    first: int
    last: int
    worst: int
    value: float
    doubted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RunOverview:
    """A predicted video at a glance; bin ``i`` holds the rows from ``i * per_bin`` on.

    Parameters
    ----------
    tracks : tuple of str
        T names; none where the model knows one animal.
    n_rows : int
        Rows of the video.
    per_bin : int
        Rows of a bin.
    seen : float32 array, (T, B)
        Share of the rows in which a track has a pose.
    likelihood : float32 array, (B,)
        Of the row where the mean likelihood of all that was found is lowest; NaN where nothing was found.
    low : tuple of ReviewPlace
        Where that mean is below the likelihood from which guesses are believed.
    doubtful : tuple of ReviewPlace
        Where it is doubted which animal is which.
    """

    tracks: tuple[str, ...]
    n_rows: int
    per_bin: int
    seen: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    low: tuple[ReviewPlace, ...]
    doubtful: tuple[ReviewPlace, ...]


class OverviewBuilder:
    """Makes an overview of rows that come in order, in constant memory.

    Parameters
    ----------
    tracks : sequence of str
        Names; none of one animal.
    n_rows : int
    threshold : float
        Mean likelihood below which a frame is worth a look.
    """

    def __init__(self, tracks: Sequence[str], n_rows: int, *, threshold: float) -> None:
        self._tracks, self._n_rows = tuple(tracks), n_rows
        self._per_bin = max(1, -(-n_rows // MOST_BINS))
        n_bins = -(-n_rows // self._per_bin)
        self._n_seen = np.zeros((len(tracks), n_bins), np.int64)
        self._likelihood = np.full(n_bins, np.inf, np.float32)
        self._low, self._doubtful = _ReviewPlaces(threshold), _ReviewPlaces(DOUBT, doubted=True)

    def add(self, first: int, poses: NDArray[np.floating], margins: NDArray[np.floating] | None) -> None:
        """Take poses, (n, T, K, 3) of x, y and likelihood, of the rows from ``first`` on, and their margins, (n,)."""
        there = np.isfinite(poses[..., 0]) & (poses[..., 2] > 0)
        n_there = there.sum(axis=(1, 2))
        sums = np.where(there, poses[..., 2], 0).sum(axis=(1, 2))
        mean = np.where(n_there > 0, sums / np.maximum(n_there, 1), np.inf).astype(np.float32)
        bins = np.arange(first, first + len(poses)) // self._per_bin
        np.minimum.at(self._likelihood, bins, mean)
        for track in range(len(self._tracks)):
            np.add.at(self._n_seen[track], bins, there[:, track].any(axis=1))
        self._low.add(first, mean)
        if margins is not None:
            self._doubtful.add(first, margins)

    def overview(self) -> RunOverview:
        """Return what came of the rows."""
        n_bins = len(self._likelihood)
        ends = np.minimum(np.arange(1, n_bins + 1) * self._per_bin, self._n_rows)
        sizes = ends - np.arange(n_bins) * self._per_bin
        likelihood = np.where(np.isfinite(self._likelihood), self._likelihood, np.nan).astype(np.float32)
        seen = (self._n_seen / sizes).astype(np.float32)
        return RunOverview(
            self._tracks, self._n_rows, self._per_bin, seen, likelihood, self._low.places(), self._doubtful.places()
        )


class _ReviewPlaces:
    """Collects stretches of values below a limit; those near each other are one."""

    def __init__(self, limit: float, *, doubted: bool = False) -> None:
        self._limit, self._doubted = limit, doubted
        self._found: list[ReviewPlace] = []

    def add(self, first: int, values: NDArray[np.floating]) -> None:
        below = np.flatnonzero(values < self._limit)
        if not len(below):
            return
        for rows in np.split(below, np.flatnonzero(np.diff(below) > JOINED) + 1):
            worst = rows[values[rows].argmin()]
            place = ReviewPlace(
                first + int(rows[0]), first + int(rows[-1]), first + int(worst), float(values[worst]), self._doubted
            )
            if self._found and place.first - self._found[-1].last <= JOINED:
                before = self._found.pop()
                least = min(before, place, key=lambda one: one.value)
                place = ReviewPlace(before.first, place.last, least.worst, least.value, self._doubted)
            if len(self._found) < MOST_PLACES:
                self._found.append(place)

    def places(self) -> tuple[ReviewPlace, ...]:
        return tuple(self._found)


def place_after(places: Sequence[ReviewPlace], row: int) -> ReviewPlace | None:
    """Return the first place whose worst row comes after ``row``; None where there is none."""
    return min((place for place in places if place.worst > row), key=lambda place: place.worst, default=None)


def place_before(places: Sequence[ReviewPlace], row: int) -> ReviewPlace | None:
    """Return the last place whose worst row comes before ``row``; None where there is none."""
    return max((place for place in places if place.worst < row), key=lambda place: place.worst, default=None)


def place_at(places: Sequence[ReviewPlace], row: int) -> ReviewPlace | None:
    """Return the place that ``row`` lies in; None where it lies in none."""
    return next((place for place in places if place.first <= row <= place.last), None)


def edit_sentence(edit: TrackEdit, names: Sequence[str], frame: int) -> str:
    """Return what a change of the tracks called ``names`` has done, from ``frame`` on."""
    track, other = names[edit.track], names[edit.other]
    match edit.act:
        case TrackAct.SWAP if edit.row == 0:
            return f"{track} and {other} changed places in the whole video."
        case TrackAct.SWAP:
            return f"{track} and {other} changed places from frame {frame} on."
        case TrackAct.SPLIT:
            return f"{track} ends before frame {frame}; what follows is {edit.name}."
        case TrackAct.JOIN:
            return f"From frame {frame} on, the gaps of {track} are filled with {other}."
        case _:
            return f"{track} is called {edit.name} from now on."


def picked_sentence(place: ReviewPlace) -> str:
    """Return why a frame is in the queue that the user picked."""
    if np.isnan(place.value):
        return "You picked this frame on the timeline"
    n = place.last - place.first + 1
    what = "it is unclear which animal is which" if place.doubted else "the model is unsure"
    return f"You picked this place on the timeline: {what} in {counted(n, 'frame')} here"


def overview_words(overview: RunOverview) -> tuple[str, str]:
    """Return how much there is to look at, for two buttons: "4 unsure places", "2 doubtful crossings"."""
    return counted(len(overview.low), "unsure place"), counted(len(overview.doubtful), "doubtful crossing")


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """An overview, column by column of the screen.

    Parameters
    ----------
    seen : float32 array, (T, W)
    likelihood : float32 array, (W,)
        The lowest of a column; NaN where nothing was found.
    """

    seen: NDArray[np.float32]
    likelihood: NDArray[np.float32]


def columns_of(overview: RunOverview, axis: FrameAxis, width: int, numbers: Sequence[int] | None = None) -> Columns:
    """Return what is painted in each of ``width`` columns; ``numbers``: frames of the rows, None for 0, 1, 2..."""
    edges = np.linspace(0, axis.n_positions, width + 1)
    first = np.minimum(edges[:-1].astype(int), axis.n_positions - 1)
    last = np.maximum(np.ceil(edges[1:]).astype(int) - 1, first)
    if numbers is not None:
        known = np.asarray(numbers)
        at = [np.array([axis.number(int(position)) for position in ends]) for ends in (first, last)]
        first, last = np.searchsorted(known, at[0]), np.searchsorted(known, at[1], side="right") - 1
    n_bins = len(overview.likelihood)
    low, high = first // overview.per_bin, last // overview.per_bin
    seen = np.zeros((len(overview.tracks), width), np.float32)
    likelihood = np.full(width, np.nan, np.float32)
    for x, (start, stop) in enumerate(zip(low.tolist(), (high + 1).tolist(), strict=True)):
        if start < min(stop, n_bins):
            seen[:, x] = overview.seen[:, start:stop].mean(axis=1)
            values = overview.likelihood[start:stop]
            likelihood[x] = np.nan if np.isnan(values).all() else np.nanmin(values)
    return Columns(seen, likelihood)


def error_lines(bodyparts: Sequence[tuple[str, float, int]], n_frames: int, *, is_test: bool) -> tuple[str, ...]:
    """Return the error of each bodypart (name, median px, labels) as a line, and which frames they were measured on."""
    if not bodyparts:
        return ()
    kind = "test frame" if is_test else "labelled frame"
    learned = "" if is_test else "; the model may have learned from them"
    lines = (f"{name}: {number(error)} px ({counted(n, 'label')})" for name, error, n in bodyparts)
    return *lines, f"Median in {counted(n_frames, kind)} of this video{learned}"


def gaps_sentence(overview: RunOverview, track: int) -> str:
    """Return how much of the video a track is found in: "mouse1: found in 93 % of the video"."""
    ends = np.minimum(np.arange(1, overview.seen.shape[1] + 1) * overview.per_bin, overview.n_rows)
    sizes = np.diff(ends, prepend=0)
    share = float((overview.seen[track] * sizes).sum() / max(1, overview.n_rows))
    shown = f"{share:.0%}" if share in (0.0, 1.0) else f"{min(max(share, 0.01), 0.99):.0%}"
    return f"{overview.tracks[track]}: found in {shown.replace('%', ' %')} of the video"
