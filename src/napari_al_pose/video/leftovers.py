"""Parts of pictures that a decoder left as their memory was before.

Some decoders of FFmpeg say nothing where the data of a picture ends too early: what they had not reached shows what
that memory held before, an older frame or nothing. Which one that is depends on the way to the frame. Most of them tell
of most damage, and the rest is seen in the pictures. Some never tell, such as VP8's: their packets are decoded twice.
FFV1's shows that part of the picture before in place of a damaged slice. Its slices have checksums, which are compared;
only versions without them are decoded twice.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol, cast

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

SILENT = ("vp8", "ffv1", "exr", "jpegls", "msvideo1", "qtrle", "speedhq", "tiff")
"""Decoders that never tell of it. No frame of theirs refers to any before a keyframe."""
LEAVING = ("hevc", "mjpeg", "magicyuv", *SILENT)
"""All that do it, without a word or with one (see `napari_al_pose.video.container.tell_of_damage`)."""
_STEP = 16
"""One line of so many is compared, in pieces of so many bytes."""
_PIECES = 3
"""Pieces that have to be left over; those of one grey don't count, unless they are black."""
_RECENT = 10
_BUFFERS = 64
_HELD_BACK = 20
"""Frames that the first decoder may hold back: FFmpeg has 16 threads at most."""
_FFV1_FOOTER = 8
"""Bytes at a slice's end: three for its size, one for its state, four that make the checksum what it began with."""
_ONES = 0xFFFFFFFF
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FFV1_CRC_STARTS = (0, int(f"{0x79408C7A:032b}"[::-1], 2))
"""Of version 3, and of version 4 with a checksum that empty data fails, too."""
_BEFOREHAND = ("width", "height", "pix_fmt", "bits_per_coded_sample", "codec_tag", "extradata")
"""What the container may tell a decoder."""
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
    if codec.name == "ffv1" and codec.extradata:
        return SliceChecksums()
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
        for what in _BEFOREHAND:
            if (told := getattr(codec, what)) is not None:
                setattr(self._codec, what, told)
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


class SliceChecksums:
    """Finds damaged slices of FFV1, version 3 and later, by their checksums (RFC 9043, 4.9).

    Files may have been made without them. Then every frame is suspected, and sound ones are found to be so.
    """

    def __init__(self) -> None:
        self._damaged: set[int | None] = set()
        """Packets whose frames have not come out yet."""

    def hand_in(self, packet: av.Packet | None) -> None:
        """Compare the checksums of a packet."""
        if packet is not None and not _are_slices_whole(bytes(packet)):
            self._damaged.add(packet.pts)

    def are_in(self, frame: av.VideoFrame) -> bool:
        """Return whether the frame's packet was damaged."""
        is_damaged = frame.pts in self._damaged
        self._damaged.discard(frame.pts)
        return is_damaged

    def start_over(self) -> None:
        """Forget all packets."""
        self._damaged.clear()


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


def _are_slices_whole(data: bytes) -> bool:
    """Return whether all slices of an FFV1 packet have the right checksum; they are found from the end."""
    end = len(data)
    while end > 0:
        begin = end - _FFV1_FOOTER - int.from_bytes(data[end - _FFV1_FOOTER : end - _FFV1_FOOTER + 3])
        if begin < 0 or not _ends_in_its_checksum(data[begin:end]):
            return False
        end = begin
    return True


def _ends_in_its_checksum(data: bytes) -> bool:
    # The CRC-32 of zlib takes bits from the other end, and begins and ends with another number.
    turned = data.translate(_TURNED)
    return any(zlib.crc32(turned, start ^ _ONES) ^ _ONES == start for start in _FFV1_CRC_STARTS)


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
