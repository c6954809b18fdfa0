"""Says what paths are that are given to the program: a project, labels, videos, or nothing of these and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.errors import no_permission
from napari_al_pose.domain.file_names import (
    IMAGE_SUFFIXES,
    STACK_SUFFIXES,
    is_config,
    is_foreign,
    is_video,
    project_root,
)
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.project.known_videos import videos_among

_WHAT_OPENS = "Open a project's folder or its config.yaml, labels of SLEAP, COCO, MPII or LSP, or videos."


@dataclass(frozen=True, slots=True)
class ProjectToOpen:
    """A project, by its folder or its ``config.yaml``."""

    path: Path


@dataclass(frozen=True, slots=True)
class LabelsToImport:
    """Another program's file of labels."""

    path: Path


@dataclass(frozen=True, slots=True)
class VideosToAdd:
    """Videos, for the open project or a new one."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class NothingToOpen:
    """Neither of these.

    Parameters
    ----------
    message, hint : str
        What is there instead and what to do, as in `napari_al_pose.domain.AlPoseError`.
    may_be_others : bool
        Whether another program may know what it is.
    """

    message: str
    hint: str = _WHAT_OPENS
    may_be_others: bool = False


ToOpen = ProjectToOpen | LabelsToImport | VideosToAdd | NothingToOpen


def what_to_open(paths: Sequence[Path]) -> ToOpen:
    """Return what one or several paths are together; this is the only place that decides it.

    A folder with a ``config.yaml`` is a project, and so is what lies in the project's ``labeled-data``: whoever comes
    from napari-deeplabcut opens that. Any other folder is the videos directly in it. Never raises; it asks the disk,
    which may be slow.
    """
    paths = list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))  # resolving would follow links
    found = [_what_is(path) for path in paths]
    return found[0] if len(found) == 1 else _together(paths, found)


def _together(paths: Sequence[Path], found: Sequence[ToOpen]) -> ToOpen:
    """Return what several paths are: one project, or videos."""
    videos = [each.paths for each in found if isinstance(each, VideosToAdd)]
    if len(videos) == len(found):
        return VideosToAdd(tuple(dict.fromkeys(path for several in videos for path in several)))
    projects = [each for each in found if isinstance(each, ProjectToOpen)]
    if len(projects) == len(found) and len({project_root(each.path) for each in projects}) == 1:
        return projects[0]
    nothing = [each for each in found if isinstance(each, NothingToOpen)]
    amiss = next((each for each in nothing if not each.may_be_others), None)
    if amiss is not None or len(nothing) == len(found):
        return amiss or nothing[0]
    others = [str(path) for path, each in zip(paths, found, strict=True) if not isinstance(each, VideosToAdd)]
    what = f"Expected one project, or several videos, got {first_few(others)} among them."
    return NothingToOpen(what, "Open them one by one.")


def _what_is(path: Path) -> ToOpen:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return _unreadable(path, error)
    is_file = stat.S_ISREG(mode)
    if is_file and is_foreign(path):
        return LabelsToImport(path)
    if is_file and is_config(path):
        return ProjectToOpen(path)
    root = _root_around(path)
    if root is not None:
        return ProjectToOpen(root)
    if is_file and is_video(path):
        return VideosToAdd((path,))
    if stat.S_ISDIR(mode):
        return _what_is_in(path)
    return NothingToOpen(f"{path} is not a project, labels or a video.", may_be_others=True)


def _root_around(path: Path) -> Path | None:
    """Return the folder of the project that a path is, or in whose ``labeled-data`` it lies."""
    if os.path.isfile(path / "config.yaml"):
        return path
    images = next((each for each in (path, *path.parents[:2]) if each.name == "labeled-data"), None)
    return None if images is None or not os.path.isfile(images.parent / "config.yaml") else images.parent


def _what_is_in(folder: Path) -> ToOpen:
    """Return the videos of a folder that is no project, or what it holds instead."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        videos = videos_among(entries)
    except OSError as error:
        return _unreadable(folder, error)
    if videos and not _are_pictures(videos):
        return VideosToAdd(tuple(videos))
    n_images = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in entries)
    if n_images:
        return NothingToOpen(
            f"{folder} holds {counted(n_images, 'image')}, but no project and no video.",
            "Make a video of them and open that, or look at them with File > Open Folder.",
        )
    if not entries and not folder.suffix:
        return NothingToOpen(f"{folder} is empty.")
    if folder.suffix or any(os.path.isfile(path) for path in entries):
        return NothingToOpen(f"{folder} holds no project and no video.", may_be_others=True)
    return NothingToOpen(
        f"{folder} holds {counted(len(entries), 'folder')}, but no project and no video itself.",
        "Open one of its folders, or several that hold videos.",
    )


def _are_pictures(videos: Sequence[Path]) -> bool:
    """Return whether these are TIFF files of one picture each, by the first of them."""
    from napari_al_pose.video import open_source

    if len(videos) < 2 or not all(path.suffix.lower() in STACK_SUFFIXES for path in videos):
        return False
    try:
        with open_source(videos[0], cache_bytes=0) as first:
            return len(first) == 1
    except AlPoseError:
        return False


def _unreadable(path: Path, error: OSError) -> NothingToOpen:
    """Return why a path can't be looked at."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        what = "file" if path.suffix else "file or folder"
        return NothingToOpen(f"There is no {what} {path}.", "Check its name and folder.")
    if isinstance(error, PermissionError):
        refused = no_permission(error)
        return NothingToOpen(refused.message, refused.hint)
    return NothingToOpen(f"{path} can't be read: {error.strerror or error}.", "Check that its disk is connected.")
