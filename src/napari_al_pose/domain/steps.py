"""Work in steps: how far it is, told from inside it, and its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Step = TypeVar("Step")
Result = TypeVar("Result")

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


def finish(work: Generator[Step, Any, Result], hear: Callable[[Step], object] | None = None) -> Result:
    """Do all steps of ``work`` and return its result; ``hear`` is given what each step yields."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        if hear is not None:
            hear(step)


def relay(work: Generator[Step, Any, Result], say: Callable[[Step], Iterable[T]]) -> Generator[T, None, Result]:
    """Yield what ``say`` makes of each step of ``work``, and return its result; closing this closes ``work``."""
    try:
        while True:
            yield from say(next(work))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        work.close()
