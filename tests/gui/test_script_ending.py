"""A script of the user's own that opens the window and ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_al_pose.formats.deeplabcut import read_annotation_points
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui

SCRIPT = """
import sys
from pathlib import Path
from qtpy.QtCore import QEventLoop, QTimer
from napari_al_pose.gui.window import open_window

viewer, session = open_window(Path(sys.argv[1]))
window = viewer.window._qt_window  # whoever keeps it has it taken apart by the interpreter, not by napari
loop = QEventLoop()
session.frame.keyChanged.connect(lambda: session.frame.source is None or loop.quit())
QTimer.singleShot(60_000, loop.quit)
loop.exec()
for i, bodypart in enumerate(session.frame.bodyparts):
    session.editor.place(bodypart, 100 + 10 * i, 80)
print(session.frame.key.video, session.frame.key.frame)
viewer.close()
"""


def test_labels_are_written_and_nothing_complains(sample_copy):
    command = [sys.executable, "-c", SCRIPT, str(sample_copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    video, frame = done.stdout.split()
    with open_project(sample_copy, read_only=True) as project:
        folder = project.root / "labeled-data" / video
        table = read_annotation_points(folder / f"CollectedData_{project.scorer}.h5")
    _, xy = table.frames(video)[int(frame)]
    assert xy.reshape(-1, 2)[0].tolist() == [100, 80]
