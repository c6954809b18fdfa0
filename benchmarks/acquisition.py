"""How fast frames are chosen: against a loop over scikit-image and SciPy, and for a large pool.

Everything is made up here; the cost of a strategy depends on the size of the pool, not on what it shows.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import statistics
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import ABSENT, Figure, seconds
from napari_al_pose.acquisition import Extra, Requires, ScoreContext, Strategy, installed_strategies, traits
from napari_al_pose.acquisition.clusters import kmeans
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.domain import FrameKey, ScoremapGrid, Skeleton

FRAMES, BODYPARTS, SIDE = 1_000, 20, 64
LOOPED_MAPS = 400
REPEATS = 5
DIMENSIONS = 1_280
LARGE_POOL = 100_000
WARM_UP = 60
POOLS = (1_000, 3_000, 10_000, 30_000, 100_000)
LONGEST_SECONDS = 60.0
"""A strategy that is expected to take longer for the next pool is not followed to it."""
LABELLED = 100
GROWTH_SIDE = 16
"""Of the scoremaps of growing pools: 100,000 frames of four must fit into memory."""


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure multiple peak entropy, every strategy on growing pools, and the cheap ones on a large pool in full."""
    yield _entropy()
    for name, strategy in installed_strategies().items():
        yield _strategy(name, strategy)
    yield from _large_pool()


# ---- multiple peak entropy ------------------------------------------------------------------------


