"""The report: one HTML page with embedded pictures, the same pictures as PNG, and the numbers as JSON."""

from __future__ import annotations

import base64
import io
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing, write_text
from napari_al_pose.simulation.charts import (
    Curve,
    Interval,
    contact_sheet,
    curve_chart,
    interval_chart,
    require_report_libraries,
)
from napari_al_pose.simulation.dataset import Dataset, load_dataset
from napari_al_pose.simulation.effort import EffortResult, summarise_effort
from napari_al_pose.simulation.effort_report import effort_chart, effort_details, effort_json, effort_tables
from napari_al_pose.simulation.protocol import BEST, HARDEST, current_arm
from napari_al_pose.simulation.report_tables import (
    Cell,
    Table,
    arms_table,
    log_table,
    n_labels,
    tails_table,
    videos_table,
)
from napari_al_pose.simulation.results import ArmResult, DatasetResult, summarise_rounds
from napari_al_pose.simulation.round_files import read_rounds
from napari_al_pose.simulation.workflows import Costs

log = logging.getLogger(__name__)

_JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class ReportPicture:
    """A picture in the page: its source as a data URL, and its caption."""

    source: str
    caption: str


@dataclass(frozen=True, slots=True)
class ReportSection:
    """The page's section on one data set.

    Parameters
    ----------
    dataset : str
    answer : Cell or None
        The default strategy compared with the baseline, in one sentence.
    replicates : str
        Number of replicates.
    charts : sequence of ReportPicture
    tables : sequence of Table
    headroom : str
        Whether choosing by the true error helps; empty if that arm was not played.
    frames : ReportPicture or None
        The frames ranked first and last.
    """

    dataset: str
    answer: Cell | None
    replicates: str
    charts: Sequence[ReportPicture]
    tables: Sequence[Table]
    headroom: str
    frames: ReportPicture | None


