"""Reads JSON of any origin as data, with errors that name the file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing

LARGEST_FILE = 2_000_000_000


def read_json(path: Path, what: str) -> Any:
    """Return the content of a JSON file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages: "COCO keypoints".

    Raises
    ------
    AlPoseError
        If there is no such file, it can't be read, or it is not JSON.
    """
    remedy = f"Choose a JSON file of {what}."
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", remedy)
    try:
        if os.path.getsize(path) > LARGEST_FILE:
            raise AlPoseError(f"{path} is larger than 2 GB.", "Split it into several files.")
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise AlPoseError(f"{path} is not JSON: {error.msg} at line {error.lineno}.", remedy) from error
    except _RepeatedKeyError as error:
        raise AlPoseError(
            f"{path} has {error} twice in one entry, with different values.", "Keep one of them, or export it again."
        ) from error
    except (ValueError, RecursionError) as error:
        raise AlPoseError(f"{path} is not JSON in UTF-8: {str(error)[:80]}.", remedy) from error
    except OSError as error:
        raise AlPoseError(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error


def write_json(path: Path, document: Any) -> None:
    """Write ``document`` to ``path``, whole or not at all; NaN is refused, since JSON has none."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")


def field(entry: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:
    """Return ``entry[name]``; raise AlPoseError, naming ``where``, if it is missing or not of ``kind``."""
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise AlPoseError(
            f"{where}: expected {name!r}, got {'nothing' if value is None else type(value).__name__}.",
            "Correct it, or export the labels again.",
        )
    return value


class _RepeatedKeyError(ValueError):
    """An object in a JSON document has a key twice."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; Python's reader would silently keep the last of two values."""
    made = dict(pairs)
    if len(made) < len(pairs):
        for key, value in pairs:
            if made[key] != value:
                raise _RepeatedKeyError(repr(key))
    return made
