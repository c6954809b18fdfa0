"""``predict``: a model over whole videos."""

from __future__ import annotations

import argparse
from typing import Any

from napari_al_pose.verbs.common import project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    predict = project_verb(verbs, "predict", "predict a whole video with the newest model", _predict)
    predict.add_argument("video", metavar="VIDEO", help="a video of the project, by name or file")


def _predict(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    result = headless.predict(options.project, options.video)
    show(result, f"Wrote {result['path']}", options)
