"""What is dropped on our own window: a project is opened, videos are added; everything else is napari's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QDropEvent

from napari_al_pose.domain.file_names import is_config, is_sleap, is_video
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.layers.napari_widgets import drop_target
from napari_al_pose.gui.state.view_options import ViewOptions


class DroppedFiles(QObject):
    """Takes projects and videos that are dropped on the canvas; napari would make layers of them, or ask how to.

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
        self._actions, self._options = actions, options
        target = drop_target(viewer)
        if target is not None:
            target.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Drop or not isinstance(event, QDropEvent) or not self._options.own_window:
            return False
        urls = event.mimeData().urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        if len(paths) != len(urls) or not self._takes(paths):
            return False
        event.acceptProposedAction()
        # The program that the files come from waits until the drop is over; questions come after it.
        QTimer.singleShot(0, self, lambda: self._actions.take_files(paths))
        return True

    @staticmethod
    def _takes(paths: list[Path]) -> bool:
        are_videos = all(path.is_file() and is_video(path) for path in paths)
        return bool(paths) and (are_videos or (len(paths) == 1 and _is_project(paths[0])))


def _is_project(path: Path) -> bool:
    return (path / "config.yaml").is_file() or (path.is_file() and (is_config(path) or is_sleap(path)))
