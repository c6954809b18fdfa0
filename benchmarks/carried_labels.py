"""Whether labels carried along in time teach the network anything beside the labels that they come from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.animal_data import FLIES, GroundTruthVideo, flies, labelled
from benchmarks.report import Figure
from napari_al_pose.domain import FrameSource, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.pose import LabelledFrame, train
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.pose.training_plan import make_plan
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.samples.synthetic import ground_truth, make_sample
from napari_al_pose.video import open_source
from napari_al_pose.video.label_propagation import propagate_labels

LABELS, TESTED = 10, 60
OFFSETS = (-12, -4, 4, 12)
"""Frames away from a labelled one whose carried labels are learnt from."""

MICE, FLY_PAIRS = 4, 3
"""Drawn samples, of two videos each, and draws of labels from the flies."""

SAMPLE_FRAMES = 400


def figures(data: Path | None) -> Iterator[Figure]:
    """Train on ten labels of a video's first half, with and without carried ones; errors in its other half."""
    with tempfile.TemporaryDirectory() as folder:
        yield _compared("drawn mice", [(one, 0) for one in _mice(Path(folder))])
    if data is not None and (data / FLIES).is_file():
        yield _compared("flies", [(flies(data), seed) for seed in range(FLY_PAIRS)])


def _mice(folder: Path) -> Iterator[GroundTruthVideo]:
    for seed in range(MICE):
        root = make_sample(folder / str(seed), seed=seed, n_frames=SAMPLE_FRAMES).parent
        for name, (xy, visible) in ground_truth(root).items():
            truth = np.where(visible[..., None], xy, np.nan)[:, None]
            yield GroundTruthVideo(next((root / "videos").glob(f"{name}*")), BODYPARTS, truth)


def _compared(name: str, pairs: Sequence[tuple[GroundTruthVideo, int]]) -> Figure:
    """Train each pair; the ratio of errors, with Student's interval over its logarithm."""
    errors = np.array([_pair(video, seed) for video, seed in pairs])
    plain, carried, off, n = errors.T
    logs = np.log(carried / plain)
    low, high = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
    setting = {
        "videos": name,
        "labels": LABELS,
        "carried": float(n.mean()),
        "carried_off_px": float(off.mean()),
        "pairs": len(pairs),
        "low": float(np.exp(low)),
        "high": float(np.exp(high)),
        "px": float(carried.mean()),
        "plain_px": float(plain.mean()),
    }
    return Figure("carried_labels.error", float(np.exp(logs.mean())), "times that without them", setting=setting)


def _pair(video: GroundTruthVideo, seed: int) -> tuple[float, float, float, float]:
    """Return the errors without and with carried labels, how far off these are, px, and their number."""
    rng, half = np.random.default_rng(seed), len(video.xy) // 2
    margin = max(OFFSETS)
    numbers = margin + rng.permutation(half - 2 * margin)[:LABELS]
    tested = half + rng.permutation(len(video.xy) - half)[:TESTED]
    learn, test = video.frames(numbers), video.frames(tested)
    with closing(open_source(video.path)) as source:
        carried = [one for number in numbers for one in _carried(source, video.xy, int(number))]
    n_animals = video.xy.shape[1]
    settings = TrainSettings(device="cpu", seed=seed)
    plan = make_plan(learn, settings, animals=n_animals)
    found = []
    for frames in (learn, [*learn, *(frame for frame, _ in carried)]):
        model = finish(train(frames, video.bodyparts, settings, threads=1, plan=plan, animals=n_animals))
        found.append(examine(model, test)[0].mean)
    return found[0], found[1], float(np.mean([off for _, off in carried])), float(len(carried))


def _carried(source: FrameSource, truth: NDArray[np.float64], number: int) -> Iterator[tuple[LabelledFrame, float]]:
    """Carry the labels of a frame both ways; yield what they become at `OFFSETS`, and how far off they are, px.

    A point that was lost is not looked at, and the others weigh as guesses that were accepted do.
    """
    for step in (-1, 1):
        frames = [np.asarray(source[number + step * i]) for i in range(max(OFFSETS) + 1)]
        tracks = [
            {one.step: one.xy for one in propagate_labels(frames[0], points, frames[1:])} for points in truth[number]
        ]
        for away in (abs(offset) for offset in OFFSETS if offset * step > 0):
            lost = np.full(truth.shape[2:], np.nan)
            xy = np.stack([track.get(away, lost) for track in tracks])
            if np.isfinite(xy).any(axis=(1, 2)).all():
                off = np.nanmean(np.linalg.norm(xy - truth[number + step * away], axis=-1))
                yield _as_accepted(labelled(frames[away], xy)), float(off)


def _as_accepted(frame: LabelledFrame) -> LabelledFrame:
    """Return a frame whose labels are guesses, and whose missing points nobody looked at."""
    unseen = np.where(np.isfinite(frame.xy[:, 0]), frame.states, np.int8(KeypointState.UNSEEN))
    others = tuple(_as_accepted(other) for other in frame.others)
    return replace(frame, states=unseen, taken=np.ones(len(unseen), bool), others=others)
