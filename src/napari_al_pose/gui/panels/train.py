"""The training panel: train, see how far it is, stop."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_al_pose.domain.views import (
    labels_to_offer,
    model_line,
    model_sentence,
    stop_view,
    train_view,
    training_sentence,
)
from napari_al_pose.domain.views.effort import effort_lines, newest_line
from napari_al_pose.domain.views.label_checks import check_button_text
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.effort_meter import EffortMeter
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import KeyTip, button, line, thin_bar


class TrainPanel(QWidget):
    """The button *Train*, or the running job with the buttons that end it: the dock's foot, always of one height."""

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
        super().__init__(parent)
        self._keys, self._projects = keys, projects
        self._checks, self._learning, self._effort = checks, learning, effort
        self._check_button = button("", "Labels that a model not trained on them puts somewhere else", checks.open)
        self._check_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._model = QElidingLabel()
        self._model.setProperty("part", "dim")
        states = QStackedWidget()
        states.addWidget(self._idle_rows())
        states.addWidget(self._busy_rows())
        states.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._states = states
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 4, 0)
        rows.setSpacing(5)
        rows.addWidget(line())
        rows.addWidget(states)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
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
        rounds, tally = self._learning.rounds, self._projects.tally
        train_after = self._projects.settings.train_after
        view = train_view(
            engine_state=self._learning.engine_state,
            busy=training.busy,
            read_only=self._projects.read_only,
            n_new=self._learning.n_new,
            n_trainable=self._projects.n_trainable,
            n_complete=len(tally.complete),
            train_after=train_after,
        )
        came_with = 0 if rounds else labels_to_offer(self._projects.n_trainable, len(tally.complete), train_after)
        self._train.setText(f"Train on your {came_with:,} labels" if came_with else "Train")
        self._train.setEnabled(view.can_train)
        self._train.setVisible(not view.can_restart)
        self._restart.setVisible(view.can_restart)
        self._progress_text.setText("" if came_with else view.text)  # the button says it
        self._progress_text.setToolTip(view.text)
        self._new_frames.setVisible(view.total > 0 and not came_with)
        self._new_frames.setRange(0, max(1, view.total))
        self._new_frames.setValue(view.done)
        self._states.setCurrentIndex(int(training.busy))
        self._train_now.setText(f"Train on your {came_with:,} labels")
        can_train_now = training.kind == "rank" and not self._projects.read_only and not self._learning.will_train
        self._train_now.setVisible(bool(came_with) and can_train_now)
        self._model.setText(model_line(rounds) or "No model yet")
        self._show_effort()
        self._check_button.setText(check_button_text(len(self._checks.all)))
        self._check_button.setVisible(bool(self._check_button.text()))
        if training.busy:
            self._show_progress()

    def _show_effort(self) -> None:
        """Show the effort of the newest round under the model, and that of all rounds and actions in the tooltip."""
        effort = self._effort.effort
        sentence = model_sentence(self._learning.rounds)
        size = "The network's input size is chosen so that bodyparts can be told apart; see Settings."
        about = f"{sentence}. {size}" if sentence else size
        lines = [] if effort is None else [newest_line(effort.rounds), *effort_lines(effort)]
        self._model.setToolTip("\n".join(filter(None, (about, *lines))))

    def _show_progress(self) -> None:
        training = self._learning.training
        self._bar.setRange(0, training.total)  # 0 of 0 is Qt's "nobody knows": a moving bar
        self._bar.setValue(training.done)
        sentence = training_sentence(
            stage=training.stage,
            step=training.step,
            steps=training.steps,
            done=training.done,
            total=training.total,
            seconds_left=training.seconds_left,
        )
        self._bar_text.setText(sentence)
        self._bar_text.setToolTip(sentence)
        stop = stop_view(kind=training.kind, has_trained=training.has_trained, is_trying=training.is_trying)
        self._keep.setToolTip(stop.keep_tooltip)
        self._keep.setVisible(stop.shows_keep)
        self._keep.setEnabled(training.can_stop_and_keep)
        self._cancel.setText(stop.cancel)
        self._cancel.setToolTip(stop.tooltip)

    def _idle_rows(self) -> QWidget:
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
        self._new_frames = thin_bar()
        self._new_frames.setToolTip("Complete frames since the last training; a full bar starts the next by itself")
        right = QVBoxLayout()
        right.setSpacing(2)
        right.addWidget(self._progress_text)
        right.addWidget(self._new_frames)
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self._train)
        first.addWidget(self._restart)
        first.addLayout(right, 1)
        second = QHBoxLayout()
        second.setSpacing(8)
        second.addWidget(self._model, 1)
        second.addWidget(self._check_button)
        self._idle = QWidget()
        rows = QVBoxLayout(self._idle)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(first)
        rows.addLayout(second)
        rows.addStretch(1)
        return self._idle

    def _busy_rows(self) -> QWidget:
        self._bar_text = QElidingLabel()
        self._bar = thin_bar()
        self._keep = button("Stop and keep", "", self._learning.stop_and_keep)
        self._cancel = button(
            "Cancel and discard", "End now; the previous model stays in use", self._learning.cancel_training
        )
        self._train_now = button("", "", self._learning.train, part="main")
        KeyTip(self._train_now, "Train now, without waiting for the queue ({learn})", self._keys)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self._train_now, 1)
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
