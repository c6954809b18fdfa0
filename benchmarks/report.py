"""What a figure is, and how times are taken."""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "==": operator.eq}

ABSENT = "absent"
"""Stands for the value of a peer that is not installed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Parameters
    ----------
    figure : str
        ``<benchmark>.<what>``.
    value : float
    unit : str
    goal : str
        A comparison with a number, such as ``"<= 1.2"``; "" where there is no goal.
    peers : mapping
        The same value for other software, in the same unit and run, or `ABSENT`.
    setting : mapping
        What it was measured on, and the raw numbers behind a ratio.
    """

    figure: str
    value: float
    unit: str
    goal: str = ""
    peers: Mapping[str, float | str] = field(default_factory=dict)
    setting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if not self.goal:
            return None
        comparison, bound = self.goal.split()
        return bool(_COMPARISONS[comparison](self.value, float(bound)))

    def to_json(self) -> str:
        """Return the figure as one line of JSON."""
        document = {
            "figure": self.figure,
            "value": _rounded(self.value),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
            "peers": {name: _rounded(value) for name, value in self.peers.items()},
            "setting": {name: _rounded(value) for name, value in self.setting.items()},
        }
        return json.dumps(document)


def seconds(action: Callable[[], object]) -> float:
    """Return how long ``action`` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def milliseconds_each(action: Callable[[int], object], arguments: Iterable[int]) -> list[float]:
    """Return how long ``action`` takes for each argument, in milliseconds."""
    return [1e3 * seconds(lambda argument=argument: action(argument)) for argument in arguments]  # type: ignore[misc]  # mypy can't type lambda defaults


def _rounded(value: Any) -> Any:
    """Four significant digits: more would pretend a precision that a shared machine does not have."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
