"""``demo``: the window on a sample project."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(verbs: Any) -> None:
    """Add the verb."""
    demo = verbs.add_parser("demo", help="try it on a sample project")
    demo.add_argument("project", nargs="?", type=Path, metavar="PROJECT", help="a project of your own instead")
    demo.add_argument("--dataset", choices=("synthetic", "openfield"), default="synthetic")
    demo.add_argument(
        "--animals", type=int, choices=(1, 2), default=1, help="mice in the synthetic sample (default: 1)"
    )
    demo.add_argument(
        "--play", action="store_true", help="let a simulated annotator play, from the sample's ground truth"
    )
    demo.add_argument(
        "--jobs",
        action="store_true",
        help="with --play: the ten jobs of a newcomer, in a window as large as the screen; the actions and seconds of "
        "each as a line of JSON",
    )
    demo.add_argument("--rounds", type=int, default=2, help="rounds to play (default: 2)")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), help="where --play writes its screenshots")
    demo.set_defaults(run=_demo)


def _demo(options: argparse.Namespace) -> int:
    from napari_al_pose.demo import run_demo

    return run_demo(
        options.project,
        dataset=options.dataset,
        play=options.play,
        rounds=options.rounds,
        output=options.output,
        animals=options.animals,
        jobs=options.jobs,
    )
