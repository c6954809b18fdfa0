"""``check``, ``effort`` and ``restore``: checks a project's images, measures labelling effort, restores labels."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from napari_al_pose.verbs.common import positive, project_verb, show


def add(verbs: Any) -> None:
    """Add the verbs."""
    project_verb(verbs, "effort", "what labelling took: seconds, clicks, guesses accepted and corrected", _effort)
    restore = project_verb(verbs, "restore", "list the earlier versions of a video's labels, or restore one", _restore)
    restore.add_argument("video", metavar="VIDEO", help="name of the video")
    restore.add_argument(
        "--version", type=positive, metavar="N", help="restore version N (default: list them, oldest first)"
    )
    project_verb(
        verbs, "check", "check videos for damage and wrong jumps, and every extracted image against its video", _check
    )


def _effort(options: argparse.Namespace) -> None:
    from napari_al_pose.domain.effort import measure
    from napari_al_pose.domain.views.effort import effort_lines
    from napari_al_pose.project import open_project

    with open_project(options.project, read_only=True) as project:
        rounds = {one.number: one.labels_revision for one in project.rounds.all()}
        found = measure(project.labels.acts(), rounds)
    document = asdict(found) | {"seconds_a_frame": found.seconds_a_frame, "clicks_a_frame": found.clicks_a_frame}
    show(document, "\n".join(effort_lines(found)), options)


def _restore(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    if options.version is not None:
        headless.restore_labels(options.project, options.video, options.version)
        text = f"Restored version {options.version} of the labels of {options.video}."
        show({"video": options.video, "restored": options.version}, text, options)
        return
    rows = headless.label_versions(options.project, options.video)
    none = f"No earlier version of the labels of {options.video} is kept."
    show(rows, headless.as_table(rows, ("version", "time", "folder")) if rows else none, options)


def _check(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    rows = headless.check(options.project)
    show(rows, "\n".join(map(_sentence, rows)) or "No video with extracted images.", options)


def _sentence(row: dict[str, Any]) -> str:
    found = f"{row['video']}: {row['differing']} of {row['compared']} images show something other than their frames"
    if not row["differing"]:
        return f"{row['video']}: all {row['compared']} images show their frames."
    used = "They are shown and trained on in place of those frames. Put back the video that they are from."
    if row["shift"] is None:
        return f"{found}; no shift of the video makes them fit. {used}"
    where = "later" if row["shift"] > 0 else "earlier"
    return f"{found}; the video has what they show {abs(row['shift'])} frames {where}. {used}"
