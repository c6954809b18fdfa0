"""What saves an annotator's seconds must not cost them: how long a frame's guesses take to be decided anew."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure
from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.domain.evidence import of_scoremaps
from napari_al_pose.domain.mending import mend
from napari_al_pose.domain.pose_prior import fit_prior

BODYPARTS, ROWS, COLUMNS, LABELS = 20, 96, 128, 100
FRAMES = 40
MOST_MILLISECONDS = 10.0


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure one click's mending."""
    yield from _mending()


def _mending() -> Iterator[Figure]:
    """Decide frames of twenty bodyparts anew after one click, with their peaks and without: made up."""
    rng = np.random.default_rng(0)
    grid = ScoremapGrid(4.0, 4.0, 1.5, 1.5)
    shape = rng.normal(0, 40, (BODYPARTS, 2))
    labels = np.array([_pose(shape, rng) for _ in range(LABELS)])
    prior = fit_prior(labels)
    assert prior is not None
    fitting = statistics.median(_cpu_seconds(partial(fit_prior, labels)) for _ in range(3))
    clicked = np.arange(BODYPARTS) == 0
    took, peaks = [], []
    for _ in range(FRAMES):
        pose = _pose(shape, rng)
        maps = _scoremaps(pose, rng)
        peaks.append(_cpu_seconds(partial(of_scoremaps, maps, grid)))
        evidence = of_scoremaps(maps, grid)
        guess = evidence.xy[:, 0].copy()
        guess[0] = pose[0]
        took.append(_cpu_seconds(partial(mend, prior, evidence, xy=guess, clicked=clicked, open_=~clicked)))
    setting = {
        "bodyparts": BODYPARTS,
        "map": f"{ROWS} x {COLUMNS}",
        "labels": LABELS,
        "slowest_ms": 1e3 * max(a + b for a, b in zip(took, peaks, strict=True)),
        "peaks_ms": 1e3 * statistics.median(peaks),
    }
    value = 1e3 * statistics.median(a + b for a, b in zip(took, peaks, strict=True))
    yield Figure("effort.mending", value, "ms", goal=f"<= {MOST_MILLISECONDS:g}", setting=setting)
    yield Figure("effort.fitting_the_prior", 1e3 * fitting, "ms", setting={"bodyparts": BODYPARTS, "labels": LABELS})


def _cpu_seconds(action: Callable[[], object]) -> float:
    """Return the processor time of an action: on a busy computer the clock tells of others."""
    began = time.process_time()
    action()
    return time.process_time() - began


def _pose(shape: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: NDArray[np.float64] = (shape + rng.normal(0, 4, shape.shape)) @ turn.T + rng.uniform(150, 250, 2)
    return moved


def _scoremaps(pose: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw each bodypart's peak, and a lower one where another bodypart is."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    maps = rng.random((len(pose), ROWS, COLUMNS), dtype=np.float32) * 0.003
    for k, own in enumerate(maps):
        for at, top in ((pose[k], rng.uniform(0.2, 0.9)), (pose[rng.integers(len(pose))], 0.15)):
            x, y = (at - 1.5) / 4
            np.maximum(own, top * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2), out=own)
    return maps
