"""The keys, as a table; panels list them from here."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari_al_pose.gui.layers import LayerStack
    from napari_al_pose.gui.session import Session


FIRST_REPEAT_MS = 300
REPEAT_MS = 60


@dataclass(frozen=True, slots=True)
class Key:
    """One action and the keys that do it.

    Parameters
    ----------
    keys : tuple of str
        As napari writes them; all do the same.
    title : str
        For the user.
    action : str
        Method of `Session`, or of `LayerStack` with the prefix ``"layers."``.
    arguments : tuple
        Passed to it.
    repeats : bool
        Whether it goes on while the key is held.
    """

    keys: tuple[str, ...]
    title: str
    action: str
    arguments: tuple[Any, ...] = ()
    repeats: bool = False


# napari-deeplabcut's keys wherever it has one; Space, napari's own, is left alone.
KEYS: tuple[Key, ...] = (
    Key(("N",), "Next suggested frame", "next_suggestion"),
    Key(("Shift-N",), "Previous suggested frame", "previous_suggestion"),
    Key(("S", "Down"), "Next bodypart", "next_bodypart"),
    Key(("W", "Up"), "Previous bodypart", "previous_bodypart"),
    Key(("D",), "Next frame", "step", (1,), repeats=True),
    Key(("A",), "Previous frame", "step", (-1,), repeats=True),
    Key(("Shift-D",), "Ten frames on", "step", (10,), repeats=True),
    Key(("Shift-A",), "Ten frames back", "step", (-10,), repeats=True),
    Key(("Alt-Right",), "Next labelled frame", "next_labelled"),
    Key(("Alt-Left",), "Previous labelled frame", "previous_labelled"),
    Key(("Enter",), "Accept the model's guess", "accept_guess"),
    Key(("X",), "Bodypart not visible", "mark_not_visible"),
    Key(("Backspace", "Delete"), "Clear the bodypart", "clear"),
    Key(("Control-Z",), "Undo", "undo"),
    Key(("Control-Shift-Z",), "Redo", "redo"),
    Key(("H",), "Scoremap on and off", "toggle_scoremap"),
    Key(("T",), "Names on and off", "layers.toggle_names"),
    Key(("L",), "Learn", "learn"),
)


class Repeater(QObject):
    """Does an action again and again while its key is held; napari does so for arrow keys only.

    Parameters
    ----------
    parent : QObject
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._action: Callable[[], None] | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._again)

    def start(self, action: Callable[[], None]) -> None:
        """Do ``action`` now and again until `stop`."""
        self._action = action
        self._timer.start(FIRST_REPEAT_MS)
        action()

    def stop(self) -> None:
        """The key was released."""
        self._timer.stop()
        self._action = None

    def _again(self) -> None:
        # A window that loses the focus never hears of the release.
        active = QApplication.applicationState() == Qt.ApplicationState.ApplicationActive
        if self._action is None or not active:
            self.stop()
            return
        self._timer.setInterval(REPEAT_MS)
        self._action()


class KeyBindings(QObject):
    """Binds the table on the viewer and on our layers.

    napari asks the active layer before the viewer, and a Points layer has keys of its own (1 to 5, A, S, Delete...),
    so each of our layers gets the table too; layers that are not ours keep their keys.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    session : Session
        Becomes the parent.
    stack : LayerStack
    """

    def __init__(self, viewer: Any, session: Session, stack: LayerStack) -> None:
        super().__init__(session)
        self._viewer_ref = weakref.ref(viewer)
        self._session = session
        self._stack = stack
        self._repeater = Repeater(self)
        self._replaced = {name: viewer.bind_key(name, callback, overwrite=True) for name, callback in self._callbacks()}
        stack.built.connect(self._bind_layers)

    def unbind(self) -> None:
        """Give the viewer back the keys it had."""
        self._repeater.stop()
        viewer = self._viewer_ref()
        if viewer is not None:
            for name, before in self._replaced.items():
                viewer.bind_key(name, before, overwrite=True)

    def _bind_layers(self) -> None:
        for layer in self._stack.layers:
            for name, callback in self._callbacks():
                layer.bind_key(name, callback, overwrite=True)

    def _callbacks(self) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        for key in KEYS:
            action = self._action(key)
            for name in key.keys:
                yield name, self._held(action) if key.repeats else self._pressed(action)

    def _action(self, key: Key) -> Callable[[], None]:
        target: Any = self._session
        name = key.action
        if name.startswith("layers."):
            target, name = self._stack, name.removeprefix("layers.")
        method = getattr(target, name)
        return lambda: method(*key.arguments)

    @staticmethod
    def _pressed(action: Callable[[], None]) -> Callable[[Any], None]:
        return lambda _owner: action()

    def _held(self, action: Callable[[], None]) -> Callable[[Any], Iterator[None]]:
        def hold(_owner: Any) -> Iterator[None]:
            self._repeater.start(action)
            yield
            self._repeater.stop()

        return hold