def _entropy() -> Figure:
    """Ours on all maps against the loop on some of them, in turns, per map."""
    maps = _scoremaps(FRAMES, BODYPARTS, SIDE)
    some = maps.reshape(-1, SIDE, SIDE)[:: maps[..., 0, 0].size // LOOPED_MAPS][:LOOPED_MAPS]
    mpe = MultiplePeakEntropy()
    setting = {"frames": FRAMES, "bodyparts": BODYPARTS, "map": f"{SIDE} x {SIDE}"}
    if importlib.util.find_spec("skimage") is None:
        took = statistics.median(seconds(lambda: mpe.entropies(mpe.peaks(maps))) for _ in range(REPEATS))
        return Figure("acquisition.mpe", took, "s", peers={"scikit-image and SciPy loop": ABSENT}, setting=setting)
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(seconds(lambda: mpe.entropies(mpe.peaks(maps))) / (FRAMES * BODYPARTS))
        theirs.append(seconds(lambda: _looped(some)) / len(some))
    difference = float(np.abs(mpe.entropies(mpe.peaks(some)) - _looped(some)).max())
    if difference > 1e-6:
        raise AssertionError(f"Expected the loop's entropies, got some that are {difference:.2g} off.")
    a_map, a_looped_map = statistics.median(ours), statistics.median(theirs)
    return Figure(
        "acquisition.mpe",
        a_looped_map / a_map,
        "times as fast as a loop over skimage.feature.peak_local_max and scipy.stats.entropy",
        goal=">= 50",
        peers={"scikit-image and SciPy loop": 1.0},
        setting=setting
        | {"seconds": a_map * FRAMES * BODYPARTS, "loop_seconds": a_looped_map * FRAMES * BODYPARTS}
        | {"largest_difference": difference},
    )


def _looped(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.stats import entropy
    from skimage.feature import peak_local_max

    result = np.empty(len(maps))
    for i, image in enumerate(maps):
        found = peak_local_max(
            image, min_distance=2, threshold_abs=0.05, threshold_rel=0.1, num_peaks=5, exclude_border=False
        )
        heights = image[tuple(found.T)].astype(np.float64)
        result[i] = entropy(heights) if len(heights) else math.log(5)
    return result


# ---- every strategy -------------------------------------------------------------------------------


def _strategy(name: str, strategy: Strategy) -> Figure:
    """Score pools of ever more frames, as long as the next should take no more than some seconds."""
    _scoring_seconds(strategy, WARM_UP)
    took: dict[int, float] = {}
    for n in POOLS:
        if took and _expected(took, n) > LONGEST_SECONDS:
            break
        took[n] = _scoring_seconds(strategy, n)
    first, last = POOLS[0], max(took)
    setting: dict[str, object] = {"frames": first, "cost": traits(strategy).cost}
    setting |= {f"seconds_of_{n}": seconds_ for n, seconds_ in took.items() if n != first}
    if last > first:
        setting["growth_exponent"] = math.log(took[last] / took[first]) / math.log(last / first)
    return Figure(f"acquisition.score.{name}", took[first], "s", setting=setting)


def _expected(took: dict[int, float], n: int) -> float:
    """Return the seconds ``n`` frames should take: by the growth between the last two pools, squared after one."""
    (before, earlier), (last, seconds_) = [*took.items()][-2] if len(took) > 1 else (0, 0.0), [*took.items()][-1]
    growth = math.log(seconds_ / earlier) / math.log(last / before) if before else 2.0
    return seconds_ * (n / last) ** max(1.0, growth)


def _scoring_seconds(strategy: Strategy, n: int) -> float:
    context = _context(strategy, n)
    return seconds(lambda: strategy.score(context))


def _context(strategy: Strategy, n: int) -> ScoreContext:
    """Return a pool of ``n`` frames with what the strategy asks for and no more: large pools fill the memory."""
    rng = np.random.default_rng(0)
    names = tuple(f"bodypart {k}" for k in range(4))
    own = traits(strategy)
    has = strategy.requires | own.uses
    maps = _scoremaps(n, 4, GROWTH_SIDE) if Requires.SCOREMAPS in has else None
    features = _features(n) if Requires.FEATURES in has else None
    return ScoreContext(
        keys=_keys(n),
        skeleton=Skeleton(names, tuple(itertools.pairwise(names))),
        features=features,
        xy=rng.uniform(0, 128, (n, 4, 2)),
        likelihood=rng.uniform(0, 1, (n, 4)),
        scoremaps=maps,
        grid=ScoremapGrid(4.0, 4.0, 1.5, 1.5),
        labelled_features=None if features is None else _features(LABELLED),
        labelled_xy=rng.uniform(0, 128, (LABELLED, 4, 2)),
        extra={name: _extra(name, n, rng) for name in sorted(own.needs | own.wants)},
        reliability=0.5,
    )


def _extra(name: Extra, n: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return an array of the shape that `Extra` promises."""
    if name is Extra.THUMBNAILS:
        return rng.integers(0, 255, (n, 64, 64, 3), dtype=np.uint8)
    shapes = {
        Extra.NEIGHBOUR_XY: (n, 2, 4, 2),
        Extra.SCOREMAP_CHANGE: (n, 2, 4),
        Extra.EMBEDDING: (n, 64),
        Extra.EMBEDDING_LABELLED: (LABELLED, 64),
        Extra.KEYPOINT_FEATURES: (n, 4, 64),
        Extra.KEYPOINT_FEATURES_LABELLED: (LABELLED, 4, 64),
        Extra.DROPOUT_XY: (n, 10, 4, 2),
        Extra.TURNED_XY: (n, 5, 4, 2),
        Extra.ENSEMBLE_XY: (n, 4, 4, 2),
        Extra.LOG_VARIANCE: (n, 4),
        Extra.LINK_LENGTHS: (n, 3, 2),
        Extra.GRADIENT_LENGTHS: (n, LABELLED),
        Extra.FULL_GRADIENT_LENGTHS: (n, LABELLED),
        Extra.BODYPART_QUALITY: (4,),
        Extra.ALEXNET: (n, 4096),
        Extra.DINOV2: (n, 384),
        Extra.DINOV2_LABELLED: (LABELLED, 384),
    }
    return rng.random(shapes.get(name, (n,)), dtype=np.float32)


# ---- a large pool ---------------------------------------------------------------------------------


def _large_pool() -> Iterator[Figure]:
    tracemalloc.start()
    features = _features(LARGE_POOL)
    context = ScoreContext(
        keys=_keys(LARGE_POOL), skeleton=Skeleton(("nose",)), features=features, labelled_features=features[:40]
    )
    found = installed_strategies()
    jobs: dict[str, Callable[[], object]] = {
        "influence": lambda: found["influence"].score(context),
        "coverage": lambda: found["coverage"].score(context),
        "kcenter": lambda: found["kcenter"].score(context),
        "clustering": lambda: kmeans(features, context.batch_size, seed=0),
    }
    took = {name: seconds(job) for name, job in jobs.items()}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    setting = {"frames": LARGE_POOL, "dimensions": DIMENSIONS}
    yield Figure("acquisition.large_pool", sum(took.values()), "s", goal="<= 60", setting=setting | took)
    yield Figure("acquisition.large_pool_memory", peak / 1e9, "GB", goal="<= 4", setting=setting)


# ---- made-up data ---------------------------------------------------------------------------------


def _keys(n: int) -> list[FrameKey]:
    return [FrameKey(f"video {i % 10}", 30 * (i // 10)) for i in range(n)]


def _features(n: int) -> NDArray[np.float32]:
    """Features of 200 looks, as a network's rectified units have them."""
    rng = np.random.default_rng(0)
    looks = rng.standard_normal((200, DIMENSIONS), dtype=np.float32)
    features = 0.5 * rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    features += looks[rng.integers(0, 200, n)]
    return np.maximum(features, 0, out=features)


def _scoremaps(n: int, bodyparts: int, side: int) -> NDArray[np.float32]:
    """Maps with no, one or two peaks on a floor of noise."""
    rng = np.random.default_rng(0)
    grid = np.arange(side, dtype=np.float32)
    maps = rng.random((n * bodyparts, side, side), dtype=np.float32) * np.float32(0.02)
    for _ in range(2):
        row, column = rng.uniform(0, side, (2, len(maps), 1)).astype(np.float32)
        height = np.maximum(rng.uniform(-0.5, 1, len(maps)), 0).astype(np.float32)
        vertical = np.exp(-((grid - row) ** 2) / 8) * height[:, None]
        maps += vertical[:, :, None] * np.exp(-((grid - column) ** 2) / 8)[:, None, :]
    return maps.reshape(n, bodyparts, side, side)
