"""The learners of the simulation: the loop's own training, or only heads on backbone maps that are computed once.

Both start every training of a fold and seed from the same weights, take the same number of steps, and see the frames in
an order drawn from the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.pose import PoseModel, train
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.geometry import PAD_MULTIPLE, SCOREMAP_STRIDE, InputGeometry
from napari_al_pose.pose.mean_teacher import UNLABELLED_FRAMES
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimisation import GRADIENT_NORM, LEARNING_RATE, WEIGHT_DECAY, rate_at
from napari_al_pose.pose.targets import decode, keypoint_weights, render, scoremap_loss
from napari_al_pose.pose.training_plan import TrainPlan, make_plan, n_validation
from napari_al_pose.simulation.dataset import Dataset, Labels
from napari_al_pose.simulation.labelled import labelled_frame
from napari_al_pose.simulation.protocol import Protocol as SimulationProtocol

CUT_SHARE = 0.3
"""Share of the heads' training views that are cropped from anywhere in a frame, mostly background."""

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """A model's predictions for frames.

    Parameters
    ----------
    xy : float32 array, (n, K, 2)
        Pixels of the data set's images.
    likelihood : float32 array, (n, K)
    scoremaps : float16 array, (n, K, h, w), or None
    grid : ScoremapGrid
    animals : AnimalPoses, optional
        All animals, if the model predicts several; the fields above, but for the grid, are then the surest's.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.float16] | None
    grid: ScoremapGrid
    animals: AnimalPoses | None = None

    def grid_of(self, i: int) -> ScoremapGrid:
        """Return where the scoremaps of frame ``i`` lie."""
        return self.grid if self.animals is None else self.animals.grids[i][0]


class Learned(Protocol):
    """A trained model."""

    def predict(self, rows: Sequence[int], *, with_scoremaps: bool) -> Output:
        """Predict rows of the data set."""

    def pose_model(self) -> PoseModel:
        """Return the model in the loop's form, for requests about frames instead of rows."""


class Learner(Protocol):
    """Trains models on rows of one data set."""

    def train(
        self,
        rows: Sequence[int],
        *,
        seed: int,
        initial: Any = None,
        labels: Labels | None = None,
        unlabelled: Sequence[int] = (),
    ) -> Learned:
        """Train on rows.

        ``initial`` is the result of an earlier call, to continue from; ``labels`` are an annotator's labels of the
        rows, by default the known ones. Some of the rows ``unlabelled`` are learnt from without labels.
        """


def make_learner(dataset: Dataset, protocol: SimulationProtocol, folder: Path) -> Learner:
    """Return the learner that the protocol names; ``folder`` has what `prepare_learner` wrote."""
    if protocol.learning == "all":
        return _WholeNetwork(dataset, protocol)
    return _Heads(dataset, protocol, folder)


def prepare_learner(dataset: Dataset, protocol: SimulationProtocol, folder: Path) -> None:
    """Compute the frozen backbone's maps for every frame and view, unless they are in ``folder``.

    An interrupted computation continues where it stopped.
    """
    if protocol.learning == "all" or folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.part")
    partial.mkdir(parents=True, exist_ok=True)
    _write_maps(dataset, protocol, partial)
    if not folder.exists():
        partial.rename(folder)


@torch.inference_mode()
def _write_maps(dataset: Dataset, protocol: SimulationProtocol, folder: Path) -> None:
    network = PoseNetwork(protocol.backbone, 1, pretrained=True).eval()
    views = Views(dataset.crop, dataset.rotation_degrees)
    n = len(dataset.keys)
    done = _memmap(folder / "done.npy", np.dtype(bool), (n,))
    for row in tqdm(range(n), desc=f"Frozen backbone, {dataset.name}", unit="", mininterval=2.0):
        if done[row]:
            continue
        image = _image(dataset, row)
        rng = np.random.default_rng([row, 0])
        drawn = [views.draw(image, dataset.xy[row], rng) for _ in range(protocol.views)]
        arrays = {"uv": np.stack([uv for _, uv in drawn]).astype(np.float32)}
        for level, maps in enumerate(network.pyramid(torch.stack([view for view, _ in drawn]))):
            arrays[f"view{level}"] = maps.half().numpy()
        for level, maps in enumerate(network.pyramid(image[None].float())):
            arrays[f"whole{level}"] = maps[0].half().numpy()
        for name, array in arrays.items():
            _memmap(folder / f"{name}.npy", array.dtype, (n, *array.shape))[row] = array
        done[row] = True


