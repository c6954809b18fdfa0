"""The menu of the bodypart panel: what is done now and then."""

from __future__ import annotations

from qtpy.QtWidgets import QInputDialog, QMessageBox, QWidget

from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.views import RoleQuestion, role_question
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.commands import CommandMenu, Commands
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions


class LabelMenu(CommandMenu):
    """Poses, bodyparts and individuals, and what the frame is for.

    Parameters
    ----------
    commands : Commands
    actions : WindowActions
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
        Knows what the frame is for.
    editor : LabelEditor
        Changes what the frame is for.
    learning : Learning
        Its rounds were measured on the test frames.
    options : ViewOptions
    parent : QWidget
        Also of the questions.
    """

    def __init__(
        self,
        commands: Commands,
        actions: WindowActions,
        *,
        projects: ProjectSession,
        frame: CurrentFrame,
        navigator: Navigator,
        editor: LabelEditor,
        learning: Learning,
        options: ViewOptions,
        parent: QWidget,
    ) -> None:
        super().__init__(commands, parent)
        self._actions, self._options = actions, options
        self._projects, self._frame = projects, frame
        self._navigator, self._editor, self._learning = navigator, editor, learning
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List what can be done with the current frame."""
        options = self._options
        writable = not self._projects.read_only and self._frame.annotation is not None
        self.clear()
        self.offer("Start from the labelled frame before", "borrow_pose", enabled=writable)
        labelled = writable and self._frame.annotation is not None and not self._frame.annotation.is_empty
        self.offer("Carry the labels on until they are lost", "carry_on 1", enabled=labelled)
        self.offer("Carry them to the next queued frame", "carry_to_queued", enabled=labelled)
        self.offer("Copy the pose", "copy_pose", enabled=self._frame.annotation is not None)
        self.offer("Paste the pose", "paste_pose", enabled=writable)
        self.addSeparator()
        hides = options.unbelieved is DoubtfulGuesses.NOT_VISIBLE
        other = DoubtfulGuesses.OPEN if hides else DoubtfulGuesses.NOT_VISIBLE
        self.add(
            "Accepting marks doubtful guesses not visible", lambda: options.set("unbelieved", other), checked=hides
        )
        projects = self._projects
        asks = projects.settings.ask == "bodyparts"
        self.add("Ask only for doubtful bodyparts", projects.toggle_ask, checked=asks, enabled=not projects.read_only)
        self.addSeparator()
        self.add("Bodyparts and skeleton…", self._actions.edit_bodyparts, enabled=not self._projects.read_only)
        if any(self._frame.individuals):
            self.add("Add an individual…", self._ask_individual, enabled=not self._projects.read_only)
        self.addSeparator()
        question = role_question(self._navigator.role, len(self._learning.rounds))
        self.add(question.action, lambda: self._ask_role(question), enabled=writable)
        self.addSeparator()
        self.offer("Keys", "show_keys")

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
