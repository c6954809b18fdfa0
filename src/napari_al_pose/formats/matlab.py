"""Reads an array of numbers from a MATLAB file (version 5: what MATLAB writes without ``-v7.3``, and scipy).

scipy's reader is written in C and takes a file's word for what is in it: some damaged files end the process by a
segmentation fault. The format is described in "MAT-File Format" by The MathWorks, chapter 1.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HEADER = 128
MOST_BYTES = 2**28
"""Of a file, packed or not."""
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMBERS = range(6, 16)
"""Classes of arrays that hold numbers; others hold text, structures, cells."""
_COMPLEX = 0x0800


@dataclass(frozen=True, slots=True)
class Matrix:
    """An array in a file, not read yet.

    Parameters
    ----------
    name : str
    shape : tuple of int
    holds_numbers : bool
        Whether they are real numbers.
    stored : tuple of int and bytes
        The type in which they are stored, and the numbers, columns first.
    order : str
        Of bytes: ``<`` or ``>``.
    """

    name: str
    shape: tuple[int, ...]
    holds_numbers: bool
    stored: tuple[int, bytes]
    order: str

    def read(self) -> NDArray[np.float64]:
        """Return the array.

        Raises
        ------
        ValueError
            If there are not as many numbers as its shape says.
        """
        kind, data = self.stored
        if not self.holds_numbers or kind not in _STORED:
            raise ValueError("it holds no real numbers")
        width = np.dtype(_STORED[kind]).itemsize
        if len(data) != width * math.prod(self.shape):
            raise ValueError(f"it holds {len(data)} bytes for {math.prod(self.shape)} numbers of {width} bytes")
        numbers = np.frombuffer(data, self.order + _STORED[kind])
        return numbers.astype(np.float64).reshape(self.shape, order="F")


def matrices(data: bytes) -> Iterator[Matrix]:
    """Yield the arrays of a file.

    Raises
    ------
    ValueError
        If it is no file of this kind, or is cut off or damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER])
    if order is None:
        raise ValueError("it is no MATLAB file of version 5")
    for kind, content in _elements(data[_HEADER:], order, padded=False):
        if kind == _COMPRESSED:
            kind, content = next(_elements(_unpacked(content), order), (0, b""))
        if kind == _MATRIX:
            yield _matrix(content, order)


def _matrix(content: bytes, order: str) -> Matrix:
    elements = _elements(content, order)
    try:
        (_, flags), (dims_kind, dims), (_, name) = (next(elements) for _ in range(3))
    except (RuntimeError, StopIteration) as error:
        raise ValueError("an array lacks its shape or name") from error
    if len(flags) < 4 or dims_kind not in (5, 6):
        raise ValueError("an array lacks its shape")
    kind = int(np.frombuffer(flags[:4], order + "u4")[0])
    shape = tuple(np.frombuffer(dims, order + "i4").tolist())
    if min(shape, default=0) < 0:
        raise ValueError(f"an array has the shape {shape}")
    holds_numbers = kind & 0xFF in _NUMBERS and not kind & _COMPLEX
    return Matrix(name.decode("latin-1"), shape, holds_numbers, next(elements, (0, b"")), order)


def _elements(data: bytes, order: str, *, padded: bool = True) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each element; of those that are not compressed, the next begins at a multiple of 8."""
    place = 0
    while place + 8 <= len(data):
        first, second = np.frombuffer(data[place : place + 8], order + "u4").tolist()
        if first >> 16:  # up to four bytes lie in the place of the length
            kind, length, begin, after = first & 0xFFFF, first >> 16, place + 4, place + 8
        else:
            kind, length, begin = first, second, place + 8
            after = begin + (length if kind == _COMPRESSED and not padded else -(-length // 8) * 8)
        if begin + length > min(len(data), after):
            raise ValueError("it is cut off")
        yield kind, data[begin : begin + length]
        place = after


def _unpacked(data: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(data, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"what is compressed is damaged ({error})") from error
    if unpacking.unconsumed_tail:
        raise ValueError(f"it holds more than {MOST_BYTES // 2**20} MB")
    return content
