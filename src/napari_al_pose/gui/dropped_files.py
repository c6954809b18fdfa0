"""What is dropped on our own window: projects are opened, labels imported, videos added; the rest is napari's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QDropEvent

from napari_al_pose.domain.file_names import is_config, is_foreign, is_video
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.layers.napari_widgets import drop_target
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.project.known_videos import videos_in


class DroppedFiles(QObject):
    """Takes what is dropped on the canvas: projects, labels, videos; napari would make layers of them, or ask how to.

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
        wanted = _wanted(paths) if len(paths) == len(urls) else []
        if not wanted:
            return False
        event.acceptProposedAction()
        # The program that the files come from waits until the drop is over; questions come after it.
        QTimer.singleShot(0, self, lambda: self._actions.take_files(wanted))
        return True


def _wanted(paths: list[Path]) -> list[Path]:
    """Return what is taken of what was dropped: a project, a file of labels, or videos; nothing if it is napari's."""
    project = _project_of(paths)
    return _videos_of(paths) if project is None else [project]


def _project_of(paths: list[Path]) -> Path | None:
    """Return what is opened if all that was dropped belongs to one project: the project, or labels to be imported.

    Whoever comes from napari-deeplabcut drops a folder of ``labeled-data``, or what lies in it.
    """
    if len(paths) == 1 and paths[0].is_file() and (is_config(paths[0]) or is_foreign(paths[0])):
        return paths[0]
    found = {_root_around(path) for path in paths}
    return found.pop() if len(found) == 1 else None


def _root_around(path: Path) -> Path | None:
    """Return the folder of the project that a path is, or in whose ``labeled-data`` it lies."""
    if (path / "config.yaml").is_file():
        return path
    images = next((each for each in (path, *path.parents[:2]) if each.name == "labeled-data"), None)
    return None if images is None or not (images.parent / "config.yaml").is_file() else images.parent


def _videos_of(paths: list[Path]) -> list[Path]:
    """Return the videos, and those directly in the folders; none if anything else was dropped too."""
    found: list[Path] = []
    for path in paths:
        videos = videos_in(path) if path.is_dir() else [path] if is_video(path) and path.is_file() else []
        if not videos:
            return []
        found += videos
    return found
