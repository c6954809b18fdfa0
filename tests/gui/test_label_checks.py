"""Labels worth a second look, as the window lists them; finding them is tested with the real engine."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.engine.messages import Adopt, Adopted, Check, Checked, Finished
from napari_al_pose.gui.dialogs.label_checks import LabelCheckDialog
from napari_al_pose.gui.state.session import new_session

pytestmark = pytest.mark.gui


@pytest.fixture
def checked(opened, qtbot, engine):
    """Two labels of one frame to check, one of another."""
    video, (first, second) = opened.frame.key.video, opened.frame.bodyparts[:2]
    opened.editor.place(first, 30.0, 40.0)
    opened.editor.place(second, 50.0, 60.0)
    checks = (
        LabelCheck(opened.frame.key, first, "far", 30.0, 40.0, 55.0, 0.9),
        LabelCheck(FrameKey(video, 31), second, "swapped", 5.0, 6.0, 40.0, 0.8),
        LabelCheck(opened.frame.key, second, "far", 50.0, 60.0, 30.0, 0.7),
    )
    opened.projects.project.checks.save(checks)
    with qtbot.waitSignal(opened.checks.changed, timeout=TIMEOUT):
        engine.says(Checked(99, checks))
    return opened


def test_a_click_goes_to_the_label_and_a_move_takes_it_off_the_list(checked, qtbot):
    dialog = LabelCheckDialog(checked.checks)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.list.count() == 3
    assert "frame 31" in dialog.list.item(1).text()
    start = checked.frame.key
    rectangle = dialog.list.visualItemRect(dialog.list.item(1))
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, pos=rectangle.center())
    assert checked.frame.key == FrameKey(start.video, 31)
    assert checked.frame.bodypart == checked.frame.bodyparts[1]
    checked.navigator.go_to(start)
    checked.editor.place(checked.frame.bodyparts[0], 70.0, 80.0)
    assert [dialog.list.item(i).text().splitlines()[0][-2:] for i in range(dialog.list.count())] == [
        "31",
        f" {start.frame}",
    ]


def test_it_is_right_is_remembered(checked, qtbot):
    dialog = LabelCheckDialog(checked.checks)
    qtbot.addWidget(dialog)
    project, first = checked.projects.project, checked.checks.all[0]
    dialog.list.setCurrentRow(0)
    dialog.right.click()
    assert first not in checked.checks.all
    qtbot.waitUntil(lambda: first not in project.checks.load(), timeout=TIMEOUT)
    assert project.checks.save([first]) == ()
    while dialog.right.isEnabled():
        dialog.right.click()
    assert "No label looks wrong" in dialog.heading.text()


def test_the_list_is_there_again_when_the_project_is_opened_again(checked, qtbot):
    wanted, path = checked.checks.all, checked.projects.project.config_path
    checked.close()
    again = new_session()
    try:
        again.projects.open_project(path)
        qtbot.waitUntil(lambda: again.checks.all == wanted, timeout=TIMEOUT)
    finally:
        again.close()


def test_labels_are_checked_after_a_training_and_not_after_a_ranking(opened, qtbot, engine):
    rank_job = opened.learning.training.job
    engine.says(Finished(rank_job))
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    assert not engine.asked(Check)
    opened.editor.place(opened.frame.bodypart, 1.0, 2.0)
    opened.learning.train()
    qtbot.waitUntil(lambda: opened.learning.training.running, timeout=TIMEOUT)
    engine.says(Finished(opened.learning.training.job))
    qtbot.waitUntil(lambda: len(engine.asked(Check)) == 1, timeout=TIMEOUT)


def test_a_model_of_another_program_is_handed_to_the_engine_and_looked_with(opened, qtbot, tmp_path, engine):
    engine.says(Finished(opened.learning.training.job))
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    opened.learning.adopt_model(tmp_path / "snapshot-best-010.pt")
    (request,) = engine.asked(Adopt)
    assert request.path.endswith("snapshot-best-010.pt")
    assert opened.learning.training.kind == "adopt"
    engine.says(Adopted(request.job, 1, "resnet_50"))
    qtbot.waitUntil(lambda: "resnet_50" in opened.learning.training.sentence, timeout=TIMEOUT)
    assert np.isnan(opened.learning.training.seconds_left) or opened.learning.training.seconds_left < 0


def test_a_project_with_a_deeplabcut_network_says_that_it_can_be_used(session, sample_copy, qtbot):
    folder = sample_copy.parent / "dlc-models-pytorch" / "iteration-0" / "mouse-trainset95shuffle1" / "train"
    folder.mkdir(parents=True)
    (folder / "snapshot-best-040.pt").write_bytes(b"")
    said = []
    session.notices.raised.connect(lambda message, hint, is_error: said.append((message, hint, is_error)))
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    assert any("snapshot-best-040.pt" in message and not is_error for message, _hint, is_error in said)
