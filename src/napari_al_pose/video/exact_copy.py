"""Makes a copy of a video in which every seek is exact: the same frames, pixel for pixel, re-encoded without loss."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import cannot_write, replacing
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder, SupersededError
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.index_cache import load_or_build
from napari_al_pose.video.packets import OpeningCancelledError, Progress
from napari_al_pose.video.pixels import RgbConverter, fit, is_upright, placeholder

FOLDER = "exact copies"
"""Beside the original, but out of sight of programs that look for videos there."""

_X264_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"}
"""Pixel formats that x264 keeps without loss; FFV1, whose files are much larger, keeps the rest."""
_GROUP = 12
_REPORT_EVERY = 32


def write_exact_copy(
    path: Path, *, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> Path:
    """Decode a video from the first frame to the last and write the frames to a file beside it.

    Frames that do not decode become the striped placeholder, so numbers stay. The original is only read.

    Parameters
    ----------
    path : Path
        The video.
    progress : callable, optional
        Called with ``(done, total)`` in frames.
    cancelled : callable, optional
        Called before every packet; once it returns True, the copy is removed.

    Returns
    -------
    Path
        The copy, in the folder ``exact copies`` beside the original.

    Raises
    ------
    AlPoseError
        If the copy can't be written, or came out with another number of frames.
    OpeningCancelledError
        ``cancelled()`` returned True.
    """
    index = load_or_build(path).forward_only()
    original = path.resolve()
    folder = original.parent / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    decoder = FrameDecoder(original, index, Damage(index), to_rgb=_upright)
    try:
        frames = decoder.frames(0, len(index) - 1, superseded=cancelled)
        position, frame = next(frames)
        uses_x264 = frame.format.name in _X264_FORMATS and frame.width % 2 == frame.height % 2 == 0
        target = folder / f"{original.stem}{'.mp4' if uses_x264 else '.mkv'}"
        with replacing(target) as partial:
            _write(partial, index, itertools.chain([(position, frame)], frames), progress, uses_x264=uses_x264)
            n_written = len(load_or_build(partial))
            if n_written != len(index):
                raise AlPoseError(
                    f"Expected {len(index)} frames in the copy of {path}, got {n_written}.",
                    "Convert it with another tool.",
                )
    except SupersededError as error:
        raise OpeningCancelledError(f"Copying {path.name} was cancelled.") from error
    except FFmpegError as error:
        raise AlPoseError(
            f"The copy of {path} can't be encoded ({error.strerror or error}).", "Decode forwards instead."
        ) from error
    finally:
        decoder.close()
    return target


def _upright(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the frame unchanged if players show it as stored, otherwise rotated, as RGB."""
    if is_upright(frame):
        return frame
    return av.VideoFrame.from_ndarray(RgbConverter()(frame), format="rgb24")


def _write(
    path: Path,
    index: PacketIndex,
    frames: Iterator[tuple[int, av.VideoFrame]],
    progress: Progress | None,
    *,
    uses_x264: bool,
) -> None:
    position, first = next(frames)
    frame: av.VideoFrame | None = first
    with av.open(str(path), "w") as container:
        writer = _Writer(container, first, index, uses_x264=uses_x264)
        while frame is not None:
            writer.write(position, frame)
            if progress is not None and position % _REPORT_EVERY == 0:
                progress(position, len(index))
            position, frame = next(frames, (len(index), None))
        writer.finish()
    if progress is not None:
        progress(len(index), len(index))


class _Writer:
    """Encodes frames at their positions and fills the gaps."""

    def __init__(
        self, container: av.container.OutputContainer, like: av.VideoFrame, index: PacketIndex, *, uses_x264: bool
    ) -> None:
        self._container = container
        self._times, self._time_base = _times(index)
        self._size = (like.height, like.width)
        self._format = like.format.name if uses_x264 else _ffv1_format(like)
        rate = Fraction(index.fps).limit_denominator(1001)
        options = {"qp": "0", "preset": "veryfast", "bf": "0"} if uses_x264 else {"level": "3"}
        self._stream = container.add_stream("libx264" if uses_x264 else "ffv1", rate=rate, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = like.width, like.height, self._format
        codec = self._stream.codec_context
        codec.gop_size = _GROUP if uses_x264 else 1
        codec.time_base = self._time_base
        codec.color_range, codec.colorspace = like.color_range, like.colorspace
        self._next = 0

    def write(self, position: int, frame: av.VideoFrame) -> None:
        for missing in range(self._next, position):
            self._encode(missing, av.VideoFrame.from_ndarray(placeholder(*self._size), format="rgb24"))
        if (frame.height, frame.width) != self._size:
            frame = av.VideoFrame.from_ndarray(fit(RgbConverter()(frame), *self._size), format="rgb24")
        self._encode(position, frame)
        self._next = position + 1

    def finish(self) -> None:
        for missing in range(self._next, len(self._times)):
            self._encode(missing, av.VideoFrame.from_ndarray(placeholder(*self._size), format="rgb24"))
        self._container.mux(self._stream.encode())

    def _encode(self, position: int, frame: av.VideoFrame) -> None:
        if frame.format.name != self._format:
            frame = frame.reformat(format=self._format)
        frame.pts, frame.time_base = int(self._times[position]), self._time_base
        frame.pict_type = av.video.frame.PictureType.NONE
        self._container.mux(self._stream.encode(frame))


def _ffv1_format(frame: av.VideoFrame) -> str:
    supported = {known.name for known in av.codec.Codec("ffv1", "w").video_formats or ()}
    name = str(frame.format.name)
    if name in supported:
        return name
    return "bgra" if any(component.is_alpha for component in frame.format.components) else "bgr0"


def _times(index: PacketIndex) -> tuple[NDArray[np.int64], Fraction]:
    """Return when each frame is shown, starting at 0, with no two at the same time."""
    steps = np.maximum(np.diff(index.times), 1)
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.int64), index.time_base
