"""The strip above the canvas that says what the next click does: on the canvas it would lie over what is labelled."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFont, QPainter
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QWidget

from napari_al_pose.domain import FrameRole
from napari_al_pose.domain.views.prompt import Prompt, copied_sentence, playing_prompt, prompt
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.session import Session
from napari_al_pose.gui.theme import Colours

NAME = "Pose prompt"
_MARGIN, _GAP = 10, 14
_LARGER = 1.15


class PromptStrip(QWidget):
    """One line of a fixed height; what doesn't fit is cut off and stands in the tooltip.

    Parameters
    ----------
    session : Session
    stack : LayerStack
        Tells whether the frames around the current one are played.
    colours : Colours
    """

    def __init__(self, session: Session, stack: LayerStack, colours: Colours) -> None:
        super().__init__()
        self._options, self._keys, self._frame = session.options, session.keys, session.frame
        self._projects, self._navigator, self._notices = session.projects, session.navigator, session.notices
        self._context = stack.context
        self._colours = colours
        self._shown = Prompt()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for signal in (
            session.frame.keyChanged,
            session.frame.annotationChanged,
            session.frame.bodypartChanged,
            session.frame.individualChanged,
            session.navigator.queueChanged,
            session.notices.busyChanged,
            session.projects.projectChanged,
            session.keys.changed,
            session.options.changed,
            stack.context.playing,
        ):
            signal.connect(self.refresh)
        self.refresh()

    @property
    def shown(self) -> Prompt:
        """What is said now, with the keys in place."""
        return self._shown

    def sizeHint(self) -> QSize:
        return QSize(200, round(self.fontMetrics().height() * _LARGER) + 10)

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.update()

    def refresh(self) -> None:
        """Say what the next click does now."""
        said = self._prompt()
        shown = Prompt(said.text, self._keys.named(said.keys), said.warning)
        if shown != self._shown:
            self._shown = shown
            self.setToolTip("\n".join(filter(None, (shown.warning, shown.text, shown.keys))))
            self.update()

    def _prompt(self) -> Prompt:
        frame, busy = self._frame, self._notices.busy
        if busy and (frame.source is None or frame.key is None):
            return Prompt(busy)
        if self._context.is_playing:
            first, last = self._context.span
            return playing_prompt(last - first + 1)
        guessed = frame.guessed(self._options.unbelieved)
        said = prompt(
            frame.annotation,
            guessed,
            frame.bodypart,
            role=self._navigator.role if frame.key is not None else FrameRole.TRAIN,
            tool=self._options.tool,
            mode=self._options.label_mode,
            individuals=frame.individuals,
            read_only=self._projects.read_only,
        )
        if guessed is not None and guessed.copied_from is not None:
            copied = copied_sentence(guessed.copied_from, current=frame.key)
            return Prompt(said.text, said.keys, said.warning or copied)
        return said

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colours.background)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * _LARGER)
        font.setBold(True)
        x = self._draw(painter, font, _MARGIN, self._shown.warning, self._colours.holdout)
        x = self._draw(painter, font, x, self._shown.text, self._colours.text)
        font.setBold(False)
        font.setPointSizeF(self.font().pointSizeF())
        self._draw(painter, font, x, self._shown.keys, self._colours.dim)
        painter.end()

    def _draw(self, painter: QPainter, font: QFont, x: int, text: str, colour: Any) -> int:
        """Draw a part from ``x`` on and return where the next one begins."""
        if not text or x >= self.width() - _MARGIN:
            return x
        painter.setFont(font)
        painter.setPen(colour)
        room = self.width() - _MARGIN - x
        fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        area = self.rect().adjusted(x, 0, -_MARGIN, 0)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)
        return x + painter.fontMetrics().horizontalAdvance(text) + _GAP


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
