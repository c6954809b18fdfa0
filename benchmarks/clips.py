"""Videos to measure on, made on the spot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.peers.video_numbers import draw_number

logger = logging.getLogger(__name__)


def write_texture(
    path: Path,
    *,
    n_frames: int,
    size: tuple[int, int],
    gop: int,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a moving texture."""
    width, height = size
    texture = np.random.default_rng(0).integers(60, 200, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    texture = texture.repeat(8, 0).repeat(8, 1)[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.gop_size = gop
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.roll(texture, (number, 2 * number), (0, 1)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def stream_copy_loop(clip: Path, path: Path, n_frames: int) -> Path:
    """Copy the packets of a clip again and again, without encoding, until there are ``n_frames``."""
    logger.info("writing a video of %d frames", n_frames)
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        template = source.streams.video[0]
        stream = target.add_stream_from_template(template)
        packets = [packet for packet in source.demux(template) if packet.size]
        contents = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets]
        step = round(1 / (Fraction(30) * template.time_base))
        for number in range(n_frames):
            turn, which = divmod(number, len(contents))
            content, pts, dts, is_keyframe = contents[which]
            packet = av.Packet(content)
            offset = turn * len(contents) * step
            packet.stream, packet.time_base = stream, template.time_base
            packet.pts, packet.dts, packet.is_keyframe = pts + offset, dts + offset, is_keyframe
            target.mux(packet)
    return path


def write_numbered(
    path: Path, *, times: Callable[[int], int] = lambda i: 40 * i, n_frames: int = 60, n_hidden: int = 0
) -> tuple[Path, list[int]]:
    """Write frames that carry their numbers, shown at ``times(number)`` ms; return them as a player shows them.

    The first ``n_hidden`` lie before time zero, where the container hides them.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3", "b_strategy": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.gop_size = 12
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(draw_number(number), format="rgb24")
            frame.pts, frame.time_base = times(number), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path, list(range(n_hidden, n_frames))