def _memmap(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> NDArray[Any]:
    """Open an array on disk for writing, filled with zeros if it is new."""
    if path.exists():
        opened: NDArray[Any] = np.load(path, mmap_mode="r+", allow_pickle=False)
        return opened
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


class _Heads:
    """Trains only heads, on maps that never change."""

    def __init__(self, dataset: Dataset, protocol: SimulationProtocol, folder: Path) -> None:
        self.dataset, self.protocol = dataset, protocol
        self._uv = np.load(folder / "uv.npy", mmap_mode="r", allow_pickle=False)
        self._views = _levels(folder, "view")
        self.whole = _levels(folder, "whole")

    def train(
        self,
        rows: Sequence[int],
        *,
        seed: int,
        initial: Any = None,
        labels: Labels | None = None,
        unlabelled: Sequence[int] = (),
    ) -> _TrainedHeads:
        """Train on rows; see `Learner`."""
        if unlabelled:
            raise ValueError("heads learn from labels alone")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = PoseNetwork(self.protocol.backbone, self.dataset.skeleton.n_bodyparts, pretrained=False)
        if initial is not None:
            network.load_state_dict(initial.network.state_dict())
        network = network.train().to(memory_format=torch.channels_last)
        _, parameters = network.parameter_groups()
        optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        steps = self.protocol.steps
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps))
        batches = self._batches(rows, seed, labels)
        for _ in range(steps):
            maps, uv, weights = next(batches)
            with self.precision():
                logits = network.heads(maps).float()
            loss = scoremap_loss(logits, render(uv, logits.shape[2], logits.shape[3]), weights)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
            optimiser.step()
            schedule.step()
        return _TrainedHeads(self, network.eval())

    def precision(self) -> torch.autocast:
        """Return the dtype for the heads."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.protocol.bfloat16)

    def _batches(
        self, rows: Sequence[int], seed: int, labels: Labels | None
    ) -> Iterator[tuple[list[Tensor], Tensor, Tensor]]:
        """Yield maps, keypoints and weights without end, each frame once an epoch."""
        rng = np.random.default_rng(seed)
        n = self.protocol.batch_size
        precision = torch.bfloat16 if self.protocol.bfloat16 else torch.float32
        states = torch.from_numpy((labels or self.dataset).states[list(rows)].astype(np.int64))
        weights = keypoint_weights(states, None if labels is None else torch.from_numpy(labels.taken[list(rows)]))
        waiting: list[int] = []
        while True:
            while len(waiting) < n:
                waiting += rng.permutation(len(rows)).tolist()
            frames, waiting = waiting[:n], waiting[n:]
            drawn = [self._view(rows[frame], rng, labels) for frame in frames]
            maps = [
                _tensor(np.stack([own[level] for own, _ in drawn])).to(precision, memory_format=torch.channels_last)
                for level in range(len(self.whole))
            ]
            yield maps, torch.from_numpy(np.stack([uv for _, uv in drawn])), weights[frames]

    def _view(
        self, row: int, rng: np.random.Generator, labels: Labels | None
    ) -> tuple[list[NDArray[np.float16]], NDArray[np.float32]]:
        """Draw one of the fixed views of a frame, or a crop from anywhere in it.

        The few fixed views show little of the animal's surroundings. Without the crops, a network that never saw a
        corner of the cage finds snouts there.
        """
        view = int(rng.integers(self.protocol.views))
        if rng.random() >= CUT_SHARE:
            uv = self._uv[row, view]
            if labels is not None:
                uv = moved_with(uv, self.dataset.xy[row], labels.xy[row])
            return [level[row, view] for level in self._views], uv
        room = [whole - own for whole, own in zip(self.dataset.images.shape[1:3], self.dataset.crop, strict=True)]
        top, left = (PAD_MULTIPLE * int(rng.integers(side // PAD_MULTIPLE + 1)) for side in room)
        cut = []
        for level, (whole, views) in enumerate(zip(self.whole, self._views, strict=True)):
            stride = SCOREMAP_STRIDE * 2**level
            (y, x), (height, width) = (top // stride, left // stride), views.shape[-2:]
            cut.append(whole[row][:, y : y + height, x : x + width])
        return cut, ((labels or self.dataset).xy[row] - (left, top)).astype(np.float32)


def moved_with(uv: NDArray[np.float32], known: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return where an annotator's labels (K, 2) lie in a view in which the known ones lie at ``uv`` (K, 2).

    A view is the frame moved, rotated and scaled, which any two points determine. With one known point, only its own
    label is moved, as if the view were upright.
    """
    there = np.flatnonzero(np.isfinite(known[:, 0]))
    if not len(there):
        return np.full_like(uv, np.nan)
    source, view = (points.astype(np.float64) @ np.array([1, 1j]) for points in (known, uv))
    first = there[0]
    last = there[int(np.abs(source[there] - source[first]).argmax())]
    apart = source[last] - source[first]
    turn = (view[last] - view[first]) / apart if abs(apart) > 1e-9 else 1.0
    found = view[first] + turn * (given @ np.array([1, 1j]) - source[first])
    return np.stack([found.real, found.imag], axis=1).astype(np.float32)


