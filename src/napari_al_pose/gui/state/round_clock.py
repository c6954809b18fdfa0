"""One estimate of the time left for all parts of a job, which does not jump from one part to the next."""

from __future__ import annotations

import math
from dataclasses import replace

from napari_al_pose.gui.state.job_views import TrainingView

AFTERWARDS_SECONDS = 15.0
"""What follows a training (looking at the pool, choosing frames) takes, until one was timed."""
SHARE = 0.25
"""How far a new estimate moves the end: steps differ in length by more than that, and the eye follows the number."""


class RoundClock:
    """Adds to a part's own estimate what the parts after it took last time, and smooths the sum."""

    def __init__(self) -> None:
        self._job = 0
        self._ends_at = math.nan
        self._trained_at = math.nan
        self._afterwards = AFTERWARDS_SECONDS

    def timed(self, view: TrainingView, now: float) -> TrainingView:
        """Return the view with the time left for the whole job in place of that of its part.

        Parameters
        ----------
        view : TrainingView
            Just moved on by a reply of the engine.
        now : float
            Seconds, of a clock that never goes back.
        """
        if view.job != self._job:
            if math.isfinite(self._trained_at):
                self._afterwards = max(1.0, now - self._trained_at)
            self._job, self._ends_at, self._trained_at = view.job, math.nan, math.nan
        if not view.busy:
            return view
        if view.has_trained and math.isnan(self._trained_at):
            self._trained_at = now
        left = self._left(view, now)
        if left < 0 and not view.running:
            self._ends_at = math.nan  # a part nobody can time yet, of a job whose other parts are not known
        if left >= 0:
            end = now + left
            self._ends_at = end if math.isnan(self._ends_at) else self._ends_at + SHARE * (end - self._ends_at)
        known = math.isfinite(self._ends_at)
        return replace(view, seconds_left=max(0.0, self._ends_at - now) if known else -1.0)

    def _left(self, view: TrainingView, now: float) -> float:
        """Return what this part and those after it take by what is known now; negative while nobody can tell."""
        part = view.part_left
        if not view.running:
            return part
        if not view.has_trained:
            return part + self._afterwards if part >= 0 else -1.0
        return max(part, self._afterwards - (now - self._trained_at), 0.0)
