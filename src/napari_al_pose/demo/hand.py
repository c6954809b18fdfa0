"""A hand on the mouse and the keyboard, for the window around the canvas: buttons, menus, fields, file dialogs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QScrollArea,
    QWidget,
)

from napari_al_pose.demo.annotator import WaitedTooLongError, wait_until

W = TypeVar("W", bound=QWidget)

_LOOK_AGAIN_MS = 100
_LOOKS = 100
_LEFT = Qt.MouseButton.LeftButton


class Hand:
    """Finds what a person sees by the text it shows, and clicks and types there.

    Attributes
    ----------
    clicks, keys : int
        Clicks, and keys pressed by themselves.
    fields : int
        Fields that were filled in, however long their text.
    """

    def __init__(self) -> None:
        self.clicks = 0
        self.keys = 0
        self.fields = 0
        self._waits = 0
        self._failed = ""

    def press(self, text: str, *, within: QWidget | None = None, seconds: float = 20.0) -> None:
        """Click on the button that shows ``text``, once it can be pressed."""
        found: list[QAbstractButton] = []

        def there() -> bool:
            found[:] = [
                each for each in shown(QAbstractButton, within) if plain(each.text()) == text and each.isEnabled()
            ]
            return bool(found)

        wait_until(there, seconds=seconds, what=f"the button {text!r}")
        self.click(found[0])

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Click on a widget, in its middle if not told where; it is scrolled to first."""
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QScrollArea):
                parent.ensureWidgetVisible(widget)
            parent = parent.parentWidget()
        self.clicks += 1
        QTest.mouseClick(widget, _LEFT, Qt.KeyboardModifier.NoModifier, at or widget.rect().center())
        QApplication.processEvents()

    def choose(self, button: str, entry: str) -> None:
        """Open the menu of a button and click on the entry that shows ``entry``."""
        self._later(lambda: self._take(entry), f"the menu entry {entry!r}")
        self.press(button)
        self._until_done()

    def fill(self, field: QLineEdit | QPlainTextEdit, text: str) -> None:
        """Click into a field and type; what was there goes."""
        self.click(field if isinstance(field, QLineEdit) else field.viewport())
        self.fields += 1
        field.selectAll()
        QTest.keyClick(field, Qt.Key.Key_Delete)
        for number, part in enumerate(text.split("\n")):
            if number:
                QTest.keyClick(field, Qt.Key.Key_Return)
            QTest.keyClicks(field, part)
        QApplication.processEvents()

    def type(self, field: QLineEdit, text: str) -> None:
        """Type into a field that has the cursor already, and press Enter."""
        self.fields += 1
        self.keys += 1
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        QApplication.processEvents()

    def answer_file_dialog(self, path: Path) -> None:
        """Type ``path`` into the next file dialog and press Enter; call it before what opens the dialog."""

        def answer() -> bool:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                return False
            field = next(shown(QLineEdit, dialog), None)
            if field is None:
                return False
            several = dialog.fileMode() == QFileDialog.FileMode.ExistingFiles
            self.fill(field, f'"{path}"' if several else str(path))
            popup = QApplication.activePopupWidget()
            if popup is not None:  # the list of completions, which takes Enter
                popup.hide()
            self.keys += 1
            QTest.keyClick(field, Qt.Key.Key_Return)
            return not dialog.isVisible()  # a slow one may only have gone to the folder: once more

        self._later(answer, "a file dialog")

    def _take(self, entry: str) -> bool:
        menu = QApplication.activePopupWidget()
        if not isinstance(menu, QMenu):
            return False
        for action in menu.actions():
            if plain(action.text()).partition("\t")[0] == entry:
                at = menu.actionGeometry(action).center()
                QTest.mouseMove(menu, at)
                self.clicks += 1
                QTest.mouseClick(menu, _LEFT, Qt.KeyboardModifier.NoModifier, at)
                return True
        return False

    def _later(self, act: Callable[[], bool], what: str, looks: int = 0) -> None:
        """Act once it can be done, from inside whatever loop the window is in by then."""

        def look() -> None:
            if act():
                self._waits -= 1
            elif looks >= _LOOKS:
                self._waits -= 1
                self._failed = what
                for popup in filter(None, (QApplication.activePopupWidget(), QApplication.activeModalWidget())):
                    popup.close()
            else:
                self._waits -= 1
                self._later(act, what, looks + 1)

        self._waits += 1
        QTimer.singleShot(_LOOK_AGAIN_MS, look)

    def _until_done(self) -> None:
        """Wait for what is still to be done later; whatever it opens is open by then.

        Raises
        ------
        WaitedTooLongError
            If it could not be done.
        """
        wait_until(lambda: self._waits == 0, seconds=2 * _LOOKS * _LOOK_AGAIN_MS / 1000, what="the hand")
        if self._failed:
            raise WaitedTooLongError(f"Waited in vain for {self._failed}.")


def shown(kind: type[W], within: QWidget | None = None) -> Iterator[W]:
    """Yield the visible widgets of a kind, those of the newest dialog first."""
    windows: list[Any] = [within] if within is not None else list(reversed(QApplication.topLevelWidgets()))
    for window in windows:
        if window.isVisible():
            yield from (each for each in window.findChildren(kind) if each.isVisible())


def plain(text: str) -> str:
    """Return a button's text without the marks of its shortcut."""
    return text.replace("&", "")
