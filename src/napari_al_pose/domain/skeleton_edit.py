"""Edits of what is labelled: rename, add, reorder and remove bodyparts, and change the lines between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from napari_al_pose.domain.errors import AlPoseError
from napari_al_pose.domain.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class SkeletonEdit:
    """The wanted bodyparts and skeleton of a project.

    A bodypart of the project that is neither listed nor renamed is removed. Its labels are hidden, and come back
    when a bodypart of that name is added again.

    Parameters
    ----------
    bodyparts : tuple of str
        All of them in the new labelling order, by their new names; unknown ones are added.
    links : tuple of (str, str)
        All lines of the skeleton, by new names.
    renamed : tuple of (str, str)
        ``(old name, new name)`` of bodyparts whose labels get another name.

    Examples
    --------
    >>> before = Skeleton(("nose", "tail"))
    >>> edit = SkeletonEdit(("ear", "snout"), renamed=(("nose", "snout"),))
    >>> edited_skeleton(before, edit).bodyparts
    ('ear', 'snout')
    >>> removed_bodyparts(before, edit)
    ('tail',)
    """

    bodyparts: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def changes_network(self, skeleton: Skeleton) -> bool:
        """Whether a model of ``skeleton`` is of no use after the edit: other bodyparts, names or order, not lines."""
        return self.bodyparts != skeleton.bodyparts or any(old != new for old, new in self.renamed)

    def new_name(self, bodypart: str) -> str:
        """Return the name a bodypart of the project has afterwards; its own unless it is renamed."""
        return dict(self.renamed).get(bodypart, bodypart)


def edited_skeleton(skeleton: Skeleton, edit: SkeletonEdit, *, archived: Collection[str] = ()) -> Skeleton:
    """Return the skeleton an edit leads to.

    Parameters
    ----------
    skeleton : Skeleton
        As it is.
    edit : SkeletonEdit
        What it shall be.
    archived : collection of str
        Removed bodyparts that still have labels; they come back if they are added.

    Raises
    ------
    AlPoseError
        If a name is empty, repeated or unknown, or two sets of labels would end up under one name.
    """
    for name in edit.bodyparts:
        if name != name.strip() or not name.isprintable():
            raise AlPoseError(f"{name!r} cannot be the name of a bodypart.", "Leave out spaces around it.")
    after = replace(skeleton, bodyparts=edit.bodyparts, links=edit.links)
    _check_renames(skeleton, edit)
    arriving = {new for old, new in edit.renamed if old != new}
    for new in sorted(arriving & {*archived, *removed_bodyparts(skeleton, edit)}):
        raise AlPoseError(
            f"There are labels of a removed bodypart {new!r}; another one cannot be renamed to that.",
            f"Choose another name, or add {new!r} to have its labels back.",
        )
    return after


def removed_bodyparts(skeleton: Skeleton, edit: SkeletonEdit) -> tuple[str, ...]:
    """Return the bodyparts an edit takes out of sight, in their present order."""
    return tuple(name for name in skeleton.bodyparts if not _is_kept(name, edit))


def added_bodyparts(skeleton: Skeleton, edit: SkeletonEdit) -> tuple[str, ...]:
    """Return the bodyparts an edit adds, in their new order."""
    kept = {edit.new_name(name) for name in skeleton.bodyparts if _is_kept(name, edit)}
    return tuple(name for name in edit.bodyparts if name not in kept)


def inverse_edit(skeleton: Skeleton, edit: SkeletonEdit) -> SkeletonEdit:
    """Return the edit that takes ``edit`` back, made to ``skeleton`` before."""
    return SkeletonEdit(skeleton.bodyparts, skeleton.links, tuple((new, old) for old, new in edit.renamed))


def _is_kept(name: str, edit: SkeletonEdit) -> bool:
    is_renamed = name in dict(edit.renamed)
    taken = name in {new for old, new in edit.renamed if old != new}
    return is_renamed or (name in edit.bodyparts and not taken)


def _check_renames(skeleton: Skeleton, edit: SkeletonEdit) -> None:
    old_names = [old for old, _ in edit.renamed]
    new_names = [new for _, new in edit.renamed]
    for old in old_names:
        if old not in skeleton.bodyparts or old_names.count(old) > 1:
            raise AlPoseError(
                f"Expected a bodypart of {list(skeleton.bodyparts)} to rename, once, got {old!r}.",
                "Choose a bodypart of the project.",
            )
    for new in new_names:
        if new not in edit.bodyparts or new_names.count(new) > 1:
            raise AlPoseError(f"Two bodyparts cannot both become {new!r}.", "Give each its own name.")
