"""Opening a file with FFmpeg, and saying plainly why it does not open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition

from napari_al_pose.domain import AlPoseError

_INDEX_AT_END = {".mp4", ".mov", ".m4v", ".3gp", ".mj2"}
_BY_HEADER = {"skip_frame": "all", "probesize": "32", "advanced_editlist": "0"}
"""Decode nothing to find out about the streams, read one packet, and apply edit lists as a shift of all times."""
_SWALLOWING = ("hevc", "mjpeg")
"""Decoders that pass over slices and scans that do not decode: the rest of the picture is what its memory held."""


def stored_packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a stream that hold data, in the file's order.

    Where damage, or an FLV file's late sound, adds a stream on the way, PyAV's list of streams is shorter than the
    file's by the end, and its last look at all streams fails.
    """
    with suppress(IndexError):
        for packet in container.demux(stream):
            if packet.size:
                yield packet


def open_container(path: Path, *, by_header: bool = False) -> av.container.InputContainer:
    """Open a video file for reading.

    Parameters
    ----------
    path : Path
        The file.
    by_header : bool
        Whether its header is known to tell all (see `napari_al_pose.video.index.PacketIndex`). That saves decoding a
        keyframe, and half the time where there are very many frames.

    Raises
    ------
    AlPoseError
        No such file, no permission, or not a video.
    """
    if not path.exists():
        raise AlPoseError(f"Expected a video at {path}, got no such file.", "Check the path, or plug the drive in.")
    if not path.is_file():
        raise AlPoseError(f"Expected a video file, got {path}, which is not a file.", "Choose a file.")
    if not path.stat().st_size:
        raise AlPoseError(
            f"Expected a video in {path}, got an empty file.", "Copy it again from where it was recorded."
        )
    try:
        return av.open(str(path), metadata_errors="replace", options=_BY_HEADER if by_header else {})
    except InvalidDataError as error:
        raise AlPoseError(f"{path} can't be read as a video ({error.strerror}).", _damage_hint(path)) from error
    except PermissionError as error:
        raise AlPoseError(f"{path} may not be read.", "Ask its owner for permission to read it.") from error
    except (FFmpegError, OSError) as error:
        raise AlPoseError(
            f"{path} can't be opened ({error.strerror or error}).", "Check the drive it is on."
        ) from error


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """Return the stream that plays; cover pictures are none.

    Raises
    ------
    AlPoseError
        There is no video stream, or nothing here decodes it.
    """
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        raise AlPoseError(f"Expected a video in {path}, got a file without a video stream.", "Choose a video file.")
    # Of several it is the one with most frames and pixels, by FFmpeg's rule: a cover is not always marked as one.
    best = container.streams.best("video")
    stream = best if best in films else films[0]
    if stream.frames == 1:
        # It may be the default all the same.
        stream = next((film for film in films if film.frames != 1), stream)
    if stream.codec_context is None:
        raise AlPoseError(
            f"The video in {path} is in a format that can't be decoded.",
            f"Convert it: ffmpeg -i {path.name} -c:v libx264 -crf 12 {path.stem}_h264.mp4",
        )
    return stream


def tell_of_damage(codec: av.VideoCodecContext) -> None:
    """Let a decoder that was not used yet raise what it would pass over in silence.

    Some of that does no harm to pictures, such as a note of the encoder's that can't be read.
    """
    if codec.name in _SWALLOWING:
        codec.options = {**codec.options, "err_detect": "explode"}


def unreachable(path: Path, error: FFmpegError) -> AlPoseError | None:
    """Return what to tell the user if reading failed because of the drive; None if the file itself is at fault."""
    if not isinstance(error, OSError):
        return None
    return AlPoseError(
        f"Reading {path} failed ({error.strerror or error}).", "Check the drive or network it is on and open it again."
    )


def _damage_hint(path: Path) -> str:
    if path.suffix.lower() in _INDEX_AT_END:
        return (
            "If it is a recording that was interrupted or copied only in part, its table of contents, which comes "
            "last, is missing: copy the file again, or repair it with a tool such as untrunc."
        )
    return "Choose a video file, or copy it again if it should be one."
