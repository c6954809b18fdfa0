"""The menu of the bodypart panel: what is done now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QInputDialog, QMenu, QMessageBox, QWidget

from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.views import RoleQuestion, role_question
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.state.session import Session


class LabelMenu(QMenu):
    """Poses, bodyparts and individuals, and what the frame is for.

    Parameters
    ----------
    session : Session
    actions : WindowActions
    parent : QWidget
        Also of the questions.
    """

    def __init__(self, session: Session, actions: WindowActions, parent: QWidget) -> None:
        super().__init__(parent)
        self._options, self._keys, self._frame, self._projects = (
            session.options,
            session.keys,
            session.frame,
            session.projects,
        )
        self._navigator, self._editor, self._learning = session.navigator, session.editor, session.learning
        self._actions = actions
        self._carrier = session.carrier
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what can be done with the frame in front of the user."""
        options = self._options
        writable = not self._projects.read_only and self._frame.annotation is not None
        self.clear()
        self._add("Start from the labelled frame before", self._editor.borrow_pose, "borrow_pose", enabled=writable)
        labelled = writable and self._frame.annotation is not None and not self._frame.annotation.is_empty
        self._add("Carry the labels on until they are lost", self._carrier.carry_on, "carry_on 1", enabled=labelled)
        self._add(
            "Carry them to the next queued frame", self._carrier.carry_to_queued, "carry_to_queued", enabled=labelled
        )
        self._add("Copy the pose", self._editor.copy_pose, "copy_pose", enabled=self._frame.annotation is not None)
        self._add("Paste the pose", self._editor.paste_pose, "paste_pose", enabled=writable)
        self.addSeparator()
        hides = options.unbelieved is DoubtfulGuesses.NOT_VISIBLE
        other = DoubtfulGuesses.OPEN if hides else DoubtfulGuesses.NOT_VISIBLE
        self._add(
            "Accepting marks doubtful guesses not visible", lambda: options.set("unbelieved", other), checked=hides
        )
        asks = options.doubtful_first
        self._add("Ask only for doubtful bodyparts", lambda: options.toggle("doubtful_first"), checked=asks)
        self.addSeparator()
        self._add("Bodyparts and skeleton…", self._actions.edit_bodyparts, enabled=not self._projects.read_only)
        if any(self._frame.individuals):
            self._add("Add an individual…", self._ask_individual, enabled=not self._projects.read_only)
        self.addSeparator()
        question = role_question(self._navigator.role, len(self._learning.rounds))
        self._add(question.action, lambda: self._ask_role(question), enabled=writable)
        self.addSeparator()
        self._add("Keys", self._keys.show_list, "show_keys")

    def _add(
        self,
        text: str,
        action: Callable[[], Any],
        key_name: str = "",
        *,
        enabled: bool = True,
        checked: bool | None = None,
    ) -> None:
        """Add a line; ``key_name`` says under which `Key.name` its key is found."""
        made = self.addAction(self._keys.named(f"{text}\t{{{key_name}}}") if key_name else text)
        made.setEnabled(enabled)
        if checked is not None:
            made.setCheckable(True)
            made.setChecked(checked)
        made.triggered.connect(lambda _checked=False: action())

    def _ask_role(self, question: RoleQuestion) -> None:
        box = QMessageBox(QMessageBox.Icon.Question, "Test frame", question.question, parent=self.parentWidget())
        yes = box.addButton(question.yes, QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        key = self._frame.key

        def answer() -> None:
            if box.clickedButton() is yes and self._frame.key == key:
                self._editor.set_role(question.wanted)

        box.finished.connect(lambda _result: answer())
        box.finished.connect(box.deleteLater)
        box.open()

    def _ask_individual(self) -> None:
        dialog = QInputDialog(self.parentWidget())
        dialog.setWindowTitle("Add an individual")
        dialog.setLabelText("Name, as written in DeepLabCut files:")
        dialog.textValueSelected.connect(self._actions.add_individual)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
