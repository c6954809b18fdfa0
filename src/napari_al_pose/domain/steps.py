"""How far a piece of work is, told from inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Told = Callable[[int, int], None]
"""Told now and then how many entries of how many are done. What it raises ends the work."""

_EVERY = 64


def nobody(_done: int, _total: int) -> None:
    """Do nothing: nobody wants to know."""


def stepping(entries: Sequence[T], told: Told) -> Iterator[T]:
    """Yield entries, and tell on the way how many are done."""
    for done, entry in enumerate(entries):
        if done % _EVERY == 0:
            told(done, len(entries))
        yield entry
    told(len(entries), len(entries))
