"""Work that tells how far it is, as a generator of `Progress`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from napari_al_pose.domain.steps import OnProgress
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import TimeLeft

T = TypeVar("T")

_BETWEEN = 0.1
"""Seconds from one message to the next."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What was done can't be taken back any more, only undone: the rest has to be done as well."""


class CancelledError(Exception):
    """Thrown into the work to end it. Comes back once all is taken back, and not at all if it came too late."""


class _EndedError(Exception):
    """Nobody wants the work to go on."""


def stepwise(stage: str, work: Callable[[OnProgress], T]) -> Generator[Progress, None, T]:
    """Do a piece of work in a thread of its own.

    Parameters
    ----------
    stage : str
        What it is called.
    work : callable
        Is given what to tell how far it is. Where the generator is closed early, that raises, so that the work ends and
        takes back what it began.

    Yields
    ------
    Progress

    Returns
    -------
    object
        What ``work`` returned; what it raised is raised here.
    """
    at = (0, 0)
    ended = False
    outcome: list[T] = []
    failure: list[BaseException] = []

    def on_progress(done: int, total: int) -> None:
        nonlocal at
        at = (done, total)
        if ended:
            raise _EndedError

    def run() -> None:
        try:
            outcome.append(work(on_progress))
        except BaseException as error:  # noqa: BLE001  it is raised where the work was asked for
            failure.append(error)

    thread = threading.Thread(target=run, name=stage, daemon=True)
    thread.start()
    time_left: TimeLeft | None = None
    try:
        while True:
            done, total = at
            if time_left is None and total:
                time_left = TimeLeft(total, begun=done)
            yield Progress(0, stage, done, total, -1.0 if time_left is None else time_left.seconds_left(done))
            thread.join(_BETWEEN)
            if not thread.is_alive():
                break
    except CancelledError:
        ended = True
        thread.join()
        if not outcome:
            raise
    finally:
        ended = True
        thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
