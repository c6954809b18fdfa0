"""``learn-policy``: trains the strategy that learned to choose, from simulated rounds with known labels."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from napari_al_pose.verbs.common import add_json, positive, show

_TEXT = "train a strategy that learns to choose, from simulated rounds"
_EPILOG = """\
SET is a data set as simulate takes it: a project, a label file, synthetic:SEED, longform:SEED. The sets that results
are reported on (synthetic:0, longform:0) are refused; of a project, only the first quarter in time is tested on. A run
that was stopped continues where it stopped. OUTPUT/policy.json is the ranker, learned.json says what came of it.
"""
_SETS = ("synthetic:101", "synthetic:102", "longform:101")
_GATE_SHARE, _FIRST_SHARE = 0.25, 0.7
"""When the gate and the first round end at the latest, in parts of the time."""


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verbs.add_parser("learn-policy", help=_TEXT, description=_TEXT, epilog=_EPILOG)
    verb.add_argument("output", type=Path, metavar="OUTPUT", help="states, rankers and what was found go here")
    verb.add_argument(
        "--sets", default=",".join(_SETS), metavar="SET,SET", help=f"to learn from (default: {', '.join(_SETS)})"
    )
    verb.add_argument("--gate", action="store_true", help="only find out whether a cheap trial ranks batches rightly")
    verb.add_argument(
        "--gate-batches", type=positive, default=60, metavar="N", help="batches tried there (default: 60)"
    )
    verb.add_argument("--minutes", type=float, default=25.0, help="begin nothing later than this (default: 25)")
    verb.add_argument("--states", type=positive, default=60, metavar="N", help="of each round (default: 60)")
    verb.add_argument("--candidates", type=positive, default=20, metavar="M", help="batches tried in a state")
    verb.add_argument("--seed", type=int, default=100, help="of the first play (default: 100)")
    verb.add_argument("--steps", type=positive, default=300, help="of the learner (default: 300)")
    verb.add_argument("--long-side", type=positive, default=192, metavar="PX", help="of the images (default: 192)")
    verb.add_argument("--pool-size", type=positive, default=700, metavar="N", help="most frames of a data set")
    verb.add_argument("--bfloat16", action="store_true", help="train in bfloat16: faster on processors that support it")
    verb.add_argument("--cache", type=Path, metavar="DIR", help="what is computed once (default: OUTPUT/cache)")
    add_json(verb)
    verb.set_defaults(run=_learn)


def _learn(options: argparse.Namespace) -> None:
    import torch

    from napari_al_pose.simulation.policy_gate import run_gate
    from napari_al_pose.simulation.policy_learning import PolicyRun, learn_policy
    from napari_al_pose.simulation.policy_worlds import WorldSettings, open_worlds

    torch.set_num_threads(1)
    began = time.monotonic()

    def later_than(share: float) -> bool:
        return time.monotonic() - began > share * 60 * options.minutes

    settings = WorldSettings(
        steps=options.steps,
        long_side=options.long_side,
        pool_size=options.pool_size,
        bfloat16=options.bfloat16,
    )
    options.output.mkdir(parents=True, exist_ok=True)
    worlds = open_worlds(options.sets.split(","), settings, options.cache or options.output / "cache")
    limit = 1.0 if options.gate else _GATE_SHARE
    gate = run_gate(
        worlds,
        options.output / "gate.json",
        batches=options.gate_batches,
        seed=options.seed,
        out_of_time=lambda: later_than(limit),
    )
    document: dict[str, Any] = {"gate": {name: gate[name] for name in ("spearman", "way")}}
    if not options.gate:
        run = PolicyRun(
            output=options.output,
            way=gate["way"],
            candidates=options.candidates,
            states=options.states,
            seed=options.seed,
        )
        shares = (_FIRST_SHARE, 1.0)
        document["learned"] = learn_policy(worlds, run, out_of_time=lambda number: later_than(shares[number]))
    show(document, _sentence(document), options)


def _sentence(document: dict[str, Any]) -> str:
    gate = document["gate"]
    told = [f"{way} {'unknown' if value is None else f'{value:.2f}'}" for way, value in gate["spearman"].items()]
    lines = [f"Spearman's correlation with the learner: {', '.join(told)}. Batches are tried by: {gate['way']}."]
    if "learned" in document:
        learned = document["learned"]
        lines.append(f"{learned['states']} states, {learned['rows']} picks.")
        lines += [f"{name}, left out: {value}" for name, value in learned["left_out"].items()]
    return "\n".join(lines)
