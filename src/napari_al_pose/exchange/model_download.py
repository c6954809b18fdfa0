"""Downloads weights that others published; nothing is downloaded unless the user asks for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pooch
import requests

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pretrained import PretrainedModel
from napari_al_pose.engine.messages import Progress
from napari_al_pose.formats.atomic import replacing

_PIECE = 2**18
_PATIENCE_SECONDS = (10.0, 30.0)
"""How long to wait for the connection, and for each piece."""

_MOST_BYTES = 2**31
_MEGABYTE = 1e6


def model_folder() -> Path:
    """Return the folder for downloaded weights: in the platform's cache, outside of any project."""
    return Path(pooch.os_cache("napari-al-pose")) / "models"


def downloaded(model: PretrainedModel, folder: Path) -> Path | None:
    """Return where a model lies that was downloaded before; None if it was not. Its checksum was right then."""
    path = folder / model.file_name
    return path if path.is_file() else None


def download_model(model: PretrainedModel, folder: Path, *, url: str | None = None) -> Generator[Progress, None, Path]:
    """Download a model's weights; closing the generator leaves nothing behind.

    Parameters
    ----------
    model : PretrainedModel
        Its checksum must be known.
    folder : Path
        Made if it isn't there.
    url : str, optional
        By default the publisher's.

    Yields
    ------
    Progress
        In megabytes.

    Returns
    -------
    Path
        The file, whose checksum is right.

    Raises
    ------
    AlPoseError
        If the file can't be reached, is not the published one, or can't be written.
    """
    if not model.sha256:
        raise AlPoseError(f"The checksum of {model.file_name} is not known.", f"Download it yourself: {model.page}.")
    path, where = folder / model.file_name, url or model.url
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AlPoseError(
            f"{folder} could not be made: {error.strerror}.", "Choose a folder in which you may write."
        ) from error
    yield Progress(0, f"Connecting to {where.split('/')[2]}", 0, 0, -1.0)
    with replacing(path) as temporary:
        try:
            with requests.get(where, stream=True, timeout=_PATIENCE_SECONDS) as answer, temporary.open("wb") as file:
                answer.raise_for_status()
                found = yield from _store(answer, file, model)
        except requests.RequestException as error:
            raise _out_of_reach(model, where, error) from error
        if found != model.sha256:
            raise AlPoseError(
                f"Expected {where} to have the SHA-256 {model.sha256}, got {found}.",
                f"The download was damaged, or the file has changed. Try again, or download it yourself: {model.page}.",
            )
    return path


def _store(answer: requests.Response, file: IO[bytes], model: PretrainedModel) -> Generator[Progress, None, str]:
    """Write what comes and return its SHA-256."""
    digest, done, begun = hashlib.sha256(), 0, time.monotonic()
    total = model.n_bytes or _announced(answer) or int(model.megabytes * _MEGABYTE)
    for piece in answer.iter_content(_PIECE):
        file.write(piece)
        digest.update(piece)
        done += len(piece)
        if done > _MOST_BYTES:
            raise AlPoseError(f"{model.file_name} is far larger than expected.", f"Look at {model.page}.")
        left = (time.monotonic() - begun) * max(total - done, 0) / done
        yield Progress(0, "Downloading (MB)", round(done / _MEGABYTE), round(max(total, done) / _MEGABYTE), left)
    return digest.hexdigest()


def _announced(answer: requests.Response) -> int:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else 0


def _out_of_reach(model: PretrainedModel, where: str, error: requests.RequestException) -> AlPoseError:
    status = "" if error.response is None else f" {error.response.status_code}"
    return AlPoseError(
        f"{model.file_name} could not be downloaded from {where}: {type(error).__name__}{status}.",
        f"Connect to the internet and try again; or download it elsewhere from {model.page}, then choose the file.",
    )
