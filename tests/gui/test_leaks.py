"""What `leaks` is there for: it names a thread, a process and a widget that outlive a test, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import threading

from qtpy.QtWidgets import QDialog

import leaks


def test_what_is_left_is_named(qapp):
    before = leaks.state()
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="al-pose-forgotten", daemon=True)
    thread.start()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dialog = QDialog(windowTitle="Forgotten")
    found = " ".join(leaks.left_since(before))
    dialog.deleteLater()
    process.communicate()
    go_on.set()
    thread.join()
    assert "thread al-pose-forgotten" in found
    assert "Forgotten" in found
    assert sys.executable in found
    leaks.work()
    assert not leaks.left_since(before)
