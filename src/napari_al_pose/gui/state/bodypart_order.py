"""Which bodypart comes next if the queue asks for doubtful bodyparts only."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain.doubtful_bodyparts import doubtful_bodyparts, is_answered
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.navigator import Navigator


class BodypartOrder(QObject):
    """Chooses the most doubtful bodypart when a frame arrives, when the model's guess does, and after every edit.

    Parameters
    ----------
    frame : CurrentFrame
    navigator : Navigator
        Knows what is asked for in the frame.
    editor : LabelEditor
    """

    answered = Signal()
    """Nothing more is asked for in the frame."""

    def __init__(self, frame: CurrentFrame, *, navigator: Navigator, editor: LabelEditor) -> None:
        super().__init__()
        self._frame, self._navigator = frame, navigator
        for arrived in (frame.keyChanged, frame.guesses.lookedChanged):
            arrived.connect(self._on_arrival)
        editor.edited.connect(self._on_edit)

    @Slot()
    def _on_arrival(self) -> None:
        """Choose, unless the user has begun."""
        if self._frame.annotation is not None and self._frame.annotation.is_empty:
            self._choose()

    @Slot()
    def _on_edit(self) -> None:
        self._choose()
        frame = self._frame
        guesses = frame.guesses
        if self._navigator.asks_bodyparts and is_answered(frame.annotations, guesses.each, guesses.threshold):
            self.answered.emit()

    def _choose(self) -> None:
        """Choose the most doubtful bodypart: of the chosen individual, else of the next one with a doubtful guess."""
        frame, guesses = self._frame, self._frame.guesses
        if not self._navigator.asks_bodyparts or frame.annotation is None or not guesses.each:
            return
        n, first = len(frame.individuals), frame.individual_index
        for index in (*range(first, n), *range(first)):
            guess = guesses.each[index]
            if guess is None and index != first:
                continue
            doubtful = doubtful_bodyparts(frame.annotations[index].states, guess, guesses.threshold)
            if doubtful:
                if index != first:
                    frame.choose_individual(frame.individuals[index])
                frame.choose_bodypart(frame.bodyparts[doubtful[0]])
                return
