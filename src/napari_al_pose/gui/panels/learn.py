"""The Learn panel: train, watch, stop, and see whether more labels help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QProgressBar, QStackedWidget, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel
from superqt.utils import QSignalThrottler

from napari_al_pose.domain.views import error_curve, learn_view, learning_verdict, stop_view, training_sentence
from napari_al_pose.gui.panels.parts import Section, button, label
from napari_al_pose.gui.session import Session
from napari_al_pose.gui.theme import Colours
from napari_al_pose.gui.training import TrainingView

if TYPE_CHECKING:
    from napari_al_pose.gui.panels.plots import LivePlots, RoundsPlot

_PLOT_EVERY_MS = 800
_ENGINE_WORDS = {
    "off": "off",
    "starting": "starting…",
    "ready": "ready",
    "working": "working",
    "dead": "stopped",
}


class LearnPanel(Section):
    """The Learn button, the training that runs, and the curves."""

    def __init__(self, session: Session, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__("Learning", parent)
        self._session = session
        self._colours = colours
        self._live: LivePlots | None = None
        self._rounds: RoundsPlot | None = None
        self._was_running = False
        self.body.addWidget(self._idle_row())
        self.body.addWidget(self._busy_rows())
        self._sentence = label("", "dim", wrap=True)
        self._verdict = label("", wrap=True)
        self._pages = QStackedWidget()
        self._pages.addWidget(_page(self._sentence))
        self._pages.addWidget(_page(self._verdict))
        self.head.insertWidget(1, self._page_row())
        self.body.addWidget(self._pages)
        self._throttle = QSignalThrottler(parent=self)
        self._throttle.setTimeout(_PLOT_EVERY_MS)
        self._throttle.triggered.connect(self._draw_training)
        for signal in (session.trainingChanged, session.engineChanged, session.annotationChanged):
            signal.connect(self.refresh)
        session.settingsChanged.connect(self.refresh)
        session.trainingChanged.connect(self._throttle.throttle)
        session.modelChanged.connect(self._draw_rounds)
        session.projectChanged.connect(self._on_project)
        self._on_project()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        if self._live is not None and self._rounds is not None:
            self._live.set_colours(colours)
            self._rounds.set_colours(colours)

    def refresh(self) -> None:
        """Show what can be pressed and how far the engine is."""
        session, training = self._session, self._session.training
        project = session.project
        if project is None:
            return
        view = learn_view(
            engine_state=session.engine_state,
            busy=training.busy,
            read_only=session.read_only,
            n_new=session.n_complete_since_training,
            n_complete=self._session.tally.n_trainable,
            learn_after=session.settings.learn_after,
        )
        self.side.setToolTip("The engine is the process beside this window that learns and predicts")
        self.side.setText(_ENGINE_WORDS.get(session.engine_state, ""))
        self._learn.setEnabled(view.can_learn)
        self._learn.setVisible(not view.can_restart)
        self._restart.setVisible(view.can_restart)
        self._progress_text.setText(view.text)
        self._new_frames.setVisible(view.total > 0)
        self._new_frames.setRange(0, max(1, view.total))
        self._new_frames.setValue(view.done)
        self._idle.setVisible(not training.busy)
        self._busy.setVisible(training.busy)
        if training.busy:
            self._show_progress()
        self._sentence.setText(_live_caption(training))
        if training.running and not self._was_running:
            self._show_page(0)
        self._was_running = training.running

    def _show_progress(self) -> None:
        training = self._session.training
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
        session = self._session
        self._learn = button("Learn", "Train on your labels, then rank the queue anew (L)", session.learn, part="main")
        self._restart = button(
            "Restart engine", "Start the engine again; labels and models are safe", session.restart_engine, part="main"
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
        row.addWidget(self._learn)
        row.addWidget(self._restart)
        row.addLayout(right, 1)
        return self._idle

    def _busy_rows(self) -> QWidget:
        session = self._session
        self._bar_text = label("")
        self._bar = _thin_bar()
        self._keep = button("Stop and keep", "End now and use what was learnt so far", session.stop_and_keep)
        self._cancel = button(
            "Cancel and discard", "End now; the model before it stays in use", session.cancel_training
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

    def _page_row(self) -> QWidget:
        self._choice = QButtonGroup(self)
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for page, (text, tooltip) in enumerate(
            (
                ("This round", "Loss and hold-out error of the training that runs or ran last"),
                ("All rounds", "Error on frames never trained on, against labelled frames, with a 95 % interval"),
            )
        ):
            tab = QToolButton()
            tab.setText(text)
            tab.setToolTip(tooltip)
            tab.setCheckable(True)
            tab.setProperty("part", "tab")
            tab.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._choice.addButton(tab, page)
            row.addWidget(tab)
        self._choice.idClicked.connect(self._show_page)
        return made

    def _show_page(self, page: int) -> None:
        self._choice.button(page).setChecked(True)
        self._pages.setCurrentIndex(page)

    def _on_project(self) -> None:
        if self._session.project is None:
            return
        if self._live is None:
            self._make_plots()
        self._draw_training()
        self._draw_rounds()
        self.refresh()

    def _make_plots(self) -> None:
        from napari_al_pose.gui.panels.plots import LivePlots, RoundsPlot  # pyqtgraph takes most of a second

        self._live, self._rounds = LivePlots(self._colours), RoundsPlot(self._colours)
        for page, plot in enumerate((self._live, self._rounds)):
            layout = self._pages.widget(page).layout()
            layout.insertWidget(0, plot)

    def _draw_training(self) -> None:
        if self._live is not None:
            training = self._session.training
            self._live.show_training(training.losses, training.holdout)
            self._live.setVisible(bool(training.losses))

    def _draw_rounds(self) -> None:
        if self._rounds is None:
            return
        curve = error_curve(self._session.rounds)
        self._rounds.show_curve(curve)
        self._rounds.setVisible(bool(curve.labels))
        self._verdict.setText(learning_verdict(self._session.rounds))
        self._show_page(1 if curve.labels else 0)
        self.refresh()


def _live_caption(training: TrainingView) -> str:
    if training.busy:
        return ""
    return training.sentence or ("" if training.losses else "While a model learns, its loss and error are drawn here.")


def _page(caption: QWidget) -> QWidget:
    """Return a page with ``caption`` below the plot that is put in later."""
    made = QWidget()
    rows = QVBoxLayout(made)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setSpacing(2)
    rows.addWidget(caption)
    rows.addStretch(1)
    return made


def _thin_bar() -> QProgressBar:
    made = QProgressBar()
    made.setTextVisible(False)
    made.setFixedHeight(7)
    return made
