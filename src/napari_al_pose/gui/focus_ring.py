"""A line around what has the keyboard, in our panels; napari's style sheet draws none that can be seen."""

from __future__ import annotations

from contextlib import suppress

from qtpy.QtCore import QEvent, QObject, QRectF, Qt, Slot
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QApplication, QWidget

_WIDTH_PX, _RADIUS_PX = 2, 3


class FocusRing(QObject):
    """Follows the keyboard through the panels, and takes no room in them.

    Parameters
    ----------
    parent : QWidget
        The first of the panels.
    colour : QColor
    """

    def __init__(self, parent: QWidget, colour: QColor) -> None:
        super().__init__(parent)
        self.panels: list[QWidget] = [parent]
        self._colour = colour
        self._line: _Line | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._follow)

    @property
    def around(self) -> QWidget | None:
        """What has the keyboard, if it is one of the panels' controls."""
        return None if self._line is None else self._line.target

    def set_colour(self, colour: QColor) -> None:
        """Paint with another theme."""
        self._colour = colour
        if self._line is not None:
            self._line.set_colour(colour)

    @Slot(QWidget, QWidget)
    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        if self._line is not None:
            with suppress(RuntimeError):  # gone with the panel that it was in
                self._line.deleteLater()
            self._line = None
        panel = None if now is None else next((each for each in self.panels if each.isAncestorOf(now)), None)
        if panel is not None and now is not None:
            self._line = _Line(now, self._colour)


class _Line(QWidget):
    def __init__(self, target: QWidget, colour: QColor) -> None:
        super().__init__(target)
        self.target, self._colour = target, colour
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        target.installEventFilter(self)
        self.resize(target.size())
        self.show()

    def set_colour(self, colour: QColor) -> None:
        """Paint in another colour."""
        self._colour = colour
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.resize(self.target.size())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        inset = _WIDTH_PX / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = painter.pen()
        pen.setColor(self._colour)
        pen.setWidth(_WIDTH_PX)
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), _RADIUS_PX, _RADIUS_PX)
        painter.end()
