"""The curves of learning: loss and hold-out error while a model learns, error and likelihoods over the rounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_al_pose.domain.views import ErrorCurve, learning_verdict, reliability_view
from napari_al_pose.domain.views.effort import CurveAxis, curve_over, newest_sentence
from napari_al_pose.domain.views.learning import bodypart_errors
from napari_al_pose.gui.remembered import remember, remembered
from napari_al_pose.gui.state.effort_meter import EffortMeter
from napari_al_pose.gui.state.job_views import TrainingView
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.theme import Colours
from napari_al_pose.gui.widgets import label

if TYPE_CHECKING:
    from napari_al_pose.gui.panels.plots import LivePlots, ReliabilityPlot, RoundsPlot

PAGES_HEIGHT = 196
"""Pixels of height of every page, from the first on: Qt divides a window's docks anew when one wants more, and what is
pressed from frame to frame would move."""
_PLOT_HEIGHT = 64
"""Pixels that a plot takes at least, beside the longest text of its page."""
_PLOT_STRETCH = 100
"""Stretch of a plot; the empty space below the caption has 1, so it gets only what the plot does not take."""
_AXIS = "curves/axis"
"""Where the choice of the axis is remembered."""


class CurvesPanel(QWidget):
    """Three pages: this round; all rounds with a plain word on whether more labels help; likelihoods."""

    def __init__(
        self,
        projects: ProjectSession,
        learning: Learning,
        *,
        effort: EffortMeter,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._projects, self._learning, self._effort = projects, learning, effort
        self._colours = colours
        self._live: LivePlots | None = None
        self._rounds: RoundsPlot | None = None
        self._reliability: ReliabilityPlot | None = None
        self._was_running = False
        self._shown: tuple[Path | None, int] = None, 0
        self._sentence = label("", "dim", wrap=True, whole=True)
        self._verdict = label("", wrap=True, whole=True)
        self._belief = label("", wrap=True, whole=True)
        self._worst = QElidingLabel()
        self._worst.setWordWrap(True)
        self._worst.setProperty("part", "dim")
        self._pages = QStackedWidget()
        self._live_page, self._rounds_page, self._belief_page = map(
            _Page, (self._sentence, self._verdict, self._belief)
        )
        for page in (self._live_page, self._rounds_page, self._belief_page):
            self._pages.addWidget(page)
        self._pages.setMinimumHeight(PAGES_HEIGHT)
        self._pages.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self._axis = self._axis_choice()
        self._caption = self._rounds_caption()
        self._rounds_page.put_below(self._worst)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 2, 6, 4)
        rows.setSpacing(4)
        rows.addWidget(self._page_row())
        rows.addWidget(self._pages)
        learning.trainingChanged.connect(self.refresh)
        learning.trainingChanged.connect(self._draw_training)
        learning.modelChanged.connect(self._draw_rounds)
        projects.projectChanged.connect(self._on_project)
        self._on_project()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        for plot in (self._live, self._rounds, self._reliability):
            if plot is not None:
                plot.set_colours(colours)

    def refresh(self) -> None:
        """Follow the training: its page comes forward when one begins."""
        training = self._learning.training
        self._sentence.setText(_joined(_live_caption(training), newest_sentence(self._effort.effort)))
        if training.running and not self._was_running:
            self._show_page(0)
        self._was_running = training.running

    def _axis_choice(self) -> QComboBox:
        """Return the choice of what the error is drawn against, as it was made last time."""
        made = QComboBox()
        made.addItems(list(CurveAxis))
        made.setToolTip("Plot the error of all rounds against labelled frames, your clicks or your minutes")
        made.setAccessibleName("Error against")
        made.setCurrentText(remembered(_AXIS, CurveAxis.FRAMES))
        made.currentTextChanged.connect(self._on_axis)
        self._effort.changed.connect(self._on_effort)
        return made

    def _rounds_caption(self) -> QWidget:
        """Return the line over the curve of all rounds, with the choice in it."""
        made = QWidget(self._rounds_page)
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label("Mean test error in px, by", "dim"))
        row.addWidget(self._axis, 1)
        return made

    def _on_axis(self, text: str) -> None:
        remember(_AXIS, text)
        self._draw_curve()

    def _page_row(self) -> QWidget:
        self._choice = QButtonGroup(self)
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for page, (text, tooltip) in enumerate(
            (
                ("This round", "Loss and error on test frames, in the running or the last training"),
                ("All rounds", "Error on test frames after each round, with a 95 % interval"),
                ("Likelihoods", "How often the newest model is right, by the likelihood it gives"),
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
        if self._projects.project is None:
            return
        self._draw_training()
        self._draw_rounds()
        self.refresh()

    def _make_plots(self) -> None:
        """Make the plots once there is something to draw: pyqtgraph takes most of a second to import."""
        if self._live is not None:
            return
        from napari_al_pose.gui.panels.plots import LivePlots, ReliabilityPlot, RoundsPlot

        self._live, self._rounds = LivePlots(self._colours), RoundsPlot(self._colours)
        self._reliability = ReliabilityPlot(self._colours)
        for plot in (self._live, self._rounds, self._reliability):
            plot.setMinimumHeight(_PLOT_HEIGHT)
        self._live_page.put_on_top(self._live)
        self._rounds_page.put_on_top(self._rounds)
        self._rounds_page.put_on_top(self._caption, is_plot=False)
        self._belief_page.put_on_top(self._reliability)

    def _draw_training(self) -> None:
        training = self._learning.training
        there = bool(training.losses or training.trial)
        if there:
            self._make_plots()
        if self._live is not None:
            tally = self._projects.tally
            self._live.show_training(training, measures=not tally.holdout.isdisjoint(tally.complete))
            self._live.setVisible(there)

    def _draw_curve(self) -> ErrorCurve:
        """Draw the error of all rounds against what was chosen."""
        axis = CurveAxis(self._axis.currentText())
        curve = curve_over(self._learning.rounds, self._effort.effort, axis)
        if self._rounds is not None:
            self._rounds.show_curve(curve)
        self._caption.setVisible(bool(curve.labels))
        return curve

    def _draw_rounds(self) -> None:
        if self._learning.rounds:
            self._make_plots()
        curve = self._draw_curve()
        if self._rounds is not None:
            self._rounds.setVisible(bool(curve.labels))
        self._show_verdict()
        errors = bodypart_errors(self._learning.rounds)
        self._worst.setText(", ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in errors))
        self._worst.setToolTip("\n".join(("Mean error on test frames, the worst first", *errors)) if errors else "")
        self._worst.setVisible(bool(errors))
        belief = reliability_view(self._learning.rounds)
        if self._reliability is not None:
            self._reliability.set_curve(belief.likelihoods, belief.found, dots=True)
            self._reliability.setVisible(bool(belief.likelihoods))
        self._belief.setText(belief.sentence)
        self._bring_forward(1 if curve.labels else 0)
        self.refresh()

    def _show_verdict(self) -> None:
        rounds = self._learning.rounds
        self._verdict.setText(_joined(learning_verdict(rounds), newest_sentence(self._effort.effort) if rounds else ""))

    def _on_effort(self) -> None:
        self._draw_curve()
        self._show_verdict()
        self.refresh()

    def _bring_forward(self, page: int) -> None:
        """Show a page when there is a new round or another project; else the user's choice stays."""
        project = self._projects.project
        shown = None if project is None else project.root, len(self._learning.rounds)
        if shown != self._shown:
            self._shown = shown
            self._show_page(page)


def _joined(*sentences: str) -> str:
    return " ".join(one for one in sentences if one)


def _live_caption(training: TrainingView) -> str:
    if training.busy:
        return ""
    return training.sentence or ("" if training.losses else "Loss and error appear here while a model trains.")


class _Page(QWidget):
    """A caption, and above it what is put there later."""

    def __init__(self, caption: QWidget) -> None:
        super().__init__()
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(2)
        self._rows.addWidget(caption)
        self._rows.addStretch(1)

    def put_below(self, widget: QWidget) -> None:
        self._rows.insertWidget(self._rows.count() - 1, widget)

    def put_on_top(self, widget: QWidget, *, is_plot: bool = True) -> None:
        self._rows.insertWidget(0, widget, _PLOT_STRETCH if is_plot else 0)
