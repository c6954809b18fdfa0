"""Runs blocking work on a thread of its own while the engine's loop continues."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
M = TypeVar("M")

_WAIT_SECONDS = 0.1


def run_in_thread(work: Callable[[], T], message: M) -> Generator[M, None, T]:
    """Run ``work`` on a thread and yield ``message`` until it is done; then return its result or raise its error."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="al-pose-work")
    try:
        future = executor.submit(work)
        while not future.done():
            yield message
            wait([future], _WAIT_SECONDS)
        return future.result()
    finally:
        executor.shutdown(wait=False)  # after cancelling, do not wait for it
