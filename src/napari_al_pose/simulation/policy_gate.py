"""The gate of the learned policy: does a cheap way to try a batch rank batches as the learner does?

Batches of different strategies are tried in three ways, on the same labels and test frames: with heads in closed form,
with heads after a few steps, and with the learner itself. If the first ranks them as the last does (Spearman's
correlation of .5 at least), batches are tried that way; otherwise the second takes its place.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from napari_al_pose.formats.atomic import write_text
from napari_al_pose.simulation.best_of import candidate_batch
from napari_al_pose.simulation.choosing import start_rows
from napari_al_pose.simulation.policy_worlds import PolicyWorld, Trial

log = logging.getLogger(__name__)

LEAST = 0.5
"""Spearman's correlation from which a cheap trial is believed."""

_START, _BATCH = 10, 10
_WAYS: tuple[Trial, ...] = ("solved", "short", "whole")


def badness(trials: Sequence[tuple[float, float]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how bad each batch is beside the others, in (0, 1]: half by lost frames, half by mean error."""
    lost, error = (rankdata([trial[i] for trial in trials]) for i in (0, 1))
    found: np.ndarray[Any, np.dtype[np.float64]] = (lost + error) / (2 * len(trials))
    return found


def run_gate(
    worlds: Sequence[PolicyWorld], path: Path, *, batches: int, seed: int, out_of_time: Callable[[], bool]
) -> dict[str, Any]:
    """Try batches of each world in all ways, and compare the ranks; what ``path`` holds is not tried again.

    Returns
    -------
    dict
        ``worlds`` with the trials of each, ``spearman`` of each way with the learner (mean over the worlds with three
        batches or more), ``way`` that is to be used.
    """
    document: dict[str, Any] = {"worlds": {}}
    if path.exists():
        document = json.loads(path.read_text(encoding="utf-8"))
    share = -(-batches // max(1, len(worlds)))
    for world in worlds:
        done = document["worlds"].setdefault(world.name, {way: [] for way in _WAYS} | {"seconds": [0.0] * len(_WAYS)})
        if len(done["whole"]) >= share or out_of_time():
            continue
        labelled = start_rows(world.prepared, world.fold.pool.tolist(), _START, seed=seed)
        situation = world.situation(world.learn(labelled, seed), labelled, seed)
        while len(done["whole"]) < share and not out_of_time():
            choice = candidate_batch(len(done["whole"]), _BATCH, situation)
            rows = [*labelled, *(pick.row for pick in choice.picks)]
            for i, way in enumerate(_WAYS):
                began = time.process_time()
                done[way].append(list(world.trial(rows, way, seed=seed)))
                done["seconds"][i] = round(done["seconds"][i] + time.process_time() - began, 2)
            write_text(path, json.dumps(document) + "\n")
            log.info("%s: %s of %s batches tried", world.name, len(done["whole"]), share)
    document |= _verdict(document["worlds"])
    write_text(path, json.dumps(document, indent=1) + "\n")
    return document


def _verdict(worlds: dict[str, Any]) -> dict[str, Any]:
    """Return the correlations and the way they leave."""
    found: dict[str, list[float]] = {way: [] for way in _WAYS[:-1]}
    for one in worlds.values():
        if len(one["whole"]) >= 3:
            for way in found:
                value = float(spearmanr(badness(one[way]), badness(one["whole"])).statistic)
                one[f"spearman_{way}"] = round(value, 3) if np.isfinite(value) else 0.0
                found[way].append(one[f"spearman_{way}"])
    spearman = {way: round(float(np.mean(values)), 3) if values else None for way, values in found.items()}
    solved = spearman["solved"]
    return {"spearman": spearman, "way": "solved" if solved is not None and solved >= LEAST else "short"}
