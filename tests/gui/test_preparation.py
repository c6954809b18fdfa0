"""What the first layers need is imported before the video is there, so that its first picture doesn't wait for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui

SCRIPT = """
import sys
from pathlib import Path
from qtpy.QtCore import QEventLoop, QTimer
from napari_al_pose.gui.layers import stack
from napari_al_pose.gui.window import open_window

def wait_for(condition):
    while not condition():
        loop = QEventLoop()
        QTimer.singleShot(20, loop.quit)
        loop.exec()

build, imported = stack.LayerStack._build, []
def noting(self, source):
    before = set(sys.modules)
    build(self, source)
    imported.extend(set(sys.modules) - before)
stack.LayerStack._build = noting
viewer, session = open_window()
wait_for(lambda: "pandas" in sys.modules and "scipy.ndimage" in sys.modules)
session.projects.open_project(Path(sys.argv[1]))
wait_for(lambda: session.frame.picture_is_current)
viewer.close()
print(len([name for name in imported if name.partition(".")[0] in ("pandas", "scipy")]), len(imported))
"""


def test_making_the_layers_imports_next_to_nothing(sample_copy):
    command = [sys.executable, "-c", SCRIPT, str(sample_copy)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    of_pandas_and_scipy, of_all = map(int, done.stdout.split()[-2:])
    assert of_pandas_and_scipy == 0
    assert of_all < 30, "nearly 500 without the preparation"
