"""Progress messages and the time left."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from napari_al_pose.engine.messages import Progress

FOLLOWING_SHARE = 0.1
"""Time to follow the animals of a frame, relative to that of predicting it, before it was measured."""


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


class FollowedVideosProgress:
    """Counts frames of videos that are predicted and then followed, as one piece of work with one time left.

    A frame counts when both are done. The two take different times, so the time left of each goes by its own pace.

    Parameters
    ----------
    job : int
    n_frames : int
        In all videos.
    to_follow : int
        How many of them are followed when they are predicted.
    predicted, followed : int
        How many were predicted and followed before.
    """

    def __init__(self, job: int, n_frames: int, *, to_follow: int, predicted: int, followed: int) -> None:
        self._job = job
        self._n_frames, self._to_follow = n_frames, to_follow
        self._begun = predicted
        self._predicted, self._followed = predicted, float(followed)
        self._predicting, self._following = 0.0, 0.0
        self._followed_now = 0.0
        self._changed = time.monotonic()
        self._told, self._stage = -math.inf, ""

    def predicted(self, n: int, stage: str) -> Iterable[Progress]:
        """Count ``n`` more predicted frames; return one message, or none if the stage's last is under 0.1 s old."""
        self._predicting += self._since_last()
        self._predicted += n
        return self._message(stage)

    def followed(self, n: float, stage: str) -> Iterable[Progress]:
        """Count ``n`` more followed frames, and return what `predicted` does."""
        self._following += self._since_last()
        self._followed += n
        self._followed_now += n
        return self._message(stage)

    def _since_last(self) -> float:
        before, self._changed = self._changed, time.monotonic()
        return self._changed - before

    def _message(self, stage: str) -> Iterable[Progress]:
        is_over = self._predicted >= self._n_frames and self._followed >= self._to_follow - 1e-3
        if not is_over and stage == self._stage and self._changed - self._told < 0.1:
            return ()
        self._told, self._stage = self._changed, stage
        return (Progress(self._job, stage, self._done(), self._n_frames, self.seconds_left()),)

    def _done(self) -> int:
        """Return the frames that are done; one that is still to be followed counts less."""
        missing = self._n_frames - self._predicted + FOLLOWING_SHARE * (self._to_follow - self._followed)
        most = self._n_frames + FOLLOWING_SHARE * self._to_follow
        return math.floor(self._n_frames * (1 - missing / most) + 1e-6) if most else 0

    def seconds_left(self) -> float:
        """Return the seconds left, negative while nobody can tell."""
        to_predict, to_follow = self._n_frames - self._predicted, self._to_follow - self._followed
        now = self._predicted - self._begun
        if (to_predict and not now) or (to_follow and not now and not self._followed_now):
            return -1.0
        pace = self._predicting / now if now else 0.0
        following = self._following / self._followed_now if self._followed_now else FOLLOWING_SHARE * pace
        return to_predict * pace + to_follow * following


class ProgressReporter:
    """Turns counts into `Progress` messages, at most ten a second."""

    def __init__(self, job: int, stage: str, total: int, *, begun: int = 0) -> None:
        self._job, self._stage, self._total = job, stage, total
        self._time = TimeLeft(total, begun=begun)
        self._last = -1.0

    def report(self, done: int) -> Iterable[Progress]:
        """Return one message, or none if the last was sent less than a tenth of a second ago."""
        now = time.monotonic()
        if done < self._total and now - self._last < 0.1:
            return ()
        self._last = now
        return (Progress(self._job, self._stage, done, self._total, self._time.seconds_left(done)),)
