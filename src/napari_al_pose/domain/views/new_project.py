"""Reading what a person typed into the form for a new project."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from napari_al_pose.domain.errors import AlPoseError
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL, Skeleton


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


def check_new_project(
    *,
    task: str,
    scorer: str,
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]],
    videos: Sequence[Path],
    individuals: Sequence[str] = (),
) -> str:
    """Return the first thing that keeps the project from being made, or nothing."""
    if not task.strip():
        return "Give the project a name."
    if not scorer.strip():
        return "Say who labels: DeepLabCut calls it the scorer."
    for text in (task, scorer):
        if re.search(r'[\\/:*?"<>|]', text):
            return f'“{text}” becomes part of file names: leave out \\ / : * ? " < > |'
    if not bodyparts:
        return "Name at least one bodypart."
    try:
        Skeleton(tuple(bodyparts), tuple(links), tuple(individuals) or (SINGLE_INDIVIDUAL,))
    except AlPoseError as error:
        return error.message
    if not videos:
        return "Add at least one video."
    stems = [video.stem for video in videos]
    repeated = next((stem for stem in stems if stems.count(stem) > 1), None)
    return f"Two videos are called “{repeated}”: rename one." if repeated else ""


def _chain(text: str, bodyparts: Sequence[str]) -> list[str]:
    if " - " in text or text in bodyparts:
        return [name.strip() for name in text.split(" - ")]
    for match in re.finditer("-", text):
        pair = [text[: match.start()].strip(), text[match.end() :].strip()]
        if all(name in bodyparts for name in pair):
            return pair
    return [name for name in (part.strip() for part in text.split("-")) if name]