def write_report(output: Path, *, cache: Path, baseline: str, target: int | None) -> dict[str, Any]:
    """Write ``report.html``, its pictures and ``summary.json`` from the rounds in ``output``.

    Parameters
    ----------
    output : Path
        Folder of the run: ``protocol.json`` and ``rounds/``.
    cache : Path
        Where the data sets were prepared; without it there are no contact sheets.
    baseline : str
        The arm that the others are compared with.
    target : int or None
        The baseline's error at this budget is the target; by default 40, or the last but one.

    Returns
    -------
    dict
        ``results``: the content of ``summary.json``.

    Raises
    ------
    AlPoseError
        If there is no run in ``output``, or jinja2 or matplotlib is not installed.
    """
    require_report_libraries()
    path = output / "protocol.json"
    if not path.is_file():
        raise AlPoseError(f"{output} holds no simulation.", "Give the --output of a run.")
    protocol = json.loads(path.read_text(encoding="utf-8"))
    rounds = read_rounds(output / "rounds")
    results = summarise_rounds(
        rounds,
        budgets=protocol["budgets"],
        arms=[current_arm(arm) for arm in protocol["arms"]],
        baseline=baseline,
        target=target,
    )
    sections = []
    efforts: dict[str, dict[str, Any]] = {}
    told = [asdict(result) for result in results]
    costs = Costs(**protocol.get("costs", {}))
    for result, entry in zip(results, told, strict=True):
        own = [row for row in rounds if row["dataset"] == result.dataset]
        pictures = _pictures(result, own, cache)
        effort = summarise_effort(own, budgets=protocol["budgets"], target=target, costs=costs)
        if effort:
            efforts[result.dataset], entry["effort"] = effort_json(effort), effort_details(effort)
            pictures["effort"] = (
                "Mean error on held-out videos against the time an annotator took.",
                effort_chart(effort, title=result.dataset),
            )
        for name, (_, picture) in pictures.items():
            _save(picture, output / f"{result.dataset}-{name}.png")
        sections.append(_section(result, own, pictures, effort))
    write_text(output / "report.html", _page(protocol, sections))
    summary: dict[str, Any] = {"results": [_as_json(entry) for entry in told]}
    if efforts:
        # By workflow for one data set; by data set, then by workflow, for several.
        summary["effort"] = _as_json(next(iter(efforts.values())) if len(results) == 1 else efforts)
    write_text(output / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary


def sentence(result: DatasetResult, arm: ArmResult) -> str:
    """Return a sentence that compares an arm with the baseline."""
    d = arm.difference
    if d is None:
        return ""
    words = {
        "better": "has a lower error than",
        "worse": "has a higher error than",
        "equal": "is as good as",
        "undecided": "can't be told from",
    }[d.verdict]
    share = 100 * d.mean / result.arms[0].aulc
    labels, low, high = (n_labels(value) for value in arm.labels)
    return (
        f"{arm.arm} {words} {result.baseline}: AULC {share:+.1f} % ({100 * d.low / result.arms[0].aulc:+.1f} to "
        f"{100 * d.high / result.arms[0].aulc:+.1f} %), p {d.p:.3f}, better in {d.n_better} of {d.n_pairs} pairs; "
        f"{labels} labels ({low} to {high}) for {result.baseline}'s error at {result.target}"
    )


def _pictures(result: DatasetResult, rows: Sequence[dict[str, Any]], cache: Path) -> dict[str, tuple[str, Image.Image]]:
    """Return the pictures by name, each with its caption."""
    by_time = any("work" in row for row in rows)
    label = (
        "time of so many frames from scratch"
        if by_time
        else "labelled frames"
        if result.budgets[0]
        else "labelled share of the pool, %"
    )
    curves = [Curve(a.arm, result.budgets, a.curve, a.low, a.high) for a in result.arms]
    found = {
        "curves": (
            "Mean error on held-out videos against labelled frames; bands are 95 % intervals over folds and seeds.",
            curve_chart(curves, title=result.dataset, x_label=label, y_label="error / reference length"),
        )
    }
    intervals = [
        Interval(a.arm, d.mean, d.low, d.high, f"p {d.p:.3f}  {d.verdict}")
        for a in result.arms
        if (d := a.difference) is not None
    ]
    if intervals:
        title = f"AULC minus that of {result.baseline}: left of 0 is better"
        found["differences"] = (
            "Paired differences of the area under the curve over log2 of the budget, 95 % hierarchical bootstrap.",
            interval_chart(intervals, title=title, x_label="difference of AULC"),
        )
    sheet = _sheet(result, rows, cache)
    if sheet is not None:
        found["frames"] = ("The frames each strategy ranked first and last, in its first ranking.", sheet)
    return found


def _sheet(result: DatasetResult, rows: Sequence[dict[str, Any]], cache: Path) -> Image.Image | None:
    """Return the top and bottom frames of each arm's first ranking in one replicate; None without the images."""
    dataset = _dataset(result.dataset, cache)
    if dataset is None:
        return None
    row_of = {(key.video, key.frame): i for i, key in enumerate(dataset.keys)}
    lines = []
    for arm in result.arms:
        ranked = [row for row in rows if row["arm"] == arm.arm and row["top"]]
        if ranked:
            first = min(ranked, key=lambda row: (row["budget"], row["seed"], row["fold"]))
            for end in ("top", "bottom"):
                images = [dataset.images[row_of[v, f]] for v, f in first[end] if (v, f) in row_of]
                lines.append((f"{arm.arm}: {end}", images))
    return contact_sheet(lines) if lines else None


def _dataset(name: str, cache: Path) -> Dataset | None:
    for folder in sorted(cache.glob(f"{name}-*/data")) if cache.is_dir() else []:
        dataset = load_dataset(folder)
        if dataset.name == name:
            return dataset
    return None


def _section(
    result: DatasetResult,
    rows: Sequence[dict[str, Any]],
    pictures: dict[str, tuple[str, Image.Image]],
    effort: dict[str, EffortResult],
) -> ReportSection:
    primary = result.arm("hybrid")
    answer = None
    if primary is not None and primary.difference is not None:
        answer = Cell(sentence(result, primary), primary.difference.verdict)
    charts = [pictures[name] for name in ("effort", "curves", "differences") if name in pictures]
    tables = [Table(head, body) for head, body in (effort_tables(effort) if effort else [])]
    frames = None
    if "frames" in pictures:
        caption, sheet = pictures["frames"]
        # As PNG, a sheet of video frames would make up most of the report's size.
        frames = ReportPicture(_data_url(_jpeg(sheet), "jpeg"), caption)
    return ReportSection(
        dataset=result.dataset,
        answer=answer,
        replicates=f"{result.n_replicates} replicates of {result.baseline} over {result.n_folds} folds.",
        charts=[ReportPicture(_data_url(_png(chart), "png"), caption) for caption, chart in charts],
        tables=[*tables, *_result_tables(result, rows)],
        headroom=_headroom(result),
        frames=frames,
    )


def _result_tables(result: DatasetResult, rows: Sequence[dict[str, Any]]) -> list[Table]:
    tails = [tails_table(result)] if result.arms[0].tails else []
    return [arms_table(result), *tails, videos_table(result, rows), log_table(result, rows)]


def _headroom(result: DatasetResult) -> str:
    """Return whether any choice helps, in words; if not, no strategy can show anything here."""
    best = result.arm(BEST)
    if best is not None and best.difference is not None:
        share = 100 * best.difference.mean / result.arms[0].aulc
        return f"The best of several batches, tried with their true labels, changes the error by {share:+.1f} %."
    hardest = result.arm(HARDEST)
    if hardest is None or hardest.difference is None:
        return ""
    if hardest.difference.verdict == "better":
        return "Choosing by the true error beats the baseline: there is something to win here."
    return (
        "Choosing by the true error does not beat the baseline: the hardest frames are not the ones that teach most "
        "here, and small gains can't be expected of uncertainty."
    )


def _page(protocol: dict[str, Any], sections: Sequence[ReportSection]) -> str:
    import jinja2

    loader = jinja2.PackageLoader("napari_al_pose.simulation", ".")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    settings = ", ".join(f"{name} {value}" for name, value in protocol.items() if name != "arms")
    return environment.get_template("report.html.jinja").render(settings=settings, sections=sections) + "\n"


def _data_url(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return stream.getvalue()


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(_png(picture))


def _as_json(value: Any) -> Any:
    """Return a value in a form that JSON can hold: null if it is not a number."""
    if isinstance(value, dict):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
