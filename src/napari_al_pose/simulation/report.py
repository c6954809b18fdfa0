"""The report: one HTML page with its pictures inside, the same pictures as PNG, and the numbers as JSON."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing, write_text
from napari_al_pose.simulation.charts import Curve, Interval, contact_sheet, curve_chart, interval_chart
from napari_al_pose.simulation.dataset import Dataset, load_dataset
from napari_al_pose.simulation.effort import EffortResult, summarise_effort
from napari_al_pose.simulation.effort_report import effort_chart, effort_json, effort_tables
from napari_al_pose.simulation.results import ArmResult, DatasetResult, summarise_rounds, video_errors
from napari_al_pose.simulation.rows import read_rounds
from napari_al_pose.simulation.workflows import Costs

log = logging.getLogger(__name__)

_JPEG_QUALITY = 88

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } .better { color: #0072b2; } .worse { color: #d55e00; }
"""


def write_report(output: Path, *, cache: Path, baseline: str, target: int | None) -> dict[str, Any]:
    """Write ``report.html``, its pictures and ``summary.json`` from the rounds in ``output``.

    Parameters
    ----------
    output : Path
        Of the run: ``protocol.json`` and ``rounds/``.
    cache : Path
        Where the data sets were prepared; without it there are no contact sheets.
    baseline : str
        The arm the others are compared with.
    target : int or None
        The budget whose error of the baseline is the target; 40, or the last but one, by default.

    Returns
    -------
    dict
        ``results``: what ``summary.json`` holds.

    Raises
    ------
    AlPoseError
        If there is no run in ``output``.
    """
    path = output / "protocol.json"
    if not path.is_file():
        raise AlPoseError(f"{output} holds no simulation.", "Give the --output of a run.")
    protocol = json.loads(path.read_text(encoding="utf-8"))
    rounds = read_rounds(output / "rounds")
    results = summarise_rounds(
        rounds, budgets=protocol["budgets"], arms=protocol["arms"], baseline=baseline, target=target
    )
    sections = []
    efforts: dict[str, dict[str, Any]] = {}
    costs = Costs(**protocol.get("costs", {}))
    for result in results:
        own = [row for row in rounds if row["dataset"] == result.dataset]
        pictures = _pictures(result, own, cache)
        effort = summarise_effort(own, budgets=protocol["budgets"], target=target, costs=costs)
        if effort:
            efforts[result.dataset] = effort_json(effort)
            pictures["effort"] = (
                "Mean error on held-out videos against the time an annotator took.",
                effort_chart(effort, title=result.dataset),
            )
        for name, (_, picture) in pictures.items():
            _save(picture, output / f"{result.dataset}-{name}.png")
        sections.append(_section(result, own, pictures, effort))
    write_text(output / "report.html", _page(protocol, sections))
    summary: dict[str, Any] = {"results": [_as_json(asdict(result)) for result in results]}
    if efforts:
        # Of one data set by workflow; of several by data set, then by workflow.
        summary["effort"] = _as_json(next(iter(efforts.values())) if len(results) == 1 else efforts)
    write_text(output / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    return summary


def sentence(result: DatasetResult, arm: ArmResult) -> str:
    """Say in one sentence how an arm compares with the baseline."""
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
    labels, low, high = (_labels(value) for value in arm.labels)
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
) -> str:
    lines = [f"<h2>{html.escape(result.dataset)}</h2>"]
    primary = result.arm("hybrid")
    if primary is not None and primary.difference is not None:
        lines.append(f'<p class="{primary.difference.verdict}"><b>{html.escape(sentence(result, primary))}.</b></p>')
    lines.append(f"<p>{result.n_replicates} replicates of {result.baseline} over {result.n_folds} folds.</p>")
    for caption, picture in (pictures[name] for name in ("effort", "curves", "differences") if name in pictures):
        lines += [_image(_png(picture), "png", caption), f"<p>{html.escape(caption)}</p>"]
    lines += [_table(head, body) for head, body in (effort_tables(effort) if effort else [])]
    lines += [_arms_table(result), _headroom(result), _videos_table(result, rows), _log_table(result, rows)]
    if "frames" in pictures:
        caption, picture = pictures["frames"]
        # As PNG a sheet of video frames would be most of the report's size.
        lines += [f"<p>{html.escape(caption)}</p>", _image(_jpeg(picture), "jpeg", caption)]
    return "\n".join(lines)


