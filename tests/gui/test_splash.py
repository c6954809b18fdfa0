"""What says that the window is being opened, until it is there."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest
from session_tools import TIMEOUT

from napari_al_pose.gui.splash import Splash

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(sys.platform == "darwin", reason="there is none on macOS"),
]

KILLED = """
from napari_al_pose.gui.splash import Splash
import time
with Splash("Opening mice…") as splash:
    print(splash.wait_until_shown(), flush=True)
    time.sleep(60)
"""


def test_it_is_shown_and_goes_with_the_block():
    with Splash("Opening mice…") as splash:
        assert splash.wait_until_shown()
        (process,) = psutil.Process().children()
    assert not process.is_running()
    splash.close()


def test_it_goes_when_the_program_is_killed():
    program = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "True\n"
    (process,) = psutil.Process(program.pid).children()
    program.kill()
    program.communicate()
    gone, _ = psutil.wait_procs([process], timeout=TIMEOUT / 1000)
    assert gone


def test_the_window_opens_without_it(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Splash("Opening mice…") as splash:
        assert not splash.wait_until_shown()
