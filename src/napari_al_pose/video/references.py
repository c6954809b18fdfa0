"""Finds H.264 packets that no other packet refers to, so that they need no decoding on the way to another frame.

FFmpeg can skip them by itself, but then it does not report packets that do not decode.
"""

from __future__ import annotations

from collections.abc import Iterator

import av

_SLICES = {1, 2, 5}
"""Types of the NAL units that hold pictures (ITU-T H.264, table 7-1)."""
_START_CODE = b"\x00\x00\x01"


class H264References:
    """Classifies packets by the ``nal_ref_idc`` of their slices (ITU-T H.264, 7.4.1).

    Parameters
    ----------
    extradata : bytes or None
        Of the stream: it says whether units are preceded by their length, and in how many bytes.
    """

    def __init__(self, extradata: bytes | None) -> None:
        is_avcc = extradata is not None and len(extradata) > 4 and extradata[0] == 1
        self._length_bytes = (extradata[4] & 3) + 1 if extradata is not None and is_avcc else 0

    def is_needed(self, packet: av.Packet) -> bool:
        """Return whether other packets may refer to this one; True if unknown."""
        data = bytes(packet)
        headers = list(self._lengths(data) if self._length_bytes else _start_codes(data))
        slices = [header for header in headers if header & 0x1F in _SLICES]
        return not slices or any(header & 0x60 for header in slices)

    def _lengths(self, data: bytes) -> Iterator[int]:
        at, n = 0, self._length_bytes
        while at + n < len(data):
            yield data[at + n]
            at += n + int.from_bytes(data[at : at + n], "big")


def _start_codes(data: bytes) -> Iterator[int]:
    at = data.find(_START_CODE)
    while 0 <= at < len(data) - 3:
        yield data[at + 3]
        at = data.find(_START_CODE, at + 3)
