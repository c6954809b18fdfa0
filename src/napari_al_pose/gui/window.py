"""The napari window with the labeller docked in it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import is_foreign
from napari_al_pose.gui.splash import Splash

if TYPE_CHECKING:
    from napari_al_pose.gui.dock import PoseLabeller
    from napari_al_pose.gui.state.session import Session
    from napari_al_pose.project.to_open import ToOpen

PLUGIN = "napari-al-pose"
WIDGET = "Active-learning pose labeller"
SIZE = (1500, 950)


def open_window(project: Path | None = None, *, show: bool = True, is_program: bool = False) -> tuple[Any, Session]:
    """Open a napari viewer with the labeller docked, on ``project`` if given.

    Parameters
    ----------
    project : Path, optional
        Its folder or ``config.yaml``.
    show : bool
        Whether the window is put on screen.
    is_program : bool
        Whether the process serves this window and nothing else. Then Python never searches for garbage among what
        napari and we are made of.

    Returns
    -------
    viewer : napari.Viewer
    session : Session

    Raises
    ------
    AlPoseError
        If there is no Qt, no display, or no project at ``project``.
    """
    if project is not None:
        check_project(project)
    viewer, dock = _open_window(project, show=show, is_program=is_program)
    return viewer, dock.session


def _open_window(project: Path | None, *, show: bool, is_program: bool) -> tuple[Any, PoseLabeller]:
    _check_display()
    with _collecting_nothing(freeze=is_program):
        viewer, dock = _new_window()
        if show:
            _show(viewer)
    if project is not None:
        # Last, so that the window is painted before what is in the project takes its time.
        dock.session.projects.open_project(project)
    return viewer, dock


def _new_window() -> tuple[Any, PoseLabeller]:
    """Return viewer and dock of a window that is shown once everything is in place.

    So nothing is laid out twice, and nobody sees napari's window without ours.
    """
    try:
        import napari
    except ImportError as error:
        raise AlPoseError(f"napari can't be imported: {error}.", 'pip install "napari-al-pose[all]"') from error
    viewer = napari.Viewer(title="napari-al-pose", show=False, show_welcome_screen=False)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    dock.session.options.arrange_own_window()
    return viewer, dock


def _show(viewer: Any) -> None:
    """Show the window, in our size where nobody has chosen another, and never larger than the screen.

    napari gives it the size of before, maybe of a larger screen. Without one it asks the panels, and then the window's
    foot was below that of a laptop's screen. There is none at the first start, nor where no window was ever closed:
    a program that is ended in its terminal saves no size.
    """
    from napari.settings import get_settings

    is_known = get_settings().application.window_size is not None
    viewer.window.show()
    there = viewer.window.geometry()[2:]
    wanted = _fitting(there if is_known else SIZE)
    if wanted != tuple(there):
        viewer.window.resize(*wanted)


@contextmanager
def _collecting_nothing(*, freeze: bool) -> Iterator[None]:
    """Pause Python's garbage collector: it would find nothing, and it takes an eighth of a start.

    From then on, the session's `GarbageCollection` collects.
    """
    gc.disable()
    try:
        yield
    except BaseException:
        gc.enable()
        raise
    if freeze:
        gc.freeze()


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size, limited to the screen."""
    from qtpy.QtGui import QGuiApplication

    there = QGuiApplication.primaryScreen().availableGeometry()
    return min(size[0], there.width()), min(size[1], there.height())


def run_window(paths: Sequence[Path] = ()) -> None:
    """Open the window and serve it until it is closed; then say where the labels are.

    Parameters
    ----------
    paths : sequence of Path
        A project's folder or ``config.yaml``, another program's labels, or videos (or folders of them) for a new
        project; see `napari_al_pose.project.to_open`.

    Raises
    ------
    AlPoseError
        If they are none of these, or there is no display.
    """
    found, project = _found_at(paths) if paths else (None, None)
    _check_display()
    text = "Opening the window…" if project is None else f"Opening {_root_of(project).name}…"
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    with Splash(text) as splash:
        _viewer, dock = _open_window(project, show=True, is_program=True)
        import napari
        from qtpy.QtCore import QCoreApplication, QTimer
        from qtpy.QtWidgets import QApplication

        # Qt asks its windows once more before it quits, and stays if one is not yet taken apart: a window that was
        # closed while its project was being read left a process behind.
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.lastWindowClosed.connect(lambda: QTimer.singleShot(0, lambda: QCoreApplication.exit(0)))
        opened: list[Path] = []
        dock.session.projects.entered.connect(lambda loaded: opened.append(loaded.project.root))
        QTimer.singleShot(0, splash.close)
        if found is not None and project is None:
            QTimer.singleShot(0, lambda: dock.take(found))
        napari.run()
    for root in dict.fromkeys(opened):
        sys.stdout.write(f"Your labels are saved in {root}.\n")


def _found_at(paths: Sequence[Path]) -> tuple[ToOpen, Path | None]:
    """Return what to open, and where the project is if it is one.

    Raises the errors that opening would raise at once, so that a mistyped path is reported on the command line.
    """
    from napari_al_pose.project.to_open import NothingToOpen, ProjectToOpen, what_to_open  # takes its time

    found = what_to_open(paths)
    if isinstance(found, NothingToOpen):
        raise AlPoseError(found.message, found.hint)
    if not isinstance(found, ProjectToOpen):
        return found, None
    check_project(found.path)
    return found, found.path


def _root_of(project: Path) -> Path:
    """Return the folder of a project that is given by its folder or its ``config.yaml``."""
    return project.resolve() if project.is_dir() else project.resolve().parent


def check_project(path: Path) -> None:
    """Raise what opening would raise at once."""
    from napari_al_pose.formats.deeplabcut import read_config

    if is_foreign(path):
        raise AlPoseError(
            f"{path} holds labels of another program, not a project.",
            f"Make a project of them: napari-al-pose import {path} --to FOLDER",
        )
    read_config(path / "config.yaml" if path.is_dir() else path)


def _check_display() -> None:
    """Qt aborts the process without a display; say so instead."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise AlPoseError(
            "There is no display to open a window on.",
            "Start it from a desktop, or on a virtual screen: xvfb-run -a -s '-screen 0 1600x1200x24' napari-al-pose",
        )
