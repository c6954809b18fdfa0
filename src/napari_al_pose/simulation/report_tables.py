"""The tables of the report: rows of text, ready for its template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_al_pose.simulation.results import ArmResult, DatasetResult, video_errors


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell in the colour of its verdict, "better" or "worse"."""

    text: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: names of the columns, rows of cells, and a heading."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    title: str = ""


def arms_table(result: DatasetResult) -> Table:
    """Return the main table: errors, areas and paired differences of all arms."""
    head = ["arm", *(f"{b} labels" for b in result.budgets), "AULC", "difference", "95 % interval", "p", "p (Holm)"]
    head += [
        "better in",
        "sd",
        "detectable",
        f"labels for {result.baseline}'s {result.target}",
        f"PCK@0.2 at {result.budgets[-1]}",
        f"PCK@0.5 at {result.budgets[-1]}",
        "keypoints",
        "videos better",
        "fallbacks",
    ]
    return Table(head, [_arm_row(arm) for arm in result.arms])


def _arm_row(arm: ArmResult) -> list[str | Cell]:
    cells: list[str | Cell] = [arm.arm, *(f"{error:.4f}" for error in arm.curve), f"{arm.aulc:.4f}"]
    d = arm.difference
    if d is None:
        cells += [""] * 7
    else:
        cells += [
            Cell(f"{d.mean:+.4f}", d.verdict),
            f"{d.low:+.4f} to {d.high:+.4f}",
            f"{d.p:.4f}",
            f"{arm.p_holm:.4f}" if math.isfinite(arm.p_holm) else "",
            f"{d.n_better} of {d.n_pairs}",
            f"{d.sd:.4f}",
            f"{d.detectable:.4f}",
        ]
    estimate, low, high = (n_labels(value) for value in arm.labels)
    cells += [f"{estimate} ({low} to {high})", *(f"{share:.3f}" for share in arm.pck.values())]
    return [*cells, f"{arm.keypoints:.0f}", "{} of {}".format(*arm.videos_better), str(arm.fallbacks)]


_TAIL_NAMES = {
    "lost": "frames with a lost keypoint",
    "worst_decile": "worst tenth of the frames",
    "worst_videos": "worst three videos",
    "missed": "missed animals",
    "extra": "poses that are no animal",
}


def tails_table(result: DatasetResult) -> Table:
    """Return what goes wrong: each measure's area, its difference from the baseline, and its value at the end."""
    measures = list(result.arms[0].tails)
    head = ["arm"]
    for measure in measures:
        head += [_TAIL_NAMES[measure], "difference", "95 % interval", f"at {result.budgets[-1]}"]
    body: list[list[str | Cell]] = []
    for arm in result.arms:
        cells: list[str | Cell] = [arm.arm]
        for measure in measures:
            own = arm.tails.get(measure)
            if own is None:
                cells += [""] * 4
            elif own.difference is None:
                cells += [f"{own.aulc:.4f}", "", "", f"{own.curve[-1]:.4f}"]
            else:
                d = own.difference
                interval = f"{d.low:+.4f} to {d.high:+.4f}"
                last = f"{own.curve[-1]:.4f}"
                if own.ratio is not None:
                    last += ", {:.2f} of the baseline ({:.2f} to {:.2f})".format(*own.ratio)
                cells += [f"{own.aulc:.4f}", Cell(f"{d.mean:+.4f}", d.verdict), interval, last]
        body.append(cells)
    return Table(head, body, "What goes wrong, area under the curve")


def videos_table(result: DatasetResult, rows: Sequence[dict[str, Any]]) -> Table:
    """Return the error of each arm on each test video."""
    names = [arm.arm for arm in result.arms]
    body = [
        [video, *(f"{by_arm[name]:.4f}" if name in by_arm else "" for name in names)]
        for video, by_arm in video_errors(rows, names).items()
    ]
    return Table(["video", *names], body, "Per test video, mean over all budgets")


def log_table(result: DatasetResult, rows: Sequence[dict[str, Any]]) -> Table:
    """Return a summary of scores and picks, which reveals a saturated score or a batch from one video."""
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
                arm.arm,
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
    return Table(head, body, "Scores and picks, means over rounds")


def n_labels(value: float) -> str:
    """Return a number of labels; "never" if the error is not reached."""
    return f"{value:.0f}" if math.isfinite(value) else "never"


def _mean(values: Sequence[float]) -> str:
    return f"{float(np.mean(values)):.3g}" if values else ""
