"""How the strategies did in comparisons, read from ``measured.json``; the window and the results' page show the same.

``scripts/strategy_results.py`` writes the file and the page.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any

BASELINE = "uniform"
"""What the others are compared with."""

MEAN_ERROR = "mean error"
"""What is compared where nothing else is said."""

DEVELOPMENT = "development"
"""The stage of sets that strategies were tried on before a protocol was fixed: few pairs, so hints."""


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """A data set on which strategies were compared.

    Parameters
    ----------
    name : str
    title : str
        What the user sees.
    stage : str
        "reported" or "development".
    measure : str
        What was compared, over all budgets.
    """

    name: str
    title: str
    stage: str
    measure: str


@dataclass(frozen=True, slots=True)
class MeasuredGain:
    """How a strategy did on a data set, against evenly spread frames.

    Parameters
    ----------
    on : MeasuredSet
    difference : float
        Of the measure, percent of the baseline's; negative is better.
    low, high : float or None
        Its 95 % interval; None where only the mean is known.
    pairs : int
        Plays with the same first frames, fold and seed.
    """

    on: MeasuredSet
    difference: float
    low: float | None
    high: float | None
    pairs: int

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` if the interval excludes 0, ``undecided``, or ``a hint`` on development data."""
        if self.on.stage == DEVELOPMENT or self.low is None or self.high is None:
            return "a hint"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "undecided"

    @property
    def figure(self) -> str:
        """The difference with its interval: ``-2.6 % (-8.1 to +3.6)``."""
        between = "" if self.low is None or self.high is None else f" ({self.low:+.1f} to {self.high:+.1f})"
        return f"{self.difference:+.1f} %{between}"


@functools.cache
def measured_sets() -> tuple[MeasuredSet, ...]:
    """Return the data sets, reported ones first."""
    return tuple(MeasuredSet(**one) for one in _document()["sets"])


@functools.cache
def measured_gains() -> MappingProxyType[str, tuple[MeasuredGain, ...]]:
    """Return what was measured of each strategy, by its name and in the order of the sets."""
    sets = {one.name: one for one in measured_sets()}
    found: dict[str, tuple[MeasuredGain, ...]] = {}
    for name, results in _document()["strategies"].items():
        found[name] = tuple(
            MeasuredGain(own, row["difference"], row["low"], row["high"], row["pairs"])
            for own in sets.values()
            if (row := results.get(own.name)) is not None
        )
    return MappingProxyType(found)


def measured_lines(name: str) -> tuple[str, ...]:
    """Return how the strategy ``name`` did in words, a line for each data set; one line if nothing is known."""
    if name == BASELINE:
        return ("The others are compared with it.",)
    gains = measured_gains().get(name, ())
    return tuple(_line(gain) for gain in gains) or ("Not measured.",)


def _line(gain: MeasuredGain) -> str:
    pairs = f"{gain.pairs} pairs" if gain.pairs != 1 else "1 pair"
    measure = "" if gain.on.measure == MEAN_ERROR else f", {gain.on.measure}"
    return f"{gain.on.title}{measure}: {gain.figure}, {gain.verdict} ({pairs})"


@functools.cache
def _document() -> dict[str, Any]:
    text = files("napari_al_pose.acquisition").joinpath("measured.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
