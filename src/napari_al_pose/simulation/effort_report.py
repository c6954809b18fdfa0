"""The report's section on the annotator's time: a curve, the answer, what it depends on, and the JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from napari_al_pose.simulation.charts import Curve, curve_chart
from napari_al_pose.simulation.effort import EffortResult

HEAD = (
    "workflow",
    "seconds to the target",
    "ratio",
    "95 % interval",
    "AULC over seconds",
    "AULC over frames",
    "frames",
    "clicks",
    "NoC",
    "NoC mended",
)


def effort_json(results: Mapping[str, EffortResult]) -> dict[str, Any]:
    """Return the answer for one data set, by workflow, with null for targets not reached."""
    return {
        name: {
            "seconds_to_target": _number(result.seconds_to_target),
            "ratio": _number(result.ratio),
            "interval": [_number(value) for value in result.interval],
        }
        for name, result in results.items()
    }


def effort_details(results: Mapping[str, EffortResult]) -> dict[str, Any]:
    """Return what lies behind the answer for one data set, by workflow."""
    return {
        name: {
            "aulc_seconds": _number(result.aulc_seconds),
            "aulc_frames": _number(result.aulc_frames),
            "seconds": list(result.seconds),
            "frames": list(result.frames),
            "clicks": list(result.clicks),
            "errors": list(result.errors),
            "noc": list(result.noc),
            "noc_mended": list(result.noc_mended),
            "sensitivity": {cost: _number(ratio) for cost, ratio in result.sensitivity.items()},
            "replicates": result.n_replicates,
        }
        for name, result in results.items()
    }


def effort_chart(results: Mapping[str, EffortResult], *, title: str) -> Image.Image:
    """Draw the mean error of each workflow over the annotator's minutes."""
    curves = [Curve(name, [s / 60 for s in r.seconds], r.errors, r.errors, r.errors) for name, r in results.items()]
    return curve_chart(curves, title=title, x_label="an annotator's minutes", y_label="error / reference length")


def effort_tables(results: Mapping[str, EffortResult]) -> list[tuple[Sequence[str], list[list[str]]]]:
    """Return the tables, head and rows: the answer, and the ratio with one action's cost halved or doubled."""
    answer = [
        [
            name,
            _seconds(r.seconds_to_target),
            _ratio(r.ratio),
            f"{_ratio(r.interval[0])} to {_ratio(r.interval[1])}",
            f"{r.aulc_seconds:.4f}",
            f"{r.aulc_frames:.4f}",
            *(_series(values) for values in (r.frames, r.clicks)),
            *(", ".join(f"{value:.2f}" for value in values) for values in (r.noc, r.noc_mended)),
        ]
        for name, r in results.items()
    ]
    costs = list(next(iter(results.values())).sensitivity)
    hangs = [[name, *(_ratio(r.sensitivity[cost]) for cost in costs)] for name, r in results.items()]
    return [(HEAD, answer), (("ratio if", *(cost.replace(" x ", " × ") for cost in costs)), hangs)]


def _series(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "never"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
