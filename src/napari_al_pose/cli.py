"""The command line: the window, or one of the verbs.

Exit codes: 0 done, 1 a fault of ours, 2 the input or the call.
"""

from __future__ import annotations

import argparse
import difflib
import logging
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from napari_al_pose import openmp  # noqa: F401  # before anything that imports torch
from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.errors import no_permission
from napari_al_pose.verbs import adopt, demo, exchange, learn_policy, loop, predict, project, simulate

GROUPS = (demo, loop, adopt, predict, exchange, project, simulate, learn_policy)
"""Modules whose ``add`` brings verbs, in the order of the help."""

_PATHS = "a project's folder or config.yaml, labels of another program, or videos or a folder of them for a new project"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    sys.excepthook = _report_fault
    options = _parser(arguments).parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    # A job that is ended from outside takes back what it began, as one that is cancelled does.
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))
    try:
        sys.exit(options.run(options) or 0)
    except AlPoseError as error:
        _refuse(error)
    except PermissionError as error:
        _refuse(no_permission(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse(error: AlPoseError) -> NoReturn:
    """Say what the user can mend, and exit."""
    print(f"napari-al-pose: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    sys.exit(2)


def verb_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; `docs/reference/cli.md` is made from it."""
    return _add_verbs(_empty_parser())[0]


def _add_verbs(parser: argparse.ArgumentParser) -> tuple[argparse.ArgumentParser, set[str]]:
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for group in GROUPS:
        group.add(verbs)
    return parser, set(verbs.choices)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the verbs, or that of the window when the first word is not a verb."""
    parser, verbs = _add_verbs(_empty_parser())
    words = [word for word in arguments if not word.startswith("-")]
    if (words and words[0] in verbs) or {"-h", "--help"} & set(arguments):
        return parser
    parser = _empty_parser()
    guess = difflib.get_close_matches(words[0], verbs, n=1) if words and not Path(words[0]).exists() else []
    if guess:
        parser.error(f"there is no command and no file {words[0]!r}; did you mean {guess[0]!r}?")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help=_PATHS)
    parser.set_defaults(run=_window)
    return parser


def _empty_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-al-pose",
        description="Active learning of animal pose in napari: a model trains while you label and suggests frames.",
        epilog=f"Without a command, `napari-al-pose [PATH ...]` opens the window: {_PATHS}.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print more on standard error")
    return parser


def _window(options: argparse.Namespace) -> None:
    from napari_al_pose.gui.window import run_window

    run_window(options.paths)


def _report_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Put the traceback into a file: the user gets a sentence."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="napari-al-pose-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(kind, error, trace, file=file)
    print(
        f"napari-al-pose: this is a bug in the program ({kind.__name__}: {error}).\n"
        f"  Labels are safe. Please report it with {file.name}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
