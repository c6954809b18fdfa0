"""The way through a video: one frame on or back, playing, and a field for a frame's number."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal, Slot
from qtpy.QtGui import QIntValidator, QKeyEvent
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QToolButton, QWidget

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views import FrameAxis, describe_place
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.widgets import KeyTip, label, tool_button

_MOST = 2**31 - 1
_SIDE = 24


class Transport(QWidget):
    """Buttons and field, with what is known of the frame's place beside them.

    Parameters
    ----------
    frame : CurrentFrame
    navigator : Navigator
    keys : KeyChoices
    """

    playWanted = Signal()
    """The video is to be played, or to be stopped."""

    def __init__(
        self, frame: CurrentFrame, navigator: Navigator, *, keys: KeyChoices, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._frame, self._navigator = frame, navigator
        self._axis = FrameAxis(0)
        self._back = _icon_button("back", "Previous frame", lambda: navigator.step(-1))
        self._play = _icon_button("play", "Play", self.playWanted.emit)
        self._play.setCheckable(True)
        self._on = _icon_button("on", "Next frame", lambda: navigator.step(1))
        for made in (self._back, self._on):
            made.setAutoRepeat(True)
        KeyTip(self._back, "Previous frame ({step -1}; ten back: {step -10})", keys)
        KeyTip(self._play, "Play from here, or stop ({layers.toggle_play})", keys)
        KeyTip(self._on, "Next frame ({step 1}; ten on: {step 10})", keys)
        self._number = self._number_field()
        self._place = label("", "dim")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for widget in (self._back, self._play, self._on):
            row.addWidget(widget)
        row.addSpacing(6)
        row.addWidget(self._number)
        row.addSpacing(2)
        row.addWidget(self._place)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        navigator.playingChanged.connect(self._show_playing)

    @property
    def place(self) -> str:
        """What is shown, in one line: "240 of 600 · 0:08.0"."""
        return f"{self._number.text()} {self._place.text()}"

    def show_place(self, axis: FrameAxis, position: int) -> None:
        """Show where the user is."""
        if axis is not self._axis:
            self._axis = axis
            self._keep_width()
        there = position >= 0
        self._number.setEnabled(there)
        self._number.setText(str(axis.number(position)) if there else "")
        self._place.setText(describe_place(axis, position))
        for made in (self._back, self._play, self._on):
            made.setEnabled(there)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Restore the number when Escape is pressed or the field loses the focus."""
        escapes = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and escapes:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress and escapes:
            self.show_place(self._axis, self._frame.position)
            self._number.clearFocus()
            return True
        elif event.type() == QEvent.Type.FocusOut:
            self.show_place(self._axis, self._frame.position)
        return False

    def _number_field(self) -> QLineEdit:
        made = QLineEdit()
        made.setValidator(QIntValidator(0, _MOST, made))
        made.setAlignment(Qt.AlignmentFlag.AlignRight)
        made.setToolTip("Frame number. Type another one, then Enter, to go there")
        made.setAccessibleName("Frame number")
        made.returnPressed.connect(self._go)
        made.installEventFilter(self)
        return made

    @Slot()
    def _go(self) -> None:
        """Go to the typed frame, and return the keyboard to the canvas."""
        text, current = self._number.text(), self._frame.key
        if text and current is not None and self._axis.n_positions:
            position = self._axis.nearest(int(text))
            self._navigator.go_to(FrameKey(current.video, self._axis.number(position)))
        self._number.clearFocus()

    @Slot(bool)
    def _show_playing(self, playing: bool) -> None:
        self._play.setChecked(playing)

    def _keep_width(self) -> None:
        """Make room for the last frame of the video, so that nothing moves while it plays."""
        last = max(self._axis.n_positions - 1, 0)
        metrics = self.fontMetrics()
        digits = "0" * max(3, len(str(self._axis.number(last) if self._axis.n_positions else 0)))
        self._number.setFixedWidth(metrics.horizontalAdvance(digits) + 16)
        self._place.setMinimumWidth(metrics.horizontalAdvance(describe_place(self._axis, last)) + 4)


def _icon_button(icon: str, name: str, clicked: Any) -> QToolButton:
    made = tool_button("", "", part="transport")
    made.setProperty("icon_name", icon)
    made.setAccessibleName(name)
    made.setFixedSize(_SIDE, _SIDE)
    made.clicked.connect(lambda _checked=False: clicked())
    return made
