"""The keys of the table, bound where napari looks for them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from napari.layers import Points
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import QObject, Qt, QTimer, Slot
from qtpy.QtWidgets import QApplication

from napari_al_pose.gui.commands import Commands
from napari_al_pose.gui.key_table import HELP, with_shift
from napari_al_pose.gui.layers import LayerStack

FIRST_REPEAT_MS = 300
REPEAT_MS = 60


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

    @property
    def is_running(self) -> bool:
        """Whether a key is held."""
        return self._timer.isActive()

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
    so each of our layers gets the table too; layers that are not ours keep their keys, and while one of them is
    active the viewer keeps its own too.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    commands : Commands
    stack : LayerStack
        Its layers are bound whenever they are made. Becomes the parent.
    """

    def __init__(self, viewer: Any, commands: Commands, stack: LayerStack) -> None:
        super().__init__(stack)
        self._viewer_ref = weakref.ref(viewer)
        self._commands = commands
        self._stack = stack
        self._repeater = Repeater(self)
        self._replaced: dict[str, Any] = {}
        self._bind()
        stack.built.connect(self._bind_layers)
        commands.keys.changed.connect(self._rebind)

    @property
    def is_repeating(self) -> bool:
        """Whether a key is held whose action is done again and again."""
        return self._repeater.is_running

    @Slot()
    def unbind(self) -> None:
        """Give the viewer back the keys it had."""
        self._repeater.stop()
        viewer, replaced = self._viewer_ref(), self._replaced
        self._replaced = {}
        if viewer is not None:
            for name, before in replaced.items():
                viewer.bind_key(name, before, overwrite=True)

    @Slot()
    def _rebind(self) -> None:
        self.unbind()
        self._bind()
        self._bind_layers()

    def _bind(self) -> None:
        viewer = self._viewer_ref()
        if viewer is not None:
            for name, callback in self._callbacks():
                own = _class_binding(viewer, name)
                self._replaced[name] = viewer.bind_key(name, self._unless_foreign(callback, own), overwrite=True)

    def _bind_layers(self) -> None:
        ours = dict(self._callbacks())
        for layer in self._stack.layers:
            layer.keymap = {}
            for name, callback in ours.items():
                layer.bind_key(name, callback, overwrite=True)
            if isinstance(layer, Points):
                # napari's own would add to and delete from layers that mirror the label store.
                for binding in _class_keys(layer):
                    if binding not in layer.keymap:
                        layer.bind_key(binding, _do_nothing, overwrite=True)

    def _unless_foreign(self, callback: Callable[[Any], Any], own: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
        """Return ``callback``, but napari's ``own`` while a layer that is not ours is active."""
        if own is None:
            return callback

        def choose(viewer: Any) -> Any:
            active = viewer.layers.selection.active
            return (callback if active is None or active in self._stack.layers else own)(viewer)

        return choose

    def _callbacks(self) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        bound = list(self._commands.bound())
        taken = {name for key, _ in bound for name in key.keys}
        for key, command in bound:
            shifted = {with_shift(name) for name in key.keys if name.isdigit()} - taken
            for name in (*key.keys, *shifted):
                if name != HELP:
                    yield name, self._held(command) if key.repeats else self._pressed(command)

    @staticmethod
    def _pressed(action: Callable[[], None]) -> Callable[[Any], None]:
        return lambda _owner: action()

    def _held(self, action: Callable[[], None]) -> Callable[[Any], Iterator[None]]:
        def hold(_owner: Any) -> Iterator[None]:
            self._repeater.start(action)
            yield
            self._repeater.stop()

        return hold


def _do_nothing(_owner: Any) -> None:
    """Stand in for a key of napari's; its own blocker, ``...``, ends in an error in napari 0.9 with every key."""


def _class_keys(provider: Any) -> set[Any]:
    """Return the keys napari itself has bound for objects of this kind."""
    return {key for cls in type(provider).__mro__ for key in getattr(cls, "class_keymap", {}) if key is not ...}


def _class_binding(provider: Any, name: str) -> Callable[[Any], Any] | None:
    """Return what napari itself does on the key ``name``."""
    wanted = coerce_keybinding(name)
    maps = (getattr(cls, "class_keymap", {}) for cls in type(provider).__mro__)
    found = next((keymap[wanted] for keymap in maps if wanted in keymap), None)
    return found if callable(found) else None
