"""Which bodypart comes next if the queue asks for bodyparts instead of frames."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import Prediction
from napari_al_pose.domain.asked_bodyparts import asked_bodyparts, is_answered
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.navigator import Navigator


class BodypartOrder(QObject):
    """Chooses what is asked for first when a frame arrives, when the model's guess does, and after every edit.

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
        guesses = self._frame.guesses
        if self._navigator.asks_bodyparts and is_answered(
            self._frame.annotations, self._model_guesses, guesses.threshold_of_each
        ):
            self.answered.emit()

    def _choose(self) -> None:
        """Choose the first bodypart that is asked for: of the chosen individual, else of the next one with a guess."""
        frame, guesses = self._frame, self._model_guesses
        if not self._navigator.asks_bodyparts or frame.annotation is None or not guesses:
            return
        n, first, thresholds = len(frame.individuals), frame.individual_index, frame.guesses.threshold_of_each
        for index in (*range(first, n), *range(first)):
            if guesses[index] is None and index != first:
                continue
            asked = asked_bodyparts(frame.annotations[index], guesses[index], thresholds[index])
            if asked:
                if index != first:
                    frame.choose_individual(frame.individuals[index])
                frame.choose_bodypart(frame.bodyparts[asked[0]])
                return

    @property
    def _model_guesses(self) -> list[Prediction | None]:
        """The guess for every individual, but none for one over which the labels of another frame are drawn."""
        guesses, chosen = self._frame.guesses, self._frame.individual_index
        return [None if guesses.is_copied and i == chosen else guess for i, guess in enumerate(guesses.each)]
