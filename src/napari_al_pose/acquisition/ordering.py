"""One order of frames and scores, so that the same input gives the same queue whatever the order of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.fusion import min_max
from napari_al_pose.domain import FrameKey


def key_columns(keys: Sequence[FrameKey]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``(video, frame)``, both ``(N,)``; videos are numbered in alphabetical order."""
    numbers = {name: number for number, name in enumerate(sorted({key.video for key in keys}))}
    video = np.array([numbers[key.video] for key in keys], np.int64)
    return video, np.array([key.frame for key in keys], np.int64)


def key_order(keys: Sequence[FrameKey]) -> NDArray[np.int64]:
    """Return the rows sorted by video name, then frame."""
    video, frame = key_columns(keys)
    return np.lexsort((frame, video))


def video_order(names: Iterable[str], seed: int) -> list[str]:
    """Return videos in random order, with turns among the groups that their names suggest.

    Parameters
    ----------
    names : iterable of str
        In any order; the same names and seed give the same order.
    seed : int
        For the draw.

    Notes
    -----
    A group is what remains of the names without the number at their end (``mouse1_trial``), or their first part
    (``mouse1``), whichever gives more than one group and puts several videos into one.
    """
    names = sorted(set(names))
    rng = np.random.default_rng(seed)
    group_of = _group_of(names)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group_of(name), []).append(name)
    drawn = [list(groups.values())[i] for i in rng.permutation(len(groups))]
    drawn = [[group[i] for i in rng.permutation(len(group))] for group in drawn]
    longest = max((len(group) for group in drawn), default=0)
    return [group[turn] for turn in range(longest) for group in drawn if turn < len(group)]


def _group_of(names: Sequence[str]) -> Callable[[str], str]:
    for group in (_without_number, _first_part):
        if 1 < len({group(name) for name in names}) < len(names):
            return group
    return lambda _: ""


def _without_number(name: str) -> str:
    return name.rstrip("0123456789")


def _first_part(name: str) -> str:
    return re.split(r"[\W_]", name, maxsplit=1)[0]


def rank_order(keys: Sequence[FrameKey], scores: NDArray[np.floating], *, seed: int | None = None) -> NDArray[np.int64]:
    """Return the rows from the highest score to the lowest, with unscored rows last.

    Scores that differ by less than 1e-9 of their range are equal (the last bits differ if the same parts are summed in
    another order). Equal scores are ordered by video, then frame. Videos go by name or, with a seed, in `video_order`,
    so that equal scores do not favour the beginning of the alphabet.
    """
    video, frame = key_columns(keys)
    if seed is not None:
        places = {name: place for place, name in enumerate(video_order((key.video for key in keys), seed))}
        video = np.array([places[key.video] for key in keys], np.int64)
    rounded = np.round(min_max(scores), 9)
    return np.lexsort((frame, video, -np.where(np.isnan(rounded), -1.0, rounded)))


def scores_of_order(n: int, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.float64]:
    """Return ``(n,)`` scores that fall along ``rows``: minus the position of each; NaN for a row that is not named."""
    scores = np.full(n, np.nan)
    scores[np.asarray(rows, np.int64)] = -np.arange(len(rows), dtype=np.float64)
    return scores


def says_nothing(scores: NDArray[np.floating]) -> bool:
    """Return whether no frame stands out: every score is NaN, or all others are equal."""
    rounded = np.round(min_max(scores), 9)
    return len(np.unique(rounded[np.isfinite(rounded)])) < 2


def share_below(values: NDArray[np.floating], index: int) -> float:
    """Return the share of the other finite values below the one at ``index``; 1 if there are no others."""
    known = np.round(np.asarray(values, np.float64), 9)
    others = np.delete(known, index)
    others = others[np.isfinite(others)]
    return float((others < known[index]).mean()) if len(others) else 1.0
