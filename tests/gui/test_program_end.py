"""What the program says when its window is closed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from session_tools import TIMEOUT

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
    if session_for(viewer).projects.project is None or not window.isVisible():
        QTimer.singleShot(50, close_once_open)
    else:
        window.close()

def run():
    QTimer.singleShot(50, close_once_open)
    serve()

napari.run = run
run_window(Path(sys.argv[1]))
"""


def test_it_says_where_the_labels_are(sample_copy):
    command = [sys.executable, "-c", CLOSED_ONCE_OPEN, str(sample_copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=6 * TIMEOUT / 1000, check=True)
    assert done.stdout.splitlines()[-1] == f"Your labels are saved in {sample_copy.parent}."
