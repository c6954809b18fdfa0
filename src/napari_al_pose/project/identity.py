"""The identity of a video, whatever its name and place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, plain

_SAMPLE_BYTES = 2**16
_SAMPLED_IMAGES = 8


@dataclass(frozen=True, slots=True)
class VideoIdentity:
    """The content of a video file, or of a folder of images that stands in for one.

    Two files of the same identity are the same video; a file that was recorded or encoded again has another. The ends
    of a file hold its header or index and its first and last packets; reading a whole video would take minutes.

    Parameters
    ----------
    size : int
        In bytes; for a folder, those of all its images.
    digest : str
        SHA-256, in hexadecimal, of the size and both ends; for a folder, of its images' names and sizes and of the ends
        of a few.
    """

    size: int
    digest: str

    @property
    def mark(self) -> str:
        """Eight characters that distinguish files of the same name."""
        return self.digest[:8]


def identity_of(path: Path) -> VideoIdentity:
    """Return the identity of a video file or a folder of images; raise OSError if it can't be read."""
    path = Path(path)
    if path.is_dir():
        return _identity_of_folder(path, path.stat().st_mtime_ns)
    status = path.stat()
    return VideoIdentity(
        status.st_size, _digest(str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ino)
    )


def is_same_video(a: Path, b: Path) -> bool:
    """Return whether two files (or folders of images) are the same video; False if one can't be read."""
    try:
        # Compare sizes first: they distinguish nearly all files, and cost nothing.
        return (a.is_dir() or b.is_dir() or a.stat().st_size == b.stat().st_size) and identity_of(a) == identity_of(b)
    except OSError:
        return False


def digest_of_source(source: FrameSource) -> str:
    """Return the digest of what an open source reads; "" if it reads no file."""
    source = getattr(source, "source", source)  # the source of a `napari_al_pose.video.region.Region`
    path = getattr(source, "original", None) or getattr(source, "path", None)
    try:
        digest = "" if path is None else identity_of(Path(path)).digest
        stills = getattr(source, "stills", None)  # images shown instead of frames
        return hashlib.sha256(f"{digest} {stills}".encode()).hexdigest() if stills else digest
    except OSError:
        return ""


@lru_cache(maxsize=1024)
def _digest(path: str, size: int, _time: int, _node: int) -> str:
    """Read both ends of a file, once for each version of the file."""
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as stream:
        digest.update(stream.read(_SAMPLE_BYTES))
        stream.seek(max(size - _SAMPLE_BYTES, 0))
        digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _identity_of_folder(folder: Path, _time: int) -> VideoIdentity:
    images = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != ".")
    digest, total = hashlib.sha256(), 0
    step = max(1, len(images) // _SAMPLED_IMAGES)
    for rank, image in enumerate(images):
        size = image.stat().st_size
        total += size
        content = identity_of(image).digest if rank % step == 0 else ""
        digest.update(f"{plain(image.name)} {size} {content}\n".encode())
    return VideoIdentity(total, digest.hexdigest())
