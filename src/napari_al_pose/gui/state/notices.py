"""What the user must read: messages, and the line about what is being opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.state.key_choices import KeyChoices


class Notices(QObject):
    """The one place where the parts of a session say something to the user; the window shows it.

    Parameters
    ----------
    keys : KeyChoices
        Named in hints.
    """

    raised = Signal(str, str, bool)
    """Message, hint (what to do about it), and whether something failed."""
    withdrawn = Signal(str)
    """A message that no longer holds, because its cause is gone."""
    busyChanged = Signal()

    def __init__(self, keys: KeyChoices) -> None:
        super().__init__()
        self._keys = keys
        self._busy = ""
        self._written: Path | None = None

    @property
    def written(self) -> Path | None:
        """What was written, while a message about it is raised; None with every other message."""
        return self._written

    @property
    def busy(self) -> str:
        """What is being opened ("Opening mouse1: 40 %"); empty while nothing is."""
        return self._busy

    def set_busy(self, text: str) -> None:
        """Say what is being opened, or with an empty text that nothing is any more."""
        if text != self._busy:
            self._busy = text
            self.busyChanged.emit()

    @Slot(str, str)
    def tell(self, message: str, hint: str = "") -> None:
        """Tell the user what happened; each ``{name}`` of an action in ``hint`` becomes the key that does it now."""
        self.raised.emit(message, self._keys.named(hint), False)

    def tell_written(self, message: str, path: Path, hint: str = "") -> None:
        """Tell the user that ``path`` was written; the window offers to open its folder."""
        self._written = path
        try:
            self.tell(message, hint)
        finally:
            self._written = None

    @Slot(str, str)
    def warn(self, message: str, hint: str = "") -> None:
        """Tell the user that something went wrong."""
        self.raised.emit(message, hint, True)

    def withdraw(self, message: str) -> None:
        """Take a message back, because its cause is gone."""
        self.withdrawn.emit(message)

    def refuse(self, error: AlPoseError) -> None:
        """Tell the user why something could not be done; nothing is being opened any more."""
        self.set_busy("")
        self.warn(error.message, error.hint)

    @contextmanager
    def warning(self) -> Iterator[None]:
        """Turn an `AlPoseError` raised in the ``with`` block into a message."""
        try:
            yield
        except AlPoseError as error:
            self.warn(error.message, error.hint)
