"""A trained model, which predicts poses and can be saved and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, ScoremapGrid
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animals import AnimalPoses, Animals
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.forward import Chunk, Forward
from napari_al_pose.pose.geometry import InputGeometry, Windows
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class PoseBatch:
    """Predictions for N frames of one size.

    Parameters
    ----------
    xy : float32 array, (N, K, 2)
        Source pixels, x then y, pixel centres at integers.
    likelihood : float32 array, (N, K)
        Height of the scoremap at the pose, in [0, 1]. In a calibrated model it is the probability that the keypoint is
        within a tenth of the animal's length of the pose.
    scoremaps : float32 array, (N, K, h, w), or None
        In [0, 1], calibrated as well.
    grids : tuple of ScoremapGrid, N
        Where the scoremap cells of each frame lie.
    animals : AnimalPoses, optional
        All animals, if the model predicts several; the fields above then describe the surest animal of each frame.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.float32] | None
    grids: tuple[ScoremapGrid, ...]
    animals: AnimalPoses | None = None

    def every_animal(self) -> AnimalPoses:
        """Return the animals of each frame: the only one, where the model knows one."""
        if self.animals is not None:
            return self.animals
        maps = None if self.scoremaps is None else self.scoremaps[:, None]
        score = self.likelihood.mean(axis=1, keepdims=True)
        grids = tuple((grid,) for grid in self.grids)
        return AnimalPoses(self.xy[:, None], self.likelihood[:, None], score, maps, grids)

    def moved(self, by: NDArray[np.floating]) -> PoseBatch:
        """Return the same for frames whose first pixel lies at ``by``, x and y, of the image they were cut from."""
        if not by.any():
            return self
        animals = None if self.animals is None else self.animals.moved(by)
        grids = tuple(grid.moved(by) for grid in self.grids)
        return replace(self, xy=(self.xy + by).astype(np.float32), grids=grids, animals=animals)


