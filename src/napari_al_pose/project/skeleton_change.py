"""Changes the bodyparts of a project: labels, ``config.yaml`` and CollectedData follow, all or none of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from napari_al_pose.domain.skeleton_edit import removed_bodyparts
from napari_al_pose.formats.deeplabcut import DeepLabCutConfig, change_bodyparts
from napari_al_pose.project.collected_data import CollectedData
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.models import PoolPredictions, QueueStore
from napari_al_pose.project.skeleton_log import SkeletonChange


def is_due(change: SkeletonChange, config: DeepLabCutConfig) -> bool:
    """Return whether ``config.yaml`` is as it was before a change or as it should be after it, not edited otherwise."""
    return config.bodyparts in (change.before.bodyparts, change.edit.bodyparts)


def write_config(path: Path, change: SkeletonChange) -> None:
    """Write the new bodyparts into ``config.yaml``; writing them again changes nothing.

    Raises
    ------
    AlPoseError
        If the file can't be read or written.
    """
    change_bodyparts(path, change.edit.bodyparts, change.edit.links, renamed=dict(change.edit.renamed))


def write_files(change: SkeletonChange, data: Iterable[CollectedData], store: LabelStore) -> None:
    """Give the label files their new columns, unless they have them.

    Raises
    ------
    AlPoseError
        If a file can't be read or written; call it again then.
    """
    for each in data:
        before = change.files.get(each.name)
        if before is not None and each.h5_state() == before:
            each.rename_columns(change, store)
        # Otherwise it was written before the program was interrupted, or by another program since.


def drop_predictions(change: SkeletonChange, predictions: Iterable[PoolPredictions], queue: QueueStore) -> None:
    """Remove predictions of the former bodyparts; the queue keeps its frames, and reasons by name.

    If only lines change, predictions stay valid.
    """
    if not change.edit.changes_network(change.before):
        return
    for each in predictions:
        each.clear()
    saved = queue.load()
    removed = removed_bodyparts(change.before, change.edit)
    suggestions = [
        replace(
            suggestion,
            reasons=tuple(
                replace(reason, bodypart=change.edit.new_name(reason.bodypart))
                for reason in suggestion.reasons
                if reason.bodypart not in removed
            ),
        )
        for suggestion in saved.suggestions
    ]
    if suggestions != list(saved.suggestions):
        queue.save(saved.strategy, saved.model_version, suggestions)
