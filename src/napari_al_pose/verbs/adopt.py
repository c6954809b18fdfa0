"""``adopt``: makes another program's model the project's newest version."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_al_pose.verbs.common import project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    adopt = project_verb(
        verbs, "adopt", "use a DeepLabCut 3 snapshot, SuperAnimal weights or an ONNX model as the newest model", _adopt
    )
    adopt.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="MODEL",
        help="snapshot-*.pt, superanimal_*.pt or .onnx (default: the newest snapshot in the project)",
    )
    adopt.add_argument("--bodyparts", nargs="+", metavar="NAME", help="ONNX: names of the output's channels")
    adopt.add_argument(
        "--normalize",
        choices=("imagenet", "unit", "none"),
        help="ONNX: what the input expects: ImageNet's mean and deviation (default), 0 to 1, or 0 to 255",
    )
    adopt.add_argument(
        "--map",
        nargs="+",
        type=_pair,
        default=[],
        metavar="YOURS=ITS",
        help="which of its bodyparts are yours, where names differ by more than case and punctuation; yours= for none",
    )
    adopt.add_argument(
        "--partial", action="store_true", help="leave bodyparts of yours that it does not know without a guess"
    )
    adopt.add_argument("--sigmoid", action="store_true", default=None, help="ONNX: the output is logits")


def _pair(text: str) -> tuple[str, str]:
    yours, sign, its = (part.strip() for part in text.partition("="))
    if not (sign and yours):
        raise argparse.ArgumentTypeError(f"expected two bodyparts like snout=nose, got {text!r}")
    return yours, its


def _adopt(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    overrides = {name: getattr(options, name) for name in ("bodyparts", "normalize", "sigmoid")}
    result = headless.adopt_model(
        options.project,
        options.model,
        overrides={name: value for name, value in overrides.items() if value is not None},
        chosen=dict(options.map),
        partial=options.partial,
    )
    show(result, f"Model {result['model_version']} is {result['model']} ({result['network']}).", options)
