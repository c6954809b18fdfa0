"""Work in steps: it reports its progress and has a result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Step = TypeVar("Step")
Result = TypeVar("Result")

OnProgress = Callable[[int, int], None]
"""Called now and then with the number of entries done and of all entries. An exception from it ends the work."""

_EVERY = 64


def ignore_progress(_done: int, _total: int) -> None:
    """Do nothing."""


def reporting(entries: Sequence[T], on_progress: OnProgress) -> Iterator[T]:
    """Yield entries, and report how many are done."""
    for done, entry in enumerate(entries):
        if done % _EVERY == 0:
            on_progress(done, len(entries))
        yield entry
    on_progress(len(entries), len(entries))


def finish(work: Generator[Step, Any, Result], on_step: Callable[[Step], object] | None = None) -> Result:
    """Do all steps of ``work`` and return its result; ``on_step`` is called with what each step yields."""
    while True:
        try:
            step = next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        if on_step is not None:
            on_step(step)


def relay(work: Generator[Step, Any, Result], messages_of: Callable[[Step], Iterable[T]]) -> Generator[T, None, Result]:
    """Yield the messages for each step of ``work``, and return its result; closing this closes ``work``."""
    try:
        while True:
            yield from messages_of(next(work))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        work.close()
