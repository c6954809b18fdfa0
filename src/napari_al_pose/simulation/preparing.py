"""Turns labelled frames into arrays at the network's scale, once for a whole comparison."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from napari_al_pose.acquisition.duplicate_frames import small_picture
from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.wording import counted
from napari_al_pose.pose import FeatureExtractor
from napari_al_pose.pose.augmentation import FILL
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.training_plan import TrainPlan, make_plan
from napari_al_pose.simulation.dataset import Dataset, RawDataset, load_dataset, reference_lengths, save_dataset
from napari_al_pose.simulation.folds import thinned
from napari_al_pose.simulation.labelled import labelled_frame
from napari_al_pose.simulation.learner import prepare_learner
from napari_al_pose.simulation.protocol import Protocol
from napari_al_pose.video import is_placeholder

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A data set on disk with what is computed from it once.

    Parameters
    ----------
    dataset : Dataset
    features : float32 array, (N, d)
        Image features of the pretrained backbone.
    pictures : uint8 array, (N, h, w)
        `small_picture` of each frame, to tell frames that show the same.
    maps : Path
        Folder of the frozen backbone's maps.
    """

    dataset: Dataset
    features: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    maps: Path


def prepare(raw: RawDataset, protocol: Protocol, cache: Path) -> Path:
    """Write what the rounds need of a data set to a folder of ``cache``, unless it exists; return the folder.

    Raises
    ------
    AlPoseError
        If too few frames are labelled, an image can't be read, or frames with several animals are given to heads.
    """
    if len(raw.skeleton.individuals) > 1 and protocol.learning == "heads":
        raise AlPoseError(
            f"{raw.name} has frames with several animals, and heads alone learn single ones.",
            "Train whole networks: --learning all.",
        )
    folder = cache / f"{raw.name}-{_fingerprint(raw, protocol)}"
    if not (folder / "data").exists():
        save_dataset(_scaled(raw, protocol), folder / "data")
    dataset = load_dataset(folder / "data")
    _keep(folder / "features.npy", lambda: _features(dataset, protocol.backbone))
    _keep(folder / "pictures.npy", lambda: np.stack([small_picture(image) for image in dataset.images]))
    prepare_learner(dataset, protocol, folder / "maps")
    return folder


def open_prepared(folder: Path) -> Prepared:
    """Open what `prepare` wrote."""
    return Prepared(
        dataset=load_dataset(folder / "data"),
        features=np.load(folder / "features.npy", allow_pickle=False),
        pictures=np.load(folder / "pictures.npy", allow_pickle=False),
        maps=folder / "maps",
    )


def _keep(path: Path, compute: Callable[[], NDArray[Any]]) -> None:
    """Write an array that is computed once, whole or not at all."""
    if not path.exists():
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, compute())
        temporary.replace(path)


def _fingerprint(raw: RawDataset, protocol: Protocol) -> str:
    """Return a hash of the labels and of the settings that the computation depends on."""
    settings = [
        protocol.backbone,
        protocol.learning,
        protocol.views,
        protocol.long_side,
        raw.rotation_degrees,
        raw.fps,
        protocol.pool_size,
        [[key.video, key.frame] for key in raw.keys],
    ]
    digest = hashlib.sha256(json.dumps(settings).encode())
    digest.update(np.ascontiguousarray(np.nan_to_num(raw.xy, nan=-1.0)).tobytes())
    return digest.hexdigest()[:10]


def _scaled(raw: RawDataset, protocol: Protocol) -> Dataset:
    """Read the frames that take part and scale them for the network."""
    usable = np.flatnonzero(_says_something(raw))
    if len(usable) < 8:
        raise AlPoseError(
            f"{raw.name}: expected at least 8 labelled frames to simulate with, got {len(usable)}.",
            "Give a data set with more labels.",
        )
    order = np.array(sorted(usable.tolist(), key=lambda row: raw.keys[row]), np.int64)
    rows = thinned(raw.keys, order, protocol.pool_size).tolist()
    rows.sort(key=lambda row: raw.keys[row])
    plan = _plan(raw, rows, protocol)
    shapes = [InputGeometry.fit((int(h), int(w)), plan.long_side) for h, w in raw.sizes[rows]]
    height, width = (max(g.padded[axis] for g in shapes) for axis in (0, 1))
    images = np.full((len(rows), height, width, 3), round(FILL), np.uint8)
    xy = np.empty((len(rows), *raw.xy.shape[1:]))
    scale = np.empty(len(rows))
    shown = np.ones(len(rows), bool)
    for i, (row, image) in enumerate(zip(rows, _shown(raw.read(rows), len(rows), raw.name), strict=True)):
        geometry = InputGeometry.fit((image.shape[0], image.shape[1]), plan.long_side)
        h, w = geometry.resized
        images[i, :h, :w] = resize_frames(image[None], geometry)[0].permute(1, 2, 0).numpy()
        xy[i] = geometry.to_network(raw.xy[row])
        scale[i] = float(geometry.scale_xy.mean())
        shown[i] = not is_placeholder(image)
    if not shown.all():
        log.warning("%s: %s left out, as they can't be decoded", raw.name, counted(int((~shown).sum()), "frame"))
    rows = [row for row, kept in zip(rows, shown, strict=True) if kept]
    images, xy, scale = images[shown], xy[shown], scale[shown]
    states = raw.states[rows]
    xy[states != KeypointState.PLACED] = np.nan
    keys = tuple(raw.keys[row] for row in rows)
    return Dataset(
        name=raw.name,
        skeleton=raw.skeleton,
        keys=keys,
        images=images,
        xy=xy,
        states=states,
        scale=scale,
        reference=reference_lengths(keys, xy, states, raw.skeleton, raw.reference),
        cap=raw.reference.cap,
        crop=plan.crop,
        rotation_degrees=raw.rotation_degrees,
        fps=raw.fps,
        splits=raw.splits,
        behaviours=tuple(raw.behaviours[row] for row in rows) if raw.behaviours else (),
    )


def _says_something(raw: RawDataset) -> NDArray[np.bool_]:
    """Return which frames take part: with a placed point or, of several animals, known to show none."""
    if len(raw.skeleton.individuals) > 1:
        looked_at: NDArray[np.bool_] = (raw.states != KeypointState.UNSEEN).any(axis=1)
        return looked_at
    placed: NDArray[np.bool_] = (raw.states == KeypointState.PLACED).any(axis=1)
    return placed


def _plan(raw: RawDataset, rows: list[int], protocol: Protocol) -> TrainPlan:
    """Choose scale and crop once for all arms, from the labels of the whole data set."""
    blank = np.uint8(0)
    frames = [
        labelled_frame(np.broadcast_to(blank, (int(h), int(w), 3)), raw.xy[row], raw.states[row], raw.skeleton)
        for row, (h, w) in zip(rows, raw.sizes[rows], strict=True)
    ]
    settings = TrainSettings(long_side=protocol.long_side, follow_animal="off", steps=protocol.steps)
    return make_plan(frames, settings, animals=len(raw.skeleton.individuals))


def _features(dataset: Dataset, backbone: str) -> NDArray[np.float32]:
    extractor = FeatureExtractor("auto", backbone=backbone)
    parts = [
        extractor.extract(np.asarray(dataset.images[start : start + 16])) for start in range(0, len(dataset.keys), 16)
    ]
    return np.concatenate(parts)


def _shown(images: Iterable[NDArray[np.uint8]], n: int, name: str) -> Iterable[NDArray[np.uint8]]:
    return tqdm(images, total=n, desc=f"Reading {name}", unit="", mininterval=2.0)