class _TrainedHeads:
    """Heads, with the data set they can predict."""

    def __init__(self, learner: _Heads, network: PoseNetwork) -> None:
        self.network = network
        self._learner = learner

    def pose_model(self) -> PoseModel:
        """Return the heads on the backbone they were trained on; see `Learned`."""
        data, protocol = self._learner.dataset, self._learner.protocol
        whole = PoseNetwork(protocol.backbone, data.skeleton.n_bodyparts, pretrained=True)
        heads = {name: value for name, value in self.network.state_dict().items() if not name.startswith("backbone.")}
        whole.load_state_dict(heads, strict=False)
        settings = TrainSettings(backbone=protocol.backbone, device="cpu")
        side = max(data.images.shape[1:3])
        whole = whole.eval().requires_grad_(False)
        return PoseModel(whole, bodyparts=data.skeleton.bodyparts, settings=settings, long_side=side)

    @torch.inference_mode()
    def predict(self, rows: Sequence[int], *, with_scoremaps: bool) -> Output:
        """Predict rows; see `Learned`."""
        grid = _grid(self._learner.dataset)
        parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]] = []
        for start in range(0, len(rows), _AT_ONCE):
            part = list(rows[start : start + _AT_ONCE])
            maps = [_tensor(np.asarray(level[part])).float() for level in self._learner.whole]
            with self._learner.precision():
                scoremaps = self.network.heads(maps).float().sigmoid()
            cells, likelihood = decode(scoremaps)
            kept = scoremaps.half().numpy() if with_scoremaps else None
            parts.append((grid.to_source(cells.double().numpy()), likelihood.numpy(), kept))
        maps_found = [kept for _, _, kept in parts if kept is not None]
        return Output(
            np.concatenate([xy for xy, _, _ in parts]).astype(np.float32),
            np.concatenate([likelihood for _, likelihood, _ in parts]),
            np.concatenate(maps_found) if maps_found else None,
            grid,
        )


