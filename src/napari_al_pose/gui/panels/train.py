"""The training panel: train, see how far it is, stop."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_al_pose.domain.views import model_sentence, stop_view, train_view, training_sentence
from napari_al_pose.domain.views.effort import effort_lines, newest_line
from napari_al_pose.domain.views.label_checks import check_button_text
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.effort_meter import EffortMeter
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import KeyTip, Section, button, label

_PLOT_EVERY_MS = 800
_ENGINE_WORDS = {
    "off": "off",
    "starting": "starting…",
    "ready": "ready",
    "working": "working",
    "dead": "stopped",
}


class TrainPanel(Section):
    """The button *Train*, or the job that runs and how to end it."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        learning: Learning,
        checks: LabelChecks,
        effort: EffortMeter,
        keys: KeyChoices,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Training", parent)
        self._keys, self._projects = keys, projects
        self._checks, self._learning, self._effort = checks, learning, effort
        self.body.addWidget(self._idle_row())
        self.body.addWidget(self._busy_rows())
        self._model = QElidingLabel()
        self._model.setProperty("part", "dim")
        self._model.setToolTip("The network's input size is chosen so that bodyparts can be told apart; see Settings")
        self.body.addWidget(self._model)
        self._effort_line = QElidingLabel()
        self._effort_line.setProperty("part", "dim")
        self.body.addWidget(self._effort_line)
        self._check_button = button("", "Labels that a model not trained on them puts somewhere else", checks.show_list)
        self.body.addWidget(self._check_button)
        checks.changed.connect(self.refresh)
        effort.changed.connect(self._show_effort)
        for signal in (
            learning.trainingChanged,
            learning.engineChanged,
            frame.annotationChanged,
        ):
            signal.connect(self.refresh)
        projects.settingsChanged.connect(self.refresh)
        learning.modelChanged.connect(self.refresh)
        projects.projectChanged.connect(self.refresh)
        self.refresh()
        self._show_effort()

    def refresh(self) -> None:
        """Show what can be pressed and how far the engine is."""
        training = self._learning.training
        project = self._projects.project
        if project is None:
            return
        view = train_view(
            engine_state=self._learning.engine_state,
            busy=training.busy,
            read_only=self._projects.read_only,
            n_new=self._learning.n_new,
            n_trainable=self._projects.tally.n_trainable,
            train_after=self._projects.settings.train_after,
        )
        self.side.setToolTip("The engine is a separate process that trains and predicts")
        self.side.setText(_ENGINE_WORDS.get(self._learning.engine_state, ""))
        self._train.setEnabled(view.can_train)
        self._train.setVisible(not view.can_restart)
        self._restart.setVisible(view.can_restart)
        self._progress_text.setText(view.text)
        self._new_frames.setVisible(view.total > 0)
        self._new_frames.setRange(0, max(1, view.total))
        self._new_frames.setValue(view.done)
        self._idle.setVisible(not training.busy)
        self._busy.setVisible(training.busy)
        self._model.setText(model_sentence(self._learning.rounds))
        self._model.setVisible(bool(self._model.text()))
        self._check_button.setText(check_button_text(len(self._checks.all)))
        self._check_button.setVisible(bool(self._check_button.text()))
        if training.busy:
            self._show_progress()

    def _show_effort(self) -> None:
        """Say what the newest round took; all rounds and actions are in the tooltip."""
        effort = self._effort.effort
        self._effort_line.setText("" if effort is None else newest_line(effort.rounds))
        self._effort_line.setToolTip("" if effort is None else "\n".join(effort_lines(effort)))
        self._effort_line.setVisible(bool(self._effort_line.text()))

    def _show_progress(self) -> None:
        training = self._learning.training
        self._bar.setRange(0, training.total)  # 0 of 0 is Qt's "nobody knows": a moving bar
        self._bar.setValue(training.done)
        self._bar_text.setText(
            training_sentence(
                stage=training.stage,
                step=training.step,
                steps=training.steps,
                done=training.done,
                total=training.total,
                seconds_left=training.seconds_left,
            )
        )
        stop = stop_view(kind=training.kind, has_trained=bool(training.losses) and not training.can_stop_and_keep)
        self._keep.setVisible(stop.shows_keep)
        self._keep.setEnabled(training.can_stop_and_keep)
        self._cancel.setText(stop.cancel)
        self._cancel.setToolTip(stop.tooltip)

    def _idle_row(self) -> QWidget:
        self._train = button("Train", "", self._learning.train, part="main")
        KeyTip(self._train, "Train on your labels, then bring a new queue ({learn})", self._keys)
        self._restart = button(
            "Restart engine",
            "Start the engine again; labels and models are safe",
            self._learning.restart_engine,
            part="main",
        )
        self._progress_text = QElidingLabel()
        self._progress_text.setProperty("part", "dim")
        self._new_frames = _thin_bar()
        self._new_frames.setToolTip("Complete frames since the last training; a full bar starts the next by itself")
        right = QVBoxLayout()
        right.setSpacing(2)
        right.addWidget(self._progress_text)
        right.addWidget(self._new_frames)
        self._idle = QWidget()
        row = QHBoxLayout(self._idle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self._train)
        row.addWidget(self._restart)
        row.addLayout(right, 1)
        return self._idle

    def _busy_rows(self) -> QWidget:
        self._bar_text = label("")
        self._bar = _thin_bar()
        self._keep = button("Stop and keep", "End now and use the model as it is", self._learning.stop_and_keep)
        self._cancel = button(
            "Cancel and discard", "End now; the previous model stays in use", self._learning.cancel_training
        )
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self._keep, 1)
        buttons.addWidget(self._cancel, 1)
        self._busy = QWidget()
        rows = QVBoxLayout(self._busy)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addWidget(self._bar_text)
        rows.addWidget(self._bar)
        rows.addLayout(buttons)
        return self._busy


def _thin_bar() -> QProgressBar:
    made = QProgressBar()
    made.setTextVisible(False)
    made.setFixedHeight(7)
    return made
