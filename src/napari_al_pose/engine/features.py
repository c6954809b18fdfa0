"""Image features of frames, computed once and kept in the project."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Collection, Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.duplicate_frames import HEIGHT, WIDTH, small_picture
from napari_al_pose.acquisition.pool import is_blank
from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.sources import read_batches
from napari_al_pose.formats.atomic import make_folder, replacing
from napari_al_pose.pose import FeatureExtractor
from napari_al_pose.project.identity import digest_of_source
from napari_al_pose.video.region import Region

log = logging.getLogger(__name__)

_MARK = 16
"""Number of characters of a video's digest in the name of its features."""


class FeatureCache:
    """Features by frame. The file is only a cache: if it is lost or damaged, features are computed again.

    Parameters
    ----------
    path : Path
        An ``.npz`` file.
    device : str
        Where the backbone runs.
    """

    def __init__(self, path: Path, *, device: str = "auto") -> None:
        self._path = path
        self._device = device
        self._extractor: FeatureExtractor | None = None
        self._known, self._pictures = _read(path)

    def fetch(
        self, keys: Sequence[FrameKey], sources: Mapping[str, FrameSource], job: int
    ) -> Generator[Progress, None, NDArray[np.float32]]:
        """Return the features of ``keys``, float32 ``(len(keys), d)``, with NaN for blank frames.

        Features that are not known yet are computed.
        """
        names = {name: shown_name(source) for name, source in sources.items()}
        missing = [key for key in dict.fromkeys(keys) if _renamed(key, names) not in self._known]
        if missing:
            yield Progress(job, "Computing image features", 0, len(missing), -1.0)
            self._extractor = self._extractor or FeatureExtractor(self._device)
            reporter = ProgressReporter(job, "Computing image features", len(missing))
            done = 0
            for batch in read_batches(missing, sources, batch_size=8):
                vectors = self._extractor.extract(batch.frames)
                rows = zip(batch.indices, batch.frames, batch.whole, vectors, strict=True)
                for index, frame, is_whole, vector in rows:
                    name = _renamed(missing[index], names)
                    shows = is_whole and not is_blank(frame[::2, ::2])
                    self._known[name] = vector if shows else np.full_like(vector, np.nan)
                    self._pictures[name] = small_picture(frame)
                done += len(batch.indices)
                yield from reporter.report(done)
            self._write(names.values())
        return np.stack([self._known[_renamed(key, names)] for key in keys]) if keys else np.empty((0, 0), np.float32)

    def pictures(self, keys: Sequence[FrameKey], sources: Mapping[str, FrameSource]) -> NDArray[np.uint8]:
        """Return the small pictures of fetched frames, uint8 ``(len(keys), HEIGHT, WIDTH)``."""
        names = {name: shown_name(source) for name, source in sources.items()}
        found = [self._pictures[_renamed(key, names)] for key in keys]
        return np.stack(found) if found else np.empty((0, HEIGHT, WIDTH), np.uint8)

    def _write(self, names: Collection[str]) -> None:
        # Features of other files that once had the name of one of these videos are no longer of use.
        present = {name.split(":")[1]: name.split(":")[0] for name in names}
        for key in list(self._known):
            mark, _, rest = key.video.partition(":")
            if present.get(rest.split(":")[0], mark) != mark or not rest:
                del self._known[key], self._pictures[key]
        keys = list(self._known)
        try:
            make_folder(self._path.parent)
            with replacing(self._path) as temporary:
                np.savez(
                    temporary,
                    videos=np.array([key.video for key in keys], dtype=np.str_),
                    frames=np.array([key.frame for key in keys], np.int64),
                    features=np.stack([self._known[key] for key in keys]).astype(np.float32),
                    pictures=np.stack([self._pictures[key] for key in keys]),
                )
        except AlPoseError as error:
            log.warning("features are not kept: %s", error)


def shown_name(source: FrameSource) -> str:
    """Return a name that differs for other regions of a video and for other files of its name."""
    name = f"{digest_of_source(source)[:_MARK]}:{source.name}"
    return f"{name}:{source.rectangle}" if isinstance(source, Region) else name


def _renamed(key: FrameKey, names: dict[str, str]) -> FrameKey:
    return FrameKey(names.get(key.video, key.video), key.frame)


def _read(path: Path) -> tuple[dict[FrameKey, NDArray[np.float32]], dict[FrameKey, NDArray[np.uint8]]]:
    """Return features and small pictures by frame; nothing if the file is missing, damaged or in an older form."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            videos, frames, features = stored["videos"], stored["frames"], stored["features"]
            pictures = stored["pictures"]
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is computed again: %s", path, error)
        return {}, {}
    shapes = features.ndim == 2 and pictures.shape[1:] == (HEIGHT, WIDTH) and pictures.dtype == np.uint8
    if not shapes or not len(videos) == len(frames) == len(features) == len(pictures):
        return {}, {}
    keys = [FrameKey(str(video), int(frame)) for video, frame in zip(videos, frames, strict=True)]
    return dict(zip(keys, features, strict=True)), dict(zip(keys, pictures, strict=True))
