"""Changes of the bodyparts in the log: labels follow their names, and an interrupted change is completed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from napari_al_pose.domain import Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, inverse_edit
from napari_al_pose.project.store_part import StorePart

_RENAMED_TABLES = ("labels", "exported", "conflicts")


@dataclass(frozen=True, slots=True)
class SkeletonChange:
    """One change of the bodyparts.

    Parameters
    ----------
    action : int
        Its number in the log.
    before : Skeleton
        Former bodyparts and links; ignore its individuals.
    edit : SkeletonEdit
    files : mapping of str to str
        The former label file of each video; see `CollectedData.h5_state`.
    done : bool
        Whether ``config.yaml`` and the files have followed.
    """

    action: int
    before: Skeleton
    edit: SkeletonEdit
    files: Mapping[str, str]
    done: bool


class SkeletonLog(StorePart):
    """The changes of the bodyparts; part of a `LabelStore`."""

    def changes(self) -> list[SkeletonChange]:
        """Return all changes, oldest first."""
        with self._log.mutex:
            return [_change(*row) for row in self._log.skeleton_rows()]

    def unfinished(self) -> SkeletonChange | None:
        """Return the change that ``config.yaml`` or the files have not followed yet; None if there is none."""
        return next((change for change in self.changes() if not change.done), None)

    def begin(self, before: Skeleton, edit: SkeletonEdit, files: Mapping[str, str]) -> SkeletonChange:
        """Log a change and rename the labels, in one transaction."""
        with self._log.mutex:
            with self._log.transaction():
                action = self._append(before, edit, files, done=False)
            self._note("skeleton", action)
            return SkeletonChange(action, before, edit, files, done=False)

    def finish(self, change: SkeletonChange) -> None:
        """Record that everything has followed a change."""
        with self._log.mutex, self._log.transaction():
            self._log.execute("UPDATE skeletons SET done = 1 WHERE action = ?", (change.action,))

    def abandon(self, change: SkeletonChange) -> None:
        """Revert a change that could not be made, by another change."""
        with self._log.mutex:
            back = inverse_edit(change.before, change.edit)
            after = Skeleton(change.edit.bodyparts, change.edit.links)
            with self._log.transaction():
                self._log.execute("UPDATE skeletons SET done = 1 WHERE action = ?", (change.action,))
                action = self._append(after, back, {}, done=True)
            self._note("skeleton", action)

    def _append(self, before: Skeleton, edit: SkeletonEdit, files: Mapping[str, str], *, done: bool) -> int:
        action = self._log.append_action("skeleton", source="user")
        self._log.execute(
            "INSERT INTO skeletons VALUES (?, ?, ?, ?, ?)",
            (
                action,
                json.dumps({"bodyparts": before.bodyparts, "links": before.links}),
                json.dumps({"bodyparts": edit.bodyparts, "links": edit.links, "renamed": edit.renamed}),
                json.dumps(dict(files)),
                int(done),
            ),
        )
        # Go through temporary names, as two bodyparts may swap theirs.
        for old, new in edit.renamed:
            self._rename(old, f"\0{new}")
        for _, new in edit.renamed:
            self._rename(f"\0{new}", new)
        return action

    def _rename(self, old: str, new: str) -> None:
        for table in _RENAMED_TABLES:
            self._log.execute(f"UPDATE {table} SET bodypart = ? WHERE bodypart = ?", (new, old))


def _change(action: int, before: str, edit: str, files: str, done: int) -> SkeletonChange:
    old, new = json.loads(before), json.loads(edit)
    return SkeletonChange(
        action,
        Skeleton(tuple(old["bodyparts"]), _pairs(old["links"])),
        SkeletonEdit(tuple(new["bodyparts"]), _pairs(new["links"]), _pairs(new["renamed"])),
        json.loads(files),
        bool(done),
    )


def _pairs(values: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((first, second) for first, second in values)