class _WholeNetwork:
    """The loop's own training, with fixed steps, scale and crop."""

    def __init__(self, dataset: Dataset, protocol: SimulationProtocol) -> None:
        self._dataset, self._protocol = dataset, protocol
        self._plan = TrainPlan(max(dataset.images.shape[1:3]), dataset.crop, protocol.steps)
        if dataset.n_animals > 1:
            self._plan = _plan_of_several(dataset, protocol)

    def train(
        self,
        rows: Sequence[int],
        *,
        seed: int,
        initial: Any = None,
        labels: Labels | None = None,
        unlabelled: Sequence[int] = (),
    ) -> _TrainedNetwork:
        """Train on rows; see `Learner`."""
        data = self._dataset
        given = labels or data
        frames = [
            labelled_frame(
                np.asarray(data.images[row]),
                given.xy[row],
                given.states[row],
                data.skeleton,
                taken=None if labels is None else labels.taken[row],
            )
            for row in rows
        ]
        settings = TrainSettings(
            backbone=self._protocol.backbone,
            device="auto",
            batch_size=self._protocol.batch_size,
            rotation_degrees=data.rotation_degrees,
            seed=seed,
        )
        plan = self._plan
        if unlabelled:  # some labels calibrate the likelihoods, as in the loop
            plan = replace(plan, n_validation=n_validation(len(rows)))
        start = None if initial is None else initial.model
        some = [unlabelled[i] for i in systematic(len(unlabelled), min(len(unlabelled), UNLABELLED_FRAMES), 0.5)]
        images = [np.asarray(data.images[row]) for row in some]
        training = train(
            frames,
            data.skeleton.bodyparts,
            settings,
            initial=start,
            plan=plan,
            animals=data.n_animals,
            unlabelled=images,
        )
        return _TrainedNetwork(data, finish(training))


class _TrainedNetwork:
    """A model of the loop, with the data set it can predict."""

    def __init__(self, dataset: Dataset, model: PoseModel) -> None:
        self.model = model
        self._dataset = dataset

    def pose_model(self) -> PoseModel:
        """Return it; see `Learned`."""
        return self.model

    def predict(self, rows: Sequence[int], *, with_scoremaps: bool) -> Output:
        """Predict rows; see `Learned`."""
        if self.model.animals is not None and len(rows):
            return self._predict_animals(rows, with_scoremaps=with_scoremaps)
        batch = self.model.predict(np.asarray(self._dataset.images[list(rows)]), with_scoremaps=with_scoremaps)
        maps = None if batch.scoremaps is None else batch.scoremaps.astype(np.float16)
        return Output(batch.xy, batch.likelihood, maps, _grid(self._dataset))

    def _predict_animals(self, rows: Sequence[int], *, with_scoremaps: bool) -> Output:
        """Predict some rows at a time, since each animal has scoremaps of its own."""
        parts: list[AnimalPoses] = []
        for start in range(0, len(rows), _AT_ONCE):
            images = np.asarray(self._dataset.images[list(rows[start : start + _AT_ONCE])])
            found = self.model.predict(images, with_scoremaps=with_scoremaps).every_animal()
            parts.append(
                found if found.scoremaps is None else replace(found, scoremaps=found.scoremaps.astype(np.float16))
            )
        every = AnimalPoses.joined(parts)
        surest = None if every.scoremaps is None else every.scoremaps[:, 0]
        return Output(every.xy[:, 0], every.likelihood[:, 0], surest, _grid(self._dataset), every)


def _plan_of_several(dataset: Dataset, protocol: SimulationProtocol) -> TrainPlan:
    """Return the plan of every training of several animals: the loop's plan for all labels."""
    frames = [
        labelled_frame(np.broadcast_to(np.uint8(0), dataset.images.shape[1:]), xy, states, dataset.skeleton)
        for xy, states in zip(dataset.xy, dataset.states, strict=True)
    ]
    side = max(dataset.images.shape[1:3])
    settings = TrainSettings(long_side=side, steps=protocol.steps, batch_size=protocol.batch_size)
    plan = make_plan(frames, settings, animals=dataset.n_animals)
    window = None if plan.window is None else replace(plan.window, side=max(dataset.crop))
    return replace(plan, long_side=side, crop=dataset.crop, window=window, n_validation=0, join_at=1.0, notice="")


def _image(dataset: Dataset, row: int) -> Tensor:
    return torch.from_numpy(np.array(dataset.images[row])).permute(2, 0, 1)


def _tensor(array: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _grid(dataset: Dataset) -> ScoremapGrid:
    height, width = dataset.images.shape[1:3]
    return InputGeometry((height, width), (height, width)).grid


def _levels(folder: Path, kind: str) -> list[NDArray[np.float16]]:
    return [
        np.load(folder / f"{kind}{level}.npy", mmap_mode="r", allow_pickle=False)
        for level in range(len(list(folder.glob(f"{kind}*.npy"))))
    ]
