"""Files dropped on the canvas of a real window."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from napari._qt.dialogs.qt_reader_dialog import QtReaderDialog
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from session_tools import TIMEOUT, dialog_of, text_in

from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.dialogs.exchange import ImportDialog
from napari_al_pose.gui.dialogs.new_project import NewProjectDialog
from napari_al_pose.gui.layers.napari_widgets import drop_target
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(make_napari_viewer, engine):
    """The widget in a window of our own program, without a project."""
    viewer = make_napari_viewer()
    _, made = viewer.window.add_plugin_dock_widget("napari-al-pose", "Active-learning pose labeller")
    made.session.options.arrange_own_window()
    return made


def drop(dock, *paths):
    """Drop files and folders on the canvas, or what lies at an address."""
    data = QMimeData()
    data.setUrls([path if isinstance(path, QUrl) else QUrl.fromLocalFile(str(path)) for path in paths])
    button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    target, both = drop_target(dock._viewer), Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(50, 50), both, data, button, no_key))
    event = QDropEvent(QPointF(50, 50), both, data, button, no_key)
    QApplication.sendEvent(target, event)
    return event


@pytest.fixture
def slow_disk(monkeypatch):
    """Folders are listed once what is returned is set."""
    answers, listed = threading.Event(), Path.iterdir

    def list_late(folder):
        assert answers.wait(TIMEOUT / 1000)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", list_late)
    yield answers
    answers.set()


def says(dock, text, qtbot):
    qtbot.waitUntil(lambda: text in text_in(dock), timeout=TIMEOUT)


def opens(dock, root, qtbot):
    def is_open():
        project = dock.session.projects.project
        return project is not None and project.root == root

    qtbot.waitUntil(is_open, timeout=TIMEOUT)


@pytest.fixture
def labelled_root(sample_copy):
    """A project with labels in ``labeled-data``."""
    with open_project(sample_copy) as project:
        points = dict.fromkeys(project.skeleton.bodyparts, (40.0, 50.0))
        project.labels.place_many(FrameKey(project.videos[0].name, 3), points)
        project.export_labels()
    return sample_copy.parent


@pytest.mark.parametrize("of", ["config.yaml", ".", "labeled-data/*", "labeled-data/*/*"])
def test_a_project_is_opened(dock, labelled_root, qtbot, of):
    drop(dock, *labelled_root.glob(of) if "*" in of else [labelled_root / of])
    opens(dock, labelled_root, qtbot)


@pytest.mark.parametrize("name", ["labels.slp", "annotations.json", "joints.mat"])
def test_labels_of_another_program_are_imported(dock, tmp_path, qtbot, name):
    path = tmp_path / name
    path.write_bytes(b"{}")
    drop(dock, path)
    qtbot.waitUntil(lambda: dialog_of(dock, ImportDialog) is not None, timeout=TIMEOUT)
    dialog = dialog_of(dock, ImportDialog)
    assert dialog.source.text() == str(path)
    dialog.reject()


@pytest.mark.parametrize("of_file", [True, False])
def test_videos_begin_a_new_project(dock, sample_copy, qtbot, of_file):
    root = sample_copy.parent
    video = next((root / "videos").iterdir())
    videos = sorted(video.parent.iterdir())
    (video.parent / f"._{video.name}").write_bytes(b"what macOS leaves beside a file")
    drop(dock, video if of_file else video.parent)
    qtbot.waitUntil(lambda: dialog_of(dock, NewProjectDialog) is not None, timeout=TIMEOUT)
    dialog = dialog_of(dock, NewProjectDialog)
    wanted = [video] if of_file else videos
    qtbot.waitUntil(lambda: list(dialog.videos.paths) == wanted, timeout=TIMEOUT)
    dialog.reject()


def test_a_video_is_added_to_the_open_project(dock, sample_copy, tmp_path, qtbot):
    root = sample_copy.parent
    drop(dock, root)
    opens(dock, root, qtbot)
    other = tmp_path / "other day.mp4"
    shutil.copy(next((root / "videos").iterdir()), other)
    with other.open("ab") as file:
        file.write(b"\0" * 1000)  # another file, so that it isn't taken for the same video
    drop(dock, other)
    qtbot.waitUntil(lambda: dock.session.projects.video("other day") is not None, timeout=TIMEOUT)


def test_folders_are_looked_into_beside_the_window(dock, sample_copy, slow_disk, qtbot):
    videos = sample_copy.parent / "videos"
    assert drop(dock, videos).dropAction() == Qt.DropAction.CopyAction
    says(dock, "Looking at videos…", qtbot)
    slow_disk.set()
    qtbot.waitUntil(lambda: bool(dock.findChildren(NewProjectDialog)), timeout=TIMEOUT)
    assert "Looking at" not in text_in(dock)
    dialog_of(dock, NewProjectDialog).reject()


def test_what_vanishes_before_it_is_looked_at_is_named(dock, tmp_path, slow_disk, qtbot):
    video = tmp_path / "mouse.mp4"
    (tmp_path / "slow").mkdir()
    video.write_bytes(b"")
    drop(dock, tmp_path / "slow")
    drop(dock, video)
    video.unlink()
    slow_disk.set()
    says(dock, "There is no file", qtbot)
    assert video.name in text_in(dock)


def test_what_cannot_be_opened_is_said_and_napari_is_not_asked(dock, sample_copy, tmp_path, qtbot):
    (tmp_path / "empty").mkdir()
    (tmp_path / "frames").mkdir()
    for i in range(20):
        Image.new("L", (8, 6)).save(tmp_path / "frames" / f"img{i:04d}.png")
    drop(dock, tmp_path / "empty")
    says(dock, "empty is empty.", qtbot)
    drop(dock, tmp_path / "frames")
    says(dock, "frames holds 20 images, but no project and no video.", qtbot)
    drop(dock, sample_copy.parent, next((sample_copy.parent / "videos").iterdir()))
    says(dock, "Open them one by one.", qtbot)
    assert not dock._viewer.layers
    assert dock.session.projects.project is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everywhere")
def test_a_folder_without_permission_is_said_to_be_one(dock, tmp_path, qtbot):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    try:
        drop(dock, locked)
        says(dock, "You have no permission to use", qtbot)
    finally:
        locked.chmod(0o700)


@pytest.fixture
def two_images(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("stacked", [False, True])
def test_other_files_are_opened_by_napari(dock, two_images, qtbot, stacked):
    dock.window().winId()  # makes a window of the system, which has a keyboard
    window = dock.window().windowHandle()
    if stacked:
        QTest.keyPress(window, Qt.Key.Key_Shift, Qt.KeyboardModifier.ShiftModifier)
    drop(dock, *two_images)
    QTest.keyRelease(window, Qt.Key.Key_Shift)
    qtbot.waitUntil(lambda: bool(dock._viewer.layers), timeout=TIMEOUT)
    assert [layer.data.shape for layer in dock._viewer.layers] == ([(2, 8, 8)] if stacked else [(8, 8), (8, 8)])


def test_napari_asks_about_folders_of_other_things(dock, tmp_path, qtbot):
    (tmp_path / "notes.txt").write_text("of a microscope")
    asked = []

    def cancel():
        for dialog in QApplication.topLevelWidgets():
            if isinstance(dialog, QtReaderDialog) and dialog.isVisible():
                asked.append(dialog._current_file)
                dialog.reject()
        if not asked:
            QTimer.singleShot(50, dock, cancel)

    cancel()
    drop(dock, tmp_path)
    qtbot.waitUntil(lambda: asked == [str(tmp_path)], timeout=TIMEOUT)


def test_what_lies_at_an_address_is_opened_by_napari(dock, two_images, qtbot):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(two_images[0].parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        drop(dock, QUrl(f"http://127.0.0.1:{server.server_port}/a.png"))
        server.shutdown()
    assert [layer.data.shape for layer in dock._viewer.layers] == [(8, 8)]
