"""What the user is asked to do next."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain.views.label_checks import check_prompt
from napari_al_pose.domain.views.prompt import Prompt, copied_sentence, prompt
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions


class Prompter(QObject):
    """Puts what the next click does into words, and which keys help.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
        Knows what the frame is for.
    checks : LabelChecks
        The doubtful label in front goes first.
    learning : Learning
        Knows what follows the end of the queue.
    options : ViewOptions
    """

    changed = Signal()
    """`prompt` may be another."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        checks: LabelChecks,
        learning: Learning,
        options: ViewOptions,
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._checks, self._learning, self._options = checks, learning, options
        for signal in (
            frame.keyChanged,
            frame.sourceChanged,
            frame.annotationChanged,
            frame.bodypartChanged,
            frame.individualChanged,
            navigator.queueChanged,
            checks.changed,
            checks.currentChanged,
            learning.engineChanged,
            learning.trainingChanged,
            projects.projectChanged,
            projects.settingsChanged,
        ):
            signal.connect(self.changed)
        options.changed.connect(lambda _name: self.changed.emit())

    @property
    def prompt(self) -> Prompt:
        """The prompt for the current frame, with names of actions in place of keys; empty without a picture."""
        frame, options = self._frame, self._options
        if frame.source is None or frame.key is None:
            return Prompt()
        if self._checks.in_front is not None:
            return check_prompt(self._checks.in_front)
        guessed, end = frame.guesses.guessed(options.unbelieved), self._learning.queue_end
        found = prompt(
            frame.annotation,
            guessed,
            frame.bodypart,
            role=self._navigator.role,
            tool=options.tool,
            mode=options.label_mode,
            individuals=frame.individuals,
            others_guessed=frame.guesses.others_guessed,
            read_only=self._projects.read_only,
            asks_bodyparts=self._navigator.asks_bodyparts,
            asks_whole=self._navigator.asks_whole,
            queue_end="" if end is None else end.sentence,
        )
        if guessed is None or guessed.copied_from is None:
            return found
        copied = copied_sentence(guessed.copied_from, current=frame.key)
        return Prompt(found.text, found.keys, found.warning or copied)
