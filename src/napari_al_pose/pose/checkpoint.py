"""Model files: written whole or not at all, and read as data, never as code."""

from __future__ import annotations

import math
import os
import pickle
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.geometry import PAD_MULTIPLE
from napari_al_pose.pose.window import Window

FORMAT = "napari-al-pose model"
FORMAT_VERSION = 2
"""Version 1 called the backbone ``trunk``, in the settings and in the names of the weights."""

LARGEST_SIDE, MOST_ANIMALS = 16384, 10_000
"""No frame has longer sides and no model more animals than these."""

_HINT = "Choose another model version, or train again."


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The content of a model file; see `PoseModel` for the fields. ``state`` holds the network's tensors by name."""

    bodyparts: tuple[str, ...]
    settings: TrainSettings
    long_side: int
    window: Window | None
    calibration: Calibration
    learnt: frozenset[str]
    animals: Animals | None
    state: dict[str, Tensor]
    unique_bodyparts: tuple[str, ...] = ()


def write_checkpoint(path: Path, model: Checkpoint) -> None:
    """Write a model file atomically.

    Raises
    ------
    AlPoseError
        If the folder can't be written.
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "bodyparts": list(model.bodyparts),
        "settings": model.settings.model_dump(),
        "long_side": model.long_side,
        "window": None if model.window is None else [model.window.side, model.window.search_side],
        "calibration": [model.calibration.slope, model.calibration.shift],
        "learnt": sorted(model.learnt),
        "animals": None if model.animals is None else [model.animals.most, model.animals.always],
        "unique_bodyparts": list(model.unique_bodyparts),
        "state": model.state,
    }
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise AlPoseError(
            f"The model {path} can't be written: {error.strerror}.",
            "Free some space, or check the folder's permissions.",
        ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Return a model file's content; check everything but ``state``.

    Raises
    ------
    AlPoseError
        If the file is missing, damaged, of a newer format, or not one of ours.
    """
    content = _read(path)
    version = content.get("format_version")
    if version not in range(1, FORMAT_VERSION + 1):
        raise AlPoseError(
            f"Expected format {FORMAT_VERSION} or older in the model {path}, got {version}.", "Update napari-al-pose."
        )
    try:
        settings = TrainSettings.model_validate(content.get("settings"))
    except ValidationError as error:
        raise AlPoseError(f"The model {path} is damaged: its settings are not valid.", _HINT) from error
    bodyparts, long_side, state = (content.get(name) for name in ("bodyparts", "long_side", "state"))
    # Models from before these fields existed have none.
    calibration, learnt = content.get("calibration", [1.0, 0.0]), content.get("learnt", [])
    window, animals, unique = content.get("window"), content.get("animals"), content.get("unique_bodyparts", [])
    if not (
        _is_list(bodyparts, str)
        and bodyparts
        and isinstance(long_side, int)
        and 1 <= long_side <= LARGEST_SIDE
        and (window is None or _is_window(window))
        and (animals is None or (window is not None and _is_animals(animals)))
        and _is_list(calibration, float)
        and len(calibration) == 2
        and all(math.isfinite(value) for value in calibration)
        and _is_list(learnt, str)
        and _is_list(unique, str)
        and (animals is not None or not unique)
        and isinstance(state, dict)
    ):
        raise AlPoseError(f"The model {path} is damaged: parts of it are missing.", _HINT)
    return Checkpoint(
        bodyparts=tuple(bodyparts),
        settings=settings,
        long_side=long_side,
        window=None if window is None else Window(*window),
        calibration=Calibration(*calibration),
        learnt=frozenset(learnt),
        animals=None if animals is None else Animals(*animals),
        state=_with_present_names(state) if version == 1 else state,
        unique_bodyparts=tuple(unique),
    )


def _with_present_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a model of version 1 under the names they have now."""
    return {re.sub(r"^trunk\.", "backbone.", str(name)): tensor for name, tensor in state.items()}


def _read(path: Path) -> dict[str, Any]:
    """Return the file's content if the file declares itself ours."""
    if not path.exists():
        raise AlPoseError(f"There is no model {path}.", _HINT)
    # torch would take anything but an archive for its old format, whose reader fails in every possible way.
    if not zipfile.is_zipfile(path):
        raise AlPoseError(f"The model {path} is damaged, or not a model.", _HINT)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as error:
        raise AlPoseError(f"The model {path} is damaged, or not a model.", _HINT) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise AlPoseError(f"Expected a model of napari-al-pose in {path}, got something else.", _HINT)
    return content


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_animals(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) == 2):
        return False
    most, always = value
    return type(most) is int and 1 <= most <= MOST_ANIMALS and isinstance(always, bool)


def _is_window(value: Any) -> bool:
    if not _is_list(value, int) or len(value) != 2:
        return False
    side, search_side = value
    return side % PAD_MULTIPLE == 0 and all(PAD_MULTIPLE <= length <= LARGEST_SIDE for length in (side, search_side))
