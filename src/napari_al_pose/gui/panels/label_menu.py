"""The menu of the bodypart panel: what is done now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QInputDialog, QLineEdit, QMenu, QMessageBox, QWidget

from napari_al_pose.domain.tools import ColourBy
from napari_al_pose.domain.views import RoleQuestion, role_question
from napari_al_pose.gui.session import Session


class LabelMenu(QMenu):
    """Poses, what is shown, bodyparts and individuals, and what the frame is for.

    Parameters
    ----------
    session : Session
    edit_bodyparts : callable
        Opens the dialog for the bodyparts and the skeleton.
    parent : QWidget
        Also of the questions.
    """

    def __init__(self, session: Session, edit_bodyparts: Callable[[], None], parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._edit_bodyparts = edit_bodyparts
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what can be done with the frame in front of the user."""
        session, options = self._session, self._session.options
        writable = not session.read_only and session.annotation is not None
        self.clear()
        self._add("Start from the labelled frame before\tC", session.borrow_pose, enabled=writable)
        self._add("Copy the pose\tCtrl+C", session.copy_pose, enabled=session.annotation is not None)
        self._add("Paste the pose\tCtrl+V", session.paste_pose, enabled=writable)
        self.addSeparator()
        several = len(session.individuals) > 1
        by_individual = options.colour_by is ColourBy.INDIVIDUAL
        self._add("Names beside the points\tT", lambda: options.toggle("names"), checked=options.names)
        self._add("Colour by individual\tF", session.next_colouring, checked=by_individual, enabled=several)
        self._add("Ring doubted guesses in red\tE", lambda: options.toggle("borders"), checked=options.borders)
        self._add("View follows the animal\tG", lambda: options.toggle("follow"), checked=options.follow)
        self._add("Wide canvas\tB", lambda: options.toggle("wide"), checked=options.wide)
        self.addSeparator()
        self._add("Bodyparts and skeleton…", self._edit_bodyparts, enabled=not session.read_only)
        if any(session.individuals):
            self._add("Add an individual…", self._ask_individual, enabled=not session.read_only)
        self.addSeparator()
        question = role_question(session.role, len(session.rounds))
        self._add(question.action, lambda: self._ask_role(question), enabled=writable)
        self.addSeparator()
        self._add("Keys\t?", session.show_keys)

    def _add(self, text: str, action: Callable[[], Any], *, enabled: bool = True, checked: bool | None = None) -> None:
        made = self.addAction(text)
        made.setEnabled(enabled)
        if checked is not None:
            made.setCheckable(True)
            made.setChecked(checked)
        made.triggered.connect(lambda _checked=False: action())

    def _ask_role(self, question: RoleQuestion) -> None:
        box = QMessageBox(QMessageBox.Icon.Question, "Hold-out", question.question, parent=self.parentWidget())
        yes = box.addButton(question.yes, QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        key = self._session.current

        def answer() -> None:
            if box.clickedButton() is yes and self._session.current == key:
                self._session.set_role(question.wanted)

        box.finished.connect(lambda _result: answer())
        box.finished.connect(box.deleteLater)
        box.open()

    def _ask_individual(self) -> None:
        name, agreed = QInputDialog.getText(
            self.parentWidget(), "Add an individual", "Name, as DeepLabCut will write it:", QLineEdit.EchoMode.Normal
        )
        if agreed:
            self._session.add_individual(name)
