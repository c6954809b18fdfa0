"""Passes over frames that compute the arrays strategies request, one row a frame in each array.

A pass sees a few frames of one video at a time. What it needs beside them (activations of the model, an auxiliary
network, another network's weights) is passed when it is created.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.acquisition import Extra
from napari_al_pose.acquisition.strategies.lightning_motion import motion_energy
from napari_al_pose.acquisition.strategies.thc import scoremap_change, shifted
from napari_al_pose.domain import FrameKey, FrameSource
from napari_al_pose.pose.auxiliary import (
    ActivationProbe,
    AuxiliaryHead,
    Descriptor,
    dropout_poses,
    full_gradient_lengths,
    last_layer_gradient_lengths,
    turned_poses,
)
from napari_al_pose.pose.matching import match
from napari_al_pose.pose.predictor import Predictor

Rows = dict[Extra, NDArray[Any]]
"""Values of one array for each frame of a batch."""

THUMBNAIL_SIDE = 64
NEAREST = 30
"""Labelled frames to compute a gradient for."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoBatch:
    """A few frames of one video.

    Parameters
    ----------
    keys : tuple of FrameKey
        Their keys.
    frames : uint8 array, (n, H, W, 3)
    source : FrameSource
        To read their neighbours from.
    """

    keys: tuple[FrameKey, ...]
    frames: NDArray[np.uint8]
    source: FrameSource


