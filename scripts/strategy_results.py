"""Writes how each strategy did: the file that the window reads, and the table of the results' page.

    python scripts/strategy_results.py

Comparisons come from the summaries of `napari-al-pose simulate` in docs/results. What was only written down by hand
(the screening of docs/results/development.md) stays as it is in the file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_al_pose.acquisition import Family, installed_strategies, traits
from napari_al_pose.acquisition import measured as measured_module
from napari_al_pose.acquisition.measured import BASELINE, MeasuredSet, measured_gains, measured_sets

ROOT = Path(__file__).parents[1]
DATA = ROOT / "src" / "napari_al_pose" / "acquisition" / "measured.json"
PAGE = ROOT / "docs" / "results" / "strategies.md"
RESULTS = ROOT / "docs" / "results"

SUMMARIES = {
    "openfield": ("openfield",),
    "reaching": ("reaching",),
    "synthetic": ("synthetic",),
    "selection-longform": ("selection-longform",),
    "longform": ("longform-dev", "selection-dev"),
}
"""Folders of the summaries of each set that has some; what a later one has replaces the same in an earlier one."""

ARMS = {"random+dedup": "random"}
"""Arms that are a strategy as the loop uses it, under another name."""

TAIL = {"selection-longform": "lost", "longform": "lost"}
"""Sets that are judged by another measure than the mean error."""

HEAD = """\
# How each strategy did

Differences from evenly spread frames (`uniform`), in percent of its area under the curve over all budgets; negative is
better. In brackets the 95 % interval, then the number of pairs. Results of *reported* sets follow
[the first protocol](../protocol.md), and on long recordings [the second](../selection-protocol.md). Those of
*development* sets are hints: few pairs, on data that strategies were chosen by. `python scripts/strategy_results.py`
writes this page from `src/napari_al_pose/acquisition/measured.json`, which the window reads too.

"""


def main() -> None:
    """Write the file, then the page."""
    document = json.loads(DATA.read_text(encoding="utf-8"))
    strategies = document["strategies"]
    for name, folders in SUMMARIES.items():
        rows: dict[str, dict[str, Any]] = {}
        for summary in (RESULTS / folder / "summary.json" for folder in folders):
            if summary.is_file():
                rows |= _rows(json.loads(summary.read_text(encoding="utf-8")), TAIL.get(name))
        if rows:
            for strategy in strategies.values():
                strategy.pop(name, None)
            for strategy, found in rows.items():
                strategies.setdefault(strategy, {})[name] = found
    document["strategies"] = {name: found for name, found in sorted(strategies.items()) if found}
    DATA.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for cached in (measured_sets, measured_gains, measured_module._document):
        cached.cache_clear()
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page, made of what the package knows."""
    known = {gain.on for gains in measured_gains().values() for gain in gains}
    sets = [one for one in measured_sets() if one in known]
    lines = [HEAD.rstrip(), ""]
    heads = [f"{one.title}, {one.measure} ({one.stage})" for one in sets]
    lines += [f"| strategy | {' | '.join(heads)} |", "|---|" + "---|" * len(sets)]
    ours = {name: traits(one).family for name, one in installed_strategies().items()}
    lines += [f"| `{name}` | {' | '.join(_cells(name, sets))} |" for name in sorted(measured_gains())]
    lines += ["", "## Not measured", ""]
    for family in Family:
        members = [name for name, own in ours.items() if own is family and name not in measured_gains()]
        members = [f"`{name}`" for name in members if name != BASELINE]
        lines += [f"- {family.title}: {', '.join(members)}"] if members else []
    return "\n".join(lines) + "\n"


def _cells(name: str, sets: Sequence[MeasuredSet]) -> list[str]:
    gains = {gain.on.name: gain for gain in measured_gains().get(name, ())}
    return [
        f"{gains[one.name].figure}, {gains[one.name].pairs}: {gains[one.name].verdict}"
        if one.name in gains
        else "not measured"
        for one in sets
    ]


def _rows(summary: dict[str, Any], tail: str | None) -> dict[str, dict[str, Any]]:
    """Return the differences of a summary in percent, by strategy."""
    (result,) = summary["results"]
    arms = [one if tail is None else {"arm": one["arm"], **one["tails"][tail]} for one in result["arms"]]
    base = next(one["aulc"] for one in arms if one["arm"] == BASELINE)
    found = {}
    for one in arms:
        name, difference = ARMS.get(one["arm"], one["arm"]), one["difference"]
        if difference is not None and name in installed_strategies():
            figures = {key: round(100 * difference[key] / base, 1) for key in ("mean", "low", "high")}
            found[name] = {
                "difference": figures["mean"],
                "low": figures["low"],
                "high": figures["high"],
                "pairs": difference["n_pairs"],
            }
    return found


if __name__ == "__main__":
    main()
