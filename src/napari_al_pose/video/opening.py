"""Opens everything that frames can come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from av.error import FFmpegError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import STACK_SUFFIXES
from napari_al_pose.video.container import open_container, video_stream
from napari_al_pose.video.image_folder import ImageFolder
from napari_al_pose.video.packets import Progress
from napari_al_pose.video.pixels import RgbConverter
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES
from napari_al_pose.video.tiff_stack import TiffStack
from napari_al_pose.video.video_file import VideoFile


def open_source(
    path: Path | str,
    *,
    name: str | None = None,
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    stills: Mapping[int, Path] | None = None,
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
        Called with ``(done, total)`` while a file that was not opened before is indexed.
    cancelled : callable, optional
        Called while indexing; once it returns True, opening ends with `OpeningCancelledError`.
    stills : mapping of int to Path, optional
        Images shown instead of the video's frames with these numbers.

    Raises
    ------
    AlPoseError
        If there is no such file, it is not a video or TIFF, no frame decodes, or the folder has no images.
    """
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path, name=name, cache_bytes=cache_bytes)
    if path.suffix.lower() in STACK_SUFFIXES:
        return TiffStack(path, name=name, cache_bytes=cache_bytes, stills=stills or {})
    return VideoFile(
        path, name=name, cache_bytes=cache_bytes, progress=progress, cancelled=cancelled, stills=stills or {}
    )


def frame_size(path: Path) -> tuple[int, int]:
    """Return width and height of a video's frames, upright, reading only its first ones.

    Raises
    ------
    AlPoseError
        As `open_source` does.
    """
    if path.suffix.lower() in STACK_SUFFIXES:
        with TiffStack(path, cache_bytes=0) as stack:
            return stack.shape[2], stack.shape[1]
    with open_container(path) as container:
        try:
            for frame in container.decode(video_stream(container, path)):
                height, width = RgbConverter()(frame).shape[:2]
                return width, height
        except FFmpegError as error:
            raise AlPoseError(
                f"{path} can't be decoded ({error}).", "Copy it again from where it was recorded."
            ) from error
    raise AlPoseError(f"Expected frames in {path}, got none.", "Copy it again from where it was recorded.")