def _arms_table(result: DatasetResult) -> str:
    head = ["arm", *(f"{b} labels" for b in result.budgets), "AULC", "difference", "95 % interval", "p", "p (Holm)"]
    head += [
        "better in",
        "s<sub>d</sub>",
        "detectable",
        f"labels for {result.baseline}'s {result.target}",
        f"PCK@0.2 at {result.budgets[-1]}",
        f"PCK@0.5 at {result.budgets[-1]}",
        "keypoints",
        "videos better",
        "fallbacks",
    ]
    body = []
    for arm in result.arms:
        d = arm.difference
        cells = [html.escape(arm.arm), *(f"{error:.4f}" for error in arm.curve), f"{arm.aulc:.4f}"]
        if d is None:
            cells += ["", "", "", "", "", "", ""]
        else:
            cells += [
                f'<span class="{d.verdict}">{d.mean:+.4f}</span>',
                f"{d.low:+.4f} to {d.high:+.4f}",
                f"{d.p:.4f}",
                f"{arm.p_holm:.4f}" if math.isfinite(arm.p_holm) else "",
                f"{d.n_better} of {d.n_pairs}",
                f"{d.sd:.4f}",
                f"{d.detectable:.4f}",
            ]
        estimate, low, high = (_labels(value) for value in arm.labels)
        cells += [f"{estimate} ({low} to {high})", *(f"{share:.3f}" for share in arm.pck.values())]
        cells += [f"{arm.keypoints:.0f}", "{} of {}".format(*arm.videos_better)]
        body.append([*cells, str(arm.fallbacks)])
    return _table(head, body)


def _headroom(result: DatasetResult) -> str:
    """Say whether choosing by the true error helps: if it doesn't, no strategy can show anything here."""
    oracle = result.arm("oracle")
    if oracle is None or oracle.difference is None:
        return ""
    if oracle.difference.verdict == "better":
        return "<p>Choosing by the true error beats the baseline: there is something to win here.</p>"
    return (
        "<p><b>Choosing by the true error does not beat the baseline: the hardest frames are not the ones that teach "
        "most here, and small gains can't be expected of uncertainty.</b></p>"
    )


def _videos_table(result: DatasetResult, rows: Sequence[dict[str, Any]]) -> str:
    names = [arm.arm for arm in result.arms]
    errors = video_errors(rows, names)
    body = [
        [html.escape(video), *(f"{by_arm[name]:.4f}" if name in by_arm else "" for name in names)]
        for video, by_arm in errors.items()
    ]
    return "<h3>Per test video, mean over all budgets</h3>" + _table(["video", *map(html.escape, names)], body)


def _log_table(result: DatasetResult, rows: Sequence[dict[str, Any]]) -> str:
    """Show how scores and picks looked: a saturated score or a batch from one video shows here at once."""
    head = [
        "arm",
        "scores from",
        "to",
        "ties",
        "pool",
        "after near-duplicates",
        "largest share of a video",
        "s/training",
        "versions of the code",
    ]
    body = []
    for arm in result.arms:
        own = [row for row in rows if row["arm"] == arm.arm and row["budget"] != result.budgets[0]]
        scored = [row for row in own if row["score_low"] is not None]
        shares = [max(r["picks_per_video"].values()) / sum(r["picks_per_video"].values()) for r in own if r["picks"]]
        body.append(
            [
                html.escape(arm.arm),
                _mean([row["score_low"] for row in scored]),
                _mean([row["score_high"] for row in scored]),
                _mean([row["ties"] for row in scored]),
                _mean([row["n_pool"] for row in own]),
                _mean([row["n_scored"] for row in own]),
                _mean(shares),
                _mean([row["train_seconds"] for row in own]),
                ", ".join(sorted({row["code"][:6] for row in own})),
            ]
        )
    return "<h3>Scores and picks, means over rounds</h3>" + _table(head, body)


def _page(protocol: dict[str, Any], sections: Sequence[str]) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in protocol.items() if name != "arms")
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Simulation</title><style>{_STYLE}</style>"
        "<h1>What each strategy saves</h1>"
        "<p>The annotator is played from known labels. Every arm of a fold and seed has the same first frames, initial "
        "weights and number of steps; test videos (or blocks of time) are never chosen from. Errors are macro-averaged "
        "over test videos.</p>"
        f"<p>Settings: {html.escape(settings)}.</p>" + "\n".join(sections) + "</html>\n"
    )


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body)
    return f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>{rows}</table>"


def _image(data: bytes, kind: str, caption: str) -> str:
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<p><img alt="{html.escape(caption)}" src="{source}"></p>'


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


def _labels(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"


def _mean(values: Sequence[float]) -> str:
    return f"{float(np.mean(values)):.3g}" if values else ""


def _as_json(value: Any) -> Any:
    """Return a value as JSON can hold it: null for what is no number."""
    if isinstance(value, dict):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
