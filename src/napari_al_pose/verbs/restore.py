"""``restore``: earlier versions of the label files that DeepLabCut reads."""

from __future__ import annotations

import argparse
from typing import Any

from napari_al_pose.verbs.common import positive, project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    restore = project_verb(verbs, "restore", "list the earlier versions of a video's labels, or restore one", _restore)
    restore.add_argument("video", metavar="VIDEO", help="name of the video")
    restore.add_argument(
        "--version", type=positive, metavar="N", help="restore version N (default: list them, oldest first)"
    )


def _restore(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    if options.version is not None:
        headless.restore_labels(options.project, options.video, options.version)
        text = f"The labels of {options.video} are those of version {options.version} again."
        show({"video": options.video, "restored": options.version}, text, options)
        return
    rows = headless.label_versions(options.project, options.video)
    none = f"No earlier version of the labels of {options.video} is kept."
    show(rows, headless.as_table(rows, ("version", "time", "folder")) if rows else none, options)