class PoseModel:
    """A network with everything needed to use it. `train` and `PoseModel.load` make one; it does not change.

    Parameters
    ----------
    network : PoseNetwork
        On its device.
    bodyparts : tuple of str
        The order of every keypoint axis.
    settings : TrainSettings
        The settings it was trained with.
    long_side : int
        Longer side of the whole frame at the network's scale, px.
    window : Window, optional
        What the network looks at; by default the whole frame.
    calibration : Calibration
        Of the likelihoods; by default they are left as the network gives them.
    learnt : frozenset of str
        `LabelledFrame.fingerprint` of all frames that it was ever trained on.
    animals : Animals, optional
        How many animals it looks for; by default one.
    unique_bodyparts : tuple of str
        What it looks for beside several animals.
    """

    is_slow = False
    file_name = "model.pt"

    def __init__(
        self,
        network: PoseNetwork,
        *,
        bodyparts: tuple[str, ...],
        settings: TrainSettings,
        long_side: int,
        window: Window | None = None,
        calibration: Calibration | None = None,
        learnt: frozenset[str] = frozenset(),
        animals: Animals | None = None,
        unique_bodyparts: tuple[str, ...] = (),
    ) -> None:
        self.unique_bodyparts = unique_bodyparts
        self.network = network
        self.bodyparts = bodyparts
        self.settings = settings
        self.long_side = long_side
        self.window = window
        self.calibration = calibration or Calibration()
        self.learnt = learnt
        self.animals = animals
        self._forward: Forward | None = None

    @property
    def device(self) -> str:
        """The device that the network runs on."""
        return next(self.network.parameters()).device.type

    @property
    def network_name(self) -> str:
        """The backbone's name, which becomes part of scorers."""
        return self.settings.backbone

    @property
    def notice(self) -> str:
        """What predictions do to save memory; empty if memory suffices."""
        return "" if self._forward is None else self._forward.notice

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that frames of ``height`` by ``width`` are resized to."""
        return InputGeometry.fit((height, width), self.long_side).resized

    def window_in(self, height: int, width: int) -> int:
        """Return the side, in pixels of resized frames, of the window that follows the animal; 0 for whole frames."""
        return 0 if self.window is None else round(self.window.side * max(height, width) / self.long_side)

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame.

        Parameters
        ----------
        frames : uint8 array, (N, H, W, 3)
            RGB. Any N is possible: memory stays bounded.
        source : (int, int), optional
            Height and width of the video, if its frames were scaled to `input_size_for` it during decoding.
        with_scoremaps : bool
            False omits them, which saves memory and time.
        """
        check_frames(frames)
        if self._forward is None:
            self._forward = Forward(self.network, self.window, self.animals)
        geometry = InputGeometry.fit(source or (frames.shape[1], frames.shape[2]), self.long_side)
        chunks = self._forward(frames, geometry, with_scoremaps=with_scoremaps)
        if not chunks:
            return self._empty(geometry, with_scoremaps=with_scoremaps)
        animals = self._calibrated([chunk.animals for chunk in chunks if chunk.animals is not None])
        return as_batch(chunks, self.calibration, animals)

    def _calibrated(self, parts: Sequence[AnimalPoses]) -> AnimalPoses | None:
        """Return the animals of all frames; None for a model of one."""
        if not parts:
            return None
        raw = AnimalPoses.joined(parts)
        unique = raw.unique
        if unique is not None:
            maps = None if unique.scoremaps is None else self.calibration(unique.scoremaps)
            unique = replace(unique, likelihood=self.calibration(unique.likelihood), scoremaps=maps)
        return replace(
            raw,
            unique=unique,
            likelihood=np.where(raw.likelihood > 0, self.calibration(raw.likelihood), np.float32(0)),
            scoremaps=None if raw.scoremaps is None else self.calibration(raw.scoremaps),
        )

    def _empty(self, geometry: InputGeometry, *, with_scoremaps: bool) -> PoseBatch:
        k = len(self.bodyparts)
        seen = geometry if self.window is None else Windows(geometry, np.empty((0, 2), np.int64), self.window.side)
        maps = np.empty((0, k, *seen.cells), np.float32) if with_scoremaps else None
        return PoseBatch(np.empty((0, k, 2), np.float32), np.empty((0, k), np.float32), maps, ())

    def save(self, path: Path) -> None:
        """Write the model to one file, whole or not at all; raise AlPoseError if that fails."""
        state = {name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()}
        write_checkpoint(
            Path(path),
            Checkpoint(
                bodyparts=self.bodyparts,
                settings=self.settings,
                long_side=self.long_side,
                window=self.window,
                calibration=self.calibration,
                learnt=self.learnt,
                animals=self.animals,
                state=state,
                unique_bodyparts=self.unique_bodyparts,
            ),
        )

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> PoseModel:
        """Read a model file.

        Raises
        ------
        AlPoseError
            If the file is missing, damaged or not a model, or the device is not available.
        """
        content = read_checkpoint(Path(path))
        several = content.animals is not None
        network = PoseNetwork(
            content.settings.backbone,
            len(content.bodyparts),
            pretrained=False,
            several=several,
            n_unique=len(content.unique_bodyparts),
        )
        try:
            network.load_state_dict(content.state)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise AlPoseError(
                f"The model {path} does not fit the network {content.settings.backbone!r}.",
                "Choose another model version, or train again.",
            ) from error
        return cls(
            network.to(resolve_device(device)).eval(),
            bodyparts=content.bodyparts,
            settings=content.settings,
            long_side=content.long_side,
            window=content.window,
            calibration=content.calibration,
            learnt=content.learnt,
            animals=content.animals,
            unique_bodyparts=content.unique_bodyparts,
        )


def as_batch(chunks: Sequence[Chunk], calibration: Calibration, animals: AnimalPoses | None = None) -> PoseBatch:
    """Return what a network said of at least one frame as one batch, with calibrated likelihoods."""
    xy, likelihood = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("xy", "likelihood"))
    maps = [calibration(chunk.scoremaps) for chunk in chunks if chunk.scoremaps is not None]
    grids = tuple(grid for chunk in chunks for grid in chunk.grids)
    return PoseBatch(xy, calibration(likelihood), np.concatenate(maps) if maps else None, grids, animals)


def check_frames(frames: NDArray[np.uint8]) -> None:
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise AlPoseError(
            f"Expected 8-bit RGB frames (N, H, W, 3), got {frames.dtype} of shape {frames.shape}.",
            "Convert the video to 8-bit colour.",
        )
