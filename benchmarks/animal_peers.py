"""Other programs on the frames of `benchmarks.animals`: the same labels, held-out frames and cores, in one run.

sleap-nn trains both of its ways with several animals from its defaults, each within a bound (30 minutes if nothing else
is said); a network for centres and one for poses share the bound of the way that has both. Its poses are measured as
ours are.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.animal_data import GroundTruthVideo
from benchmarks.peers import Peer, PeerError
from benchmarks.report import ABSENT, Figure
from napari_al_pose.pose.animal_metrics import animal_report
from napari_al_pose.pose.animals import AnimalPoses

logger = logging.getLogger(__name__)

SLEAP_NN = "pose_sleap_nn"
WAYS = ("top_down", "bottom_up")
MINUTES = 30.0
PATIENCE_SECONDS = 1800.0
"""For what is not training: starting, finishing an epoch, predicting."""


def side_by_side(
    name: str,
    video: GroundTruthVideo,
    learn: NDArray[np.integer],
    test: NDArray[np.integer],
    *,
    ours: float,
    minutes: float | None,
) -> Iterator[Figure]:
    """Yield sleap-nn's OKS mAP on frames ``test`` after it learnt from frames ``learn``, beside ``ours``."""
    frames = video.frames(test)
    for way in WAYS:
        bound = minutes or MINUTES
        logger.info("sleap-nn's %s trains, at most %s minutes", way, bound)
        answer = _ask(video, learn, test, way=way, limit=60 * bound)
        figure = f"{name}_sleap_nn_{way}"
        setting = {"peer": f"sleap-nn, {way}, its defaults", "bounded_at_s": 60 * bound, "cores": os.cpu_count()}
        if isinstance(answer, str):
            setting |= {"absent": answer}
            yield Figure(f"{figure}_oks_map", ours, "OKS mAP of ours", peers={"sleap-nn": ABSENT}, setting=setting)
            continue
        errors, _ = animal_report(_poses(answer["poses"], video), frames, video.bodyparts)
        setting |= {key: answer[key] for key in ("seconds", "steps", "batch", "frames_per_second")}
        setting |= {"mean_px": errors.mean, "missed": errors.missed, "extra": errors.extra}
        peers = {"sleap-nn": errors.oks_map}
        yield Figure(f"{figure}_oks_map", ours, "OKS mAP of ours", peers=peers, setting=setting)


def _ask(
    video: GroundTruthVideo, learn: NDArray[np.integer], test: NDArray[np.integer], *, way: str, limit: float
) -> dict[str, Any] | str:
    """Return the peer's answer, or why there is none."""
    details = {
        "labels": str(video.labels),
        "learn": learn.tolist(),
        "test": test.tolist(),
        "way": way,
        "most": video.xy.shape[1],
        "limit": limit,
        "threads": torch.get_num_threads(),
    }
    try:
        with Peer(SLEAP_NN) as peer:
            answer: dict[str, Any] = peer.ask("animals", seconds=2 * limit + PATIENCE_SECONDS, **details)
            return answer
    except PeerError as error:
        logger.warning("%s", error)
        return str(error)


def _poses(said: Sequence[Sequence[tuple[float, Any]]], video: GroundTruthVideo) -> list[AnimalPoses]:
    """Return a peer's poses, ``[score, [[x, y], ...]]`` of each animal, frame by frame as ours come."""
    _, most, k, _ = video.xy.shape
    frames = []
    for found in said:
        surest = sorted(found, key=lambda pose: -pose[0])[:most]
        xy, score = np.full((1, most, k, 2), np.nan, np.float32), np.zeros((1, most), np.float32)
        for i, (sureness, points) in enumerate(surest):
            xy[0, i], score[0, i] = points, sureness
        likelihood = np.isfinite(xy[..., 0]).astype(np.float32) * score[..., None]
        frames.append(AnimalPoses(xy, likelihood, score, None, ((),)))
    return frames
