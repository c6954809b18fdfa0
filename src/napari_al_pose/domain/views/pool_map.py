"""The map of the pool: what a dot means and which get a picture, what groups there are, which frames come first."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.frame_groups import FrameGroup
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.views.formatting import number
from napari_al_pose.domain.wording import counted

LABELLED, TEST, CHOSEN, SCORED, UNSCORED = "labelled", "test", "chosen", "scored", "unscored"
PICKS = 3
"""Frames of a group that are put in the queue at once."""


@dataclass(frozen=True, slots=True)
class MapDot:
    """One frame on the map.

    Parameters
    ----------
    key : FrameKey
    x, y : float
        In [0, 1].
    kind : str
        `LABELLED`, `TEST` (test frames, labelled or chosen), `CHOSEN` (what the strategy would label next), `SCORED` or
        `UNSCORED`.
    shade : float
        How far up the ranking it is, in [0, 1]: by rank, since many scores are skewed.
    tooltip : str
    group : int
        Number of the group it is in; -1 for none.
    """

    key: FrameKey
    x: float
    y: float
    kind: str
    shade: float
    tooltip: str
    group: int = -1


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group of frames that look alike, in words.

    Parameters
    ----------
    number : int
    key : FrameKey or None
        The most typical frame that is not labelled.
    text : str
    picks : tuple of FrameKey
        Frames to put in the queue.
    """

    number: int
    key: FrameKey | None
    text: str
    picks: tuple[FrameKey, ...]


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One picture of a contact sheet."""

    key: FrameKey
    caption: str
    tooltip: str


def map_dots(
    keys: Sequence[FrameKey],
    points: NDArray[np.floating],
    scores: NDArray[np.floating],
    labelled: Sequence[FrameKey],
    labelled_points: NDArray[np.floating],
    chosen: Collection[FrameKey],
    *,
    group_of: Sequence[int] = (),
    labelled_group_of: Sequence[int] = (),
    labelled_since: Collection[FrameKey] = (),
    test_frames: Collection[FrameKey] = (),
) -> tuple[MapDot, ...]:
    """Return the dots in the order of painting: what matters most comes last.

    ``labelled_since`` are frames that were labelled after the map was made, ``test_frames`` those that are never
    trained on, labelled or not yet.
    """
    picked, done, tests = set(chosen), set(labelled_since), set(test_frames)
    shades = rank_shares(scores)
    dots = []
    groups = list(group_of) or [-1] * len(keys)
    for key, (x, y), score, shade, group in zip(
        keys, points.tolist(), scores.tolist(), shades.tolist(), groups, strict=True
    ):
        kind = CHOSEN if key in picked else SCORED if math.isfinite(score) else UNSCORED
        if key in tests and (key in picked or key in done):
            kind = TEST
        elif key in done:
            kind = LABELLED
        dots.append(MapDot(key, x, y, kind, shade, _tooltip(key, kind, score), group))
    known = set(keys)
    groups = list(labelled_group_of) or [-1] * len(labelled)
    for key, (x, y), group in zip(labelled, labelled_points.tolist(), groups, strict=True):
        if key not in known:
            kind = TEST if key in tests else LABELLED
            dots.append(MapDot(key, x, y, kind, 0.0, _tooltip(key, kind, math.nan), group))
    order = {UNSCORED: 0, SCORED: 1, LABELLED: 2, TEST: 3, CHOSEN: 4}
    return tuple(sorted(dots, key=lambda dot: (order[dot.kind], dot.shade)))


def pictured(
    dots: Sequence[MapDot],
    *,
    view: tuple[float, float, float, float],
    size: tuple[float, float],
    picture: tuple[float, float],
    most: int,
) -> tuple[int, ...]:
    """Return which dots get a picture: those that matter most, so that no picture covers another.

    Parameters
    ----------
    dots : sequence of MapDot
        In the order of painting.
    view : (float, float, float, float)
        What is in sight: left, right, bottom, top.
    size, picture : (float, float)
        Width and height of what is in sight and of a picture, in the same unit.
    most : int
        Pictures at most.
    """
    left, right, bottom, top = view
    if right <= left or top <= bottom:
        return ()
    chosen: list[int] = []
    places: list[tuple[float, float]] = []
    for index in range(len(dots) - 1, -1, -1):
        dot = dots[index]
        if not (left <= dot.x <= right and bottom <= dot.y <= top):
            continue
        x, y = (dot.x - left) / (right - left) * size[0], (dot.y - bottom) / (top - bottom) * size[1]
        if all(abs(x - a) >= picture[0] or abs(y - b) >= picture[1] for a, b in places):
            chosen.append(index)
            places.append((x, y))
        if len(chosen) == most:
            break
    return tuple(chosen)


def group_rows(groups: Sequence[FrameGroup], *, n_videos: int) -> tuple[GroupRow, ...]:
    """Return the groups in words, in their order."""
    return tuple(
        GroupRow(number, group.typical[0] if group.typical else None, _share_sentence(group, n_videos), _picks(group))
        for number, group in enumerate(groups)
    )


def _share_sentence(group: FrameGroup, n_videos: int) -> str:
    percent = round(100 * group.share)
    share = f"{percent} %" if percent else "Less than 1 %"
    what = "video looks" if n_videos == 1 else "videos look"
    labelled = (
        f", with {counted(group.n_labelled, 'labelled frame')}." if group.n_labelled else "; none of it is labelled."
    )
    return f"{share} of your {what} like this{labelled}"


def _picks(group: FrameGroup) -> tuple[FrameKey, ...]:
    return group.typical[:PICKS]


def rank_shares(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return which share of the scored frames each is at least as good as, in (0, 1]; 0 without a score."""
    values = np.asarray(scores, np.float64)
    known = np.isfinite(values)
    result = np.zeros(len(values))
    if known.any():
        result[known] = np.searchsorted(np.sort(values[known]), values[known], side="right") / known.sum()
    return result


