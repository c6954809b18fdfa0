"""The progress bar of the command line, on standard error."""

from __future__ import annotations

import math
import sys
from typing import Any

from tqdm import tqdm

_LOOK = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_fmt}{postfix}]"


class _Bar(tqdm):
    """A bar whose time left is that of the work, which knows what follows, where it says one."""

    seconds_left = math.nan

    @property
    def format_dict(self) -> dict[str, Any]:
        """Return what the look is made of: tqdm's own parts, and the time left."""
        parts = super().format_dict
        n, rate, seconds = parts["n"], parts["rate"], self.seconds_left
        if not (math.isfinite(seconds) and seconds >= 0):
            if not rate and parts["elapsed"]:
                rate = (n - parts["initial"]) / parts["elapsed"]
            seconds = (parts["total"] - n) / rate if rate and parts["total"] else math.nan
        return {**parts, "unit": "", "left": tqdm.format_interval(seconds) if math.isfinite(seconds) else "?"}


class ProgressBar:
    """A bar on standard error for each stage of some work."""

    def __init__(self) -> None:
        self._bar: _Bar | None = None
        self._stage = ""

    def show(self, stage: str, done: float, total: int, note: str = "", *, seconds_left: float = math.nan) -> None:
        """Show how much is done; another stage begins another bar."""
        if self._bar is None or stage != self._stage:
            self.close()
            begun = done if math.isfinite(float(done)) else 0
            self._bar = _Bar(
                total=total,
                initial=begun,
                desc=stage,
                dynamic_ncols=True,
                mininterval=_between_lines(),
                bar_format=_LOOK,
            )
            self._stage = stage
        self._bar.seconds_left = seconds_left
        self._bar.total = total
        if math.isfinite(float(done)):
            self._bar.update(done - self._bar.n)
        if note and not note.endswith("nan"):
            self._bar.set_postfix_str(note, refresh=False)

    def close(self) -> None:
        """Leave the last bar as it is."""
        if self._bar is not None:
            self._bar.close()


def _between_lines() -> float:
    """Return the seconds between updates of the bar; in a log file each update is a line."""
    return 0.1 if sys.stderr.isatty() else 5.0
