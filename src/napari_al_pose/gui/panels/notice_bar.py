"""The bar that shows messages to the user."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

_bars: WeakKeyDictionary[Any, NoticeBar] = WeakKeyDictionary()


_INFO_MS = 10_000


class NoticeBar(QFrame):
    """A message at the top of the dock; an error stays until it is dismissed or the next message comes.

    napari's own notifications fade after a few seconds; what went wrong must still be there when the user looks up.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = close = QToolButton()
        close.setText("✕")
        close.setAutoRaise(True)
        close.setToolTip("Dismiss")
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 4, 4)
        row.addWidget(self._label, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._fade = QTimer(self, singleShot=True, interval=_INFO_MS)
        self._fade.timeout.connect(self.hide)
        self.hide()
        _bars[_unwrapped(viewer)] = self

    @property
    def text(self) -> str:
        """The message, as rich text; empty before the first."""
        return self._label.text()

    def show_message(self, message: str, hint: str, *, is_error: bool) -> None:
        """Show ``message`` with ``hint`` below it."""
        self.setProperty("part", "error" if is_error else "info")
        for widget in (self, self._label, self._close):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setText(f"{message}\n{hint}" if hint else message)
        self.show()
        if is_error:
            self._fade.stop()
        else:
            self._fade.start()


def show_notice(viewer: Any, message: str, hint: str = "", *, is_error: bool = False) -> None:
    """Tell the user of ``viewer`` something: in the dock's message bar, and as napari's notification.

    An error of the user's (a missing file, a read-only folder) is a warning to napari, which keeps its error
    window with a traceback for faults of ours.

    Parameters
    ----------
    viewer : napari.Viewer
        Or its `PublicOnlyProxy`.
    message : str
        What happened, naming the file.
    hint : str, optional
        What to do about it.
    is_error : bool
        Whether something failed.
    """
    bar = _bars.get(_unwrapped(viewer))
    if bar is not None:
        bar.show_message(message, hint, is_error=is_error)
    (show_warning if is_error else show_info)(f"{message} {hint}".strip())


def _unwrapped(viewer: Any) -> Any:
    return getattr(viewer, "__wrapped__", viewer)
