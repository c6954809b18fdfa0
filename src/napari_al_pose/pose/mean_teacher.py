"""Learning from frames nobody labelled: a teacher shows the network the points it is sure of.

The teacher is a moving average of the network's own weights (mean teacher, Tarvainen and Valpola 2017,
arXiv:1703.01780). It sees easy views, the network hard ones in which some of the shown joints are covered (Xie et al.
2021, arXiv:2011.12498). It never teaches that nothing is here: networks that learn consistency alone end at that.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import Views, cut, middle_of
from napari_al_pose.pose.batch_sampler import SURROUNDINGS, ScaledImage, TrainingBatch, part_of, scaled
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE, InputGeometry
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode
from napari_al_pose.pose.window import Window

UNLABELLED_FRAMES = 60
"""Most frames that a round learns from without labels; looking for the animal in each takes a whole pass."""

SURE, AGREEMENT = 0.8, float(SCOREMAP_STRIDE)
"""Least calibrated likelihood of a point in both of the teacher's looks, and how far these may be apart, network px."""

WEIGHT = 0.5
"""Weight of a shown point relative to a label, once it has risen."""

DECAY = 0.95
"""Share of the teacher that stays in a step: it averages the last twenty."""

EASY_DEGREES, EASY_SCALES, EASY_SHIFT = 10.0, (0.9, 1.1), 0.3
"""Largest rotation of easy views, their scales, and their largest shift relative to that of other views."""

COVERED_JOINTS, COVER_SIDE = 0.2, 0.12
"""Share of the shown joints that are covered in a hard view, and the side of what covers each, in sides of the view."""


