"""The strip above the canvas that says what the next click does: on the canvas it would lie over what is labelled."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QWidget

from napari_al_pose.domain.views.prompt import Prompt, playing_prompt
from napari_al_pose.gui.layers.context import ContextPlayer
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.prompter import Prompter
from napari_al_pose.gui.theme import Colours

NAME = "Pose prompt"
_MARGIN, _PADDING, _GAP = 10, 3, 14
_LARGER = 1.15


class PromptStrip(QWidget):
    """Two lines of a fixed height, what is to be done and which keys help; what doesn't fit stands in the tooltip.

    Parameters
    ----------
    prompter : Prompter
    context : ContextPlayer
        Tells whether the frames around the current one are played.
    keys : KeyChoices
    notices : Notices
        Says what is being opened while there is nothing to be done.
    colours : Colours
    """

    def __init__(
        self, prompter: Prompter, context: ContextPlayer, *, keys: KeyChoices, notices: Notices, colours: Colours
    ) -> None:
        super().__init__()
        self._prompter, self._context, self._keys, self._notices = prompter, context, keys, notices
        self._colours = colours
        self._shown = Prompt()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for signal in (prompter.changed, notices.busyChanged, keys.changed, context.playing):
            signal.connect(self.refresh)
        self.refresh()

    @property
    def shown(self) -> Prompt:
        """What is said now, with the keys in place."""
        return self._shown

    def sizeHint(self) -> QSize:
        return QSize(200, self._lines()[1].bottom() + _PADDING)

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.update()

    def refresh(self) -> None:
        """Say what the next click does now."""
        current = self._prompt()
        shown = Prompt(current.text, self._keys.named(current.keys), current.warning)
        if shown != self._shown:
            self._shown = shown
            self.setToolTip("\n".join(filter(None, (shown.warning, shown.text, shown.keys))))
            self.update()

    def _prompt(self) -> Prompt:
        if self._context.is_playing:
            first, last = self._context.span
            return playing_prompt(last - first + 1)
        current = self._prompter.prompt
        return current if current.text else Prompt(self._notices.busy)

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colours.background)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * _LARGER)
        font.setBold(True)
        above, below = self._lines()
        painter.setFont(font)
        colour = self._colours.holdout if self._shown.is_of_test_frame else self._colours.dim
        warned = _draw(painter, above, self._shown.warning, colour)
        _draw(painter, above.adjusted(warned, 0, 0, 0), self._shown.text, self._colours.text)
        painter.setFont(self.font())
        _draw(painter, below, self._shown.keys, self._colours.dim)
        painter.end()

    def _lines(self) -> tuple[QRect, QRect]:
        """Return where the two lines are."""
        height, width = self.fontMetrics().height(), self.width() - 2 * _MARGIN
        larger = round(height * _LARGER)
        return QRect(_MARGIN, _PADDING, width, larger), QRect(_MARGIN, _PADDING + larger, width, height)


def _draw(painter: QPainter, area: QRect, text: str, colour: QColor) -> int:
    """Draw a part into ``area`` and return how much of its width is used."""
    if not text or area.width() <= 0:
        return 0
    painter.setPen(colour)
    fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)
    return painter.fontMetrics().horizontalAdvance(fitting) + _GAP


def dock_above_canvas(strip: PromptStrip, window: QMainWindow) -> QDockWidget:
    """Put the strip between the docks on the left and on the right, above the canvas."""
    window.setCorner(Qt.Corner.TopLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    window.setCorner(Qt.Corner.TopRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    # Qt's own dock: napari's always has a title bar, and can be closed by mistake.
    dock = QDockWidget(NAME, window)
    dock.setObjectName(NAME)
    dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
    dock.setTitleBarWidget(QWidget(dock))
    dock.setWidget(strip)
    window.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, dock)
    return dock
