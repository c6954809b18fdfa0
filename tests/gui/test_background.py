"""Work off the GUI thread, when there is no such thread any more."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui

ENDING = """
import threading
from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.background import Background
from qtpy.QtCore import QCoreApplication

application = QCoreApplication([])
background = Background("test")

def refuse():
    raise AlPoseError("The disk is full.", "Make room.")

def at_the_end():
    background.run(lambda: print("written"), then=print, failed=print)
    background.run(refuse, then=print, failed=print)
    background.close()

import atexit
atexit.register(at_the_end)
"""


def test_what_is_to_be_written_is_written_though_the_interpreter_is_ending():
    """As when a script closes the viewer in its last line: the window is taken apart after all threads have ended."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=120)
    assert done.stdout == "written\n"
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
