"""The form for a new project: reading what a person typed, what is missing, what will be made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from napari_al_pose.domain.errors import AlPoseError
from napari_al_pose.domain.file_names import plain
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL, Skeleton
from napari_al_pose.domain.skeleton_draft import SkeletonDraft
from napari_al_pose.domain.views.formatting import short_paths

STEPS = ("videos", "bodyparts", "name and folder")
_MOST_VIDEOS = 8
_SAY_NOTHING = ("videos", "video", "data", "recordings", "raw")


def parse_bodyparts(text: str) -> tuple[str, ...]:
    """Return the bodyparts in ``text``, separated by lines, commas or semicolons."""
    return tuple(name for name in (part.strip() for part in re.split(r"[\n,;]", text)) if name)


def parse_links(text: str, bodyparts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the skeleton's links in ``text``: "nose - tailbase", separated by lines, commas or semicolons.

    A chain "a - b - c" is the links a-b and b-c. Names may hold hyphens: they are split at a hyphen with spaces
    around it, or, without any, at the hyphen that leaves two known bodyparts.

    Raises
    ------
    AlPoseError
        If a link names fewer than two bodyparts or one that isn't in ``bodyparts``.
    """
    links: list[tuple[str, str]] = []
    for chain in parse_bodyparts(text):
        names = _chain(chain, bodyparts)
        if len(names) < 2:
            raise AlPoseError(f"Expected a link such as “nose - tail”, got “{chain}”.", "Write two bodyparts.")
        unknown = [name for name in names if name not in bodyparts]
        if unknown:
            raise AlPoseError(f"The skeleton names the unknown bodypart “{unknown[0]}”.", "Correct it or add it above.")
        links += list(itertools.pairwise(names))
    return tuple(links)


def link_text(links: Sequence[tuple[str, str]]) -> str:
    """Return links as `parse_links` reads them, one on each line."""
    return "\n".join(f"{a} - {b}" for a, b in links)


def steps_text(step: int) -> str:
    """Return the heading of a step of the form, from 0."""
    return f"Step {step + 1} of {len(STEPS)}: {STEPS[step]}"


def skeleton_hint(draft: SkeletonDraft, *, draws_lines: bool) -> str:
    """Return what the next click on the picture does."""
    if draws_lines:
        if len(draft.places) < 2:
            return "Click two bodyparts on the picture first, then join them here."
        return "Click one bodypart, then the next: a line joins them. Do it again to remove the line."
    following = draft.next_bodypart
    if following:
        return f"Click the {following}. Or use only the list: places on the picture just help to draw lines."
    if not draft.bodyparts:
        return "Click the first bodypart and type its name, type the list, or begin with a standard skeleton."
    return "Click the next bodypart and name it. Drag to move one, right-click to remove it. Then draw the lines."


def suggested_name(video: Path) -> str:
    """Return a name for a project of this video: that of the folder it is in, or of one above that says more."""
    names = (folder.name for folder in video.parents)
    return next((name for name in names if name.lower() not in _SAY_NOTHING), "")


def check_videos(videos: Sequence[Path]) -> str:
    """Return what is wrong with the videos of a new project, or nothing."""
    if not videos:
        return "Add at least one video."
    stems = [plain(video.stem) for video in videos]
    repeated = next((stem for stem in stems if stems.count(stem) > 1), None)
    return f"Two videos are called “{repeated}”: rename one." if repeated else ""


def check_skeleton(
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
    individuals: Sequence[str] = (),
    unique_bodyparts: Sequence[str] = (),
) -> str:
    """Return what is wrong with the skeleton of a new project, or nothing."""
    if not bodyparts:
        return "Name at least one bodypart."
    try:
        Skeleton(tuple(bodyparts), tuple(links), tuple(individuals) or (SINGLE_INDIVIDUAL,), tuple(unique_bodyparts))
    except AlPoseError as error:
        return error.message
    if unique_bodyparts and not individuals:
        return "Name the animals, or move the points that belong to no animal to the bodyparts."
    return ""


def check_names(task: str, scorer: str) -> str:
    """Return what is wrong with the names of a new project, or nothing."""
    if not task.strip():
        return "Give the project a name."
    if not scorer.strip():
        return "Say who labels: DeepLabCut calls it the scorer."
    for text in (task, scorer):
        if re.search(r'[\\/:*?"<>|]', text):
            return f'“{text}” becomes part of file names: leave out \\ / : * ? " < > |'
    return ""


def project_folder(task: str, scorer: str, today: date) -> str:
    """Return the name of a new project's folder, as DeepLabCut names it."""
    return f"{task}-{scorer}-{today.isoformat()}"


def folder_preview(
    parent: Path, *, task: str, scorer: str, videos: Sequence[Path], copy_videos: bool, today: date
) -> str:
    """Return what a new project's folder will hold, line by line."""
    how = "copied from" if copy_videos else "linked to"
    width = max((len(video.name) for video in videos), default=0)
    shown = [f"    {video.name:{width}}   {how} {short_paths(str(video))}" for video in videos[:_MOST_VIDEOS]]
    if len(videos) > _MOST_VIDEOS:
        shown.append(f"    and {len(videos) - _MOST_VIDEOS} more")
    return "\n".join(
        (
            str(parent / project_folder(task or "…", scorer or "…", today)),
            "  config.yaml         bodyparts, skeleton and videos, as DeepLabCut reads them",
            "  videos/",
            *shown,
            "  labeled-data/       labels and their frames, for DeepLabCut and others",
            "  training-datasets/  empty; DeepLabCut's own",
            "  dlc-models-pytorch/ empty; DeepLabCut's own",
            "  al-pose/            every click, models and the queue of this program",
        )
    )


def _chain(text: str, bodyparts: Sequence[str]) -> list[str]:
    if " - " in text or text in bodyparts:
        return [name.strip() for name in text.split(" - ")]
    for match in re.finditer("-", text):
        pair = [text[: match.start()].strip(), text[match.end() :].strip()]
        if all(name in bodyparts for name in pair):
            return pair
    return [name for name in (part.strip() for part in text.split("-")) if name]
