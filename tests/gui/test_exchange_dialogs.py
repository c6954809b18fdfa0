"""Import and export of labels in the window: on a real session and project, through the dialogs."""

from __future__ import annotations

import numpy as np
import pytest
import sleap_io as sio
from qtpy.QtWidgets import QMenu
from session_tools import TIMEOUT, dialog_of, of_session

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.gui import actions as actions_module
from napari_al_pose.gui.dialogs.exchange import ExportLabelsDialog, ImportDialog
from napari_al_pose.gui.dialogs.pose_export import ExportDialog
from napari_al_pose.gui.panels.project import ProjectPanel

pytestmark = pytest.mark.gui


@pytest.fixture
def sleap_labels(opened, tmp_path):
    """SLEAP labels of a frame that the open project has no labels of; one bodypart is unknown to it."""
    video = opened.projects.project.videos[0]
    nodes = [*opened.frame.bodyparts, "wing"]
    skeleton = sio.Skeleton(nodes)
    xy = np.arange(2.0 * len(nodes)).reshape(-1, 2) + 10
    source = sio.Video.from_filename(str(video.path))
    instance = sio.Instance.from_numpy(xy, skeleton=skeleton)
    path = tmp_path / "from-sleap" / "theirs.slp"
    path.parent.mkdir()
    free = next(
        n
        for n in range(len(opened.frame.source))
        if FrameKey(video.name, n) not in opened.projects.project.labels.labelled_keys()
    )
    frame = sio.LabeledFrame(video=source, frame_idx=free, instances=[instance])
    sio.save_slp(sio.Labels([frame]), str(path), embed=False, verbose=False)
    return path, FrameKey(video.name, free), xy


def test_labels_come_into_the_open_project(actions, opened, window, qtbot, sleap_labels):
    path, key, xy = sleap_labels
    before = len(opened.projects.tally.labelled)
    actions.import_labels()
    dialog = dialog_of(window, ImportDialog)
    assert not dialog.start_button.isEnabled()
    dialog.source.setText(str(path))
    assert dialog.start_button.isEnabled()
    dialog.start_button.click()
    qtbot.waitUntil(lambda: len(opened.projects.tally.labelled) == before + 1, timeout=TIMEOUT)
    # What was left out stays to be read.
    qtbot.waitUntil(dialog.report.isVisible, timeout=TIMEOUT)
    assert "no bodypart 'wing'; 1 point left out" in dialog.report.toPlainText()
    dialog.cancel_button.click()
    assert not dialog.isVisible()
    opened.navigator.go_to(key)
    qtbot.waitUntil(lambda: opened.frame.key == key, timeout=TIMEOUT)
    np.testing.assert_array_equal(opened.frame.annotation.xy, xy[:-1])
    opened.editor.undo()
    assert opened.projects.project.labels.annotation(key).is_empty


def test_a_sleap_file_is_opened_as_a_project_beside_it(actions, opened, window, qtbot, sleap_labels, monkeypatch):
    path, key, _ = sleap_labels
    monkeypatch.setattr(actions_module, "ask_for_project", lambda _parent: path)
    actions.open_dialog()
    dialog = dialog_of(window, ImportDialog)
    assert dialog.source.text() == str(path)
    assert dialog.into_new.isChecked()
    before = opened.projects.project
    dialog.start_button.click()
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project is not before, timeout=TIMEOUT
    )
    assert opened.projects.project.root == path.parent / "theirs-project"
    assert opened.frame.bodyparts[-1] == "wing"
    assert opened.projects.project.labels.complete_keys() == [key]


def test_cancelling_an_import_leaves_nothing(actions, opened, window, qtbot, sleap_labels):
    path, _, _ = sleap_labels
    actions.import_labels(path)
    dialog = dialog_of(window, ImportDialog)
    dialog.start_button.click()
    dialog.cancel_button.click()
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: not dialog.running, timeout=TIMEOUT)
    assert "Cancelled" in dialog.complaint.text()
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    dialog.start_button.click()
    qtbot.waitUntil((path.parent / "theirs-project" / "config.yaml").is_file, timeout=TIMEOUT)


def test_what_cannot_be_imported_is_said_in_the_dialog(actions, window, qtbot, tmp_path):
    actions.import_labels()
    dialog = dialog_of(window, ImportDialog)
    broken = tmp_path / "broken.slp"
    broken.write_bytes(b"no labels")
    dialog.source.setText(str(tmp_path / "nowhere.slp"))
    assert "nowhere.slp" in dialog.complaint.text()
    dialog.source.setText(str(broken))
    dialog.into_new.setChecked(True)
    dialog.start_button.click()
    qtbot.waitUntil(lambda: not dialog.running, timeout=TIMEOUT)
    assert "broken.slp" in dialog.complaint.text()
    assert dialog.form.isEnabled()
    dialog.reject()
    assert not dialog.isVisible()


def test_labels_are_exported_and_the_losses_said(actions, opened, window, qtbot, tmp_path):
    for name in opened.frame.bodyparts:
        opened.editor.place(name, 50.0, 60.0)
    opened.editor.set_role(FrameRole.HOLDOUT)
    actions.export()
    dialog_of(window, ExportDialog).other_formats_button.click()
    dialog = dialog_of(window, ExportLabelsDialog)
    dialog.format.setCurrentIndex(dialog.format.findData("lsp"))
    dialog.start_button.click()
    qtbot.waitUntil(lambda: not dialog.running, timeout=TIMEOUT)
    assert "LSP can hold nothing of these labels" in dialog.complaint.text()
    dialog.format.setCurrentIndex(dialog.format.findData("sleap"))
    dialog.output.setText(str(tmp_path / "labels.txt"))
    assert not dialog.start_button.isEnabled()
    dialog.output.setText(str(tmp_path / "labels.slp"))
    with qtbot.waitSignal(opened.notices.raised, timeout=TIMEOUT) as notice:
        dialog.start_button.click()
    assert "labels.slp" in notice.args[0]
    assert "SLEAP does not mark test frames" in notice.args[1]
    assert not dialog.isVisible(), "said once, where it covers no frame"
    labels = sio.load_slp(str(tmp_path / "labels.slp"), open_videos=False)
    assert len(labels) == len(opened.projects.project.labels.complete_keys())


def test_both_are_in_the_project_menu(actions, opened, qtbot):
    panel = of_session(ProjectPanel, opened, actions=actions)
    qtbot.addWidget(panel)
    menu = panel.findChild(QMenu)
    menu.aboutToShow.emit()
    texts = [action.text() for action in menu.actions()]
    assert {"Import labels…", "Export labels…"} <= set(texts)
