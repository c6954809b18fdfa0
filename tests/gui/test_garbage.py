"""Nothing that Qt uses is destroyed by another thread."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QObject

from napari_al_pose.gui.garbage import GarbageCollection

CIRCLES_BESIDE_A_THREAD = """
import faulthandler, gc, sys, threading, time
from qtpy.QtCore import QCoreApplication, QObject, QTimer
from napari_al_pose.gui.garbage import GarbageCollection

app = QCoreApplication([])
faulthandler.enable()

class Circle(QObject):
    def __init__(self):
        super().__init__()
        self.itself = self
        self.timer = QTimer(self, interval=0)
        self.timer.timeout.connect(self.work)
        self.timer.start()
    def work(self): pass

over = threading.Event()
def read_labels():
    while not over.is_set():
        [[] for _ in range(1000)]
        time.sleep(0.001)

if sys.argv[1:] == ["mended"]:
    collection = GarbageCollection()
thread = threading.Thread(target=read_labels)
thread.start()
made = 0
def make():
    global made
    [Circle() for _ in range(20)]
    made += 20
    if made == 2000:
        app.quit()
maker = QTimer(interval=0)
maker.timeout.connect(make)
maker.start()
app.exec()
over.set()
thread.join()
print(gc.isenabled())
if sys.argv[1:] == ["mended"]:
    collection.close()
    print(gc.isenabled())
"""


def test_a_thread_beside_the_window_destroys_no_timer():
    """Without a `GarbageCollection`, this ends in a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", CIRCLES_BESIDE_A_THREAD, "mended"], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "False\nTrue\n"), done.stderr


COLLECTOR_OFF_BEFORE = """
import gc
from qtpy.QtCore import QCoreApplication
from napari_al_pose.gui.garbage import GarbageCollection

app = QCoreApplication([])
gc.disable()
GarbageCollection().close()
print(gc.isenabled())
"""


def test_a_collector_that_was_off_before_stays_off():
    done = subprocess.run(
        [sys.executable, "-c", COLLECTOR_OFF_BEFORE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


@pytest.fixture
def collection(collected_on_this_thread):
    return collected_on_this_thread


def test_python_does_not_collect_while_one_is_open(collection):
    for other in (GarbageCollection(), GarbageCollection()):
        other.close()
        assert not gc.isenabled()


def test_one_that_went_with_the_window_can_be_closed(collection):
    before, parent = set(GarbageCollection._open), QObject()
    made = GarbageCollection(parent)
    parent.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    made.close()
    assert GarbageCollection._open == before


def test_circles_go_on_the_gui_thread(collection, qtbot):
    gone_in = []

    class Circle(QObject):
        def __init__(self):
            super().__init__()
            self.itself = self

        def __del__(self):
            gone_in.append(threading.current_thread())

    Circle()
    kept = []
    thread = threading.Thread(target=lambda: kept.extend([] for _ in range(100_000)))
    thread.start()
    thread.join()
    assert not gone_in
    qtbot.waitUntil(lambda: bool(gone_in), timeout=10_000)
    assert gone_in == [threading.main_thread()]


def test_it_goes_on_where_somebody_turned_the_collector_on(collection, qtbot):
    gc.enable()
    qtbot.waitUntil(lambda: not gc.isenabled(), timeout=10_000)


def test_all_is_looked_at_once_there_is_more(collection):
    collection.collect()
    kept, looked_at = [], 0
    for _ in range(200):
        kept += [[i] for i in range(3 * gc.get_threshold()[0])]
        before = gc.get_stats()[2]["collections"]
        collection.collect()
        looked_at += gc.get_stats()[2]["collections"] - before
    assert 1 <= looked_at <= 3
