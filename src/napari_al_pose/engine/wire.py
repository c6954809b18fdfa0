"""Messages as bytes: a JSON header, then the raw arrays it names. No pickles, so nothing can run on reading.

A packet is ``uint32 header length (little endian) | header | array bytes ...``. In the header a value object is
``{"$": class name, "f": {field: value}}``, an array ``{"$a": dtype, "shape": [...]}``, an enum
``{"$e": class, "v": value}``; lists always come back as tuples, since every sequence in the messages is one.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import fields, is_dataclass
from typing import IO, Any

import numpy as np

from napari_al_pose import domain
from napari_al_pose.domain.exporting import ExportOptions
from napari_al_pose.engine import messages

_LENGTH = struct.Struct("<I")
_MAX_HEADER = 64 * 2**20
_DTYPES = ("<f2", "<f4", "<f8", "|i1", "<i8", "|u1")

_VALUES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        domain.FrameKey,
        domain.Prediction,
        domain.ScoremapGrid,
        domain.Scoremaps,
        domain.BodypartReason,
        domain.Suggestion,
        domain.ErrorSummary,
        domain.Reliability,
        domain.Round,
        ExportOptions,
        *messages.Request.__args__,
        *messages.Reply.__args__,
    )
}
_ENUMS: dict[str, type] = {"FrameRole": domain.FrameRole}


class WireError(ValueError):
    """The bytes are not one of our messages."""


def write_message(stream: IO[bytes], message: messages.Request | messages.Reply) -> None:
    """Write one message and flush; the caller makes sure that only one thread does so at a time."""
    arrays: list[np.ndarray[Any, Any]] = []
    header = json.dumps(_to_json(message, arrays)).encode()
    stream.write(_LENGTH.pack(len(header)))
    stream.write(header)
    for array in arrays:
        stream.write(array.tobytes())
    stream.flush()


def read_message(stream: IO[bytes]) -> Any:
    """Read one message; None at the end of the stream, also when it ends inside a message.

    Raises
    ------
    WireError
        If the header is not ours.
    """
    prefix = _read_exactly(stream, _LENGTH.size)
    if prefix is None:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if length > _MAX_HEADER:
        raise WireError(f"Expected a header of at most {_MAX_HEADER} bytes, got {length}.")
    header = _read_exactly(stream, length)
    if header is None:
        return None
    try:
        tree = json.loads(header)
    except ValueError as error:
        raise WireError("Expected a JSON header.") from error
    try:
        return _from_json(tree, stream)
    except EOFError:
        return None


def _to_json(value: Any, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value))
        return {"$a": arrays[-1].dtype.str, "shape": list(value.shape)}
    if type(value).__name__ in _ENUMS:
        return {"$e": type(value).__name__, "v": value.value}
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        return {"$": type(value).__name__, "f": {n: _to_json(getattr(value, n), arrays) for n in names}}
    if isinstance(value, (tuple, list)):
        return [_to_json(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _from_json(tree: Any, stream: IO[bytes]) -> Any:
    if isinstance(tree, list):
        return tuple(_from_json(item, stream) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if "$a" in tree:
        return _read_array(stream, tree["$a"], tree["shape"])
    if "$e" in tree:
        return _ENUMS[tree["$e"]](tree["v"])
    cls = _VALUES.get(tree.get("$", ""))
    if cls is None:
        raise WireError(f"Unknown value {tree.get('$')!r}.")
    return cls(**{name: _from_json(value, stream) for name, value in tree["f"].items()})


def _read_array(stream: IO[bytes], dtype: str, shape: list[int]) -> np.ndarray[Any, Any]:
    if dtype not in _DTYPES:
        raise WireError(f"Unknown array type {dtype!r}.")
    kind = np.dtype(dtype)
    raw = _read_exactly(stream, kind.itemsize * math.prod(shape))
    if raw is None:
        raise EOFError
    return np.frombuffer(bytearray(raw), kind).reshape(shape)


def _read_exactly(stream: IO[bytes], size: int) -> bytes | None:
    parts = []
    while size > 0:
        part = stream.read(size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
