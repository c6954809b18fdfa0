"""``effort``: what labelling a project took, from the log of edits."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from napari_al_pose.verbs.common import project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    project_verb(verbs, "effort", "what labelling took: seconds, clicks, guesses taken and corrected", _effort)


def _effort(options: argparse.Namespace) -> None:
    from napari_al_pose.domain.effort import measure
    from napari_al_pose.domain.views.effort import effort_lines
    from napari_al_pose.project import open_project

    with open_project(options.project, read_only=True) as project:
        rounds = {one.number: one.labels_revision for one in project.rounds.all()}
        found = measure(project.labels.acts(), rounds)
    document = asdict(found) | {"seconds_a_frame": found.seconds_a_frame, "clicks_a_frame": found.clicks_a_frame}
    show(document, "\n".join(effort_lines(found)), options)
