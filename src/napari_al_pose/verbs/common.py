"""Shared by the verbs: common arguments and printing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[[argparse.Namespace], int | None]


def project_verb(verbs: Any, name: str, text: str, run: Run) -> argparse.ArgumentParser:
    """Add a verb that takes a project and can print JSON.

    Parameters
    ----------
    verbs : argparse sub-parsers
        To add it to.
    name, text : str
        The verb and its help text.
    run : callable
        Called with the parsed options; returns the exit code, None for 0.
    """
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    verb.add_argument("project", type=Path, metavar="PROJECT", help="project folder or its config.yaml")
    add_json(verb)
    verb.set_defaults(run=run)
    return verb


def add_json(verb: argparse.ArgumentParser) -> None:
    """Give ``verb`` the flag ``--json``."""
    verb.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def add_scheduler(verb: argparse.ArgumentParser) -> None:
    """Give ``verb`` the option ``--scheduler``."""
    verb.add_argument(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="let the workers of a dask.distributed cluster run the model; they must see it under the same path",
    )


def positive(text: str) -> int:
    """Read an argument that is an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value


def show(document: Any, text: str, options: argparse.Namespace) -> None:
    """Print ``document`` as JSON if requested, otherwise ``text``."""
    print(json.dumps(document, indent=1, allow_nan=False) if options.json else text)
