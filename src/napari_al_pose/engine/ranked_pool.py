"""What a ranking leaves for the map: without it, the map would score the whole pool again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.engine.pool import Pool
from napari_al_pose.engine.scoring import Scoring
from napari_al_pose.formats.atomic import make_folder
from napari_al_pose.formats.json_file import read_json, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RankedPool:
    """A scored pool and the frames chosen from it.

    Parameters
    ----------
    asked, scored_by : str
        Names of the strategy that was asked for, and of the one that scored; they differ if one replaced the other.
    version : int
        The model's; 0 for none.
    keys, labelled : tuple of FrameKey
        The frames that were scored, some of which may be labelled by now, and those that were labelled then.
    scores : float64 array, (len(keys),)
        NaN for frames without one.
    chosen : tuple of FrameKey
        In the order of the queue; some may be outside the pool, as they were drawn from all candidates.
    notice : str
        What the user should know about it.
    """

    asked: str
    scored_by: str
    version: int
    keys: tuple[FrameKey, ...]
    labelled: tuple[FrameKey, ...]
    scores: NDArray[np.float64]
    chosen: tuple[FrameKey, ...]
    notice: str = ""


def ranked_pool(
    asked: str, scoring: Scoring, pool: Pool, *, version: int, chosen: tuple[FrameKey, ...], notice: str
) -> RankedPool:
    """Return what to keep of a ranking: scores, not the predictions and scoremaps behind them."""
    scores = scoring.scores
    return RankedPool(
        asked=asked,
        scored_by=asked if scores is None else scores.strategy.name,
        version=version,
        keys=pool.keys,
        labelled=pool.labelled,
        scores=np.full(len(pool.keys), np.nan) if scores is None else np.asarray(scores.values, np.float64),
        chosen=chosen,
        notice=notice,
    )


class RankedPools:
    """Scored pools by strategy, all of one state: a model, settings and videos.

    They outlive the engine in a file, which is only a cache: if it is lost or damaged, pools are scored again.

    Parameters
    ----------
    path : Path
        A JSON file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state, self._pools = _read(path)

    def find(self, strategy: str, state: str) -> RankedPool | None:
        """Return the pool as ``strategy`` scored it in ``state``, if it is known."""
        return self._pools.get(strategy) if state == self._state else None

    def keep(self, ranked: RankedPool, state: str) -> None:
        """Keep a pool, and forget those of other states."""
        others = self._pools if state == self._state else {}
        self._state, self._pools = state, {**others, ranked.asked: ranked}
        try:
            make_folder(self._path.parent)
            write_json(self._path, {"state": state, "pools": [_as_json(one) for one in self._pools.values()]})
        except AlPoseError as error:
            log.warning("scores are not kept: %s", error)


def _read(path: Path) -> tuple[str, Mapping[str, RankedPool]]:
    """Return state and pools; nothing if the file is missing or damaged."""
    if not path.is_file():
        return "", {}
    try:
        document = read_json(path, "scored frames")
        pools = [_from_json(entry) for entry in document["pools"]]
        return str(document["state"]), {one.asked: one for one in pools}
    except (AlPoseError, KeyError, TypeError, ValueError) as error:
        log.warning("%s is made again: %s", path, error)
        return "", {}


def _as_json(ranked: RankedPool) -> dict[str, Any]:
    return {
        "asked": ranked.asked,
        "scored_by": ranked.scored_by,
        "version": ranked.version,
        "keys": _pairs(ranked.keys),
        "labelled": _pairs(ranked.labelled),
        "scores": [float(score) if np.isfinite(score) else None for score in ranked.scores],
        "chosen": _pairs(ranked.chosen),
        "notice": ranked.notice,
    }


def _from_json(entry: Mapping[str, Any]) -> RankedPool:
    keys, scores = _keys(entry["keys"]), np.array(entry["scores"], np.float64)
    if len(keys) != len(scores):
        raise ValueError(f"{len(keys)} frames, {len(scores)} scores")
    return RankedPool(
        asked=str(entry["asked"]),
        scored_by=str(entry["scored_by"]),
        version=int(entry["version"]),
        keys=keys,
        labelled=_keys(entry["labelled"]),
        scores=scores,
        chosen=_keys(entry["chosen"]),
        notice=str(entry["notice"]),
    )


def _pairs(keys: Iterable[FrameKey]) -> list[tuple[str, int]]:
    return [(key.video, key.frame) for key in keys]


def _keys(pairs: Iterable[tuple[str, int]]) -> tuple[FrameKey, ...]:
    return tuple(FrameKey(str(video), int(frame)) for video, frame in pairs)
