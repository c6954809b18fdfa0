"""Editing the labels of the current frame; every edit is on disk before the method returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, FrameRole, KeypointState, Suggestion
from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.effort import Gesture, gesture_of
from napari_al_pose.domain.labelling import (
    accepted_points,
    borrowed_guess,
    neighbour_key,
    pasted,
    pose_of,
    pose_to_move,
    shift_inside,
)
from napari_al_pose.domain.tools import ColourBy, LabelMode, Tool
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_order import LabelOrder
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.project import LabelStore, Project
from napari_al_pose.project.label_log import Keypoint


@dataclass(frozen=True, slots=True, eq=False)
class _Edit:
    """An edit under way: of what, and how it was before.

    Parameters
    ----------
    labels : LabelStore
    before : Annotation
        Of the individual that is edited.
    suggestion : Suggestion or None
        The queue's entry for the frame, if this may be its first label.
    was_complete : bool
    """

    labels: LabelStore
    before: Annotation
    suggestion: Suggestion | None
    was_complete: bool

    @property
    def key(self) -> FrameKey:
        return self.before.key


class LabelEditor(QObject):
    """What a user can do to the labels of the current frame.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
    options : ViewOptions
    notices : Notices
    """

    frameCompleted = Signal()
    """The last bodypart of a frame was looked at."""
    edited = Signal()
    """Bodyparts of the current frame were labelled, marked or cleared."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        options: ViewOptions,
        notices: Notices,
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._options, self._notices = options, notices
        self._copied: Mapping[str, tuple[float, float]] = {}
        self._order = LabelOrder(frame, navigator, options=options, notices=notices)

    # ---- choosing -----------------------------------------------------------------------------

    def next_individual(self) -> None:
        """Choose the next individual, cyclically."""
        names = self._frame.individuals
        if len(names) > 1:
            self._frame.choose_individual(names[(self._frame.individual_index + 1) % len(names)])
        elif names:
            self._notices.tell("This project has one animal in a frame.")

    def next_colouring(self) -> None:
        """Colour by individual instead of by bodypart, or back."""
        if len(self._frame.individuals) < 2:
            self._notices.tell("With one animal, colours always tell bodyparts apart.")
            return
        by_bodypart = self._options.colour_by is ColourBy.BODYPART
        self._options.set("colour_by", ColourBy.INDIVIDUAL if by_bodypart else ColourBy.BODYPART)

    def arrow(self, dx: int, dy: int) -> None:
        """Do what an arrow key does: with the tool *select* nudge, else step a frame or choose a bodypart."""
        if self._options.tool is Tool.SELECT:
            self.nudge(dx, dy)
        elif dx:
            self._navigator.step(dx)
        else:
            self._frame.step_bodypart(dy)

    def shift_arrow(self, dx: int, dy: int) -> None:
        """Do what an arrow key does with Shift: nudge by ten pixels, else go to a frame that waits for labels."""
        if self._options.tool is Tool.SELECT:
            self.nudge(10 * dx, 10 * dy)
        elif dx > 0:
            self._navigator.next_unlabelled()
        elif dx < 0:
            self._navigator.previous_unlabelled()

    # ---- edits --------------------------------------------------------------------------------

    def click(self, x: float, y: float) -> None:
        """Place the chosen bodypart at source pixel ``(x, y)`` and go on as the labelling mode says."""
        self._place({self._frame.bodypart: (x, y)}, self._frame.bodypart, clicked=True)

    def place(self, bodypart: str, x: float, y: float) -> None:
        """Label ``bodypart`` at source pixel ``(x, y)`` in the current frame."""
        self._place({bodypart: (x, y)}, bodypart)

    def mark_not_visible(self, bodypart: str | None = None) -> None:
        """Say that ``bodypart`` (default: the chosen one) cannot be seen in the current frame."""
        name, edit = bodypart or self._frame.bodypart, self._begin()
        if edit is not None:
            with self._notices.warning():
                edit.labels.mark_not_visible(edit.key, name, individual=self._frame.individual)
                self._finish(edit, name)

    def mark_rest_not_visible(self) -> None:
        """Say that nothing of what is not labelled yet can be seen, of any individual, as one edit.

        In a frame without labels that means: no animal is here.
        """
        frame, edit, skeleton = self._frame, self._begin(), self._frame.skeleton
        if edit is None or skeleton is None:
            return
        hidden = {
            (annotation.individual, name): Keypoint(KeypointState.NOT_VISIBLE)
            for annotation in frame.annotations
            for name, state in zip(skeleton.bodyparts_of(annotation.individual), annotation.states, strict=True)
            if state == KeypointState.UNSEEN
        }
        if not hidden:
            self._notices.tell("Everything in this frame is labelled already.")
            return
        with self._notices.warning():
            edit.labels.place_animals(edit.key, hidden, gesture=Gesture.HIDDEN)
            self._finish(edit, frame.bodypart)

    def clear(self, bodypart: str | None = None) -> None:
        """Take back the label of ``bodypart`` (default: the chosen one): nobody has looked at it."""
        name, edit = bodypart or self._frame.bodypart, self._begin()
        if edit is not None:
            with self._notices.warning():
                edit.labels.clear(edit.key, name, individual=self._frame.individual)
                self._finish(edit, name)

    def accept_guess(self, bodypart: str | None = None) -> None:
        """Make the guess for ``bodypart`` a label; by default all guesses that are believed.

        What becomes of the others, which may not be visible, is one of the user's options. Where the only animal is
        labelled completely, the next suggestion follows.
        """
        frame, guess = self._frame, self._frame.guess
        if bodypart is None and len(frame.annotations) == 1 and frame.annotations[0].is_complete:
            self._navigator.next_suggestion()
            return
        hint = "Click the bodyparts you see; press {mark_not_visible} for those you do not."
        if guess is None:
            if bodypart is None and frame.key is not None:
                self._notices.tell("There is no guess to accept in this frame.", hint)
            return
        names, xy = np.array(frame.bodyparts), guess.xy.astype(float)
        if bodypart is not None:
            xy[names != bodypart] = np.nan
            self._place_all(xy, bodypart, gesture=Gesture.ACCEPTED)
            return
        xy[frame.guesses.doubted] = np.nan
        mark = self._options.unbelieved is DoubtfulGuesses.NOT_VISIBLE
        hidden = tuple(names[frame.guesses.doubted]) if mark else ()
        if hidden or np.isfinite(xy).any():
            self._place_all(xy, not_visible=hidden, gesture=Gesture.ACCEPTED)
        else:
            self._notices.tell("The model is not confident of any guess in this frame.", hint)

    def accept_all_guesses(self) -> None:
        """Make the guesses of every individual labels, those that are believed, as one edit."""
        frame, edit, skeleton = self._frame, self._begin(), self._frame.skeleton
        if edit is None or skeleton is None:
            return
        guesses = dict(zip(frame.individuals, frame.guesses.each, strict=True))
        marks = self._options.unbelieved is DoubtfulGuesses.NOT_VISIBLE
        thresholds = dict(zip(frame.individuals, frame.guesses.threshold_of_each, strict=True))
        accepted = accepted_points(guesses, skeleton.bodyparts_of, thresholds)
        hidden, placed = Keypoint(KeypointState.NOT_VISIBLE), KeypointState.PLACED
        keypoints = {who: Keypoint(placed, *xy) if xy else hidden for who, xy in accepted.items() if xy or marks}
        if not keypoints:
            self._notices.tell("There is no guess to accept in this frame.")
            return
        with self._notices.warning():
            edit.labels.place_animals(edit.key, keypoints, gesture=Gesture.ACCEPTED)
            self._finish(edit, frame.bodypart)

    def nudge(self, dx: float, dy: float) -> None:
        """Move the chosen bodypart by some pixels; a nudged guess becomes a label."""
        frame, annotation, source = self._frame, self._frame.annotation, self._frame.source
        if annotation is None or source is None:
            return
        xy = annotation.xy[frame.bodypart_index]
        if not np.isfinite(xy).all() and frame.guess is not None:
            xy = frame.guess.xy[frame.bodypart_index]
        if np.isfinite(xy).all():
            moved = shift_inside(xy[None], (dx, dy), *source.shape[1:3])[0]
            self.place(frame.bodypart, float(moved[0]), float(moved[1]))

    def move_pose(self, dx: float, dy: float) -> None:
        """Move all labels of the chosen individual; in a frame without labels the guess, which becomes labels."""
        annotation, source = self._frame.annotation, self._frame.source
        if annotation is not None and source is not None:
            xy = pose_to_move(annotation, self._frame.guesses.believed)
            moves_labels = bool(np.isfinite(annotation.xy).any())
            gesture = Gesture.MOVED if moves_labels else Gesture.CORRECTED
            self._place_all(shift_inside(xy, (dx, dy), *source.shape[1:3]), gesture=gesture)

    def copy_pose(self) -> None:
        """Remember the labels of the chosen individual, to be pasted into another frame."""
        annotation, bodyparts = self._frame.annotation, self._frame.bodyparts
        if annotation is None:
            return
        pose = pose_of(annotation, bodyparts)
        if pose:
            self._copied = pose
            self._notices.tell(f"Copied {len(pose)} of {len(bodyparts)} bodyparts.", "Paste them with {paste_pose}.")
        else:
            self._notices.tell("There is no label to copy in this frame.")

    def paste_pose(self) -> None:
        """Label what nobody has looked at as it was in the frame copied from; labels stay."""
        if self._frame.annotation is None:
            return
        if not self._copied:
            self._notices.tell("Nothing is copied.", "Copy the labels of a frame with {copy_pose} first.")
            return
        points = pasted(self._copied, self._frame.annotation, self._frame.bodyparts)
        if points:
            self._place(points, next(iter(points)))

    def borrow_pose(self) -> None:
        """Offer the pose of the labelled frame before this one as a guess, to be moved, corrected and accepted."""
        project, frame = self._projects.project, self._frame
        key, annotation = frame.key, frame.annotation
        if project is None or key is None or annotation is None:
            return
        if annotation.is_complete:
            self._notices.tell("Every bodypart of this frame is labelled already.")
            return
        labelled, before = sorted(self._projects.tally.labelled), key
        while (found := neighbour_key(labelled, before, -1)) is not None:
            pose = pose_of(project.labels.annotation(found, frame.individual), frame.bodyparts)
            if pose and pasted(pose, annotation, frame.bodyparts):
                frame.guesses.borrow(borrowed_guess(pose, key, frame.bodyparts), found)
                return
            before = found
        self._notices.tell("No frame before this one has labels to start from.")

    def undo(self) -> None:
        """Take back the last edit, in whatever frame it was, and go there."""
        project = self._projects.writable()
        if project is not None:
            with self._notices.warning():
                self.follow_change(project, project.labels.undo())

    def redo(self) -> None:
        """Do again what was last taken back, and go there."""
        project = self._projects.writable()
        if project is not None:
            with self._notices.warning():
                self.follow_change(project, project.labels.redo())

    def set_role(self, role: FrameRole) -> None:
        """Say what the current frame is for, whatever it was for before; ask the user first."""
        project, key = self._projects.writable(), self._frame.key
        if project is None or key is None:
            return
        try:
            project.labels.roles.set(key, role, release_holdout=True)
        except AlPoseError as error:
            self._notices.refuse(error)
            return
        self._navigator.mark_role(key, role)
        suggestions = self._navigator.queue.suggestions
        self._projects.run(lambda: _save_queue(project, suggestions))
        self._frame.reload()

    def follow_change(self, project: Project, key: FrameKey | None) -> None:
        """Show what an action on the label store has changed, in the frame ``key``; None says it changed nothing."""
        if key is None:
            return
        self._projects.touch(key.video)
        self._count_anew(project)
        before = self._frame.annotations
        if key != self._frame.key:
            self._navigator.go_to(key)
        else:
            self._frame.reload()
            self._order.after_undo(before, self._frame.annotations)

    # ---- inside -------------------------------------------------------------------------------

    def _place_all(
        self,
        xy: NDArray[np.floating],
        bodypart: str | None = None,
        *,
        not_visible: Collection[str] = (),
        gesture: Gesture | None = None,
    ) -> None:
        """Place every bodypart that has coordinates, and mark those ``not_visible``, as one edit."""
        pairs = zip(self._frame.bodyparts, xy, strict=True)
        points = {name: (float(x), float(y)) for name, (x, y) in pairs if np.isfinite([x, y]).all()}
        if points or not_visible:
            self._place(points, bodypart or self._frame.bodypart, not_visible=not_visible, gesture=gesture)

    def _place(
        self,
        points: Mapping[str, tuple[float, float]],
        bodypart: str,
        *,
        not_visible: Collection[str] = (),
        clicked: bool = False,
        gesture: Gesture | None = None,
    ) -> None:
        edit = self._begin()
        if edit is not None:
            who = self._frame.individual
            if gesture is None and len(points) == 1:
                gesture = gesture_of(edit.before, self._frame.guess, self._frame.bodyparts.index(bodypart))
            with self._notices.warning():
                edit.labels.place_many(edit.key, points, not_visible=not_visible, individual=who, gesture=gesture)
                self._finish(edit, bodypart, clicked=clicked)

    def _begin(self) -> _Edit | None:
        """Return how things are before an edit, or None where nothing can be edited; the user is told why."""
        project, before = self._projects.writable(), self._frame.annotation
        if project is None or before is None:
            return None
        is_first = all(annotation.is_empty for annotation in self._frame.annotations)
        return _Edit(
            project.labels,
            before,
            self._navigator.suggestion if is_first else None,
            before.key in self._projects.tally.complete,
        )

    def _finish(self, edit: _Edit, bodypart: str, *, clicked: bool = False) -> None:
        """Show an edit that is on disk, and go on to what follows it."""
        if edit.suggestion is not None:
            edit.labels.roles.set(edit.key, edit.suggestion.role, provenance=edit.suggestion.strategy)
        self._frame.reload()
        after = self._frame.annotation
        if after is None:
            return
        self._order.after_edit(edit.before, after, bodypart, clicked=clicked)
        if not np.array_equal(edit.before.states, after.states):
            self.edited.emit()
        is_complete = edit.key in self._projects.tally.complete
        if edit.was_complete or is_complete:
            self._projects.touch(edit.key.video)
        if is_complete and not edit.was_complete:
            self.frameCompleted.emit()
        if clicked and self._options.label_mode is LabelMode.LOOP:
            self._order.go_on_in_loop()

    def _count_anew(self, project: Project) -> None:
        """Keep the tally and the files in step with an action that may have changed many frames of many videos."""
        changed: dict[str, set[int]] = {}
        for key in project.labels.last_frames():
            changed.setdefault(key.video, set()).add(key.frame)
        for video, frames in changed.items():
            self._projects.touch(video)
            found: dict[int, list[Annotation]] = {frame: [] for frame in frames}
            for annotation in project.labels.annotations(video, frames, unique=True):
                found[annotation.key.frame].append(annotation)
            for number, of_frame in found.items():
                empty = Annotation.empty(FrameKey(video, number), len(self._frame.bodyparts))
                self._projects.count(of_frame or [empty])


def _save_queue(project: Project, suggestions: tuple[Suggestion, ...]) -> None:
    saved = project.queue.load()
    project.queue.save(saved.strategy, saved.model_version, suggestions)
