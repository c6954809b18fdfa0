"""Models, their predictions, the rounds and the queue: the loop's results in ``al-pose/``.

The engine writes these while the window holds the project's lock, so they don't need it. Each file is written whole or
not at all.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain import FrameKey, Prediction, Round, Suggestion
from napari_al_pose.formats.atomic import (
    cannot_write,
    make_folder,
    refuse_read_only,
    replacing,
    sync_folder,
    write_text,
)

logger = logging.getLogger(__name__)

_MODEL_FILES = ("model.pt", "deeplabcut.pt", "model.onnx")

Model = TypeVar("Model", bound=BaseModel)


class ModelStore:
    """Immutable, numbered models, each in a folder of its own.

    Parameters
    ----------
    folder : Path
        ``al-pose/models``; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def versions(self) -> list[int]:
        """Return the numbers of all models, ascending."""
        if not self._folder.is_dir():
            return []
        names = [path.name for path in self._folder.iterdir() if path.is_dir()]
        return sorted(int(name) for name in names if re.fullmatch(r"\d{4,9}", name))

    def latest(self) -> int:
        """Return the newest model's number, 0 if there is none."""
        return max(self.versions(), default=0)

    def folder(self, version: int) -> Path:
        """Return the folder of a model."""
        return self._folder / f"{version:04d}"

    def checkpoint(self, version: int) -> Path:
        """Return a model's file, whose name tells which program trained it."""
        files = [self.folder(version) / name for name in _MODEL_FILES]
        return next((path for path in files if path.exists()), files[0])

    def refuse_read_only(self) -> None:
        """Raise an AlPoseError if no model can be stored, so that this is known before training."""
        make_folder(self._folder)
        refuse_read_only(self._folder)

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """Provide a temporary folder that becomes the next version if the block succeeds, and vanishes if it fails.

        Raises
        ------
        AlPoseError
            If the project folder can't be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        try:
            yield temporary
            for path in temporary.iterdir():
                with path.open("rb+") as stream:
                    os.fsync(stream.fileno())
            temporary.chmod(0o755)
            temporary.rename(self.folder(self.latest() + 1))
            sync_folder(self._folder)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class PoolPredictions:
    """Each model's predictions for the pool.

    Parameters
    ----------
    folder : Path
        ``al-pose/predictions``; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(
        self,
        version: int,
        keys: Sequence[FrameKey],
        xy: NDArray[np.floating],
        likelihood: NDArray[np.floating],
        *,
        unique: NDArray[np.floating] | None = None,
    ) -> None:
        """Store the predictions of one model.

        Parameters
        ----------
        version : int
            The model's number.
        keys : sequence of FrameKey
            N frames.
        xy : float array, (N, K, 2), or (N, A, K, 2) of several animals
            Source pixels.
        likelihood : float array, (N, K) or (N, A, K)
            In [0, 1].
        unique : float array, (N, U, 3), optional
            Positions and likelihoods of unique bodyparts.

        Raises
        ------
        AlPoseError
            If they can't be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        with replacing(self._file(version)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                video=np.array([key.video for key in keys], np.str_),
                frame=np.array([key.frame for key in keys], np.int64),
                xy=np.asarray(xy, np.float32),
                likelihood=np.asarray(likelihood, np.float32),
                unique=np.zeros((len(keys), 0, 3), np.float32) if unique is None else np.asarray(unique, np.float32),
            )

    def save_predictions(self, version: int, predictions: Sequence[Prediction]) -> None:
        """Store predictions of one model, at least one and all of the same shape; AlPoseError if that fails."""
        several = predictions[0].animals_xy is not None
        poses = [one.poses if several else (one.xy, one.likelihood) for one in predictions]
        beside = [one.unique for one in predictions]
        with_unique = [np.column_stack([one.xy, one.likelihood]) for one in beside if one is not None]
        unique = np.stack(with_unique) if with_unique else None
        xy, likelihood = (np.stack(part) for part in zip(*poses, strict=True))
        self.save(version, [one.key for one in predictions], xy, likelihood, unique=unique)

    def load(self, version: int) -> dict[FrameKey, Prediction]:
        """Return the predictions of one model by frame; empty if there are none or the file is damaged."""
        path = self._file(version)
        try:
            with np.load(path, allow_pickle=False) as file:
                video, frame, xy, likelihood = (file[name] for name in ("video", "frame", "xy", "likelihood"))
                unique = file["unique"] if "unique" in file else np.zeros((len(xy), 0, 3), np.float32)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("%s could not be read, and its predictions are ignored: %s", path, error)
            return {}
        if (
            xy.ndim not in (3, 4)
            or not len(video) == len(frame) == len(xy) == len(likelihood)
            or xy.shape[:-1] != likelihood.shape
            or unique.ndim != 3
            or len(unique) != len(xy)
        ):
            logger.warning("%s holds arrays that do not fit together; its predictions are ignored", path)
            return {}
        keys = [FrameKey(str(name), int(number)) for name, number in zip(video, frame, strict=True)]
        of_unique = unique if unique.shape[1] else [None] * len(keys)
        return {
            key: Prediction.of_animals(key, version, xy[i], likelihood[i], unique=of_unique[i])
            for i, key in enumerate(keys)
        }

    def forget(self, video: str) -> None:
        """Remove all predictions for a video; raise AlPoseError if a file can't be written."""
        for path in self._folder.glob("*.npz"):
            if not path.stem.isdigit():
                continue
            predictions = self.load(int(path.stem))
            kept = [prediction for key, prediction in predictions.items() if key.video != video]
            if len(kept) == len(predictions):
                continue
            if kept:
                self.save_predictions(int(path.stem), kept)
            else:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all predictions of all models; they can be computed again.

        Raises
        ------
        AlPoseError
            If a file can't be removed.
        """
        for path in self._folder.glob("*.npz"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(path, error) from error

    def _file(self, version: int) -> Path:
        return self._folder / f"{version:04d}.npz"


@dataclass(frozen=True, slots=True)
class SavedQueue:
    """The queue of the last ranking; empty before the first."""

    strategy: str = ""
    model_version: int = 0
    suggestions: tuple[Suggestion, ...] = ()


class _QueueFile(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    queue: SavedQueue


class _RoundsFile(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    rounds: tuple[Round, ...]


class QueueStore:
    """The ranked queue, stored so that it is there again when the project is opened.

    Parameters
    ----------
    path : Path
        ``al-pose/queue.json``; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, strategy: str, model_version: int, suggestions: Sequence[Suggestion]) -> None:
        """Store a queue, best first; raise AlPoseError if it can't be written."""
        queue = SavedQueue(strategy, model_version, tuple(suggestions))
        write_text(self._path, _QueueFile(queue=queue).model_dump_json(indent=1))

    def load(self) -> SavedQueue:
        """Return the last stored queue; empty if there is none or the file is damaged, since it can be ranked again."""
        found = _read(self._path, _QueueFile)
        return found.queue if found else SavedQueue()


class RoundStore:
    """The rounds of the loop, oldest first.

    Parameters
    ----------
    path : Path
        ``al-pose/rounds.json``; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, finished: Round) -> None:
        """Add a round. A damaged file is kept as ``rounds.json.damaged``.

        Raises
        ------
        AlPoseError
            If it can't be written.
        """
        before = _read(self._path, _RoundsFile)
        if before is None and self._path.exists():
            os.replace(self._path, self._path.with_suffix(".json.damaged"))
        rounds = (*(before.rounds if before else ()), finished)
        write_text(self._path, _RoundsFile(rounds=rounds).model_dump_json(indent=1))

    def all(self) -> tuple[Round, ...]:
        """Return all rounds; none if the file is damaged, which the log reports."""
        found = _read(self._path, _RoundsFile)
        return found.rounds if found else ()


def _read(path: Path, model: type[Model]) -> Model | None:
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("%s could not be read and is ignored: %s", path, error)
        return None
