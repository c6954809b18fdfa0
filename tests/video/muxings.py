"""Numbered frames in every kind of file that FFmpeg here can make: coded, muxed, copied, cut, joined, damaged."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av
import numpy as np
from numbered_videos import Recipe, read_number, write_video

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import is_placeholder, open_source

N_FRAMES = 48
CODECS = {
    "h264_b": Recipe("", "libx264", {"bf": "3", "b_strategy": "0", "preset": "ultrafast"}, gop=12),
    "h264": Recipe("", "libx264", {"bf": "0", "preset": "ultrafast"}, gop=12),
    "h264_open": Recipe("", "libx264", {"bf": "2", "x264-params": "open-gop=1:keyint=12:scenecut=0"}, gop=12),
    "hevc_b": Recipe("", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:bframes=3"}, gop=12),
    "mpeg4_b": Recipe("", "mpeg4", {"bf": "2", "qscale": "2"}, gop=12),
    "mpeg4": Recipe("", "mpeg4", {"qscale": "2"}, gop=12),
    "mpeg2_b": Recipe("", "mpeg2video", {"bf": "2", "qscale": "2"}, gop=12),
    "mjpeg": Recipe("", "mjpeg", {"qscale": "2"}, pixels="yuvj420p"),
    "vp8": Recipe("", "libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "10", "auto-alt-ref": "1"}),
    "vp9": Recipe("", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "10"}),
    "ffv1": Recipe("", "ffv1"),
    "ffv1_old": Recipe("", "ffv1", {"level": "1"}),  # without checksums
}
CONTAINERS = {
    "mp4": "mp4",
    "mov": "mov",
    "mkv": "matroska",
    "avi": "avi",
    "asf": "asf",
    "ts": "mpegts",
    "mpg": "mpeg",
    "flv": "flv",
    "webm": "webm",
    "h264": "h264",
    "hevc": "hevc",
}


@dataclass(frozen=True)
class Muxing:
    """One way to make a file.

    Parameters
    ----------
    codec : str
        Of `CODECS`.
    container : str
        Of `CONTAINERS`; where it is muxed to first.
    copies : tuple of str
        Containers it is copied to after that, without encoding.
    first_packet : int
        Packets before this one are left out of the last copy.
    share : float
        How much of the file's bytes is left in the end.
    joined : bool
        Whether the file follows itself, byte after byte, with other frames the second time.
    damaged : tuple of int
        Packets in which bytes are overwritten.
    """

    codec: str
    container: str
    copies: tuple[str, ...] = ()
    first_packet: int = 0
    share: float = 1.0
    joined: bool = False
    damaged: tuple[int, ...] = ()

    def make(self, folder: Path) -> Path | None:
        """Write the file; None if FFmpeg does not."""
        parts = [self._part(folder, part) for part in range(1 + self.joined)]
        if None in parts:
            return None
        path = folder / f"made.{(self.container, *self.copies)[-1]}"
        content = b"".join(part.read_bytes() for part in parts if part is not None)
        path.write_bytes(content[: int(len(content) * self.share)])
        if self.damaged:
            damage(path, self.damaged)
        return path

    def _part(self, folder: Path, part: int) -> Path | None:
        path = folder / f"part{part}.{self.container}"
        content = encoded(self.codec, self.container, part * 1000)
        if content is None:
            return None
        path.write_bytes(content)
        try:
            for step, container in enumerate(self.copies):
                is_last = step == len(self.copies) - 1
                copy = folder / f"part{part}_{step}.{container}"
                copy_packets(path, copy, CONTAINERS[container], first=self.first_packet if is_last else 0)
                path = copy
        except (av.error.FFmpegError, ValueError, OverflowError):
            return None
        return path if path.is_file() else None  # nothing is written where no packet is left


@cache
def encoded(codec: str, container: str, first_number: int) -> bytes | None:
    """Return a file before anything is done to it; None if FFmpeg does not make it, or not so that it can be opened."""
    recipe = replace(CODECS[codec], file=f"encoded.{container}", n_frames=N_FRAMES)
    if not recipe.available:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / recipe.file
        try:
            write_video(path, recipe, first_number=first_number, format=CONTAINERS[container])
            with av.open(str(path)) as made:
                stream = made.streams.best("video")
                return None if stream is None or stream.codec_context is None else path.read_bytes()
        except (av.error.FFmpegError, ValueError):
            return None


def copy_packets(source_path: Path, target_path: Path, muxer: str, *, first: int = 0) -> None:
    """Copy packets as they are, as ``ffmpeg -c copy`` does: where they have no presentation time they get the other."""
    with av.open(str(source_path)) as source, av.open(str(target_path), "w", format=muxer) as target:
        template = source.streams.best("video")
        if template is None:
            raise ValueError("no video came out")
        stream = target.add_stream_from_template(template)
        last = None
        for rank, packet in enumerate(packet for packet in source.demux(template) if packet.size):
            if rank < first:
                continue
            if packet.dts is None:
                packet.dts = packet.pts if packet.pts is not None else (0 if last is None else last + 1)
            if last is not None and packet.dts <= last:
                packet.dts = last + 1
            last = packet.dts
            if packet.pts is None or packet.pts < packet.dts:
                packet.pts = packet.dts
            packet.stream = stream
            target.mux(packet)


def damage(path: Path, ranks: tuple[int, ...], seed: int = 0) -> None:
    """Overwrite some bytes in the middle of packets."""
    drawn = random.Random(seed)
    places: list[tuple[int | None, int]] = []
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path)) as container:
        stream = container.streams.best("video")
        if stream is None:
            return
        places += [(packet.pos, packet.size) for packet in container.demux(stream) if packet.size]
    with path.open("r+b") as file:
        for rank in ranks if places else ():
            place, size = places[rank % len(places)]
            if place is None or place < 0 or size < 8:
                continue
            file.seek(place + size // 3)
            file.write(drawn.randbytes(max(size // 4, 2)))


def plain_numbers(path: Path) -> list[int | None]:
    """Return the number of each frame as a decoder puts them out from the start; None for pictures that show none.

    As OpenCV reads: FFmpeg's best stream, packet after packet, and what does not decode is passed over.
    """
    return [number for _, number in _plain_decode(path, 0)]


def numbers_from_keyframes(path: Path) -> set[int | None]:
    """Return the numbers of the frames that come out where decoding begins at one of the keyframes.

    After damage, FFmpeg's H.264 decoder may put out nothing more, or other pictures, to the file's end: it gave a
    damaged picture a place in the order that is later than all others', and waits to be told to start over, which open
    groups never say. What follows is whole for whoever starts at a keyframe there.
    """
    with av.open(str(path)) as container:
        packets = enumerate(_readable(container, container.streams.best("video")))
        keys = [i for i, packet in packets if packet is not None and packet.is_keyframe]
    return {number for key in keys for _, number in _plain_decode(path, key)}


def _plain_decode(path: Path, first: int) -> list[tuple[int | None, int | None]]:
    """Return the time and the number of each frame that comes out where decoding begins at a packet."""
    found: list[tuple[int | None, int | None]] = []
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path)) as container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            return []
        stream.thread_type = "NONE"  # several threads lose frames at an error
        for rank, packet in enumerate(_readable(container, stream)):
            if rank < first and packet is not None:
                continue
            try:
                frames = stream.codec_context.decode(packet)
            except (av.error.FFmpegError, EOFError):
                continue
            found += [(frame.pts, number_of(frame.to_ndarray(format="rgb24"))) for frame in frames]
    return found


def _readable(container, stream):
    with contextlib.suppress(av.error.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def number_of(frame) -> int | None:
    """Return the number in a frame, None if there is none."""
    try:
        return read_number(frame)
    except ValueError:
        return None


def ways(n: int) -> dict[str, Callable[[], list[int]]]:
    """Return orders in which frames of a video may be read."""
    return {
        "forward": lambda: list(range(n)),
        "backward": lambda: list(range(n - 1, -1, -1)),
        "random": lambda: [random.Random(7).randrange(n) for _ in range(min(n, 40))],
    }


def read_every_way(path: Path) -> tuple[list[int | None], list[int], str]:
    """Return each frame's number, None for a placeholder or a picture without one; which are damaged; and the notice.

    Fails if a picture depends on how it is reached.
    """
    with open_source(path, cache_bytes=0) as video:
        pictures: dict[int, np.ndarray] = {}
        for name, way in ways(len(video)).items():
            for position in way():
                frame = video[position]
                assert frame.shape == video.shape[1:]
                if position in pictures:
                    np.testing.assert_array_equal(frame, pictures[position], err_msg=f"{name}, frame {position}")
                pictures[position] = frame.copy()
        numbers = [None if is_placeholder(pictures[i]) else number_of(pictures[i]) for i in range(len(video))]
        return numbers, [i for i in range(len(video)) if video.is_damaged(i)], video.notice


def check_file(path: Path) -> str:
    """Compare all of a file with a plain decode; returns what came of it, or fails.

    Frames that do not decode keep their place, and those from damaged data may show anything. No other may differ.
    """
    truth = plain_numbers(path)
    try:
        numbers, damaged, notice = read_every_way(path)
    except AlPoseError as error:
        if truth or path.name not in error.message:
            raise AssertionError(f"{len(truth)} frames decode") from error
        return "named message"
    if not damaged:
        assert numbers == truth
        return "right"
    assert path.name in notice
    missing = [i for i in damaged if numbers[i] is None]
    sound = [number for i, number in enumerate(numbers) if i not in damaged]
    # A frame that shows its own number is right, whatever a plain decode makes of it after damage.
    strange = {number for i, number in enumerate(numbers) if i not in damaged and number != i}
    assert strange <= numbers_from_keyframes(path).union(truth)
    assert None in sound or sound == sorted(sound)
    assert len(numbers) - len(missing) <= len(truth) <= len(numbers)
    return "right but for damage that is named"
