"""The bars over and above the dock: messages, and what is wrong with the video in front of the user."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt, QTimer, QUrl, Slot
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from napari_al_pose.domain.views.formatting import short_paths
from napari_al_pose.gui.video_check import VideoCheck
from napari_al_pose.gui.widgets import CalmBar, button, label

_INFO_MS, _MS_PER_CHARACTER = 10_000, 80
"""How long a message stays: a long one takes longer to read."""
_MARGIN = 6


class NoticeBar(QFrame):
    """A message near the foot of the dock; an error stays until it is dismissed, put right, or the next one comes.

    Long paths are shortened in their middle; the tooltip has them whole. The bar lies over the dock instead of in its
    layout: whoever is about to press something must not see it move.

    Parameters
    ----------
    dock : QWidget
        What the bar lies over; becomes the parent.
    above : QWidget, optional
        A part of the dock at its foot that stays in sight.
    """

    def __init__(self, dock: QWidget, above: QWidget | None = None) -> None:
        super().__init__(dock)
        self._above = above
        self._message = self._text = ""
        self._is_error = False
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = close = QToolButton()
        close.setText("✕")
        close.setAutoRaise(True)
        close.setToolTip("Dismiss")
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.clicked.connect(self.hide)
        self._folder = Path()
        self._open = button("Open folder", "", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder))))
        texts = QVBoxLayout()
        texts.setSpacing(4)
        texts.addWidget(self._label)
        texts.addWidget(self._open, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 6)
        row.addLayout(texts, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._fade = QTimer(self, singleShot=True)
        self._fade.timeout.connect(self.hide)
        dock.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """The message with its hint, in full; empty before the first."""
        return self._text

    def show_message(self, message: str, hint: str, *, is_error: bool, written: Path | None = None) -> None:
        """Show ``message`` with ``hint`` below it, and the way to the folder of what was ``written``."""
        self._message, self._text = message, f"{message}\n{hint}" if hint else message
        self._is_error = is_error
        if written is not None:
            self._folder = written if written.is_dir() else written.parent
        self._open.setVisible(written is not None)
        self._open.setToolTip(str(self._folder))
        self.setProperty("part", "error" if is_error else "info")
        for widget in (self, self._label, self._close):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        self._label.setText(short_paths(self._text))
        self._label.setToolTip(self._text if self._label.text() != self._text else "")
        self._place()
        self.show()
        self.raise_()
        if is_error:
            self._fade.stop()
        else:
            self._fade.start(max(_INFO_MS, _MS_PER_CHARACTER * len(self.text)))

    @Slot(str)
    def withdraw(self, message: str) -> None:
        """Put ``message`` away if it is the one on show."""
        if message == self._message:
            self.hide()

    @Slot()
    def leave(self) -> None:
        """Put away what was said of a project that is left; what failed stays."""
        if not self._is_error:
            self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        dock = self.parentWidget()
        if dock is None:
            return
        width = dock.width() - 2 * _MARGIN
        rows = self.layout()
        if rows is not None:
            rows.invalidate()
            rows.activate()  # the layout within it too: what is shown has changed
        height = min(max(self.heightForWidth(width), self.minimumSizeHint().height()), dock.height() - 2 * _MARGIN)
        foot = dock.height()
        if self._above is not None and not self._above.isHidden():
            foot -= self._above.height() + _MARGIN
        self.setGeometry(_MARGIN, foot - height - _MARGIN, width, height)


class VideoCheckBar(QFrame):
    """Hidden while there is nothing to say.

    Parameters
    ----------
    check : VideoCheck
    """

    def __init__(self, check: VideoCheck) -> None:
        super().__init__()
        self._check = check
        self.setProperty("part", "info")
        self.message = label("", "warning", wrap=True)
        self.copy = button("Make an exact copy", "Saved beside the original, which stays as it is", check.make_copy)
        self.forwards = button(
            "Decode forwards", "Exact without a copy, but jumps backwards are slow", check.decode_forwards
        )
        self.progress = CalmBar()
        self.progress.setTextVisible(False)
        self.cancel = button("Cancel", "Stop copying; nothing is left behind", check.cancel_copy)
        buttons = QHBoxLayout()
        for widget in (self.copy, self.forwards, self.progress, self.cancel):
            buttons.addWidget(widget)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(8, 4, 8, 4)
        rows.addWidget(self.message)
        rows.addLayout(buttons)
        check.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the check's view."""
        view = self._check.view
        copies = view.percent >= 0
        self.setVisible(bool(view.message))
        self.message.setText(view.message)
        for widget in (self.copy, self.forwards):
            widget.setVisible(view.offers)
        self.progress.setVisible(copies)
        self.cancel.setVisible(copies)
        self.progress.setValue(max(view.percent, 0))
