"""Labelled frames of two flies, as the benchmark of several animals draws them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.video import open_source

FLIES = Path("flies/clip.slp")


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruthVideo:
    """A video with the truth about every frame.

    Parameters
    ----------
    path : Path
        Of the video.
    bodyparts : tuple of str
    xy : float array, (N, A, K, 2)
        Source pixels, NaN where a bodypart is not visible; the order of the animals is the same in all frames.
    labels : Path, optional
        The same as an ``.slp`` file, for other programs.
    """

    path: Path
    bodyparts: tuple[str, ...]
    xy: NDArray[np.float64]
    labels: Path | None = None

    def frames(self, numbers: NDArray[np.integer]) -> list[LabelledFrame]:
        """Return some frames with the labels of all animals."""
        with closing(open_source(self.path)) as source:
            images = {int(number): np.array(source[int(number)]) for number in sorted(numbers)}
        return [labelled(images[int(number)], self.xy[number]) for number in numbers]


def labelled(image: NDArray[np.uint8], xy: NDArray[np.float64]) -> LabelledFrame:
    """Return an image with the labels, (A, K, 2), of all animals in it."""
    states = np.where(np.isfinite(xy[..., 0]), KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8)
    first, *others = (LabelledFrame(image, points, state) for points, state in zip(xy, states, strict=True))
    return LabelledFrame(image, first.xy, first.states, others=tuple(others))


def flies(data: Path) -> GroundTruthVideo:
    """Return SLEAP's clip of two flies: 1,500 frames of 1024 x 1024, 13 bodyparts."""
    import sleap_io

    labels = sleap_io.load_slp(str(data / FLIES))
    tracks = {track: i for i, track in enumerate(labels.tracks)}
    names = tuple(labels.skeleton.node_names)
    xy = np.full((len(labels.labeled_frames), len(tracks), len(names), 2), np.nan)
    for frame in labels.labeled_frames:
        for instance in frame.instances:
            xy[frame.frame_idx, tracks[instance.track]] = instance.numpy()
    return GroundTruthVideo(data / FLIES.parent / "clip.mp4", names, xy, data / FLIES)


def trained(frames: Sequence[LabelledFrame], video: GroundTruthVideo, seed: int) -> PoseModel:
    """Return what is learnt from frames of a video."""
    settings = TrainSettings(seed=seed)
    training = train(frames, video.bodyparts, settings, threads=os.cpu_count(), animals=video.xy.shape[1])
    while True:
        try:
            next(training)
        except StopIteration as end:
            model: PoseModel = end.value
            return model
