"""The labels worth a second look: which there are, which one is looked at, and what the user decides."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain.effort import Gesture
from napari_al_pose.domain.label_checks import LabelCheck, is_in_place, points_of_model
from napari_al_pose.engine.messages import Checked
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project


@dataclass(frozen=True, slots=True)
class _Kept:
    """A label that was kept, and the last action on labels before that."""

    check: LabelCheck
    after: int


class LabelChecks(QObject):
    """What the last round made of the labels. A label that is moved is not listed until the move is undone.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
    editor : LabelEditor
        Whose changes are undone in one order with these.
    engine : EngineBridge
        Finds them.
    notices : Notices
    """

    changed = Signal()
    """Other labels are listed."""
    currentChanged = Signal()
    """Another label is looked at, or none; the list was opened or closed."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        editor: LabelEditor,
        engine: EngineBridge,
        notices: Notices,
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._editor, self._notices = editor, notices
        self._found: tuple[LabelCheck, ...] = ()
        self._gone: frozenset[LabelCheck] = frozenset()
        self._current: LabelCheck | None = None
        self._is_open = False
        self._done: list[_Kept] = []
        self._undone: list[_Kept] = []
        engine.hear(Checked, self._on_checked)
        projects.projectChanged.connect(self._on_project)
        frame.keyChanged.connect(self._on_annotation)  # an undo may lead to another frame
        frame.annotationChanged.connect(self._on_annotation)

    # ---- what is there ------------------------------------------------------------------------

    @property
    def all(self) -> tuple[LabelCheck, ...]:
        """Labels to check, the most suspicious first."""
        kept = {one.check for one in self._done}
        return tuple(check for check in self._found if check not in self._gone and check not in kept)

    @property
    def is_open(self) -> bool:
        """Whether the user is checking labels."""
        return self._is_open

    @property
    def current(self) -> LabelCheck | None:
        """The label that is looked at; None while the list is closed, or once it was decided."""
        return self._current

    @property
    def in_front(self) -> LabelCheck | None:
        """The same, while its frame is the one in front of the user and the label stands as it was found."""
        current = self._current
        return current if current in self.all and current is not None and current.key == self._frame.key else None

    @property
    def can_undo(self) -> bool:
        """Whether there is a change of labels, or a kept label, to take back."""
        project = self._projects.project
        return project is not None and not project.read_only and (bool(self._done) or project.labels.can_undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is one to bring back."""
        project = self._projects.project
        return project is not None and not project.read_only and (bool(self._undone) or project.labels.can_redo)

    # ---- going through them -------------------------------------------------------------------

    def open(self) -> None:
        """Begin to check, with the most suspicious label."""
        if not self.all:
            self._notices.tell("No label looks wrong.", "Labels are checked again after each round.")
            return
        self._is_open = True
        self.show(self.all[0] if self._current is None else self._current)

    def close(self) -> None:
        """Check no more."""
        self._is_open = False
        self._set_current(None, force=True)

    def show(self, check: LabelCheck) -> None:
        """Go to a label."""
        self._is_open = True
        self._navigator.go_to(check.key)
        self._frame.choose_individual(check.individual)
        self._frame.choose_bodypart(check.bodypart)
        self._set_current(check, force=True)

    def next(self) -> None:
        """Go to the label after the one that is looked at, going round; to the first if the list is closed."""
        checks = self.all
        if not self._is_open or not checks:
            self.open()
        elif self._current in checks:
            self.show(checks[(checks.index(self._current) + 1) % len(checks)])
        else:
            self.show(checks[0])

    def keep(self) -> None:
        """Say that the label is right as it is, and go on; it is not listed again unless it is moved."""
        project, check = self._decides()
        if project is not None and check is not None:
            self._done.append(_Kept(check, project.labels.next_steps[0]))
            self._undone.clear()
            self._projects.run(lambda: project.checks.find_right(check))
            self._go_on(check)

    def take(self) -> None:
        """Put the label where the model sees it, or exchange two that look swapped, and go on."""
        project, check = self._decides()
        if project is None or check is None or self._frame.skeleton is None:
            return
        annotation = project.labels.annotation(check.key, check.individual)
        points = points_of_model(check, annotation, self._frame.skeleton.bodyparts)
        if not points:
            self._notices.tell("The next round shows where the model sees this bodypart.")
            return
        with self._notices.warning():
            project.labels.place_many(check.key, points, individual=check.individual, gesture=Gesture.MOVED)
            self._editor.follow_change(project, check.key)
            self._go_on(check)

    def undo(self) -> None:
        """Take back the last change, be it of labels or a label that was kept."""
        project = self._projects.project
        last = self._done[-1] if self._done else None
        if project is None or last is None or project.labels.next_steps[0] > last.after:
            self._editor.undo()
            return
        self._undone.append(self._done.pop())
        self._projects.run(lambda: project.checks.doubt_again(last.check))
        self.changed.emit()
        self.show(last.check)

    def redo(self) -> None:
        """Bring back what was taken back last."""
        project = self._projects.project
        last = self._undone[-1] if self._undone else None
        following = 0 if project is None else project.labels.next_steps[1]
        if project is None or last is None or 0 < following <= last.after:
            self._editor.redo()
            return
        self._done.append(self._undone.pop())
        self._projects.run(lambda: project.checks.find_right(last.check))
        self._go_on(last.check)

    # ---- inside -------------------------------------------------------------------------------

    def _decides(self) -> tuple[Project | None, LabelCheck | None]:
        """Return what a decision is about; the user is told if it is about nothing."""
        check = self.in_front
        if check is None:
            self._notices.tell("No label is being checked in this frame.")
            return None, None
        return self._projects.writable(), check

    def _go_on(self, decided: LabelCheck) -> None:
        """Show the label that follows one that was decided; the list stays open on the last."""
        order = self._found.index(decided) if decided in self._found else 0
        self.changed.emit()
        listed = set(self.all)
        following = [check for check in (*self._found[order:], *self._found[:order]) if check in listed]
        if following:
            self.show(following[0])
        else:
            self._set_current(None, force=True)

    def _set_current(self, check: LabelCheck | None, *, force: bool = False) -> None:
        if force or check != self._current:
            self._current = check
            self.currentChanged.emit()

    def _on_checked(self, reply: Checked) -> None:
        self._take(reply.checks, frozenset())

    @Slot()
    def _on_project(self) -> None:
        project = self._projects.project
        self._is_open = False
        self._take((), frozenset())
        if project is not None:

            def load() -> tuple[tuple[LabelCheck, ...], frozenset[LabelCheck]]:
                checks = project.checks.load()
                return checks, frozenset(check for check in checks if not _stands(project, check))

            self._projects.run(load, then=lambda loaded: self._take_loaded(project, *loaded))

    def _take_loaded(self, project: Project, found: tuple[LabelCheck, ...], gone: frozenset[LabelCheck]) -> None:
        if project is self._projects.project:
            self._take(found, gone)

    def _take(self, found: tuple[LabelCheck, ...], gone: frozenset[LabelCheck]) -> None:
        """Take other checks; what was kept before can't be undone any more."""
        before = self.all
        self._found, self._gone = found, gone
        self._done, self._undone = [], []
        if self._current not in found:
            self._set_current(None)
        if self.all != before:
            self.changed.emit()

    @Slot()
    def _on_annotation(self) -> None:
        """List what stands in the frame as it was found, and nothing that was moved since."""
        before, skeleton = self.all, self._frame.skeleton
        for annotation in self._frame.annotations:
            for check in self._found:
                if (check.key, check.individual) == (annotation.key, annotation.individual) and skeleton is not None:
                    stands = is_in_place(check, annotation, skeleton.bodyparts_of(annotation.individual))
                    self._gone = self._gone - {check} if stands else self._gone | {check}
        now = self.all
        if now != before:
            self.changed.emit()
            back = [check for check in now if check not in before]
            if self._is_open and back:  # a decision was undone
                self._set_current(back[0])


def _stands(project: Project, check: LabelCheck) -> bool:
    """Whether a label is still where it was found."""
    known = check.individual in project.skeleton.individuals
    return known and is_in_place(
        check, project.labels.annotation(check.key, check.individual), project.skeleton.bodyparts
    )
