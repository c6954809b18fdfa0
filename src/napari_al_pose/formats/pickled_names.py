"""Reads lists of names in pickles as data: no object is created and nothing is called."""

from __future__ import annotations

import pickletools
from typing import Any

_MARK = object()
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1")
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = ("PROTO", "FRAME")
_LARGEST = 10_000_000


def read_names(data: bytes, *, inside: bool = False) -> list[tuple[str, ...]] | None:
    """Return the list of tuples of texts in a pickle; None if it holds anything else.

    Parameters
    ----------
    data : bytes
        In the form in which pandas stores the names of a table's columns.
    inside : bool
        Whether the list is the second part of a pair in a list of one, as pandas stores all columns in order.
    """
    try:
        found = _literal(data)
        if inside:
            ((_, found),) = found
        if not isinstance(found, list):
            return None
        names = [name if isinstance(name, tuple) else (name,) for name in found]
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None
    return names if all(isinstance(part, str) for name in names for part in name) else None


def _literal(data: bytes) -> Any:
    """Return the lists, tuples, texts and numbers of a pickle; raise ValueError at any other instruction."""
    if len(data) > _LARGEST:
        raise ValueError("too long")
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for instruction, argument, _ in pickletools.genops(data):
        name = instruction.name
        if name in _TEXTS:
            stack.append(argument if isinstance(argument, str) else argument.decode("utf-8"))
        elif name in _NUMBERS:
            stack.append(argument)
        elif name == "NONE":
            stack.append(None)
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("LIST", "TUPLE"):
            items = _since_mark(stack)
            stack.append(items if name == "LIST" else tuple(items))
        elif name in _TUPLES:
            count = _TUPLES[name]
            items = stack[len(stack) - count :]
            del stack[len(stack) - count :]
            stack.append(tuple(items))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
            stack[-1].extend(items)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument)])
        elif name == "STOP":
            return stack.pop()
        elif name not in _IGNORED:
            raise ValueError(name)
    raise ValueError("it has no end")


def _since_mark(stack: list[Any]) -> list[Any]:
    place = max(i for i, item in enumerate(stack) if item is _MARK)
    items = stack[place + 1 :]
    del stack[place:]
    return items
