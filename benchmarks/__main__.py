"""``python -m benchmarks [NAME ...] [--data FOLDER]``: one JSON line per figure on standard output."""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmarks
from benchmarks import peers


def available() -> list[str]:
    """Return the names of the benchmarks: modules with a function ``figures``, found without importing them."""
    folder = Path(benchmarks.__path__[0])
    return sorted(file.stem for file in folder.glob("*.py") if "\ndef figures(" in file.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks; returns 0 if all goals are met, 1 if one is not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, one JSON line per figure.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(available())} (default: all)")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("NAPARI_AL_POSE_DATA"), help="folder of real data (see docs)"
    )
    parser.add_argument(
        "--short", action="store_true", help="fewer repeats, where a benchmark takes many minutes (pose)"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        type=_bound,
        metavar="PEER[=MINUTES]",
        help="train other programs as well, at most so long (pose; default: all of them, as long as they may need)",
    )
    parser.add_argument(
        "--worlds", nargs="+", type=int, metavar="SEED", help="draw these samples instead of the first (animal_tracks)"
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(available()))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(available())}")
    data = None if options.data is None else Path(options.data)
    if data is not None and not data.is_dir():
        parser.error(f"{data} is no folder; leave --data out to measure on made-up data")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")
    wishes = {
        "short": options.short or None,
        "peers": None if options.peers is None else dict(options.peers),
        "worlds": options.worlds,
    }
    all_met = True
    for name in options.names or available():
        measure = importlib.import_module(f"benchmarks.{name}").figures
        known = inspect.signature(measure).parameters
        heard = {name: wish for name, wish in wishes.items() if wish is not None and name in known}
        for figure in measure(data, **heard):
            print(figure.to_json(), flush=True)
            all_met &= figure.met is not False
    return 0 if all_met else 1


def _bound(word: str) -> tuple[str, float | None]:
    """Return a peer's name and its minutes, None if they are not said."""
    name, _, minutes = word.partition("=")
    if name not in peers.available():
        raise argparse.ArgumentTypeError(f"no peer {name!r}; there are: {', '.join(peers.available())}")
    try:
        return name, float(minutes) if minutes else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected minutes after {name}=, got {minutes!r}") from None


if __name__ == "__main__":
    raise SystemExit(main())
