"""PPAL for poses: doubtful frames, weighted by which bodyparts are hard, then the medoids of their clusters.

Yang et al., "Plug and Play Active Learning for Object Detection", CVPR 2024, in two stages. First, the ``5 B`` frames
are chosen that have the largest sum over bodyparts of the scoremap's peak entropy times the bodypart's difficulty,

    1 + alpha ln((e^(1/alpha) - 1) (1 - q_k) + 1) ub,   alpha = 0.3, ub = 0.2

where ``q_k`` is how well bodypart ``k`` was predicted in the batches labelled last (in the paper: a class's average of
IoU and confidence during training). Then k-medoids runs on these by cosine distance of images, initialised farthest
first, and the medoids are labelled. (The paper takes ``4 B`` and compares images by their matched objects.)

Cost: one pass of the network a frame, then O((5 B)^2 d).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, rank_order, scores_of_order
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT, farthest_first, nearest_distance
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import unit_rows

_CANDIDATES_A_SLOT = 5
_ALPHA, _UPPER = 0.3, 0.2
_TURNS = 100
_ENTROPY = MultiplePeakEntropy()


def difficulty(quality: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the weights of bodyparts from how well they are predicted, in [0, 1]: 1 if perfectly, 1.2 if never."""
    hard = 1.0 - np.clip(np.asarray(quality, np.float64), 0, 1)
    return 1 + _ALPHA * np.log((np.exp(1 / _ALPHA) - 1) * hard + 1) * _UPPER


def medoids(rows: NDArray[np.floating], n: int) -> list[int]:
    """Choose ``n`` unit rows by k-medoids on cosine distance, initialised farthest first from the most central one."""
    distance = np.round(1.0 - np.asarray(rows, np.float64) @ np.asarray(rows, np.float64).T, 9)
    start = int(np.argmin(np.round(distance.sum(axis=1), 9)))
    near = nearest_distance(rows, rows[start : start + 1])
    near[start] = 2.0
    centres = farthest_first(rows, near, n)[0]
    for _ in range(_TURNS):
        nearest = np.argmin(distance[:, centres], axis=1)
        nearest[centres] = np.arange(len(centres))
        moved = []
        for number in range(len(centres)):
            members = np.flatnonzero(nearest == number)
            within = np.round(distance[np.ix_(members, members)].sum(axis=1), 9)
            moved.append(int(members[np.argmin(within)]))
        if moved == centres:
            break
        centres = moved
    return centres


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStages:
    """Rank the medoids of the most doubtful frames first, then those by doubt."""

    name: str = "ppal"
    title: str = "Doubtful, then typical of its group (PPAL)"
    summary: str = "The middle of each group of similar frames among the most ambiguous; hard bodyparts count more"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.SCOREMAPS | Requires.FEATURES
    batching: Batching = Batching.BEST
    wants: frozenset[Extra] = frozenset({Extra.BODYPART_QUALITY})
    cost: str = "one pass of the network a frame, then O((5 B)² d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order = key_order(context.keys)
        doubt = np.round(self._doubts(context).sum(axis=1), 9)
        ranked = rank_order(context.keys, doubt)
        unit = unit_rows(given(context.features, "features"))
        best = set(ranked[: _CANDIDATES_A_SLOT * context.batch_size].tolist())
        rows = np.array([row for row in order.tolist() if row in best and unit[row].any()], np.int64)
        chosen = rows[medoids(unit[rows], min(context.batch_size, len(rows)))].tolist() if len(rows) else []
        medoid = set(chosen)
        turns = [row for row in ranked.tolist() if row in medoid]
        turns += [row for row in ranked.tolist() if row not in medoid]
        turns = turns[: CHOSEN_PER_SLOT * context.batch_size]
        return scores_of_order(len(context.keys), turns)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's weighted entropy and word its peaks."""
        why = _ENTROPY.explain(context, index)
        doubts = self._doubts(context, index)[0].tolist()
        reasons = tuple(replace(reason, score=doubt) for reason, doubt in zip(why.reasons, doubts, strict=True))
        return Explanation(reasons, why.sentence)

    def _doubts(self, context: ScoreContext, index: int | None = None) -> NDArray[np.float64]:
        rows = slice(None) if index is None else slice(index, index + 1)
        entropy = _ENTROPY.entropies(_ENTROPY.peaks(np.asarray(given(context.scoremaps, "scoremaps")[rows])))
        quality = context.extra.get(Extra.BODYPART_QUALITY)
        return entropy if quality is None else entropy * difficulty(quality)
