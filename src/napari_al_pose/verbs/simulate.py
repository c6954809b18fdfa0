"""``simulate``: strategies compared with an annotator who knows the answers."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_al_pose.verbs.common import add_json, positive, show

_TEXT = "compare strategies by playing the annotator from known labels"
_EPILOG = """\
PROJECT is a DeepLabCut project, a file of labels with its images (.slp; .json of COCO or MPII; joints.mat of LSP), or
synthetic[:SEED], a sample drawn on demand; with --protocol horse10 the folder of Horse-10. Strategies take modifiers:
hybrid+nodedup, hybrid+nospread, hybrid+explore25, dynamic+trust50, hybrid+warm, uniform+dedup. A run that was ended
goes on where it stopped.
"""


PRESETS: dict[str, dict[str, Any]] = {
    # The DeepLabCut AI Residency: 1 horse from the beginning, 9 to choose from, 20 to measure on.
    "horse10": {
        "budgets": (0, 25, 50, 75, 100),
        "percent": True,
        "learning": "all",
        "folds": 3,
        "pool_size": 10_000,
        "test_size": 10_000,
    },
    # Shukla et al. on MPII and LSP/LSPET: 1,000 at first, 1,000 more a stage.
    "al4pose": {
        "budgets": (1000, 2000, 3000, 4000, 5000),
        "learning": "all",
        "pool_size": 50_000,
        "test_size": 5_000,
    },
}
"""What a named protocol fixes; all else is as on the command line."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("simulate", help=_TEXT, description=_TEXT, epilog=_EPILOG)
    verb.add_argument("project", nargs="+", metavar="PROJECT", help="labelled data; several are compared side by side")
    verb.add_argument("--output", type=Path, required=True, metavar="DIR", help="rounds, tables and report go here")
    verb.add_argument("--strategies", default="uniform,hybrid", metavar="A,B", help="default: uniform,hybrid")
    verb.add_argument("--protocol", choices=tuple(PRESETS), help="settings of a published comparison")
    verb.add_argument("--no-sanity", action="store_true", help="leave out oracle, anti and random+dedup")
    verb.add_argument("--baseline", default="uniform", help="what the others are compared with (default: uniform)")
    verb.add_argument("--budgets", type=_numbers, default=(10, 20, 40, 80), metavar="N,N", help="default: 10,20,40,80")
    verb.add_argument(
        "--seeds", type=_range, default=tuple(range(10)), metavar="N", help="10 (the default), or 100:110"
    )
    verb.add_argument("--folds", type=positive, default=3, metavar="N", help="parts of each data set (default: 3)")
    verb.add_argument("--use-folds", type=_numbers, metavar="I,J", help="folds to test on, from 0 (default: all)")
    verb.add_argument("--start", choices=("shared", "own"), default="shared", help="who chooses the first frames")
    verb.add_argument("--trunk", default="efficientnet_lite0", help="pretrained network")
    verb.add_argument("--learning", choices=("heads", "all"), default="heads", help="heads on a frozen trunk, or all")
    verb.add_argument("--bfloat16", action="store_true", help="heads in bfloat16: faster on processors that have it")
    verb.add_argument("--steps", type=positive, default=500, help="optimiser steps of every training (default: 500)")
    verb.add_argument("--batch-size", type=positive, default=8, help="views in a step (default: 8)")
    verb.add_argument("--rotation", type=float, default=180.0, metavar="DEGREES", help="default: 180")
    verb.add_argument("--long-side", type=int, default=0, metavar="PX", help="of the images; 0 chooses it")
    verb.add_argument("--pool-size", type=positive, default=600, metavar="N", help="most frames of a data set")
    verb.add_argument("--cache", type=Path, metavar="DIR", help="what is computed once (default: DIR/cache)")
    verb.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes")
    verb.add_argument("--scheduler", default="", metavar="ADDRESS", help="a dask.distributed scheduler instead")
    verb.add_argument("--minutes", type=float, default=0.0, help="begin no round later than this")
    verb.add_argument("--target", type=positive, metavar="N", help="labels whose error is the target (default: 40)")
    add_json(verb)
    verb.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> None:
    from napari_al_pose.simulation.protocol import SANITY, Protocol
    from napari_al_pose.simulation.report import write_report
    from napari_al_pose.simulation.running import Run, simulate
    from napari_al_pose.simulation.sources import open_horse10, open_source_of_labels

    arms = [options.baseline, *options.strategies.split(","), *(() if options.no_sanity else SANITY)]
    protocol = Protocol(
        arms=tuple(dict.fromkeys(arms)),
        budgets=options.budgets,
        steps=options.steps,
        batch_size=options.batch_size,
        trunk=options.trunk,
        learning=options.learning,
        bfloat16=options.bfloat16,
        long_side=options.long_side,
        rotation_degrees=options.rotation,
        start=options.start,
        folds=options.folds,
        pool_size=options.pool_size,
    )
    protocol = replace(protocol, **PRESETS.get(options.protocol, {}))
    run = Run(
        output=options.output,
        cache=options.cache or options.output / "cache",
        seeds=options.seeds,
        folds=options.use_folds or tuple(range(protocol.folds)),
        jobs=options.jobs,
        scheduler=options.scheduler,
        minutes=options.minutes,
    )
    if options.protocol == "horse10":
        raws = [open_horse10(Path(what)) for what in options.project]
    else:
        raws = [open_source_of_labels(what, rotation_degrees=options.rotation) for what in options.project]
    done = simulate(raws, protocol, run)
    summary = write_report(options.output, cache=run.cache, baseline=options.baseline, target=options.target)
    show(done | summary, _sentence(done, options.output), options)


def _sentence(done: dict[str, Any], output: Path) -> str:
    left = f"; {done['missing']} are left, the same command goes on with them" if done["missing"] else ""
    return f"{done['rounds']} rounds in {output}{left}. The report is {output / 'report.html'}"


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers like 10,20,40, got {text!r}") from None


def _range(text: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(?:(\d+):)?(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a number of seeds or a range like 100:110, got {text!r}")
    return tuple(range(int(found[1] or 0), int(found[2])))
