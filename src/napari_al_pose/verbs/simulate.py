"""``simulate``: compares strategies with a simulated annotator who knows the answers."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_al_pose.cores import usable_cores
from napari_al_pose.verbs.common import add_json, positive, show

if TYPE_CHECKING:
    from napari_al_pose.simulation.protocol import Protocol

_COSTS = "look 2, point 0.3 (each guess judged), place 2.5, drag 3, accept 0.7"
_TEXT = "compare strategies by playing the annotator from known labels"
_EPILOG = """\
PROJECT is a DeepLabCut project, a label file with its images (.slp; .json of COCO or MPII; joints.mat of LSP), or a
sample drawn on demand: synthetic[:SEED], or longform[:SEED], long recordings in which the animal mostly rests. With
--protocol horse10 it is the folder of Horse-10. Strategies take modifiers:
hybrid+nodedup, hybrid+nospread, hybrid+explore25, dynamic+trust50, hybrid+warm, uniform+dedup, and with --learning all
uniform+unlabelled. With several animals in a frame the annotator labels all of them, and whole networks are trained;
a missed animal counts as the largest error. A run that was stopped continues where it stopped.
"""


PRESETS: dict[str, dict[str, Any]] = {
    # The DeepLabCut AI Residency: 1 horse from the start, 9 to choose from, 20 to test on.
    "horse10": {
        "budgets": (0, 25, 50, 75, 100),
        "percent": True,
        "learning": "all",
        "folds": 3,
        "pool_size": 10_000,
        "test_size": 10_000,
    },
    # Shukla et al. on MPII and LSP/LSPET: 1,000 at first, 1,000 more in each stage.
    "al4pose": {
        "budgets": (1000, 2000, 3000, 4000, 5000),
        "learning": "all",
        "pool_size": 50_000,
        "test_size": 5_000,
    },
}
"""The settings of a named protocol; the command line decides all others."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("simulate", help=_TEXT, description=_TEXT, epilog=_EPILOG)
    verb.add_argument("project", nargs="+", metavar="PROJECT", help="labelled data; several are compared side by side")
    verb.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="rounds, tables and report go here (default: al-pose-simulation/SETTINGS in the current folder)",
    )
    verb.add_argument("--strategies", metavar="A,B", help="default: uniform,hybrid; none with --workflows")
    verb.add_argument(
        "--workflows",
        metavar="A,B",
        help="ways to label, compared by an annotator's seconds: from-scratch (new frames, every point placed), "
        "prefilled (evenly spread frames, the model's guesses corrected), shipped (as in the window)",
    )
    verb.add_argument("--costs", default="", metavar="look=S,...", help=f"seconds of an annotator's actions: {_COSTS}")
    verb.add_argument(
        "--tolerance", type=float, default=0.05, metavar="SHARE", help="largest error left uncorrected, in lengths"
    )
    verb.add_argument(
        "--jitter", type=float, default=0.01, metavar="SHARE", help="standard deviation of a click, likewise"
    )
    verb.add_argument("--protocol", choices=tuple(PRESETS), help="settings of a published comparison")
    verb.add_argument(
        "--no-sanity", action="store_true", help="leave out hardest (best, with --candidates), anti and random+dedup"
    )
    verb.add_argument("--baseline", help="arm that the others are compared with (default: uniform, or from-scratch)")
    verb.add_argument(
        "--budgets",
        type=_numbers,
        metavar="N,N",
        help="labelled frames or, for workflows, the time that these take from scratch (default: 10,20,40,80; "
        "for workflows 5,10,20,40, or 5,10,20 if there are few frames)",
    )
    verb.add_argument(
        "--seeds", type=_range, default=tuple(range(10)), metavar="N", help="10 (the default), or 100:110"
    )
    verb.add_argument("--folds", type=positive, default=3, metavar="N", help="parts of each data set (default: 3)")
    verb.add_argument("--use-folds", type=_numbers, metavar="I,J", help="folds to test on, from 0 (default: all)")
    verb.add_argument("--folds-in-turn", action="store_true", help="each seed plays one of these folds, not all")
    _add_learning(verb)
    verb.add_argument("--test-size", type=positive, default=120, metavar="N", help="most frames to test on")
    verb.add_argument(
        "--candidates",
        type=int,
        default=0,
        metavar="M",
        help="batches that the arm 'best' tries in each round; half of the test frames judge them, results are of the "
        "other half",
    )
    verb.add_argument("--cache", type=Path, metavar="DIR", help="what is computed once (default: DIR/cache)")
    verb.add_argument("--jobs", type=positive, default=usable_cores(), metavar="N", help="processes")
    verb.add_argument("--scheduler", default="", metavar="ADDRESS", help="a dask.distributed scheduler instead")
    verb.add_argument("--minutes", type=float, default=0.0, help="begin no round later than this")
    verb.add_argument("--target", type=positive, metavar="N", help="labels whose error is the target (default: 40)")
    add_json(verb)
    verb.set_defaults(run=_simulate)


