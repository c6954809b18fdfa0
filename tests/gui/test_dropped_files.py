"""Files dropped on the canvas of a real window."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication
from session_tools import TIMEOUT, dialog_of

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
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    target, copy = drop_target(dock._viewer), Qt.DropAction.CopyAction
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(50, 50), copy, data, button, no_key))
    QApplication.sendEvent(target, QDropEvent(QPointF(50, 50), copy, data, button, no_key))


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
