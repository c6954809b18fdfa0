"""A question before a running training is thrown away, by another project, by closing this one or the window."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_al_pose.domain.views.formatting import time_left
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession

TEXT = "A training is running{left}. {what}?"
SAFE = "Your labels are saved either way."
STAY, KEEP, DISCARD = "Keep training", "Stop training, keep the model", "Discard the training"


class Leaving(QObject):
    """Lets the project or the window be left at once, or once the user has decided about a running training.

    Parameters
    ----------
    projects : ProjectSession
    learning : Learning
    parent : QWidget
        The question opens over it.
    """

    def __init__(self, projects: ProjectSession, learning: Learning, *, parent: QWidget) -> None:
        super().__init__(parent)
        self._projects, self._learning = projects, learning
        self._parent = parent
        self._question: QMessageBox | None = None
        self._go_on: Callable[[], object] | None = None
        self._may_close = False
        learning.trainingChanged.connect(self._go_on_if_safe)

    @property
    def at_stake(self) -> bool:
        """Whether leaving now would throw a training away; the ranking after one can be done again."""
        training = self._learning.training
        return training.running and not training.has_trained

    def ask(self, go_on: Callable[[], object], *, what: str) -> None:
        """Call ``go_on`` as soon as nothing would be lost by it; never, where the user would rather stay.

        Parameters
        ----------
        go_on : callable
            Leaves the project.
        what : str
            What it does: "Open another project".
        """
        if not self.at_stake:
            go_on()
        elif self._question is None:
            self._ask(go_on, what)

    def watch(self, window: QWidget) -> None:
        """Ask before ``window`` is closed too."""
        if isinstance(window, QMainWindow):
            window.installEventFilter(self)  # a second time makes no difference

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        window = self._parent.window()  # not kept: it would never be freed
        if event.type() != QEvent.Type.Close or watched is not window or not isinstance(window, QMainWindow):
            return False
        # `napari.Viewer.close`, which scripts call, has hidden the canvas by now: there may be nobody to answer.
        middle = window.centralWidget()
        by_user = middle is not None and middle.isVisible()
        if self._may_close or not by_user or self._projects.is_closed or not self.at_stake:
            return False

        def close() -> None:
            self._may_close = True
            window.close()

        self.ask(close, what="Close the window")
        event.ignore()
        return True

    def _ask(self, go_on: Callable[[], object], what: str) -> None:
        training = self._learning.training
        left = time_left(training.seconds_left)
        question = self._question = QMessageBox(self._parent)
        question.setIcon(QMessageBox.Icon.Question)
        question.setWindowTitle(what)
        question.setText(TEXT.format(left=f", {left}" if left else "", what=what))
        question.setInformativeText(SAFE)
        stay = question.addButton(STAY, QMessageBox.ButtonRole.RejectRole)
        keep = question.addButton(KEEP, QMessageBox.ButtonRole.AcceptRole) if training.can_stop_and_keep else None
        discard = question.addButton(DISCARD, QMessageBox.ButtonRole.DestructiveRole)
        question.setDefaultButton(stay)
        question.setEscapeButton(stay)

        def decide(chosen: object) -> None:
            self._forget_question()
            if chosen is discard or (chosen is not stay and not self.at_stake):
                go_on()
            elif chosen is keep:
                self._go_on = go_on
                self._learning.stop_and_keep()

        question.buttonClicked.connect(decide)
        question.open()

    def _go_on_if_safe(self) -> None:
        """Leave, as was decided, once the training's model is kept or the training has ended otherwise."""
        if self._go_on is not None and not self.at_stake:
            go_on, self._go_on = self._go_on, None
            go_on()

    def _forget_question(self) -> None:
        if self._question is not None:
            self._question.deleteLater()
            self._question = None