@dataclass(frozen=True, slots=True, eq=False)
class LabelledMaps:
    """The model's predictions for the M labelled frames.

    Parameters
    ----------
    maps : sequence of Tensor, (K, h, w)
        Scoremaps.
    embedding : float32 array, (M, C)
        Averaged features.
    """

    maps: Sequence[Tensor]
    embedding: NDArray[np.float32]

    def nearest(self, embedding: NDArray[np.float32]) -> list[NDArray[np.int64]]:
        """Return, for each of ``(n, C)``, the labelled frames that are nearest, up to 30."""
        apart = np.linalg.norm(embedding[:, None] - self.embedding[None], axis=2)
        return [np.argsort(row, kind="stable")[:NEAREST] for row in np.round(apart, 6)]

    def spread(self, nearest: list[NDArray[np.int64]], values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return ``(n, M)`` with the values in the columns of the nearest, NaN elsewhere."""
        result = np.full((len(nearest), len(self.maps)), np.nan)
        for row, (columns, own) in enumerate(zip(nearest, values, strict=True)):
            result[row, columns] = own
        return result


FramePass = Callable[[VideoBatch], Rows]


def inside_pass(
    view: ActivationProbe,
    wanted: frozenset[Extra],
    heads: Mapping[Extra, AuxiliaryHead],
    n_links: int,
    labelled: LabelledMaps | None,
) -> FramePass:
    """Return the pass that reads activations: features, dropout, auxiliary networks, gradients."""

    def run(batch: VideoBatch) -> Rows:
        seen = view.look(batch.frames)
        rows: Rows = {Extra.EMBEDDING: seen.embedding()}
        if Extra.KEYPOINT_FEATURES in wanted:
            rows[Extra.KEYPOINT_FEATURES] = seen.at_keypoints()
        if Extra.DROPOUT_XY in wanted:
            rows[Extra.DROPOUT_XY] = dropout_poses(view, seen)
        for name, head in heads.items():
            output = head.predict(seen)
            if name is Extra.LINK_LENGTHS:
                output = output.reshape(len(output), n_links, 2)
            rows[name] = output if name in (Extra.LINK_LENGTHS, Extra.LOG_VARIANCE) else output[:, 0]
        if labelled is not None:
            nearest = labelled.nearest(rows[Extra.EMBEDDING])
            targets = [[labelled.maps[i] for i in own] for own in nearest]
            if Extra.GRADIENT_LENGTHS in wanted:
                lengths = last_layer_gradient_lengths(seen, targets)
                rows[Extra.GRADIENT_LENGTHS] = labelled.spread(nearest, lengths)
            if Extra.FULL_GRADIENT_LENGTHS in wanted:
                lengths = full_gradient_lengths(view, batch.frames, targets)
                rows[Extra.FULL_GRADIENT_LENGTHS] = labelled.spread(nearest, lengths)
        return rows

    return run


def turned_pass(view: ActivationProbe) -> FramePass:
    """Return the pass that predicts rotated copies."""
    return lambda batch: {Extra.TURNED_XY: turned_poses(view, batch.frames)}


def descriptor_pass(descriptor: Descriptor, name: Extra) -> FramePass:
    """Return the pass that describes frames with another network."""
    return lambda batch: {name: descriptor.extract(batch.frames)}


def neighbour_pass(model: Predictor, *, with_change: bool) -> FramePass:
    """Return the pass that predicts neighbouring frames with any model, and measures how much the scoremaps change."""

    def run(batch: VideoBatch) -> Rows:
        found = _neighbours(batch)
        n, k = len(batch.frames), len(model.bodyparts)
        if model.animals is not None:
            return {Extra.NEIGHBOUR_XY: _animals_beside(model, batch, found)}
        beside = np.full((n, 2, k, 2), np.nan, np.float32)
        change = np.full((n, 2, k), np.nan, np.float32)
        if found:
            frames = np.stack([frame for _row, _side, frame in found])
            others = model.predict(frames, with_scoremaps=with_change)
            own = model.predict(batch.frames) if with_change else None
            for number, (row, side, _frame) in enumerate(found):
                beside[row, side] = others.xy[number]
                if own is not None and own.scoremaps is not None and others.scoremaps is not None:
                    moved = own.grids[row].to_cells(own.xy[row]) - others.grids[number].to_cells(others.xy[number])
                    change[row, side] = _change(own.scoremaps[row], others.scoremaps[number], moved)
        return {Extra.NEIGHBOUR_XY: beside} | ({Extra.SCOREMAP_CHANGE: change} if with_change else {})

    return run


def _animals_beside(
    model: Predictor, batch: VideoBatch, found: Sequence[tuple[int, int, NDArray[np.uint8]]]
) -> NDArray[np.float32]:
    """Return the poses of each animal in the neighbouring frames, ``(n, A, 2, K, 2)``: the most similar pose in
    each."""
    own = model.predict(batch.frames, with_scoremaps=False).every_animal()
    beside = np.full((*own.xy.shape[:2], 2, *own.xy.shape[2:]), np.nan, np.float32)
    if found:
        others = model.predict(np.stack([frame for *_, frame in found]), with_scoremaps=False).every_animal()
        for number, (row, side, _) in enumerate(found):
            which, _ = match(others.xy[number], own.xy[row])
            beside[row, which >= 0, side] = others.xy[number][which[which >= 0]]
    return beside


def _change(own: NDArray[np.floating], other: NDArray[np.floating], moved: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the scoremaps of one frame differ from another's, the animal's motion taken out, ``(K,)``.

    ``moved`` is how far each keypoint is from its place in the other frame, ``(K, 2)``, in cells.
    """
    known = moved[np.isfinite(moved).all(axis=1)]
    columns, rows = np.median(known, axis=0).round().astype(int).tolist() if len(known) else (0, 0)
    return scoremap_change(own, shifted(other, (columns, rows)))


def thumbnail_pass(*, with_motion: bool) -> FramePass:
    """Return small pictures, and how much they differ from a neighbouring frame's."""

    def run(batch: VideoBatch) -> Rows:
        small = thumbnails(batch.frames)
        rows: Rows = {Extra.THUMBNAILS: small}
        if with_motion:
            energy = np.full(len(small), np.nan)
            for row, _side, frame in sorted(_neighbours(batch), key=lambda found: -found[1]):
                # The frame before is computed last and wins: its difference is the defined one.
                energy[row] = motion_energy(small[row : row + 1], thumbnails(frame[None]))[0]
            rows[Extra.MOTION_ENERGY] = energy
        return rows

    return run


def thumbnails(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames ``(n, H, W, 3)`` squeezed to ``(n, 64, 64, 3)``."""
    import torch

    images = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
    small = F.interpolate(images, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), mode="bilinear", antialias=True)
    return np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy())


def _neighbours(batch: VideoBatch) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Read the frames before (side 0) and after (1) each frame of the batch, if that is cheap.

    The frame before a keyframe is the last of another group of pictures, all of which would have to be decoded.
    """
    source = batch.source
    keyframes = set(np.asarray(source.keyframes).tolist())
    every_frame_stands_alone = len(keyframes) == len(source)
    found = []
    for row, key in enumerate(batch.keys):
        for side, step in enumerate((-1, 1)):
            if step < 0 and not every_frame_stands_alone and source.position(key.frame) in keyframes:
                continue
            try:
                position = source.position(key.frame + step)
            except KeyError:
                continue
            if 0 <= position < len(source):
                found.append((row, side, source[position]))
    return found
