"""``python -m fuzzing [KIND ...] [--minutes N] [--seed S]``: exits 1 if a run ended in neither answer nor message."""

from __future__ import annotations

import argparse
import collections
import faulthandler
import importlib
import itertools
import logging
import pkgutil
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import fuzzing

Run = Callable[[random.Random, Path], str]

FAILURES = Path("build/fuzz")
"""Where the files of failed runs are kept."""
LONGEST = 120
"""Seconds after which a run counts as hanging; where it hangs is printed."""


def kinds() -> dict[str, Run]:
    """Return the kinds of files, by the names of their modules."""
    names = [module.name for module in pkgutil.iter_modules(fuzzing.__path__) if not module.name.startswith("_")]
    return {name: importlib.import_module(f"fuzzing.{name}").run for name in names}


def play(name: str, run: Run, seed: int) -> str:
    """Play one run; returns what came of it, "" if it failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-{seed}-"))
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        return run(random.Random(f"{name} {seed}"), folder)
    except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
        kept = FAILURES / f"{name}-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept)
        print(f"\n{name}, run {seed}: files in {kept}, again by: python -m fuzzing {name} --only {seed}", flush=True)
        traceback.print_exc()
        return ""
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Play runs until the time is up."""
    known = kinds()
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=fuzzing.__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(known)}; all by default")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to go on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first run (default: %(default)s)")
    parser.add_argument("--only", type=int, metavar="RUN", help="play this run alone")
    options = parser.parse_args()
    if unknown := set(options.kinds) - known.keys():
        parser.error(f"there is no kind {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    chosen = {name: run for name, run in known.items() if not options.kinds or name in options.kinds}
    logging.disable(logging.CRITICAL)
    faulthandler.enable()
    outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
    end = time.monotonic() + 60 * options.minutes
    seeds = itertools.count(options.seed) if options.only is None else [options.only]
    for seed in seeds:
        for name, run in chosen.items():
            outcomes[name, play(name, run, seed) or "FAILED"] += 1
        if time.monotonic() > end:
            break
    for (name, outcome), n in sorted(outcomes.items()):
        print(f"{name}: {n} x {outcome}")
    return int(any(outcome == "FAILED" for _, outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