def _add_learning(verb: argparse.ArgumentParser) -> None:
    """Add what decides how a model is trained, and from what."""
    verb.add_argument("--start", choices=("shared", "own"), default="shared", help="who chooses the first frames")
    verb.add_argument("--backbone", "--trunk", default="efficientnet_lite0", help="pretrained network")
    verb.add_argument(
        "--learning",
        choices=("heads", "all"),
        help="train only the heads (the default), or all (if a frame has several animals, the default)",
    )
    verb.add_argument(
        "--bfloat16", action="store_true", help="train heads in bfloat16: faster on processors that support it"
    )
    verb.add_argument("--steps", type=positive, default=500, help="optimiser steps of every training (default: 500)")
    verb.add_argument("--batch-size", type=positive, default=8, help="views in a step (default: 8)")
    verb.add_argument("--rotation", type=float, default=180.0, metavar="DEGREES", help="default: 180")
    verb.add_argument("--long-side", type=int, default=0, metavar="PX", help="of the images; 0 chooses it")
    verb.add_argument("--pool-size", type=positive, default=600, metavar="N", help="most frames of a data set")


def _simulate(options: argparse.Namespace) -> None:
    from napari_al_pose.simulation.charts import require_report_libraries
    from napari_al_pose.simulation.protocol import Protocol
    from napari_al_pose.simulation.report import write_report
    from napari_al_pose.simulation.running import Run, simulate
    from napari_al_pose.simulation.sources import open_horse10, open_source_of_labels
    from napari_al_pose.simulation.workflows import Costs

    require_report_libraries()
    preset = PRESETS.get(options.protocol, {})
    if options.protocol == "horse10":
        raws = [open_horse10(Path(what)) for what in options.project]
    else:
        raws = [open_source_of_labels(what, rotation_degrees=options.rotation) for what in options.project]
    several = any(len(raw.skeleton.individuals) > 1 for raw in raws)
    protocol = Protocol(
        arms=_arms(options),
        budgets=options.budgets or ((5, 10, 20, 40) if options.workflows else (10, 20, 40, 80)),
        steps=options.steps,
        batch_size=options.batch_size,
        backbone=options.backbone,
        learning=options.learning or preset.get("learning") or ("all" if several else "heads"),
        bfloat16=options.bfloat16,
        long_side=options.long_side,
        rotation_degrees=options.rotation,
        start=options.start,
        folds=options.folds,
        pool_size=options.pool_size,
        test_size=options.test_size,
        candidates=options.candidates,
        tolerance=options.tolerance,
        jitter=options.jitter,
        costs=Costs.parse(options.costs),
    )
    protocol = replace(protocol, **preset)
    if options.workflows and not options.budgets and not options.protocol:
        protocol = replace(protocol, budgets=_affordable(protocol, min(len(raw.keys) for raw in raws)))
    output = options.output or Path("al-pose-simulation") / f"{raws[0].name}-{protocol.setting()}"
    run = Run(
        output=output,
        cache=options.cache or output / "cache",
        seeds=options.seeds,
        folds=options.use_folds or tuple(range(protocol.folds)),
        in_turn=options.folds_in_turn,
        jobs=options.jobs,
        scheduler=options.scheduler,
        minutes=options.minutes,
    )
    done = simulate(raws, protocol, run)
    baseline = options.baseline or ("from-scratch" if options.workflows else "uniform")
    summary = write_report(output, cache=run.cache, baseline=baseline, target=options.target)
    show(done | summary, _sentence(done, output) + _efforts(summary), options)


def _arms(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the arms to play, each once: the baseline first."""
    from napari_al_pose.simulation.protocol import BEST, HARDEST, SANITY

    workflows = options.workflows.split(",") if options.workflows else []
    if workflows and not options.strategies:
        arms = [options.baseline or "from-scratch", *workflows]
    else:
        baseline = [options.baseline] if options.baseline else ["uniform"]
        strategies = (options.strategies or "uniform,hybrid").split(",")
        sanity = [BEST if arm == HARDEST and options.candidates else arm for arm in SANITY]
        arms = [*baseline, *strategies, *workflows, *(() if options.no_sanity else sanity)]
    return tuple(dict.fromkeys(arms))


def _affordable(protocol: Protocol, n_frames: int) -> tuple[int, ...]:
    """Return the budgets that the pool of a small data set has frames for."""
    pool = int(0.9 * n_frames * (1 - 1 / protocol.folds))
    kept = tuple(budget for budget in protocol.budgets if budget <= pool)
    return kept if len(kept) >= 2 else protocol.budgets


def _efforts(summary: dict[str, Any]) -> str:
    """Say what each workflow took, where one data set was played."""
    lines = []
    for name, one in summary.get("effort", {}).items():
        if "ratio" in one:
            took, ratio = one["seconds_to_target"], one["ratio"]
            low, high = ("never" if value is None else f"{value:.2f}" for value in one["interval"])
            words = (
                "never gets there" if took is None else f"{took:.0f} s, {ratio:.2f} of from-scratch ({low} to {high})"
            )
            lines.append(f"\n{name}: {words}")
    return "".join(lines)


def _sentence(done: dict[str, Any], output: Path) -> str:
    left = f"; {done['missing']} are left, the same command continues with them" if done["missing"] else ""
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
