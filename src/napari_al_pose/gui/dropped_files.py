"""What is dropped on our own window: projects are opened, labels imported, videos added; the rest is napari's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent, QGuiApplication

from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.layers.napari_widgets import drop_target, open_in_napari
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.project.to_open import NothingToOpen, ToOpen, what_to_open


class DroppedFiles(QObject):
    """Takes what is dropped on the canvas: projects, labels, videos; napari would make layers of them, or ask how to.

    A thread looks what it is, since disks may be far away. What is none of ours is given to napari then.

    Parameters
    ----------
    viewer : napari.Viewer
    actions : WindowActions
        Becomes the parent.
    options : ViewOptions
        Knows whether the window is ours; in napari's own, what is dropped is napari's.
    """

    def __init__(self, viewer: Any, actions: WindowActions, options: ViewOptions) -> None:
        super().__init__(actions)
        self._viewer, self._actions, self._options = viewer, actions, options
        self._background = Background("al-pose-dropped", self)
        target = drop_target(viewer)
        if target is not None:
            target.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Drop or not isinstance(event, QDropEvent) or not self._options.own_window:
            return False
        urls = event.mimeData().urls()
        if not urls or not all(url.isLocalFile() for url in urls):
            return False
        # Never a move, after which the program that the files come from may remove them.
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._look([Path(url.toLocalFile()) for url in urls], QGuiApplication.keyboardModifiers())
        return True

    def _look(self, paths: Sequence[Path], modifiers: Qt.KeyboardModifier) -> None:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        self._actions.progressed.emit(f"Looking at {paths[0].name}{more}…")
        self._background.run(
            lambda: what_to_open(paths), lambda found: self._take(found, paths, modifiers), self._actions.tell
        )

    def _take(self, found: ToOpen, paths: Sequence[Path], modifiers: Qt.KeyboardModifier) -> None:
        self._actions.progressed.emit("")
        stack = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        choose_plugin = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        if isinstance(found, NothingToOpen) and (found.may_be_others or stack or choose_plugin):
            open_in_napari(self._viewer, paths, stack=stack, choose_plugin=choose_plugin)
        else:
            self._actions.take(found)
