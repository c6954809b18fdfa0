"""What saves an annotator's seconds: mended guesses, labels carried along in time, learning from unlabelled frames."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure
from napari_al_pose.domain import KeypointState, ScoremapGrid
from napari_al_pose.domain.evidence import of_scoremaps
from napari_al_pose.domain.pose_inference import infer_pose
from napari_al_pose.domain.pose_prior import fit_prior
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.formats.sleap import read_sleap
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.samples.synthetic import ground_truth, make_sample
from napari_al_pose.video import open_source
from napari_al_pose.video.label_propagation import propagate_labels

BODYPARTS, ROWS, COLUMNS, LABELS = 20, 96, 128, 100
FRAMES = 40
HORIZONS = (1, 5, 15, 50)
SAMPLE_FRAMES, FLY_FRAMES, TRACKS = 240, 1500, 8
MOST_MILLISECONDS = 10.0
TRAINED, MOST_TIME = 10, 1.6


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure a click's mending, a round with unlabelled frames, and tracks on the sample and the flies of ``data``."""
    yield from _mending()
    yield from _unlabelled()
    yield from _carrying(data)


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
        took.append(_cpu_seconds(partial(infer_pose, prior, evidence, xy=guess, clicked=clicked, open_=~clicked)))
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


# ---- frames without labels ------------------------------------------------------------------------


def _unlabelled() -> Iterator[Figure]:
    """Train on ten labels of the sample, without and with the frames between them; errors on yet other frames."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_sample(Path(folder), n_frames=SAMPLE_FRAMES).parent
        name, (truth, visible) = next(iter(ground_truth(root).items()))
        source = open_source(next((root / "videos").glob(f"{name}*")))
        images = [np.asarray(source[i]) for i in range(SAMPLE_FRAMES)]
        source.close()
    states = np.where(visible, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8)
    labelled = range(0, SAMPLE_FRAMES, SAMPLE_FRAMES // TRAINED)[:TRAINED]
    test = range(2, SAMPLE_FRAMES, 4)
    frames = [LabelledFrame(images[i], truth[i], states[i]) for i in labelled]
    parts = [str(k) for k in range(truth.shape[1])]
    took, errors, models = list[float](), list[float](), list[PoseModel]()
    for unlabelled in ((), [images[i] for i in range(1, SAMPLE_FRAMES, 4)]):
        work = train(frames, parts, TrainSettings(device="cpu"), threads=1, unlabelled=unlabelled)
        took.append(_cpu_seconds(lambda work=work: models.append(finish(work))))  # type: ignore[misc]  # mypy can't type lambda defaults
        found = models[-1].predict(np.stack([images[i] for i in test]), with_scoremaps=False).xy
        errors.append(float(np.nanmean(np.linalg.norm(found - truth[test], axis=-1))))
    yield Figure(
        "effort.round_with_unlabelled_frames",
        took[1] / took[0],
        "times a plain round",
        goal=f"<= {MOST_TIME:g}",
        setting={
            "labels": TRAINED,
            "seconds": took[1],
            "plain_seconds": took[0],
            "px": errors[1],
            "plain_px": errors[0],
        },
    )


# ---- carried along in time ------------------------------------------------------------------------


def _carrying(data: Path | None) -> Iterator[Figure]:
    """Carry labels of the frames from which the animal moves most; plain flow there and back is the peer."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_sample(Path(folder), n_frames=SAMPLE_FRAMES).parent
        for name, (truth, _) in ground_truth(root).items():
            yield from _tracks(name, next((root / "videos").glob(f"{name}*")), truth)
    if data is not None and (data / "flies/clip.slp").is_file():
        labels = read_sleap(data / "flies/clip.slp")
        for who in labels.skeleton.individuals:
            truth = np.full((FLY_FRAMES, labels.skeleton.n_bodyparts, 2), np.nan)
            for annotation in labels.annotations:
                if annotation.individual == who and annotation.key.frame < FLY_FRAMES:
                    truth[annotation.key.frame] = annotation.xy
            yield from _tracks(f"{who} fly", data / "flies/clip.mp4", truth)


def _tracks(name: str, path: Path, truth: NDArray[np.float64]) -> Iterator[Figure]:
    source = open_source(path)
    longest = HORIZONS[-1]
    starts = np.arange(0, len(truth) - longest, 10)
    moved = np.nan_to_num(np.nanmedian(np.linalg.norm(truth[starts + longest] - truth[starts], axis=-1), axis=1))
    starts = np.sort(starts[np.argsort(-moved, kind="stable")[:TRACKS]])
    near: dict[bool, dict[int, list[float]]] = {kind: {h: [] for h in HORIZONS} for kind in (True, False)}
    kept: dict[int, list[float]] = {h: [] for h in HORIZONS}
    took, n_frames = 0.0, 0
    for start in starts.tolist():
        frames = [np.asarray(source[start + i]) for i in range(longest + 1)]
        there = np.isfinite(truth[start]).all(axis=1)
        length = float(np.hypot(*np.ptp(truth[start][there], axis=0)))
        for anchored in (True, False):
            began = time.process_time()
            found = {
                one.step: one.xy for one in propagate_labels(frames[0], truth[start], frames[1:], anchored=anchored)
            }
            if anchored:
                took += time.process_time() - began
                n_frames += len(found)
            for horizon in HORIZONS:
                known = there & np.isfinite(truth[start + horizon]).all(axis=1)
                xy = found.get(horizon, np.full_like(truth[start], np.nan))
                off = np.linalg.norm(xy - truth[start + horizon], axis=1)[known] / length
                near[anchored][horizon] += np.where(np.isfinite(off), off, np.inf).tolist()
                if anchored:
                    kept[horizon] += np.isfinite(off).tolist()
    source.close()
    for horizon in HORIZONS:
        ours, plain = (np.array(near[anchored][horizon]) for anchored in (True, False))
        for within in (0.05, 0.1):
            yield Figure(
                f"effort.carried_{horizon}_frames",
                float((ours <= within).mean()),
                "share of points",
                peers={"OpenCV's flow, there and back": float((plain <= within).mean())},
                setting={
                    "video": name,
                    "within_lengths": within,
                    "not_lost": float(np.mean(kept[horizon])),
                    "tracks": len(starts),
                },
            )
    yield Figure("effort.carried_frames_a_second", n_frames / max(took, 1e-9), "frames/s", setting={"video": name})


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
