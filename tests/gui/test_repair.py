"""History and conflicts in the window: what is shown, and what a choice does to the labels on disk."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton
from session_tools import TIMEOUT

from napari_al_pose.gui.dialogs.conflicts import ConflictDialog
from napari_al_pose.gui.dialogs.history import HistoryDialog
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui


def press(dialog, text):
    (found,) = [child for child in dialog.findChildren(QPushButton) if child.text() == text]
    found.click()


def labels_on_disk(root, key) -> np.ndarray:
    with open_project(root, read_only=True) as project:
        return project.labels.annotation(key).xy


def open_in(session, root, qtbot):
    session.projects.open_project(root)
    qtbot.waitUntil(
        lambda: session.frame.source is not None and session.learning.engine_state != "starting", timeout=TIMEOUT
    )


# ---- history --------------------------------------------------------------------------------------


def test_an_earlier_state_is_shown_and_brought_back(actions, session, window, sample_copy, qtbot):
    open_in(session, sample_copy, qtbot)
    key, (first, second) = session.frame.key, session.frame.bodyparts[:2]
    session.editor.place(first, 10, 20)
    session.editor.place(second, 30, 40)
    session.editor.clear(first)
    actions.history()
    (dialog,) = window.findChildren(HistoryDialog)
    titles = [dialog.list.item(i).text().splitlines()[0] for i in range(dialog.list.count())]
    assert titles == [f"Labelled {first}", f"Labelled {second}", f"Labelled {first}"], "newest first"
    assert not dialog.bring_back.isEnabled(), "that is how it is"
    qtbot.waitUntil(lambda: dialog.picture.image is not None, timeout=TIMEOUT)
    height, width = session.frame.source.shape[1:3]
    assert (dialog.picture.image.width(), dialog.picture.image.height()) == (width, height)
    dialog.list.setCurrentRow(1)
    assert dialog.picture.poses[0].xy[:2].tolist() == [[10, 20], [30, 40]]
    assert "2 placed" in dialog.words.text()
    seen = dialog.grab().toImage()
    dialog.list.setCurrentRow(2)
    assert dialog.grab().toImage() != seen, "the picture follows"
    dialog.list.setCurrentRow(1)
    dialog.bring_back.click()
    assert session.frame.annotation.xy[:2].tolist() == [[10, 20], [30, 40]]
    assert labels_on_disk(sample_copy, key)[:2].tolist() == [[10, 20], [30, 40]]
    session.editor.undo()
    assert np.isnan(session.frame.annotation.xy[0]).all()


def test_a_frame_nobody_labelled_has_no_history(actions, session, window, sample_copy, qtbot):
    open_in(session, sample_copy, qtbot)
    actions.history()
    (dialog,) = window.findChildren(HistoryDialog)
    assert dialog.list.count() == 0
    assert "Nobody" in dialog.words.text()
    assert not dialog.bring_back.isEnabled()


# ---- conflicts ------------------------------------------------------------------------------------


def test_a_conflict_is_shown_side_by_side_and_asked_about(actions, session, window, disputed, qtbot):
    root, (first, second) = disputed
    told, withdrawn = [], []
    session.notices.raised.connect(lambda message, _hint, _is_error: told.append(message))
    session.notices.withdrawn.connect(withdrawn.append)
    open_in(session, root, qtbot)
    (dialog,) = window.findChildren(ConflictDialog)
    assert dialog.isVisible()
    assert "4 labels in 2 frames" in dialog.words.text()
    assert dialog.frames.count() == 2
    ours, theirs = dialog.picture.poses[:2]
    assert ours.xy[:2].tolist() == [[110, 60], [111, 60]]
    assert theirs.xy[:2].tolist() == [[107, 57], [108, 57]]
    assert theirs.hollow
    qtbot.waitUntil(lambda: dialog.picture.image is not None, timeout=TIMEOUT)
    assert [dialog.table.item(0, column).text() for column in (1, 2)] == ["at 110.0, 60.0", "at 107.0, 57.0"]
    dialog.table.item(1, 3).setCheckState(Qt.CheckState.Checked)
    press(dialog, "Use the ticks")
    assert labels_on_disk(root, first)[:2].tolist() == [[110, 60], [108, 57]]
    assert dialog.frames.count() == 1
    press(dialog, "Take theirs")
    assert labels_on_disk(root, second)[:2].tolist() == [[107, 57], [108, 57]]
    assert session.repair.conflicts == ()
    assert not dialog.isVisible()
    (said,) = [message for message in told if "changed both here" in message]
    assert withdrawn == [said], "the notice goes once nothing is left to decide"
    session.editor.undo()
    assert labels_on_disk(root, second)[:2].tolist() == [[110, 60], [111, 60]]


@pytest.mark.parametrize(
    ("choice", "expected"), [("Keep mine in all frames", [110, 60]), ("Take theirs in all frames", [107, 57])]
)
def test_all_conflicts_are_settled_at_once(actions, session, window, disputed, qtbot, choice, expected):
    root, keys = disputed
    open_in(session, root, qtbot)
    (dialog,) = window.findChildren(ConflictDialog)
    press(dialog, choice)
    assert session.repair.conflicts == ()
    for key in keys:
        assert labels_on_disk(root, key)[0].tolist() == expected


def test_later_asks_again(actions, session, window, disputed, qtbot):
    root, (first, _) = disputed
    open_in(session, root, qtbot)
    (dialog,) = window.findChildren(ConflictDialog)
    press(dialog, "Later")
    assert labels_on_disk(root, first)[0].tolist() == [110, 60]
    actions.conflicts()
    session.projects.close_project()
    assert session.repair.conflicts == ()
    assert not any(found.isVisible() for found in window.findChildren(ConflictDialog))
    open_in(session, root, qtbot)
    assert any(found.isVisible() for found in window.findChildren(ConflictDialog))