class MeanTeacher:
    """Draws hard views of unlabelled frames, with the points that it is sure of.

    Parameters
    ----------
    student : PoseNetwork
        The network in training; every batch moves the teacher towards it.
    views : Views
        Draws hard views, as of labelled frames.
    calibration : Calibration
        Of the student's likelihoods.
    rising : int
        Number of batches over which the weight of shown points rises from zero.
    seed : int
    """

    def __init__(self, student: PoseNetwork, views: Views, calibration: Calibration, *, rising: int, seed: int) -> None:
        self._student = student
        self._network = copy.deepcopy(student).eval().requires_grad_(False)
        self._views = views
        self._calibration = calibration
        self._rising = max(1, rising)
        self._rng = np.random.default_rng(seed)
        self._n_batches = 0
        self._waiting: list[int] = []
        self.frames: list[ScaledImage] = []
        """The frames it learns from, with the points that were sure when it first saw them."""

    def find(
        self, images: Iterable[NDArray[np.uint8]], long_side: int, window: Window | None
    ) -> Generator[None, None, None]:
        """Look for the animal in whole frames, and keep those in which a point is sure; yield after each."""
        for image in images:
            geometry = InputGeometry.fit((image.shape[0], image.shape[1]), long_side)
            predicted = predict_chunk(self._network, image[None], geometry, window, with_scoremaps=False)
            sure = self._calibration(predicted.likelihood[0]) >= SURE
            if sure.any():
                states = np.where(sure, KeypointState.PLACED, KeypointState.UNSEEN).astype(np.int8)
                frame = scaled(LabelledFrame(image, predicted.xy[0].astype(np.float64), states), long_side)
                around = SURROUNDINGS * max(self._views.crop)
                self.frames.append(frame if window is None else part_of(frame, middle_of(frame.uv), around))
            yield

    def batch(self, n: int) -> TrainingBatch:
        """Return ``n`` hard views, at least one; points that are unsure or out of view have no weight."""
        self._follow()
        self._n_batches += 1
        weight = WEIGHT * min(1.0, self._n_batches / self._rising)
        frames = [self._next() for _ in range(max(1, n))]
        images, uvs, weights = [], [], []
        height, width = self._views.crop
        for frame, shown in zip(frames, self._shown(frames), strict=True):
            mirrored = self._views.draw_mirrored(self._rng)
            image, uv = self._views.draw(frame.image, shown, self._rng, mirrored=mirrored)
            inside = ((uv >= 0) & (uv <= (width - 1, height - 1))).all(axis=1)
            images.append(cover_joints(image, uv[inside], self._rng))
            uvs.append(torch.from_numpy(uv))
            weights.append(torch.from_numpy(weight * inside))
        return TrainingBatch(torch.stack(images), torch.stack(uvs).float(), torch.stack(weights).float())

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the teacher towards the student."""
        for own, new in zip(self._network.state_dict().values(), self._student.state_dict().values(), strict=True):
            own.lerp_(new, 1 - DECAY) if own.is_floating_point() else own.copy_(new)

    def _next(self) -> ScaledImage:
        self._waiting = self._waiting or [int(i) for i in self._rng.permutation(len(self.frames))]
        return self.frames[self._waiting.pop()]

    def _shown(self, frames: Sequence[ScaledImage]) -> NDArray[np.float64]:
        """Return the points, (n, K, 2) in the frames' pixels, that two easy views of each agree on; NaN for others."""
        xy, likelihood = self._look([frame for frame in frames for _ in range(2)])
        first, second = xy[::2], xy[1::2]
        sure = np.minimum(likelihood[::2], likelihood[1::2]) >= SURE
        agreed = sure & (np.hypot(*np.moveaxis(first - second, -1, 0)) <= AGREEMENT)
        shown: NDArray[np.float64] = np.where(agreed[..., None], (first + second) / 2, np.nan)
        return shown

    @torch.inference_mode()
    def _look(self, frames: Sequence[ScaledImage]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return points in an easy view of each frame, in the frame's pixels, and their likelihoods."""
        drawn = [self._easy_view(frame) for frame in frames]
        device = next(self._network.parameters()).device
        maps = self._network(torch.stack([view for view, _ in drawn]).to(device)).float().sigmoid()
        cells, raw = (found.cpu().numpy() for found in decode(maps))
        found = cells.astype(np.float64) * SCOREMAP_STRIDE + CELL_CENTRE
        xy = np.stack([_back(points, there) for points, (_, there) in zip(found, drawn, strict=True)])
        return xy, self._calibration(raw)

    def _easy_view(self, frame: ScaledImage) -> tuple[Tensor, NDArray[np.float64]]:
        """Return a view, and where the points of `_ANCHORS` lie in it."""
        return cut(
            frame.image,
            _ANCHORS,
            centre=self._views.near_animal(frame.image, frame.uv, self._rng, within=EASY_SHIFT),
            angle=float(self._rng.uniform(-EASY_DEGREES, EASY_DEGREES)),
            scale=float(self._rng.uniform(*EASY_SCALES)),
            size=self._views.crop,
        )


_ANCHORS = np.array([[0.0, 0.0], [100.0, 0.0]])
"""Two points of a frame; where they lie in a view says where all others do."""


def _back(uv: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of a view, (K, 2), in the pixels of its frame; ``there`` are the anchors in the view."""
    points, (origin, end) = uv @ np.array([1, 1j]), there @ np.array([1, 1j])
    found = (points - origin) / (end - origin) * _ANCHORS[1, 0]
    return np.stack([found.real, found.imag], axis=-1)


def cover_joints(view: Tensor, uv: NDArray[np.float64], rng: np.random.Generator) -> Tensor:
    """Return a view in which some of the joints ``uv``, (n, 2), are covered by grey squares."""
    from torchvision.transforms.v2 import functional as VF

    rows, columns = view.shape[-2:]
    side = max(1, round(COVER_SIDE * max(rows, columns)))
    for x, y in uv[rng.random(len(uv)) < COVERED_JOINTS]:
        left, top = (round(float(at + rng.uniform(-0.75, -0.25) * side)) for at in (x, y))
        left, top = max(0, left), max(0, top)
        grey = torch.tensor(float(rng.uniform(0, 255)))
        view = VF.erase(view, top, left, min(side, rows - top), min(side, columns - left), grey)
    return view
