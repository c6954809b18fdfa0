"""One door to everything that frames can come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_al_pose.video.image_folder import ImageFolder
from napari_al_pose.video.packets import Progress
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES
from napari_al_pose.video.tiff_stack import EXTENSIONS as TIFF_SUFFIXES
from napari_al_pose.video.tiff_stack import TiffStack
from napari_al_pose.video.video_file import VideoFile


def open_source(
    path: Path | str,
    *,
    name: str | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> VideoFile | ImageFolder | TiffStack:
    """Open a video file, a TIFF stack, or a folder of images named by frame number.

    Parameters
    ----------
    path : Path
        The file or the folder.
    name : str, optional
        The video's name in the project; by default the file name without its extension, or the folder's name.
    cache_bytes : int
        Bytes of decoded frames to keep.
    progress : callable, optional
        Told ``(done, total)`` while a file that was not opened before is indexed.
    cancelled : callable, optional
        Asked while indexing; once it returns True, opening ends with `OpeningCancelledError`.

    Raises
    ------
    AlPoseError
        No such file, not a video, no frame that decodes, no TIFF file, or a folder without images.
    """
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path, name=name, cache_bytes=cache_bytes)
    if path.suffix.lower() in TIFF_SUFFIXES:
        return TiffStack(path, name=name, cache_bytes=cache_bytes)
    return VideoFile(path, name=name, cache_bytes=cache_bytes, progress=progress, cancelled=cancelled)
