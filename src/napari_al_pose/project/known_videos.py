"""Remembers the content of the project's videos, so that they are found again under other names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import is_video
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.project.identity import VideoIdentity, identity_of

logger = logging.getLogger(__name__)


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True)

    file: str
    size: int
    mtime_ns: int
    digest: str

    def is_untouched(self, path: Path) -> bool:
        """Return whether the file has the size and the time it had; then it need not be read."""
        status = path.stat()
        return (self.size, self.mtime_ns) == (status.st_size, status.st_mtime_ns)

    @property
    def identity(self) -> VideoIdentity:
        return VideoIdentity(self.size, self.digest)


class _VideosFile(BaseModel):
    videos: dict[str, _Known] = {}


class KnownVideos:
    """The `VideoIdentity` of each video of the project, by its name there.

    Parameters
    ----------
    path : Path
        ``al-pose/videos.json``; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known = _VideosFile.model_validate_json(path.read_bytes()).videos
        except FileNotFoundError:
            self._known = {}
        except (OSError, ValidationError) as error:
            logger.warning("%s could not be read and is made again: %s", path, error)
            self._known = {}

    @property
    def names(self) -> Collection[str]:
        """The videos known so far."""
        return self._known.keys()

    def is_called(self, name: str, path: Path) -> bool:
        """Return whether the video is known to have this file."""
        return name in self._known and self._known[name].file == path.name

    def find(self, name: str, files: Iterable[Path]) -> Path | None:
        """Return the file among ``files`` that is the video ``name``; None if there is none."""
        known = self._known.get(name)
        if known is None:
            return None
        for path in files:
            try:
                if path.stat().st_size == known.size and identity_of(path) == known.identity:
                    return path
            except OSError as error:
                logger.warning("%s could not be read: %s", path, error)
        return None

    def replaced(self, videos: Mapping[str, Path]) -> list[str]:
        """Return the videos whose file differs from the one last remembered, whatever its name."""
        found = []
        for name, path in videos.items():
            known = self._known.get(name)
            try:
                if known is not None and not known.is_untouched(path) and identity_of(path) != known.identity:
                    found.append(name)
            except OSError as error:
                logger.warning("%s could not be read: %s", path, error)
        return found

    def remember(self, videos: Mapping[str, Path]) -> None:
        """Remember the content of videos; missing ones stay remembered. A project also works without this file."""
        known = dict(self._known)
        for name, path in videos.items():
            try:
                before = known.get(name)
                if before is None or before.file != path.name or not before.is_untouched(path):
                    identity, time = identity_of(path), path.stat().st_mtime_ns
                    known[name] = _Known(file=path.name, size=identity.size, mtime_ns=time, digest=identity.digest)
            except OSError as error:
                logger.warning("%s could not be read: %s", path, error)
        if known != self._known:
            self._known = known
            try:
                write_text(self._path, _VideosFile(videos=known).model_dump_json(indent=1))
            except AlPoseError as error:
                logger.warning("%s", error)


def videos_in(folder: Path) -> list[Path]:
    """Return the files in a folder with names of videos, sorted; none if it can't be read."""
    try:
        return videos_among(folder.iterdir())
    except OSError:
        return []


def videos_among(paths: Iterable[Path]) -> list[Path]:
    """Return the files with names of videos, sorted, without what macOS leaves beside files."""
    return sorted(path for path in paths if is_video(path) and not path.name.startswith(".") and path.is_file())
