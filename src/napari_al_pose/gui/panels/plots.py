"""The small curves: loss and hold-out error while training, error against labels, likelihoods against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_al_pose.domain.views import ErrorCurve
from napari_al_pose.domain.views.learning import NEXT_IS_MEASURED, NO_TEST_FRAMES
from napari_al_pose.gui.state.job_views import TrainingView
from napari_al_pose.gui.theme import Colours, see_through
from napari_al_pose.gui.widgets import label

MOST_HEIGHT = 240
"""Pixels of height that a plot takes where there is room."""
_FONT_SIZE = "8pt"


class _CountAxis(pyqtgraph.AxisItem):
    """An axis of things that are counted: no ticks between whole numbers."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        whole = [(max(1.0, round(step)), start) for step, start in super().tickSpacing(minVal, maxVal, size)]
        return whole[:1]


class SmallPlot(pyqtgraph.PlotWidget):
    """A plot with a title, thin axes, and nothing to configure.

    Parameters
    ----------
    title : str
    colours : Colours
    counts : bool
        Whether whole numbers are along the bottom.
    """

    def __init__(self, title: str, colours: Colours, parent: QWidget | None = None, *, counts: bool = True) -> None:
        super().__init__(parent, background=None, axisItems={"bottom": _CountAxis("bottom")} if counts else None)
        self._title, self._colours = title, colours
        self.setMaximumHeight(MOST_HEIGHT)
        self.setMinimumWidth(120)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.plotItem.layout.setContentsMargins(0, 0, 4, 0)
        self.curve = self.plot([], [])
        self.set_colours(colours)

    def sizeHint(self) -> QSize:
        return QSize(160, self.minimumHeight())

    def set_colours(self, colours: Colours) -> None:
        """Draw with another theme."""
        self._colours = colours
        self._show_title()
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(colours.line)
            axis.setTextPen(colours.dim)
            axis.setStyle(tickLength=-3, maxTickLevel=0)
            font = self.font()
            font.setPointSize(7)
            axis.setTickFont(font)
        self.getAxis("left").setWidth(34)
        self.curve.setPen(pyqtgraph.mkPen(colours.accent, width=2))
        self.curve.setSymbolBrush(colours.accent)
        self.curve.setSymbolPen(None)

    def set_caption(self, title: str) -> None:
        """Write another line over the plot."""
        if title != self._title:
            self._title = title
            self._show_title()

    def _show_title(self) -> None:
        self.setTitle(self._title or None, color=self._colours.dim.name(), size=_FONT_SIZE)

    def set_curve(self, x: Sequence[float], y: Sequence[float], *, dots: bool = False) -> None:
        """Draw ``y`` over ``x``."""
        self.curve.setSymbol("o" if dots else None)
        self.curve.setSymbolSize(5)
        self.curve.setData(list(x), list(y))


LOSS, TRIAL = "Loss by step", "Loss by step: continued, and started over (dashed)"


class LivePlots(QWidget):
    """Loss and error on test frames, in the running or the last training; what to do where there are no test frames."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = SmallPlot(LOSS, colours)
        self.error = SmallPlot("Test error, px", colours)
        self._no_error = label(NO_TEST_FRAMES, "dim", wrap=True)
        self._over = self.loss.plot([], [], pen=_dashed(colours))
        self.setMaximumHeight(MOST_HEIGHT)  # so that what is said of them follows them
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.loss, 1)  # of one width, also once the second was hidden during a trial
        row.addWidget(self.error, 1)
        row.addWidget(self._no_error, 1)

    def set_colours(self, colours: Colours) -> None:
        """Draw with another theme."""
        self.loss.set_colours(colours)
        self.error.set_colours(colours)
        self._over.setPen(_dashed(colours))

    def show_training(self, training: TrainingView, *, measures: bool) -> None:
        """Draw the training that runs or ran last; while both starts are compared, the loss of each.

        ``measures`` says that there are test frames, so that an error follows where there is none yet.
        """
        half = training.trial_steps // 2
        losses = [pair for pair in training.trial if pair[0] <= half] if training.is_trying else training.losses
        over = [(step - half, loss) for step, loss in training.trial if step > half] if training.is_trying else []
        self.loss.set_caption(TRIAL if training.is_trying else LOSS)
        self.loss.set_curve([step for step, _ in losses], [loss for _, loss in losses])
        self._over.setData([step for step, _ in over], [loss for _, loss in over])
        self.error.set_curve(
            [step for step, _ in training.holdout], [error for _, error in training.holdout], dots=True
        )
        steps = max(1, half if training.is_trying else training.steps)
        for plot in (self.loss, self.error):
            plot.setXRange(0, steps, padding=0.02)
        # An empty plot only while an error is to come: the last training measured none if it had no test frames.
        has_error = bool(training.holdout) or (measures and training.running)
        self._no_error.setText(NEXT_IS_MEASURED if measures else NO_TEST_FRAMES)
        self.error.setVisible(has_error and not training.is_trying)
        self._no_error.setVisible(not has_error and not training.is_trying)


def _dashed(colours: Colours) -> Any:
    return pyqtgraph.mkPen(colours.text, width=2, style=Qt.PenStyle.DashLine)


class RoundsPlot(SmallPlot):
    """Mean hold-out error against labelled frames, with its 95 % interval."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        self._low, self._high = pyqtgraph.PlotCurveItem(), pyqtgraph.PlotCurveItem()
        self._band = pyqtgraph.FillBetweenItem(self._low, self._high)
        super().__init__("", colours, parent)
        self.addItem(self._band)

    def set_colours(self, colours: Colours) -> None:
        """Draw with another theme."""
        super().set_colours(colours)
        self._band.setBrush(see_through(colours.accent, 0.24))

    def show_curve(self, curve: ErrorCurve) -> None:
        """Draw ``curve``."""
        self.set_curve(curve.labels, curve.mean, dots=True)
        self._low.setData(list(curve.labels), list(curve.low))
        self._high.setData(list(curve.labels), list(curve.high))
        if curve.high:
            self.setYRange(0, max(curve.high) * 1.05, padding=0)


class ReliabilityPlot(SmallPlot):
    """Share of keypoints that are right, by likelihood; on the diagonal likelihoods mean what they say."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        self._diagonal = pyqtgraph.PlotCurveItem([0, 1], [0, 1])
        super().__init__("Share of right keypoints, by likelihood", colours, parent, counts=False)
        self.addItem(self._diagonal)
        self.setXRange(0, 1, padding=0)
        self.setYRange(0, 1.02, padding=0)

    def set_colours(self, colours: Colours) -> None:
        """Draw with another theme."""
        super().set_colours(colours)
        self._diagonal.setPen(pyqtgraph.mkPen(colours.line, width=1))
