"""Parts of pictures that a decoder left as their memory was before.

Some decoders of FFmpeg say nothing where the data of a picture ends too early: what they had not reached shows what
that memory held before, an older frame or nothing. Which one that is depends on the way to the frame. Most of them tell
of most damage, and the rest is seen in the pictures. VP8's never tells: its packets are decoded twice.
"""

from __future__ import annotations

import itertools
import random
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol, cast

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

LEAVING = ("hevc", "mjpeg", "vp8", "magicyuv")
"""Decoders that do this, without a word or with one (see `napari_al_pose.video.container.tell_of_damage`)."""
SILENT = ("vp8",)
"""Those that never tell. No frame of theirs refers to any before a keyframe."""
_STEP = 16
"""One line of so many is compared, in pieces of so many bytes."""
_PIECES = 3
"""Pieces that have to be left over; those of one grey don't count, unless they are black."""
_RECENT = 10
_BUFFERS = 64
_HELD_BACK = 20
"""Frames that the first decoder may hold back: FFmpeg has 16 threads at most."""
KEPT = 5
"""Frames kept from whatever decodes a second time, so that it uses other memory than the first time."""


class LeftoverSearch(Protocol):
    """Looks for leftovers in all that one decoder puts out."""

    def hand_in(self, packet: av.Packet | None) -> None:
        """Take note of a packet that is decoded; None at the end."""

    def are_in(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame has leftovers; to be asked about every frame."""

    def start_over(self) -> None:
        """Expect packets from elsewhere in the file."""


def leftover_search(codec: av.VideoCodecContext) -> LeftoverSearch | None:
    """Return what finds the leftovers of a decoder that has decoded nothing yet; None if it leaves none."""
    if codec.name not in LEAVING:
        return None
    return DecodedTwice(codec) if codec.name in SILENT else Leftovers()


class DecodedTwice:
    """Finds leftovers as what a second decoder shows otherwise, whose memory held something else.

    Parameters
    ----------
    codec : av.VideoCodecContext
        The first decoder.
    """

    def __init__(self, codec: av.VideoCodecContext) -> None:
        self._codec = cast("av.VideoCodecContext", av.CodecContext.create(codec.name, "r"))
        self._codec.width, self._codec.height = codec.width, codec.height
        self._codec.thread_type = "NONE"
        self._kept: deque[av.VideoFrame] = deque(maxlen=KEPT)
        self._shown: OrderedDict[int | None, av.VideoFrame] = OrderedDict()
        """Frames that the first decoder has not put out yet, by their packets."""

    def hand_in(self, packet: av.Packet | None) -> None:
        """Decode a packet a second time."""
        if packet is not None and packet.is_keyframe:
            self._leave_noise(packet)
        with suppress(FFmpegError):
            for frame in self._codec.decode(packet):
                self._kept.append(frame)
                self._shown[frame.pts] = frame
        while len(self._shown) > _HELD_BACK:
            self._shown.popitem(last=False)

    def are_in(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame looked otherwise the second time."""
        other = self._shown.pop(frame.pts, None)
        return other is None or not _look_the_same(frame, other)

    def start_over(self) -> None:
        """Forget all frames."""
        self._shown.clear()
        self._codec.flush_buffers()

    def _leave_noise(self, keyframe: av.Packet) -> None:
        if self._kept:
            compared = [frame for frame in self._kept if frame.pts not in self._shown]
            begin_in_noise(self._codec, deque(compared))
            self._kept.clear()
        else:
            soil(self._codec, keyframe)


class Leftovers:
    """Looks for leftovers in frames as they come out of one decoder.

    A piece counts as left over if it shows what the frame had that was in the same memory before, and no other of the
    last ones has. Where nothing moves that can't be told, and does not matter.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        """Lines of the frame that was last in each place in memory, by its address."""
        self._recent: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=_RECENT)

    def hand_in(self, packet: av.Packet | None) -> None:
        """Do nothing: all is seen in the frames."""

    def start_over(self) -> None:
        """Do nothing: memory outlives a jump."""

    def are_in(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame has leftovers; to be asked about every frame."""
        plane = frame.planes[0]
        address = plane.buffer_ptr
        lines = np.asarray(memoryview(plane)).reshape(-1, plane.line_size)[_STEP - 1 :: _STEP]
        lines = lines[: frame.height // _STEP, : max(frame.width // _STEP, 1) * _STEP].copy()
        held = self._held.pop(address, None)
        found = bool(self._recent) and self._has(lines, held, address)
        self._held[address] = lines
        if len(self._held) > _BUFFERS:
            self._held.popitem(last=False)
        self._recent.append((address, lines))
        return found

    def _has(self, lines: NDArray[np.uint8], held: NDArray[np.uint8] | None, address: int) -> bool:
        is_new = held is None or held.shape != lines.shape
        left = _same(lines, np.zeros_like(lines) if held is None or is_new else held)
        for back, (other, its_lines) in enumerate(reversed(self._recent)):
            if np.count_nonzero(left) < _PIECES:
                return False
            if (other != address or not back) and its_lines.shape == lines.shape:
                left &= ~_same(lines, its_lines)
        if not is_new and left.any():
            left &= ~_same(lines, np.repeat(lines[:, ::_STEP], _STEP, axis=1))  # plain pieces are the same by chance
        return bool(np.count_nonzero(left) >= _PIECES)


def _same(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pieces are the same; bool ``(lines, pieces)``."""
    # As two numbers of 64 bits each: far quicker than byte by byte.
    return (a.view(np.uint64) == b.view(np.uint64)).reshape(len(a), -1, _STEP // 8).all(axis=-1)


def _look_the_same(a: av.VideoFrame, b: av.VideoFrame) -> bool:
    return (a.width, a.height, a.format.name) == (b.width, b.height, b.format.name) and all(
        np.array_equal(_pixels(one), _pixels(other)) for one, other in zip(a.planes, b.planes, strict=True)
    )


def _pixels(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    lines: NDArray[np.uint8] = np.asarray(memoryview(plane)).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]


def soil(codec: av.VideoCodecContext, packet: av.Packet) -> None:
    """Leave noise in the memory that a decoder uses next: memory never used before is black every time.

    Parameters
    ----------
    codec : av.VideoCodecContext
        Starts over after this.
    packet : av.Packet
        One that decodes alone; nothing happens if it does not.
    """
    codec.flush_buffers()
    shown: list[av.VideoFrame] = []
    with suppress(FFmpegError):
        for _ in range(2 * KEPT):
            shown += codec.decode(packet)
    codec.flush_buffers()
    _write_noise(shown)


def begin_in_noise(codec: av.VideoCodecContext, kept: deque[av.VideoFrame]) -> None:
    """Begin at a keyframe to which nothing before matters, and decode it to where these frames were."""
    codec.flush_buffers()
    _write_noise(kept)
    kept.clear()


def _write_noise(frames: Iterable[av.VideoFrame]) -> None:
    """Overwrite frames that no decoder refers to any more."""
    noise = random.Random(0)
    for plane in itertools.chain.from_iterable(frame.planes for frame in frames):
        plane.update(noise.randbytes(plane.buffer_size))
