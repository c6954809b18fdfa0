"""Videos whose frames carry their own number, in black and white blocks that survive any codec."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BLOCK = 16
BITS = 16
WIDTH, HEIGHT = 8 * BLOCK, 4 * BLOCK


def draw_number(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return an RGB frame with ``number`` in two rows of blocks, its complement in the next two, noise around."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], np.uint8).reshape(2, 8)
    blocks = np.concatenate([bits, 1 - bits]) * 200 + 28
    frame = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    frame[:HEIGHT, :WIDTH] = blocks.repeat(BLOCK, 0).repeat(BLOCK, 1)[..., None]
    return frame


def read_number(frame: NDArray[np.uint8]) -> int:
    """Return the number a frame carries; ValueError if it is not there whole."""
    assert frame.dtype == np.uint8
    grey = frame[:HEIGHT, :WIDTH].mean(-1).reshape(4, BLOCK, 8, BLOCK)[:, 4:-4, :, 4:-4].mean((1, 3))
    bits, inverse = grey[:2].ravel() > 128, grey[2:].ravel() > 128
    if (bits == inverse).any() or (abs(grey - 128) < 40).any():
        raise ValueError("no number in this frame")
    return int((bits * (1 << np.arange(BITS))).sum())


@dataclass(frozen=True)
class Recipe:
    """How to write one video."""

    file: str
    codec: str
    options: dict[str, str] = field(default_factory=dict)
    n_frames: int = 60
    n_hidden: int = 0
    """Leading frames that the container hides (an edit list)."""
    pixels: str = "yuv420p"
    gop: int = 12
    rate: int = 25
    size: tuple[int, int] = (WIDTH, HEIGHT)
    times: Callable[[int], int] = lambda i: i
    time_base: Fraction | None = None
    muxing: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> list[int]:
        """Number drawn into each frame that a player shows."""
        return list(range(self.n_hidden, self.n_frames))

    @property
    def available(self) -> bool:
        """Whether FFmpeg here can write it."""
        try:
            av.codec.Codec(self.codec, "w")
        except av.codec.codec.UnknownCodecError:
            return False
        return True


@contextlib.contextmanager
def own_priority() -> Iterator[None]:
    """Take back the highest real-time priority, which SVT-AV1 gives to a process of root's: all others would wait."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_video(path: Path, recipe: Recipe, *, first_number: int = 0, format: str | None = None) -> Path:
    """Write ``recipe.n_frames`` numbered frames."""
    width, height = recipe.size
    time_base = recipe.time_base or Fraction(1, recipe.rate)
    with own_priority(), av.open(str(path), "w", format=format, options=recipe.muxing) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.options)
        stream.width, stream.height, stream.pix_fmt = width, height, recipe.pixels
        stream.codec_context.gop_size = recipe.gop
        stream.codec_context.thread_count = 2  # what some encoders write depends on it
        stream.codec_context.time_base = time_base
        for number in range(recipe.n_frames):
            frame = av.VideoFrame.from_ndarray(draw_number(first_number + number, width, height), format="rgb24")
            frame.pts, frame.time_base = recipe.times(number), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_with_false_keyframes(path: Path, honest: Path, false: Callable[[int], bool] = lambda n: n % 5 == 0) -> Path:
    """Copy packets without encoding and call some keyframes, which they are not."""
    with av.open(str(honest)) as source, av.open(str(path), "w") as target:
        template = source.streams.video[0]
        stream = target.add_stream_from_template(template)
        for number, packet in enumerate(packet for packet in source.demux(template) if packet.size):
            packet.stream, packet.is_keyframe = stream, packet.is_keyframe or false(number)
            target.mux(packet)
    return path


def numbers(frames: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Return the numbers of several frames."""
    return [read_number(frame) for frame in frames]
