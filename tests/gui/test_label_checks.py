"""Labels worth a second look, as the window lists them; finding them is tested with the real engine."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from session_tools import TIMEOUT, of_session

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.engine.messages import Adopt, Adopted, Check, Checked, Finished
from napari_al_pose.gui.panels.label_checks import LabelCheckPanel
from napari_al_pose.gui.state.session import new_session
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.project import create_project

pytestmark = pytest.mark.gui


LABEL, SEEN = (30.0, 40.0), (63.0, 84.0)
"""55 px apart."""


@pytest.fixture
def checked(opened, qtbot, engine):
    """Two labels of one frame to check, one of another."""
    video, (first, second) = opened.frame.key.video, opened.frame.bodyparts[:2]
    opened.editor.place(first, *LABEL)
    opened.editor.place(second, 50.0, 60.0)
    other = FrameKey(video, 31)
    opened.projects.project.labels.place_many(other, {first: (5.0, 6.0), second: (45.0, 6.0)})
    checks = (
        LabelCheck(opened.frame.key, first, "far", *LABEL, 55.0, 0.9, seen=SEEN),
        LabelCheck(other, first, "swapped", 5.0, 6.0, 40.0, 0.8, seen=(44.0, 7.0), counterpart=second),
        LabelCheck(opened.frame.key, second, "far", 50.0, 60.0, 30.0, 0.7),
    )
    opened.projects.project.checks.save(checks)
    with qtbot.waitSignal(opened.checks.changed, timeout=TIMEOUT):
        engine.says(Checked(99, checks))
    return opened


@pytest.fixture
def panel(checked, qtbot, window):
    made = of_session(LabelCheckPanel, checked, colours=theme_colours("dark"), parent=window)
    made.resize(370, 340)
    window.show()
    return made


def xy_of(session, check, bodypart):
    annotation = session.projects.project.labels.annotation(check.key)
    return tuple(annotation.xy[session.frame.bodyparts.index(bodypart)].tolist())


def test_a_click_goes_to_the_label_and_a_move_takes_it_off_the_list_until_it_is_undone(checked, panel, qtbot):
    assert len(panel.rows) == 3
    assert "frame 31" in panel.rows[1].title
    start = checked.frame.key
    at = panel.list.visualRect(panel.list.model().index(1, 0)).center()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert checked.frame.key == FrameKey(start.video, 31)
    assert checked.frame.bodypart == checked.frame.bodyparts[0]
    checked.navigator.go_to(start)
    checked.editor.place(checked.frame.bodyparts[0], 70.0, 80.0)
    assert [row.check.key.frame for row in panel.rows] == [31, start.frame]
    checked.tracks.undo()
    assert len(panel.rows) == 3
    assert checked.checks.in_front == panel.rows[0].check


def test_a_kept_label_is_remembered_and_undone(checked, panel, qtbot):
    project, first = checked.projects.project, checked.checks.all[0]
    checked.checks.open()
    panel.keep.click()
    assert first not in checked.checks.all
    assert checked.checks.current.key.frame == 31, "the next one is in front"
    qtbot.waitUntil(lambda: first not in project.checks.load(), timeout=TIMEOUT)
    assert project.checks.save(project.checks.load()) == checked.checks.all
    checked.tracks.undo()
    assert checked.checks.in_front == first
    qtbot.waitUntil(lambda: first in project.checks.load(), timeout=TIMEOUT)
    checked.tracks.redo()
    assert first not in checked.checks.all
    qtbot.waitUntil(lambda: first not in project.checks.load(), timeout=TIMEOUT)
    while panel.keep.isEnabled():
        panel.keep.click()
    assert "No label looks wrong" in panel.heading.text()


def test_undo_takes_decisions_and_labels_back_in_the_order_in_which_they_were_made(checked):
    first, second = checked.frame.bodyparts[:2]
    far, swapped, _ = checked.checks.all
    checked.checks.open()
    checked.checks.keep()
    checked.checks.show(checked.checks.all[1])
    checked.editor.place(second, 90.0, 20.0)
    checked.tracks.undo()
    assert xy_of(checked, far, second) == (50.0, 60.0)
    assert far not in checked.checks.all
    checked.tracks.undo()
    assert far in checked.checks.all
    checked.tracks.undo()
    assert np.isnan(xy_of(checked, swapped, first)).all(), "labelled before, in another frame"
    assert xy_of(checked, far, first) == LABEL


def test_the_model_s_point_is_taken_and_swapped_labels_are_exchanged(checked, panel):
    first, second = checked.frame.bodyparts[:2]
    far, swapped, unknown = checked.checks.all
    checked.checks.open()
    assert panel.take.text() == "Take the model's point"
    panel.take.click()
    assert xy_of(checked, far, first) == SEEN
    assert checked.checks.current == swapped
    assert panel.take.text() == "Exchange the two"
    panel.take.click()
    assert (xy_of(checked, swapped, first), xy_of(checked, swapped, second)) == ((45.0, 6.0), (5.0, 6.0))
    assert checked.checks.current == unknown
    assert not panel.take.isEnabled(), "an earlier version did not store where the model sees it"
    checked.tracks.undo()
    checked.tracks.undo()
    assert (xy_of(checked, far, first), checked.checks.all) == (LABEL, (far, swapped, unknown))


def test_keys_and_buttons_go_round_and_a_decision_about_nothing_says_so(checked, panel):
    said = []
    checked.notices.raised.connect(lambda message, _hint, _is_error: said.append(message))
    checked.checks.keep()
    assert "No label is being checked" in said[-1]
    checked.checks.next()
    seen = [checked.checks.current]
    for _ in range(3):
        panel.next.click()
        seen.append(checked.checks.current)
    assert seen == [*checked.checks.all, checked.checks.all[0]]
    checked.checks.close()
    assert (checked.checks.current, checked.checks.is_open) == (None, False)


def test_a_label_of_another_animal_stays_listed_while_one_is_moved(pair, engine):
    session, part, (one, other) = pair, pair.frame.bodyparts[0], pair.frame.individuals
    session.frame.choose_individual(other)
    session.editor.place(part, 20.0, 20.0)
    check = LabelCheck(session.frame.key, part, "far", 20.0, 20.0, 50.0, 0.9, individual=other, seen=(60.0, 50.0))
    engine.says(Checked(99, (check,)))
    session.frame.choose_individual(one)
    session.editor.place(part, 90.0, 90.0)
    assert session.checks.all == (check,)
    session.checks.open()
    assert session.frame.individual == other
    session.checks.take()
    assert session.checks.all == ()


@pytest.fixture
def pair(session, sample_project, tmp_path, qtbot):
    """A project of two mice, open at a frame."""
    config = create_project(
        parent=tmp_path,
        task="pair",
        scorer="me",
        bodyparts=("nose", "tail"),
        videos=[next((sample_project.parent / "videos").iterdir())],
        individuals=("mouse1", "mouse2"),
    )
    session.projects.open_project(config)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    return session


def test_the_list_is_there_again_when_the_project_is_opened_again(checked, qtbot):
    first, *wanted = checked.checks.all
    checked.editor.place(first.bodypart, 90.0, 20.0)
    path = checked.projects.project.config_path
    checked.close()
    again = new_session()
    try:
        again.projects.open_project(path)
        qtbot.waitUntil(lambda: again.checks.all == tuple(wanted), timeout=TIMEOUT)
        assert again.checks.all[0].seen == wanted[0].seen
        again.tracks.undo()
        assert again.checks.all == (first, *wanted), "the label is where it was"
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
