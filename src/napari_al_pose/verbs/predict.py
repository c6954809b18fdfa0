"""``predict``: runs a model over whole videos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_al_pose.domain.pose_export import FORMATS, SMOOTHINGS, ExportOptions
from napari_al_pose.verbs.common import add_scheduler, positive, project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    predict = project_verb(verbs, "predict", "predict whole videos; continues where it was stopped", _predict)
    predict.add_argument(
        "videos",
        nargs="*",
        metavar="VIDEO",
        help="a video of the project by name, or any file (default: all of the project)",
    )
    predict.add_argument("--model", type=positive, default=0, metavar="N", help="its number (default: the newest)")
    predict.add_argument(
        "--format",
        action="append",
        choices=tuple(FORMATS),
        metavar="NAME",
        help=f"files to write, may be given several times: {', '.join(FORMATS)} (default: deeplabcut)",
    )
    predict.add_argument(
        "--smooth",
        choices=tuple(name for name in SMOOTHINGS if name),
        default="",
        metavar="FILTER",
        help="also write smoothed poses, by median or kalman: to extra columns (table) or to files marked _filtered",
    )
    predict.add_argument("--labelled-video", action="store_true", help="draw the poses into a copy of each video")
    predict.add_argument(
        "--cutoff", type=float, default=0.6, metavar="P", help="likelihood below which nothing is drawn (default: 0.6)"
    )
    predict.add_argument(
        "--trail", type=int, default=10, metavar="FRAMES", help="length of the trails in labelled videos (default: 10)"
    )
    predict.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where files go (default: beside each video, as DeepLabCut does)"
    )
    add_scheduler(predict)


def _predict(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    wanted = ExportOptions(
        version=options.model,
        formats=tuple(dict.fromkeys(options.format or ["deeplabcut"])),
        smoothing=options.smooth,
        labelled_video=options.labelled_video,
        cutoff=options.cutoff,
        trail=options.trail,
        folder="" if options.output is None else str(options.output.absolute()),
    )
    result = headless.predict(options.project, options.videos, wanted, scheduler=options.scheduler)
    show(result, "\n".join(f"Wrote {path}" for path in result["paths"]), options)
