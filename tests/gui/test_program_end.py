"""The program's window from its start to its end, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui

CLOSED_ONCE_OPEN = """
import sys
from pathlib import Path
import napari
from qtpy.QtCore import QTimer
from napari_al_pose.gui.viewers import session_for
from napari_al_pose.gui.window import run_window

serve = napari.run

def close_once_open():
    viewer = napari.current_viewer()
    window = viewer.window._qt_window
    if not session_for(viewer).frame.picture_is_current or not window.isVisible():
        QTimer.singleShot(50, close_once_open)
    else:
        QTimer.singleShot(500, lambda: napari.current_viewer().window._qt_window.close())  # all of it is drawn

def run():
    QTimer.singleShot(50, close_once_open)
    serve()

napari.run = run
run_window([Path(path) for path in sys.argv[1:]])
"""


DIALOG = """
import sys
from pathlib import Path
import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from napari_al_pose.gui.dialogs.new_project import NewProjectDialog
from napari_al_pose.gui.window import run_window

serve = napari.run

def look():
    dialogs = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, NewProjectDialog)]
    if not dialogs or not dialogs[0].isVisible() or not dialogs[0].videos.paths:
        QTimer.singleShot(50, look)
        return
    print(*(path.name for path in dialogs[0].videos.paths))
    dialogs[0].reject()
    QTimer.singleShot(200, lambda: napari.current_viewer().window._qt_window.close())

def run():
    QTimer.singleShot(50, look)
    serve()

napari.run = run
run_window([Path(path) for path in sys.argv[1:]])
"""


FIRST_START = """
import sys
import napari_al_pose.gui.window as window
from qtpy.QtGui import QGuiApplication

window.SIZE = tuple(map(int, sys.argv[1:]))
viewer, session = window.open_window()
screen = QGuiApplication.primaryScreen().availableGeometry()
print(*viewer.window.geometry()[2:], screen.width(), screen.height())
viewer.close()
"""


@pytest.mark.parametrize(("size", "was_killed"), [((1100, 800), False), ((1100, 800), True), ((5000, 4000), False)])
def test_the_first_window_has_our_size_and_is_no_larger_than_the_screen(size, was_killed, tmp_path):
    settings = tmp_path / "napari.yaml"
    if was_killed:  # what napari has saved by then
        settings.write_text("application:\n  first_time: false\n", encoding="utf-8")
    own = {**os.environ, "NAPARI_CONFIG": str(settings)}
    command = [sys.executable, "-c", FIRST_START, *map(str, size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * TIMEOUT / 1000, check=True, env=own)
    width, height, *screen = map(int, done.stdout.split())
    assert (width, height) == (min(size[0], screen[0]), min(size[1], screen[1]))


@pytest.mark.parametrize("of_images", [False, True])
def test_it_says_where_the_labels_are_and_nothing_of_what_napari_takes_apart(sample_copy, of_images):
    with open_project(sample_copy) as project:  # labels on the canvas, which napari draws anew when a layer goes
        for index, name in enumerate(project.skeleton.bodyparts):
            project.labels.place(FrameKey(project.videos[0].name, 0), name, 200.0 + 20 * index, 200.0 + 10 * index)
        project.export_labels()
        images = project.root / "labeled-data" / project.videos[0].name
    command = [sys.executable, "-c", CLOSED_ONCE_OPEN, str(images if of_images else sample_copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * TIMEOUT / 1000, check=True)
    assert done.stdout.splitlines()[-1] == f"Your labels are saved in {sample_copy.parent}."
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("of_folder", [False, True])
def test_started_on_videos_it_asks_for_a_project_of_them(sample_project, tmp_path, of_folder):
    videos = sorted((sample_project.parent / "videos").iterdir())
    given = [sample_project.parent / "videos"] if of_folder else videos
    command = [sys.executable, "-c", DIALOG, *map(str, given)]
    own = {**os.environ, "NAPARI_CONFIG": str(tmp_path / "napari.yaml"), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * TIMEOUT / 1000, check=False, env=own)
    assert done.returncode == 0, done.stderr
    assert " ".join(video.name for video in videos) in done.stdout.splitlines()
    assert "Traceback" not in done.stderr
