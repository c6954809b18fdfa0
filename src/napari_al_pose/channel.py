"""Messages between our processes: a JSON header, then the raw bytes of the arrays in it. No pickles.

A packet is ``magic | uint32 header length (little endian) | header | array bytes ...``. The header is
``[class name, fields]``. An array in it is ``{"$array": dtype, "shape": [...]}``, and the bytes follow in that order.

A union of dataclasses defines what may be sent. pydantic reads their type hints and checks what arrives against them.
Reading a message executes nothing.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
from enum import Enum
from functools import cached_property
from pathlib import PurePath
from typing import IO, Any, Generic, TypeVar, cast, get_args

import numpy as np
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from napari_al_pose.domain.errors import AlPoseError

M = TypeVar("M")
Array = np.ndarray[Any, Any]

_PREFIX = struct.Struct("<4sI")
_MAGIC = b"ALP1"
_MAX_HEADER = 2**28
_MAX_ARRAYS = 2**32
_DTYPE = re.compile(r"[<>|][biuf][0-9]{1,2}")
_CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid")


class ChannelError(Exception):
    """The received bytes are not one of our messages, or a message can't be sent."""


class MessageCodec(Generic[M]):
    """Writes and reads the messages of one union.

    Parameters
    ----------
    union : type
        Dataclasses of different names, joined by ``|``. Their fields may hold numbers, text, None, enums, paths,
        numeric arrays, other dataclasses, and tuples, sets and mappings of these; keys of mappings are text or numbers.
    """

    def __init__(self, union: Any) -> None:
        self._types: dict[str, type] = {cls.__name__: cls for cls in get_args(union) or (union,)}

    @cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        return {}

    def pack(self, message: M) -> list[bytes | memoryview]:
        """Return a message as pieces to write one after the other; arrays are not copied.

        Raises
        ------
        ChannelError
            If it is of another type, or a field holds something that can't be sent.
        """
        name = type(message).__name__
        arrays: list[Array] = []

        def encode(value: Any) -> Any:
            return _as_json(value, arrays)

        try:
            (fields,) = self._adapter(name).dump_python((message,), warnings=False)
            header = json.dumps([name, fields], default=encode, separators=(",", ":")).encode()
        except (TypeError, ValueError, PydanticSerializationError) as error:
            raise ChannelError(f"Expected a {name} that can be sent, got {error}.") from error
        if len(header) > _MAX_HEADER or sum(array.nbytes for array in arrays) > _MAX_ARRAYS:
            raise ChannelError(f"Expected a {name} that can be sent, got one that is too large.")
        raw = [array.reshape(-1).view(np.uint8).data for array in arrays if array.size]
        return [_PREFIX.pack(_MAGIC, len(header)) + header, *raw]

    def write(self, stream: IO[bytes], message: M) -> None:
        """Write one message and flush. The caller must not do so on two threads at once.

        Raises
        ------
        ChannelError
            If it can't be sent; nothing was written then.
        """
        for piece in self.pack(message):
            stream.write(piece)
        stream.flush()

    def read(self, stream: IO[bytes]) -> M | None:
        """Read one message; return None at the end of the stream, even inside a message.

        Raises
        ------
        ChannelError
            If it is damaged or not of the union. Read nothing more from the stream then.
        """
        try:
            magic, length = _PREFIX.unpack(_read(stream, _PREFIX.size))
            if magic != _MAGIC or length > _MAX_HEADER:
                raise ChannelError(f"Expected a message, got bytes that begin with {magic!r}.")
            name, fields, arrays = _parse(_read(stream, length))
            for array in arrays:
                _fill(stream, array)
        except EOFError:
            return None
        try:
            (message,) = self._adapter(name).validate_python((fields,))
        except (ValidationError, AlPoseError) as error:
            raise ChannelError(f"Expected a {name}, got another content: {error}") from error
        return cast("M", message)

    def _adapter(self, name: str) -> TypeAdapter[Any]:
        """Return the adapter for the fields of a message, made on first use, which takes some milliseconds."""
        if name not in self._types:
            raise ChannelError(f"Expected one of {', '.join(self._types)}, got {name!r}.")
        if name not in self._adapters:
            try:
                self._adapters[name] = TypeAdapter(tuple[self._types[name]], config=_CONFIG)  # type: ignore[name-defined]
            except PydanticSchemaGenerationError as error:
                raise ChannelError(f"Expected fields that can be sent in {name}: {error}") from error
        return self._adapters[name]


def _as_json(value: Any, arrays: list[Array]) -> Any:
    """Return the header's form of a value that JSON does not know, and collect arrays."""
    if isinstance(value, np.ndarray):
        if _DTYPE.fullmatch(value.dtype.str) is None:
            raise TypeError(f"an array of {value.dtype}")
        arrays.append(np.ascontiguousarray(value))
        return {"$array": value.dtype.str, "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"a {type(value).__name__}")


def _parse(header: bytes) -> tuple[str, dict[str, Any], list[Array]]:
    """Return a message's name, its fields and its arrays, still to be filled, in the order of their bytes."""
    arrays: list[Array] = []
    room = _MAX_ARRAYS

    def decode(tree: dict[str, Any]) -> Any:
        nonlocal room
        if "$array" not in tree:
            return tree
        arrays.append(_empty(tree["$array"], tree.get("shape"), room=room))
        room -= arrays[-1].nbytes
        return arrays[-1]

    try:
        tree = json.loads(header, object_hook=decode)
    except (ValueError, RecursionError) as error:
        raise ChannelError("Expected a header in JSON.") from error
    match tree:
        case [str(name), dict(fields)]:
            return name, fields, arrays
    raise ChannelError("Expected a header with the name and the fields of a message.")


def _empty(dtype: Any, shape: Any, *, room: int) -> Array:
    sides = shape if isinstance(shape, list) else [-1]
    if not isinstance(dtype, str) or _DTYPE.fullmatch(dtype) is None:
        raise ChannelError(f"Expected an array of numbers, got {dtype!r}.")
    if not all(type(side) is int and side >= 0 for side in sides):
        raise ChannelError(f"Expected the shape of an array, got {shape!r}.")
    try:
        kind = np.dtype(dtype)
        if kind.itemsize * math.prod(sides) > room:
            raise ValueError("too large")
        return np.empty(sides, kind)
    except (TypeError, ValueError, MemoryError) as error:
        raise ChannelError(f"Expected an array that can be made, got {dtype} of shape {shape}: {error}.") from error


def _read(stream: IO[bytes], size: int) -> bytes:
    raw = bytearray(size)
    _read_into(stream, memoryview(raw))
    return bytes(raw)


def _fill(stream: IO[bytes], array: Array) -> None:
    if array.size:
        _read_into(stream, array.reshape(-1).view(np.uint8).data)


def _read_into(stream: IO[bytes], view: memoryview) -> None:
    """Fill ``view``; raise EOFError if the stream ends too early."""
    source = cast("io.BufferedReader", stream)
    while view:
        size = source.readinto(view)
        if not size:
            raise EOFError
        view = view[size:]
