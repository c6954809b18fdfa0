"""``rank``, ``train`` and ``evaluate``: the loop's steps without a window."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_al_pose.verbs.common import add_scheduler, positive, project_verb, show


def add(verbs: Any) -> None:
    """Add the verbs."""
    rank = project_verb(verbs, "rank", "rank unlabelled frames, best first", _rank)
    rank.add_argument("--strategy", help="acquisition strategy (default: the project's)")
    rank.add_argument("--top", type=positive, default=20, metavar="N", help="frames to list (default: 20)")
    rank.add_argument(
        "--contact-sheet",
        type=Path,
        metavar="FILE",
        help="also write a PNG of the frames that the strategy ranks first and last",
    )
    add_scheduler(rank)

    project_verb(verbs, "train", "train the next model version on the project's labels", _train)

    evaluate = project_verb(verbs, "evaluate", "train on some labelled frames, measure on the others", _evaluate)
    evaluate.add_argument("--train-frames", type=positive, default=30, metavar="N", help="default: 30")
    evaluate.add_argument("--seed", type=int, default=0, help="seed of the draw and of the training (default: 0)")
    evaluate.add_argument(
        "--reference",
        nargs=2,
        metavar="BODYPART",
        help="also give errors relative to the median distance of two bodyparts in each video, such as eye and nose "
        "(default: the diagonal of the bounding box)",
    )
    evaluate.add_argument(
        "--tracks",
        type=Path,
        metavar="TRUTH.slp",
        help="instead of training: predict the videos of a SLEAP file with tracks, and measure how well animals are "
        "followed",
    )


def _rank(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    rows = headless.rank(
        options.project,
        strategy=options.strategy,
        top=options.top,
        scheduler=options.scheduler,
        contact_sheet=options.contact_sheet,
    )
    show(rows, headless.as_table(rows, ("video", "frame", "score", "provenance", "reason")), options)


def _train(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    result = headless.train(options.project)
    error = result["holdout"]
    measured = "no test frames" if error is None else f"error on test frames {error['mean_error_px']:.1f} px"
    show(
        result,
        f"Model {result['model_version']}: {result['n_train']} labels, {result['steps']} steps in "
        f"{result['train_seconds']:.0f} s, {measured}.",
        options,
    )


def _evaluate(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    if options.tracks is not None:
        scores = headless.evaluate_tracks(options.project, options.tracks)
        sentence = (
            f"Model {scores['model_version']}, {scores['n_frames']} frames: IDF1 {scores['idf1']:.3f}, "
            f"{scores['switches']} switches, MOTA {scores['mota']:.3f}, HOTA {scores['hota']:.3f}."
        )
        show(scores, "\n".join([sentence, *scores["notices"]]), options)
        return
    reference = None if options.reference is None else tuple(options.reference)
    result = headless.evaluate(
        options.project, train_frames=options.train_frames, seed=options.seed, reference=reference
    )
    show(result, _errors(result), options)


def _errors(result: dict[str, Any]) -> str:
    """Return the errors, in words."""
    names = ("mean", "median", "p95", "rmse")
    errors = [result[f"{name}_px" if name == "rmse" else f"{name}_error_px"] for name in names]
    mean, median, p95, rms = ("unknown" if error is None else f"{error:.2f}" for error in errors)
    return (
        f"{result['n_train']} training frames, {result['n_test']} test frames: mean error {mean} px, median {median}, "
        f"95th percentile {p95}, RMS {rms}; {_animals(result)}{_unique(result)}{result['steps']} steps in "
        f"{result['train_seconds']:.0f} s."
    )


def _unique(result: dict[str, Any]) -> str:
    """Return the error of unique bodyparts, in words."""
    error = result.get("unique", {}).get("mean_error_px")
    return "" if error is None else f"unique bodyparts {error:.2f} px; "


def _animals(result: dict[str, Any]) -> str:
    """Return the figures for several animals, in words."""
    if "missed" not in result:
        return ""
    precision = "unknown" if result["oks_map"] is None else f"{result['oks_map']:.3f}"
    share = f"{result['missed']:.1%} of the animals missed, {result['extra']:.1%} found where none is"
    return f"OKS mAP {precision}, {share}; "
