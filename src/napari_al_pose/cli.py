"""The command line: the window, the demo, and the loop without a window.

Exit codes: 0 done, 1 a fault of ours, 2 the input or the call.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_al_pose.domain import AlPoseError

VERBS = ("demo", "rank", "train", "predict", "evaluate")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    sys.excepthook = _report_fault
    options = _parser(arguments).parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        sys.exit(options.run(options) or 0)
    except AlPoseError as error:
        print(f"napari-al-pose: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser: of the verbs, or, when the first word is none, of the window."""
    parser = argparse.ArgumentParser(
        prog="napari-al-pose",
        description="Active learning of animal pose in napari: label fewer frames, get a better pose model.",
        epilog="With no verb, `napari-al-pose [PROJECT]` opens the window.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say more on standard error")
    words = [word for word in arguments if not word.startswith("-")]
    if (words and words[0] in VERBS) or {"-h", "--help"} & set(arguments):
        _add_verbs(parser)
    else:
        parser.add_argument("project", nargs="?", type=Path, metavar="PROJECT", help="project folder or config.yaml")
        parser.set_defaults(run=_window)
    return parser


def _add_verbs(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    demo = verbs.add_parser("demo", help="try it on a sample project")
    demo.add_argument("project", nargs="?", type=Path, metavar="PROJECT", help="a project of your own instead")
    demo.add_argument("--dataset", choices=("synthetic", "openfield"), default="synthetic")
    demo.add_argument("--play", action="store_true", help="play the annotator from the sample's ground truth")
    demo.add_argument("--rounds", type=int, default=2, help="rounds to play (default: 2)")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), help="where --play writes its screenshots")
    demo.set_defaults(run=_demo)

    rank = _project_verb(verbs, "rank", "rank unlabelled frames, best first", _rank)
    rank.add_argument("--strategy", default="mpe", help="acquisition strategy (default: mpe)")
    rank.add_argument("--top", type=_positive, default=20, metavar="N", help="frames to list (default: 20)")

    _project_verb(verbs, "train", "train the next model version on the project's labels", _train)

    predict = _project_verb(verbs, "predict", "predict a whole video with the newest model", _predict)
    predict.add_argument("video", metavar="VIDEO", help="a video of the project, by name or file")

    evaluate = _project_verb(verbs, "evaluate", "train on some labelled frames, measure on the others", _evaluate)
    evaluate.add_argument("--train-frames", type=_positive, default=30, metavar="N", help="default: 30")
    evaluate.add_argument("--seed", type=int, default=0, help="seed of the draw and of the training (default: 0)")


def _project_verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text)
    verb.add_argument("project", type=Path, metavar="PROJECT", help="project folder or its config.yaml")
    verb.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    verb.set_defaults(run=run)
    return verb


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {value}")
    return value


def _window(options: argparse.Namespace) -> None:
    from napari_al_pose.gui.window import run_window

    run_window(options.project)


def _demo(options: argparse.Namespace) -> int:
    from napari_al_pose.demo import run_demo

    return run_demo(
        options.project, dataset=options.dataset, play=options.play, rounds=options.rounds, output=options.output
    )


def _rank(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    rows = headless.rank(options.project, strategy=options.strategy, top=options.top)
    _print(rows, headless.as_table(rows, ("video", "frame", "score", "provenance", "reason")), options)


def _train(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    result = headless.train(options.project)
    error = result["holdout"]
    measured = "no hold-out frames" if error is None else f"hold-out error {error['mean_error_px']:.1f} px"
    _print(
        result,
        f"Model {result['model_version']}: {result['n_train']} labels, {result['steps']} steps in "
        f"{result['train_seconds']:.0f} s, {measured}.",
        options,
    )


def _predict(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    result = headless.predict(options.project, options.video)
    _print(result, f"Wrote {result['path']}", options)


def _evaluate(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    result = headless.evaluate(options.project, train_frames=options.train_frames, seed=options.seed)
    _print(
        result,
        f"{result['n_train']} training frames, {result['n_test']} test frames: mean error "
        f"{result['mean_error_px']:.2f} px, median {result['median_error_px']:.2f}, 95th percentile "
        f"{result['p95_error_px']:.2f}, RMS {result['rmse_px']:.2f}; {result['steps']} steps in "
        f"{result['train_seconds']:.0f} s.",
        options,
    )


def _print(document: Any, text: str, options: argparse.Namespace) -> None:
    print(json.dumps(document, indent=1, allow_nan=False) if options.json else text)


def _report_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Put the traceback into a file: the user gets a sentence."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="napari-al-pose-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(kind, error, trace, file=file)
    print(
        f"napari-al-pose: this is a fault of ours ({kind.__name__}: {error}).\n"
        f"  Labels are safe. Please report it with {file.name}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
