"""Progress messages and the time left."""

from __future__ import annotations

import time
from collections.abc import Iterable

from napari_al_pose.engine.messages import Progress


class TimeLeft:
    """Estimates the time left from the elapsed time.

    Parameters
    ----------
    total : int
        Units of work, of about equal length.
    begun : int
        Units that were done before.
    """

    def __init__(self, total: int, *, begun: int = 0) -> None:
        self._total = total
        self._begun = begun
        self._start = time.monotonic()

    def seconds_left(self, done: int) -> float:
        """Return the seconds left after ``done`` units, negative before the first."""
        if done <= self._begun:
            return -1.0
        return (time.monotonic() - self._start) / (done - self._begun) * max(0, self._total - done)


class ProgressReporter:
    """Turns counts into `Progress` messages, at most ten a second; ``stage`` may change on the way."""

    def __init__(self, job: int, stage: str, total: int, *, begun: int = 0) -> None:
        self._job, self.stage, self._total = job, stage, total
        self._time = TimeLeft(total, begun=begun)
        self._last = -1.0

    def report(self, done: int) -> Iterable[Progress]:
        """Return one message, or none if the last was sent less than a tenth of a second ago."""
        now = time.monotonic()
        if done < self._total and now - self._last < 0.1:
            return ()
        self._last = now
        return (Progress(self._job, self.stage, done, self._total, self._time.seconds_left(done)),)
