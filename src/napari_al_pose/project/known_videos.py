"""What the project's videos look like inside, so that one is found again under another name."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.formats.names import VIDEO_SUFFIXES

logger = logging.getLogger(__name__)

_SAMPLE_BYTES = 2**16


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True)

    file: str
    size: int
    mtime_ns: int
    digest: str


class _File(BaseModel):
    videos: dict[str, _Known] = {}


class KnownVideos:
    """The content of each video by its name in the project: size, and a digest of both ends of the file.

    The ends hold the container's header or index and the first and last packets; reading a video whole would take
    minutes.

    Parameters
    ----------
    path : Path
        ``al-pose/videos.json``; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known = _File.model_validate_json(path.read_bytes()).videos
        except FileNotFoundError:
            self._known = {}
        except (OSError, ValidationError) as error:
            logger.warning("%s could not be read and is made anew: %s", path, error)
            self._known = {}

    @property
    def names(self) -> Collection[str]:
        """The videos that were there once."""
        return self._known.keys()

    def is_called(self, name: str, path: Path) -> bool:
        """Return whether the video is already known to have this file."""
        return name in self._known and self._known[name].file == path.name

    def find(self, name: str, files: Iterable[Path]) -> Path | None:
        """Return the file among ``files`` that is the video ``name``, None if none is."""
        known = self._known.get(name)
        if known is None:
            return None
        for path in files:
            try:
                if path.stat().st_size == known.size and _digest(path) == known.digest:
                    return path
            except OSError as error:
                logger.warning("%s could not be read: %s", path, error)
        return None

    def remember(self, videos: Mapping[str, Path]) -> None:
        """Note what videos look like; those that are missing now stay noted. A project works without the note."""
        known = dict(self._known)
        for name, path in videos.items():
            try:
                status = path.stat()
                before = known.get(name)
                if before is None or (before.file, before.size, before.mtime_ns) != (
                    path.name,
                    status.st_size,
                    status.st_mtime_ns,
                ):
                    known[name] = _Known(
                        file=path.name, size=status.st_size, mtime_ns=status.st_mtime_ns, digest=_digest(path)
                    )
            except OSError as error:
                logger.warning("%s could not be read: %s", path, error)
        if known != self._known:
            self._known = known
            try:
                write_text(self._path, _File(videos=known).model_dump_json(indent=1))
            except AlPoseError as error:
                logger.warning("%s", error)


def videos_in(folder: Path) -> list[Path]:
    """Return the files in a folder that are named like videos, sorted; none if it cannot be read."""
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError:
        return []


def _digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        digest.update(stream.read(_SAMPLE_BYTES))
        stream.seek(max(size - _SAMPLE_BYTES, 0))
        digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()
