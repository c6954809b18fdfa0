"""Labelling the frame in front of the user; every edit is on disk before the method returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import Signal

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey
from napari_al_pose.domain.labelling import bodypart_after_edit, bodypart_after_undo, neighbour_bodypart
from napari_al_pose.gui.opening import Opening
from napari_al_pose.project import LabelStore


class Labelling(Opening):
    """The edits."""

    frameCompleted = Signal()
    """The last bodypart of a frame was looked at."""

    def choose_bodypart(self, name: str) -> None:
        """Let the next click place ``name``."""
        if name in self.bodyparts and name != self._bodypart:
            self._bodypart = name
            self.bodypartChanged.emit()

    def next_bodypart(self) -> None:
        """Choose the bodypart after the chosen one, going round."""
        self._choose_neighbour(1)

    def previous_bodypart(self) -> None:
        """Choose the bodypart before the chosen one, going round."""
        self._choose_neighbour(-1)

    def place(self, bodypart: str, x: float, y: float) -> None:
        """Label ``bodypart`` at source pixel ``(x, y)`` in the current frame."""
        self._edit(lambda labels, key, who: labels.place(key, bodypart, x, y, individual=who), bodypart)

    def mark_not_visible(self, bodypart: str | None = None) -> None:
        """Say that ``bodypart`` (default: the chosen one) cannot be seen in the current frame."""
        name = bodypart or self._bodypart
        self._edit(lambda labels, key, who: labels.mark_not_visible(key, name, individual=who), name)

    def clear(self, bodypart: str | None = None) -> None:
        """Take back the label of ``bodypart`` (default: the chosen one): nobody has looked at it."""
        name = bodypart or self._bodypart
        self._edit(lambda labels, key, who: labels.clear(key, name, individual=who), name)

    def accept_guess(self, bodypart: str | None = None) -> None:
        """Make the model's guess for ``bodypart`` (default: for all that is not labelled) labels."""
        if self._guess is None:
            return
        points = {
            name: (float(x), float(y))
            for name, (x, y) in zip(self.bodyparts, self._guess.xy, strict=True)
            if np.isfinite([x, y]).all() and bodypart in (None, name)
        }
        if points:
            self._edit(
                lambda labels, key, who: labels.place_many(key, points, individual=who), bodypart or self._bodypart
            )

    def undo(self) -> None:
        """Take back the last edit, in whatever frame it was, and go there."""
        self._travel(lambda labels: labels.undo())

    def redo(self) -> None:
        """Do again what was last taken back, and go there."""
        self._travel(lambda labels: labels.redo())

    def _choose_neighbour(self, delta: int) -> None:
        names = self.bodyparts
        if names:
            self.choose_bodypart(names[neighbour_bodypart(names.index(self._bodypart), delta, len(names))])

    def _edit(self, edit: Callable[[LabelStore, FrameKey, str], None], bodypart: str) -> None:
        project, key, before = self._writable(), self._current, self._annotation
        if project is None or key is None or before is None:
            return
        suggestion = self.suggestion
        try:
            edit(project.labels, key, project.skeleton.individuals[0])
            if before.is_empty and suggestion is not None:
                project.labels.set_role(key, suggestion.role, provenance=suggestion.strategy)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
            return
        self._read_annotation()
        self._after_edit(before, bodypart)

    def _after_edit(self, before: Annotation, bodypart: str) -> None:
        after = self._annotation
        assert after is not None
        self._tally.update(after)
        self._read_guess()
        names = self.bodyparts
        index = bodypart_after_edit(before.states, after.states, names.index(self._bodypart), names.index(bodypart))
        self.annotationChanged.emit()
        self.choose_bodypart(names[index])
        if before.is_complete or after.is_complete:
            self._saver.touch(after.key.video)
        if after.is_complete and not before.is_complete:
            self.frameCompleted.emit()

    def _travel(self, move: Callable[[LabelStore], FrameKey | None]) -> None:
        project = self._writable()
        if project is None:
            return
        try:
            key = move(project.labels)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
            return
        if key is None:
            return
        self._saver.touch(key.video)
        before = self._annotation
        if key != self._current:
            self.go_to(key)
        elif before is not None:
            self._read_annotation()
            self._read_guess()
        if key != self._current or before is None or self._annotation is None:
            return
        self._tally.update(self._annotation)
        self.annotationChanged.emit()
        if before.key == key:
            current = self.bodyparts.index(self._bodypart)
            self.choose_bodypart(self.bodyparts[bodypart_after_undo(before.states, self._annotation.states, current)])
