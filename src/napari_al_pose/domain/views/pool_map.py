"""The map of the pool: which dot means what, what it says of itself, and the frames a strategy puts first and last."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.views.formatting import count, number

LABELLED, CHOSEN, SCORED, UNSCORED = "labelled", "chosen", "scored", "unscored"


@dataclass(frozen=True, slots=True)
class MapDot:
    """One frame on the map.

    Parameters
    ----------
    key : FrameKey
    x, y : float
        In [0, 1].
    kind : str
        `LABELLED`, `CHOSEN` (what the strategy would label next), `SCORED` or `UNSCORED`.
    shade : float
        How far up the ranking it is, in [0, 1]: by rank, since many scores are skewed.
    tooltip : str
    """

    key: FrameKey
    x: float
    y: float
    kind: str
    shade: float
    tooltip: str


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
) -> tuple[MapDot, ...]:
    """Return the dots in the order of painting: what matters most comes last."""
    picked = set(chosen)
    shades = rank_shares(scores)
    dots = []
    for key, (x, y), score, shade in zip(keys, points.tolist(), scores.tolist(), shades.tolist(), strict=True):
        kind = CHOSEN if key in picked else SCORED if math.isfinite(score) else UNSCORED
        dots.append(MapDot(key, x, y, kind, shade, _tooltip(key, kind, score)))
    for key, (x, y) in zip(labelled, labelled_points.tolist(), strict=True):
        dots.append(MapDot(key, x, y, LABELLED, 0.0, _tooltip(key, LABELLED, math.nan)))
    order = {UNSCORED: 0, SCORED: 1, LABELLED: 2, CHOSEN: 3}
    return tuple(sorted(dots, key=lambda dot: (order[dot.kind], dot.shade)))


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
    tally = {kind: sum(dot.kind == kind for dot in dots) for kind in (LABELLED, CHOSEN, SCORED, UNSCORED)}
    pool = tally[CHOSEN] + tally[SCORED] + tally[UNSCORED]
    model = f"model {version}" if version else "no model yet"
    text = f"{title}, {model}: {count(pool, 'candidate frame')}, {tally[CHOSEN]} would be chosen, "
    text += f"{tally[LABELLED]} labelled."
    return f"{notice} {text}".strip()


def _tooltip(key: FrameKey, kind: str, score: float) -> str:
    lines = [f"{key.video}, frame {key.frame}"]
    if math.isfinite(score):
        lines.append(f"Score {number(score)}")
    lines += {LABELLED: ["Labelled."], CHOSEN: ["Would be chosen."], UNSCORED: ["Not scored."]}.get(kind, [])
    return "\n".join(lines)