def best_and_worst(
    keys: Sequence[FrameKey], scores: NDArray[np.floating], n: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return up to ``n`` rows of the highest scores, best first, and of the lowest, worst first; no row twice."""
    values = np.asarray(scores, np.float64)
    order = sorted((i for i in range(len(keys)) if math.isfinite(values[i])), key=lambda i: (-values[i], keys[i]))
    best = order[: min(n, (len(order) + 1) // 2)]
    worst = order[len(best) :][::-1][:n]
    return tuple(best), tuple(worst)


def sheet_cells(
    keys: Sequence[FrameKey], scores: NDArray[np.floating], n: int
) -> tuple[tuple[SheetCell, ...], tuple[SheetCell, ...]]:
    """Return what the contact sheets of the best and the worst frames show."""
    best, worst = best_and_worst(keys, scores, n)
    made = {
        i: SheetCell(keys[i], number(float(scores[i])), _tooltip(keys[i], SCORED, float(scores[i])))
        for i in (*best, *worst)
    }
    return tuple(made[i] for i in best), tuple(made[i] for i in worst)


def map_caption(dots: Sequence[MapDot], *, title: str, version: int, notice: str) -> str:
    """Say what the map shows: how many frames of each kind, by which strategy and model."""
    if not dots:
        return "No candidate frames to show."
    tally = {kind: sum(dot.kind == kind for dot in dots) for kind in (LABELLED, TEST, CHOSEN, SCORED, UNSCORED)}
    pool = tally[CHOSEN] + tally[SCORED] + tally[UNSCORED]
    model = f"model {version}" if version else "no model yet"
    text = f"{title}, {model}: {counted(pool, 'candidate frame')}, {tally[CHOSEN]} would be chosen, "
    text += f"{tally[LABELLED]} labelled."
    if tally[TEST]:
        text = f"{text[:-1]}, {counted(tally[TEST], 'test frame')}."
    return f"{notice} {text}".strip()


def _tooltip(key: FrameKey, kind: str, score: float) -> str:
    lines = [f"{key.video}, frame {key.frame}"]
    if math.isfinite(score):
        lines.append(f"Score {number(score)}")
    sentences = {LABELLED: "Labelled.", TEST: "Test frame.", CHOSEN: "Would be chosen.", UNSCORED: "Not scored."}
    lines += [sentences[kind]] if kind in sentences else []
    return "\n".join(lines)
