"""What a change of the bodyparts would do to the labels, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_al_pose.domain.skeleton import Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, added_bodyparts, removed_bodyparts
from napari_al_pose.domain.wording import counted


@dataclass(frozen=True, slots=True)
class DraftRow:
    """One bodypart in the list being edited: its name, and the one it has in the project ("" for a new one)."""

    name: str
    origin: str = ""


def draft_edit(rows: Sequence[DraftRow], links: Sequence[tuple[str, str]]) -> SkeletonEdit:
    """Return the edit a list of bodyparts stands for."""
    renamed = tuple((row.origin, row.name) for row in rows if row.origin and row.origin != row.name)
    return SkeletonEdit(tuple(row.name for row in rows), tuple(links), renamed)


def rename_in_links(links: Sequence[tuple[str, str]], old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Return ``links`` with the bodypart ``old`` called ``new``."""
    return tuple((new if a == old else a, new if b == old else b) for a, b in links)


def links_among(links: Sequence[tuple[str, str]], bodyparts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the links both ends of which are in ``bodyparts``."""
    return tuple(link for link in links if link[0] in bodyparts and link[1] in bodyparts)


def change_sentences(
    before: Skeleton,
    edit: SkeletonEdit,
    *,
    labels: Mapping[str, int],
    archived: Mapping[str, int],
    n_frames: int,
    n_models: int,
) -> tuple[str, ...]:
    """Return what an edit does, one sentence each; nothing where it changes nothing.

    Parameters
    ----------
    before : Skeleton
        The project's.
    edit : SkeletonEdit
        Assumed to be possible.
    labels : mapping of str to int
        Labels of each bodypart.
    archived : mapping of str to int
        Labels of bodyparts removed before.
    n_frames, n_models : int
        Labelled frames and models there are.
    """
    lines = []
    for old, new in edit.renamed:
        if old != new:
            lines.append(f"{old} becomes {new} and keeps its {counted(labels.get(old, 0), 'label')}.")
    for name in removed_bodyparts(before, edit):
        n = counted(labels.get(name, 0), "label")
        lines.append(f"{name} is removed: {n} archived, not erased; adding {name} again brings back what it had.")
    for name in added_bodyparts(before, edit):
        if name in archived:
            lines.append(f"{name} is added again, with the {counted(archived[name], 'label')} it had.")
        elif n_frames:
            lines.append(f"{name} is added: not looked at yet in {counted(n_frames, 'labelled frame')}.")
        else:
            lines.append(f"{name} is added.")
    kept = [name for name in map(edit.new_name, before.bodyparts) if name in edit.bodyparts]
    if kept != [name for name in edit.bodyparts if name in kept]:
        lines.append("The order changes. Labels stay with their names.")
    renamed_links = {frozenset(map(edit.new_name, link)) for link in before.links}
    if renamed_links != {frozenset(link) for link in edit.links}:
        lines.append(f"The skeleton has {counted(len(edit.links), 'line')}.")
    if lines and n_models and set(edit.bodyparts) != set(before.bodyparts):
        lines.append("The models so far know the old bodyparts: train again for new guesses.")
    return tuple(lines)
