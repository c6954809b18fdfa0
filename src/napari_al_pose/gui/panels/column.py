"""The dock's sections one below the other, made to fit the dock's height before anything has to be scrolled."""

from __future__ import annotations

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_al_pose.gui.panels.bodyparts import BodypartPanel
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.panels.why import WhyPanel

_SPACING = 8
LOW = 640
"""Pixels of height below which every section takes as little as it can: a laptop's screen leaves 540."""


class PanelColumn(QWidget):
    """The sections; the list of bodyparts gives way first, then the queue, which takes all room that is left.

    Parameters
    ----------
    above : QWidget
        The header.
    bodyparts : BodypartPanel
    queue : QueuePanel
    why : WhyPanel
        Under the queue.
    checks : QWidget
        Takes the place of queue and reasons while labels are checked.
    """

    def __init__(
        self, above: QWidget, bodyparts: BodypartPanel, queue: QueuePanel, why: WhyPanel, *, checks: QWidget
    ) -> None:
        super().__init__()
        self._bodyparts = bodyparts
        self._queue = queue
        self._why = why
        self._others = [above, why]
        self._checks = checks
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(_SPACING)
        for panel in (above, bodyparts, queue, why):
            self._column.addWidget(panel)
        self._column.addWidget(checks, 1)
        self._column.addStretch(0)
        checks.hide()
        queue.folded.connect(self._stretch)
        # Not with every change of the layout: what is pressed from frame to frame must stay where it is.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._fit_settled)
        bodyparts.rowsWanted.connect(self._soon.start)
        for section in (queue, bodyparts, why):
            section.folded.connect(self._soon.start)
        self._stretch()

    def show_checks(self, on: bool) -> None:
        """Show the labels to check in the place of queue and reasons; what is above stays where it is."""
        self._queue.setVisible(not on)
        self._why.setVisible(not on)
        self._checks.setVisible(on)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
        self._soon.start()

    def event(self, event: QEvent) -> bool:
        view = self.parentWidget()
        if event.type() == QEvent.Type.ParentChange and view is not None:
            view.installEventFilter(self)
        elif event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._soon.start()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hear of less room too: a column that is as low as it can be is not resized with what it is seen through."""
        if watched is self.parentWidget() and event.type() == QEvent.Type.Resize:
            self._soon.start()
        return False

    def _stretch(self, *_folded: bool) -> None:
        self._column.setStretchFactor(self._queue, 0 if self._queue.is_folded else 1)

    @property
    def _room(self) -> int:
        view = self.parentWidget()
        return 0 if view is None else view.height()

    def _fit_settled(self) -> None:
        """Fit once every panel knows what height it needs: until then the sums are those of the panels before."""
        self._take_height()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        self.fit()

    def _take_height(self) -> None:
        for panel in (self._queue, self._why):
            panel.set_low(self._room < LOW)

    def fit(self) -> None:
        """Give the list of bodyparts as many rows as there is room for."""
        if not self._room:
            return
        self._take_height()
        heights = [_height(panel) for panel in (*self._others, self._queue)]
        self._bodyparts.fit(self._room - self._queue.room_wanted - sum(heights) - _SPACING * len(heights))


def _height(panel: QWidget) -> int:
    if panel.hasHeightForWidth():
        return panel.heightForWidth(panel.width())
    return panel.minimumSizeHint().height()
