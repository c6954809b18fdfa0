"""Labelling the frame in front of the user; every edit is on disk before the method returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, FrameRole, Suggestion
from napari_al_pose.domain.labelling import (
    bodypart_after_edit,
    bodypart_after_undo,
    borrowed_guess,
    first_bodypart,
    loop_step,
    neighbour_bodypart,
    neighbour_key,
    pasted,
    pose_of,
    pose_to_move,
    shift_inside,
)
from napari_al_pose.domain.tools import ColourBy, LabelMode, Tool, bodypart_after_click, next_mode
from napari_al_pose.gui.opening import Opening
from napari_al_pose.project import LabelStore, Project


class Labelling(Opening):
    """What a user can do to the labels of the current frame."""

    frameCompleted = Signal()
    """The last bodypart of a frame was looked at."""

    _copied: Mapping[str, tuple[float, float]] = {}

    # ---- choosing -----------------------------------------------------------------------------

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

    def choose_individual(self, name: str) -> None:
        """Let the next click label the individual ``name``, from its first bodypart nobody has looked at."""
        if name not in self.individuals or name == self._individual:
            return
        self._individual = name
        self._read_guess()
        self.individualChanged.emit()
        self.annotationChanged.emit()
        if self.annotation is not None:
            self.choose_bodypart(self.bodyparts[first_bodypart(self.annotation.states)])

    def next_individual(self) -> None:
        """Choose the individual after the chosen one, going round."""
        names = self.individuals
        if len(names) > 1:
            self.choose_individual(names[(self.individual_index + 1) % len(names)])
        elif names:
            self.noticeRaised.emit("This project has one animal in a frame.", "", False)

    def next_colouring(self) -> None:
        """Colour by individual instead of by bodypart, or back."""
        if len(self.individuals) < 2:
            self.noticeRaised.emit("One animal in a frame: the colours tell its bodyparts apart.", "", False)
            return
        by_bodypart = self.options.colour_by is ColourBy.BODYPART
        self.options.set("colour_by", ColourBy.INDIVIDUAL if by_bodypart else ColourBy.BODYPART)

    def next_label_mode(self) -> None:
        """Go from one labelling mode to the next."""
        self.options.set("label_mode", next_mode(self.options.label_mode))

    def arrow(self, dx: int, dy: int) -> None:
        """Do what an arrow key does: with the tool *select* nudge, else step a frame or choose a bodypart."""
        if self.options.tool is Tool.SELECT:
            self.nudge(dx, dy)
        elif dx:
            self.step(dx)
        else:
            self._choose_neighbour(dy)

    def shift_arrow(self, dx: int, dy: int) -> None:
        """Do what an arrow key does with Shift: nudge by ten pixels, else go to a frame that waits for labels."""
        if self.options.tool is Tool.SELECT:
            self.nudge(10 * dx, 10 * dy)
        elif dx > 0:
            self.next_unlabelled()
        elif dx < 0:
            self.previous_unlabelled()

    # ---- edits --------------------------------------------------------------------------------

    def click(self, x: float, y: float) -> None:
        """Place the chosen bodypart at source pixel ``(x, y)`` and go on as the labelling mode says."""
        name = self._bodypart
        self._edit(lambda labels, key, who: labels.place(key, name, x, y, individual=who), name, clicked=True)

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
        """Make the guess for ``bodypart`` (default: for all that is not labelled) labels."""
        if self._guess is not None:
            xy = self._guess.xy.astype(float)
            if bodypart is not None:
                xy[np.array(self.bodyparts) != bodypart] = np.nan
            self._place_all(xy, bodypart)

    def nudge(self, dx: float, dy: float) -> None:
        """Move the chosen bodypart by some pixels; a nudged guess becomes a label."""
        annotation, source = self.annotation, self._source
        if annotation is None or source is None:
            return
        index = self.bodyparts.index(self._bodypart)
        xy = annotation.xy[index]
        if not np.isfinite(xy).all() and self._guess is not None:
            xy = self._guess.xy[index]
        if np.isfinite(xy).all():
            moved = shift_inside(xy[None], (dx, dy), *source.shape[1:3])[0]
            self.place(self._bodypart, float(moved[0]), float(moved[1]))

    def move_pose(self, dx: float, dy: float) -> None:
        """Move all labels of the chosen individual; in a frame without labels the guess, which becomes labels."""
        if self.annotation is not None and self._source is not None:
            xy = pose_to_move(self.annotation, self._guess)
            self._place_all(shift_inside(xy, (dx, dy), *self._source.shape[1:3]))

    def copy_pose(self) -> None:
        """Remember the labels of the chosen individual, to be pasted into another frame."""
        if self.annotation is None:
            return
        self._copied = pose_of(self.annotation, self.bodyparts) or self._copied
        n = len(pose_of(self.annotation, self.bodyparts))
        if n:
            hint = self.with_keys("Paste them with {paste_pose}.")
            self.noticeRaised.emit(f"Copied {n} of {len(self.bodyparts)} bodyparts.", hint, False)
        else:
            self.noticeRaised.emit("There is no label to copy in this frame.", "", False)

    def paste_pose(self) -> None:
        """Label what nobody has looked at as it was in the frame copied from; labels stay."""
        if self.annotation is None:
            return
        if not self._copied:
            hint = self.with_keys("Copy the labels of a frame with {copy_pose} first.")
            self.noticeRaised.emit("Nothing is copied.", hint, False)
            return
        points = pasted(self._copied, self.annotation, self.bodyparts)
        if points:
            self._edit(lambda labels, key, who: labels.place_many(key, points, individual=who), next(iter(points)))

    def borrow_pose(self) -> None:
        """Offer the pose of the labelled frame before this one as a guess, to be moved, corrected and accepted."""
        project, key = self._project, self._current
        if project is None or key is None or self.annotation is None:
            return
        if self.annotation.is_complete:
            self.noticeRaised.emit("Every bodypart of this frame is labelled already.", "", False)
            return
        labelled = sorted(self._tally.labelled)
        while (before := neighbour_key(labelled, key, -1)) is not None:
            pose = pose_of(project.labels.annotation(before, self._individual), self.bodyparts)
            if pose and pasted(pose, self.annotation, self.bodyparts):
                self._borrowed = borrowed_guess(pose, self._current or key, self.bodyparts)
                self._read_guess()
                self.annotationChanged.emit()
                return
            key = before
        self.noticeRaised.emit("No frame before this one has labels to start from.", "", False)

    def undo(self) -> None:
        """Take back the last edit, in whatever frame it was, and go there."""
        self._travel(lambda labels: labels.undo())

    def redo(self) -> None:
        """Do again what was last taken back, and go there."""
        self._travel(lambda labels: labels.redo())

    def set_role(self, role: FrameRole) -> None:
        """Say what the current frame is for, whatever it was for before; ask the user first."""
        project, key = self._writable(), self._current
        if project is None or key is None:
            return
        try:
            project.labels.set_role(key, role, release_holdout=True)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
            return
        queue = self._queue = self._queue.with_role(key, role)
        self._desk.run(lambda: _save_queue(project, queue.suggestions), then=lambda _none: None, failed=self._refuse)
        self._read_annotation()
        self._tally.update(*self._annotations)
        self.annotationChanged.emit()
        self.queueChanged.emit()

    # ---- inside -------------------------------------------------------------------------------

    def _choose_neighbour(self, delta: int) -> None:
        names = self.bodyparts
        if names:
            self.choose_bodypart(names[neighbour_bodypart(names.index(self._bodypart), delta, len(names))])

    def _place_all(self, xy: NDArray[np.floating], bodypart: str | None = None) -> None:
        """Place every bodypart that has coordinates as one edit."""
        pairs = zip(self.bodyparts, xy, strict=True)
        points = {name: (float(x), float(y)) for name, (x, y) in pairs if np.isfinite([x, y]).all()}
        if points:
            self._edit(
                lambda labels, key, who: labels.place_many(key, points, individual=who), bodypart or self._bodypart
            )

    def _edit(self, edit: Callable[[LabelStore, FrameKey, str], None], bodypart: str, *, clicked: bool = False) -> None:
        project, key, before = self._writable(), self._current, self.annotation
        if project is None or key is None or before is None:
            return
        suggestion, was_empty = self.suggestion, all(annotation.is_empty for annotation in self._annotations)
        try:
            edit(project.labels, key, self._individual)
            if was_empty and suggestion is not None:
                project.labels.set_role(key, suggestion.role, provenance=suggestion.strategy)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
            return
        self._read_annotation()
        self._after_edit(before, bodypart, clicked=clicked)

    def _after_edit(self, before: Annotation, bodypart: str, *, clicked: bool) -> None:
        after, names, mode = self.annotation, self.bodyparts, self.options.label_mode
        assert after is not None
        was_complete = after.key in self._tally.complete
        self._tally.update(*self._annotations)
        self._read_guess()
        edited = names.index(bodypart)
        index = bodypart_after_edit(before.states, after.states, names.index(self._bodypart), edited)
        if clicked:
            index = bodypart_after_click(before.states, index, edited, mode)
        self.annotationChanged.emit()
        self.choose_bodypart(names[index])
        is_complete = after.key in self._tally.complete
        if was_complete or is_complete:
            self._saver.touch(after.key.video)
        if is_complete and not was_complete:
            self.frameCompleted.emit()
        if clicked and mode is LabelMode.LOOP:
            self._loop_on()

    def _loop_on(self) -> None:
        """Go to the next frame of the loop: the queue's, or the video's where the user is beside the queue."""
        source, current = self._source, self._current
        if source is None or current is None:
            return
        row, names = self._queue.row(current), self.bodyparts
        n, index = (len(self._queue), row) if row >= 0 else (len(source), self.position)
        following = loop_step(n, index, names.index(self._bodypart), len(names))
        if following is None:
            self.noticeRaised.emit("That was the last bodypart in the last frame of the loop.", "", False)
            return
        index, bodypart = following
        self.go_to(self._queue.suggestions[index].key if row >= 0 else FrameKey(current.video, source.number(index)))
        self.choose_bodypart(names[bodypart])

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
        self._count_anew(project)
        before = self._annotations
        if key != self._current:
            self.go_to(key)
        else:
            self._read_annotation()
            self._read_guess()
        if key == self._current:
            self._tally.update(*self._annotations)
            self._after_travel(before)

    def _count_anew(self, project: Project) -> None:
        """Keep the tally and the files in step with an action that may have changed many frames of many videos."""
        changed: dict[str, set[int]] = {}
        for key in project.labels.last_frames():
            changed.setdefault(key.video, set()).add(key.frame)
        for video, frames in changed.items():
            self._saver.touch(video)
            found: dict[int, list[Annotation]] = {frame: [] for frame in frames}
            for annotation in project.labels.annotations(video, frames):
                found[annotation.key.frame].append(annotation)
            for frame, of_frame in found.items():
                empty = Annotation.empty(FrameKey(video, frame), len(self.bodyparts))
                self._tally.update(*(of_frame or [empty]))

    def _after_travel(self, before: tuple[Annotation, ...]) -> None:
        """Choose what the undo or redo has changed."""
        after = self._annotations
        same_frame = bool(before) and before[0].key == after[0].key
        changed = [index for index, pair in enumerate(zip(before, after, strict=False)) if _differ(*pair)]
        if same_frame and changed and self.individual_index not in changed:
            self._individual = self.individuals[changed[0]]
            self._read_guess()
            self.individualChanged.emit()
        self.annotationChanged.emit()
        if same_frame:
            mine, current = self.individual_index, self.bodyparts.index(self._bodypart)
            index = bodypart_after_undo(before[mine].states, after[mine].states, current)
            self.choose_bodypart(self.bodyparts[index])


def _differ(before: Annotation, after: Annotation) -> bool:
    same = np.array_equal(before.states, after.states) and np.array_equal(before.xy, after.xy, equal_nan=True)
    return not same


def _save_queue(project: Project, suggestions: tuple[Suggestion, ...]) -> None:
    saved = project.queue.load()
    project.queue.save(saved.strategy, saved.model_version, suggestions)
