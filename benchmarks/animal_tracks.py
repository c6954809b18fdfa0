"""How well animals are followed: two flies, and two drawn mice that cross, each learnt from 30 labelled frames.

``--worlds 0 1`` draws these worlds (by default the sample's own, 0); ``--short`` takes the flies only.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.animal_data import FLIES, GroundTruthVideo, flies, trained
from benchmarks.report import Figure
from napari_al_pose.engine.tracks import in_order
from napari_al_pose.pose import PoseModel
from napari_al_pose.samples import make_pair, pair_truth
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.tracking import follow, score_tracks
from napari_al_pose.video import open_source

N_TRAIN, BATCH = 30, 8

Frames = Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
"""Poses, (A, K, 2), and likelihoods, (A, K), of each frame."""


def figures(data: Path | None, *, short: bool = False, worlds: Sequence[int] = (0,)) -> Iterator[Figure]:
    """Measure on the flies in ``data`` and on drawn mice."""
    if data is not None and (data / FLIES).is_file():
        yield from _followed("animal_tracks.flies", flies(data))
    for world in () if short else worlds:
        with tempfile.TemporaryDirectory() as folder:
            config = make_pair(Path(folder), seed=world)
            for name, xy in pair_truth(config).items():
                video = GroundTruthVideo(config.parent / "videos" / f"{name}.mp4", BODYPARTS, xy)
                yield from _followed(f"animal_tracks.{name}" + (f"-{world}" if world else ""), video)


def _followed(name: str, video: GroundTruthVideo) -> Iterator[Figure]:
    """Learn from frames of the whole video, and follow the animals through all of it."""
    numbers = np.random.default_rng(0).permutation(len(video.xy))[:N_TRAIN]
    model = trained(video.frames(numbers), video, 0)
    began, processor = time.perf_counter(), time.process_time()
    found = list(_found(model, video))
    tracks, following = _tracks(found)
    wall, cpu = time.perf_counter() - began, time.process_time() - processor
    frames = list(zip(tracks, video.xy, strict=True))
    scores = score_tracks(frames)
    setting = {"n_train": N_TRAIN, "n_frames": scores.n_frames, "mota": scores.mota, "hota": scores.hota}
    yield Figure(f"{name}_idf1", scores.idf1, "IDF1", ">= 0.95", setting=setting)
    yield Figure(f"{name}_switches", float(scores.switches), "switches", setting=setting)
    setting = {"processor": len(frames) / cpu * (os.cpu_count() or 1), "following_ms": 1e3 * following / len(frames)}
    yield Figure(f"{name}_frames_per_second", len(frames) / wall, "frames a second, followed", ">= 10", setting=setting)


def _found(model: PoseModel, video: GroundTruthVideo) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    with closing(open_source(video.path)) as source:
        for first in range(0, len(source), BATCH):
            frames = np.stack([source[i] for i in range(first, min(first + BATCH, len(source)))])
            said = model.predict(frames, with_scoremaps=False).animals
            assert said is not None  # the model tells several apart
            yield from zip(said.xy, said.likelihood, strict=True)


def _tracks(found: Frames) -> tuple[NDArray[np.float32], float]:
    """Return the poses of each frame in the order of the tracks, (N, A, K, 2), and the seconds that it took."""
    began = time.perf_counter()
    given = follow(*(np.stack(part) for part in zip(*found, strict=True))).given
    poses = [np.concatenate([xy, likelihood[..., None]], axis=-1) for xy, likelihood in found]
    tracks = np.stack([in_order(*frame) for frame in zip(poses, given, strict=True)])[..., :2]
    return tracks, time.perf_counter() - began
