"""The way back: earlier states of a frame, and labels that another program changed too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.gui.labelling import Labelling
from napari_al_pose.project import Conflict, LabelStore


class Repair(Labelling):
    """What a user can do to labels beyond labelling."""

    conflictsChanged = Signal()
    """There are other labels to decide about, or none any more."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._conflicts: tuple[Conflict, ...] = ()
        self.projectChanged.connect(self._look_for_conflicts)
        self._saver.written.connect(self._look_for_conflicts)

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Labels changed both here and by another program that nobody has decided about."""
        return self._conflicts

    def bring_back(self, key: FrameKey, action: int) -> None:
        """Give the frame ``key`` the labels it had after ``action``, and go there."""

        def bring(labels: LabelStore) -> FrameKey:
            labels.history.bring_back(key, action)
            return key

        self._travel(bring)

    def decide_conflicts(self, conflicts: Sequence[Conflict], theirs: Collection[Conflict]) -> None:
        """Settle conflicts: ``theirs`` become labels, the others stay as they are here; one undo step a frame."""
        project = self._writable()
        if project is None:
            return
        frames = dict.fromkeys(conflict.key.frame_key for conflict in conflicts)
        try:
            for key in frames:
                of_frame = [conflict for conflict in conflicts if conflict.key.frame_key == key]
                taken = [conflict for conflict in of_frame if conflict in theirs]
                project.labels.conflicts.decide(of_frame, taken)
                self._tally.update(*(project.labels.annotation(key, who) for who in self.individuals))
                self._saver.touch(key.video)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
        if self._current in frames:
            self._read_annotation()
            self._read_guess()
        self.annotationChanged.emit()
        self._look_for_conflicts()

    @Slot()
    def _look_for_conflicts(self) -> None:
        project = self._project
        found = () if project is None or project.read_only else tuple(project.labels.conflicts.all())
        if found != self._conflicts:
            self._conflicts = found
            self.conflictsChanged.emit()
