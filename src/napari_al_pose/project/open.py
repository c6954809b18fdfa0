"""Opens a project folder, whatever state it is in."""

from __future__ import annotations

import logging
from pathlib import Path

from napari_al_pose.domain import SINGLE_INDIVIDUAL, UNIQUE_INDIVIDUAL, AlPoseError, Skeleton
from napari_al_pose.domain.errors import no_permission
from napari_al_pose.domain.file_names import is_config
from napari_al_pose.domain.steps import OnProgress, ignore_progress
from napari_al_pose.formats.atomic import remove_leftovers
from napari_al_pose.formats.deeplabcut import DeepLabCutConfig, read_config
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.lock import LockHolder, ProjectLock
from napari_al_pose.project.project import Project
from napari_al_pose.project.staging import remove_left_over

logger = logging.getLogger(__name__)


def open_project(
    path: Path | str, *, read_only: bool | None = None, on_progress: OnProgress = ignore_progress
) -> Project:
    """Open a DeepLabCut project for labelling.

    Changes that other programs made in CollectedData are merged, by key, as edits of the label store.

    Parameters
    ----------
    path : Path or str
        The project folder or its ``config.yaml``.
    read_only : bool, optional
        By default only if another process has the project open, or the folder can't be written.
    on_progress : callable, optional
        Called with the number of videos whose labels are read and of all videos.

    Raises
    ------
    AlPoseError
        If there is no project, one of its files is damaged (it is left as it is) or may not be read, or ``read_only``
        is False and the project can't be opened for writing.
    """
    try:
        return _opened(Path(path).expanduser().absolute(), read_only, on_progress)
    except PermissionError as error:
        raise no_permission(error) from error


def _opened(path: Path, read_only: bool | None, on_progress: OnProgress) -> Project:
    config = read_config(_config_path(path))
    skeleton, notices = _skeleton(config)
    lock: ProjectLock | None = None
    holder: LockHolder | None = None
    if not read_only:
        lock, holder, why = _lock(config.path.parent)
        if lock is None and read_only is False:
            raise AlPoseError(why, "Close the other window, or check that you may write to the folder.")
        notices += [why] if why else []
    try:
        labels_path = config.path.parent / "al-pose" / "labels.sqlite"
        labels = LabelStore.open(labels_path, skeleton, read_only=lock is None)
    except AlPoseError:
        if lock is not None:
            lock.release()
        raise
    project = Project(config, skeleton, labels, lock=lock, lock_holder=str(holder) if holder else "")
    try:
        project.notice(*notices)
        if lock is not None:
            for folder in (project.root, project.root / "labeled-data", *(project.root / "labeled-data").glob("*/")):
                remove_leftovers(folder)
            project.notice(*_left_over_beside(project.root))
            labels.exchange.compose_names()
        project.take_up_skeleton_change()
        if lock is not None or labels.in_memory:
            project.merge_labels(on_progress)
        elif holder is None and not read_only:
            project.check_labels()
        project.notice(*_changed_bodyparts(project))
    except BaseException:
        project.close()
        raise
    return project


def _left_over_beside(root: Path) -> list[str]:
    """Remove what a killed import or export left beside a project; return messages about it."""
    gone = remove_left_over(root.parent)
    if not gone:
        return []
    return [f"Removed files left by an interrupted import or export: {', '.join(map(str, gone))}."]


def _config_path(path: Path) -> Path:
    if path.is_dir():
        config = path / "config.yaml"
        if not config.is_file():
            raise AlPoseError(
                f"Expected a DeepLabCut project, got the folder {path} without a config.yaml.",
                "Choose the folder that holds config.yaml, or make a new project from videos.",
            )
        return config
    if path.exists() and not is_config(path):
        raise AlPoseError(
            f"Expected a project folder or its config.yaml, got {path}.", "Choose the config.yaml of the project."
        )
    return path


def _skeleton(config: DeepLabCutConfig) -> tuple[Skeleton, list[str]]:
    """Return the skeleton; invalid links and bodyparts are left out with a notice."""
    notices = []
    links = tuple(link for link in config.skeleton if set(link) <= set(config.bodyparts))
    if len(links) < len(config.skeleton):
        notices.append(f"The skeleton in {config.path} links bodyparts that are not listed; those lines are not drawn.")
    individuals, unique = config.individuals or (SINGLE_INDIVIDUAL,), config.unique_bodyparts
    taken = [name for name in unique if name in config.bodyparts]
    if unique and (taken or UNIQUE_INDIVIDUAL in individuals):
        whose = (
            f"{taken[0]!r} is a bodypart of the animals too" if taken else f"an animal is called {UNIQUE_INDIVIDUAL!r}"
        )
        notices.append(
            f"The unique bodyparts in {config.path} ({', '.join(unique)}) are kept in the files of labels, but cannot "
            f"be labelled here: {whose}."
        )
        unique = ()
    try:
        return Skeleton(config.bodyparts, links, individuals, unique), notices
    except AlPoseError as error:
        raise AlPoseError(f"{config.path}: {error.message}", error.hint) from error


def _lock(root: Path) -> tuple[ProjectLock | None, LockHolder | None, str]:
    """Return the lock or who holds it, and a sentence for the user ("" if all is well)."""
    folder = root / "al-pose"
    try:
        folder.mkdir(exist_ok=True)
        taken = ProjectLock.acquire(folder)
    except (OSError, AlPoseError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        return None, None, f"{root} is open for reading only, as it cannot be written: {reason}"
    if isinstance(taken, LockHolder):
        elsewhere = " If that computer crashed, open it again in two minutes." if taken.is_elsewhere else ""
        return None, taken, f"{root} is open for reading only: {taken} has it open.{elsewhere}"
    if taken.left_behind is not None:
        return (
            taken,
            None,
            (f"{root} was not closed by {taken.left_behind}. If it is still open there, close one of the two."),
        )
    return taken, None, ""


def _changed_bodyparts(project: Project) -> list[str]:
    """Tell the user what a change of the bodyparts in ``config.yaml`` means for existing labels."""
    notices = []
    unknown = project.labels.unknown_bodyparts()
    if unknown:
        listed = ", ".join(f"{name!r} ({count} labels)" for name, count in sorted(unknown.items()))
        notices.append(
            f"{project.config_path} no longer lists {listed}. The labels are kept in al-pose/labels.sqlite; "
            "write the old name back under 'bodyparts:' to see them again."
        )
    unlabelled = project.labels.unlabelled_bodyparts()
    if unlabelled and len(unlabelled) < project.skeleton.n_bodyparts:
        notices.append(
            f"No frame has been labelled for {', '.join(map(repr, unlabelled))} of {project.config_path}; "
            "frames labelled before are incomplete until it is placed or marked not visible."
        )
    return notices
