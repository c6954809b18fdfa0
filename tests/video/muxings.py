"""Numbered frames in every kind of file that FFmpeg here can make: coded, muxed, copied, cut, joined, damaged."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
from numbered_videos import Recipe, read_number, write_video

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
        recipe = replace(CODECS[self.codec], file=path.name, n_frames=N_FRAMES)
        if not recipe.available:
            return None
        try:
            write_video(path, recipe, first_number=part * 1000, format=CONTAINERS[self.container])
            for step, container in enumerate(self.copies):
                is_last = step == len(self.copies) - 1
                copy = folder / f"part{part}_{step}.{container}"
                copy_packets(path, copy, CONTAINERS[container], first=self.first_packet if is_last else 0)
                path = copy
        except (av.error.FFmpegError, ValueError, OverflowError):
            return None
        return path


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
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        places = [(packet.pos, packet.size) for packet in container.demux(stream) if packet.size]
    with path.open("r+b") as file:
        for rank in ranks:
            place, size = places[rank % len(places)]
            if place is None or place < 0 or size < 8:
                continue
            file.seek(place + size // 3)
            file.write(drawn.randbytes(max(size // 4, 2)))


def plain_numbers(path: Path) -> list[int | None]:
    """Return the number of each frame as a decoder puts them out from the start; None for pictures that show none.

    As OpenCV reads: FFmpeg's best stream, packet after packet, and what does not decode is passed over.
    """
    found: list[int | None] = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        stream.thread_type = "AUTO"
        for packet in _readable(container, stream):
            try:
                frames = stream.codec_context.decode(packet)
            except (av.error.FFmpegError, EOFError):
                continue
            found += [number_of(frame.to_ndarray(format="rgb24")) for frame in frames]
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
