"""A running training is not thrown away without a question."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget
from session_tools import TIMEOUT, dialog_of, of_session

from napari_al_pose.domain import Prediction, Round
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.engine.messages import Finished, Stop, Train, Trained
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.dialogs.leaving import DISCARD, KEEP, STAY
from napari_al_pose.gui.panels.timeline import Timeline
from napari_al_pose.gui.theme import theme_colours

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot):
    """A main window with something in it, as napari's has the canvas."""
    made = QMainWindow()
    made.setCentralWidget(QWidget())
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def actions(opened, window):
    made = of_session(WindowActions, opened, window=window.centralWidget())
    made.leaving.watch(window)
    yield made
    made.close()


@pytest.fixture
def other(opened, tmp_path):
    """Another project."""
    folder = tmp_path / "another"
    shutil.copytree(opened.projects.project.root, folder, ignore=shutil.ignore_patterns("lock*"))
    return folder


def answer(window, text):
    question = dialog_of(window, QMessageBox)
    next(button for button in question.buttons() if button.text() == text).click()


def a_round():
    return Round(1, 1, 1, 0, "mpe", None, "2026-01-01T00:00:00", 1.0, 20)


LEAVINGS = {
    "another project": lambda actions, other: actions.open_path(other),
    "close project": lambda actions, _other: actions.close_project(),
    "new project": lambda actions, _other: actions.new(),
    "sample": lambda actions, _other: actions.sample(),
    "window": lambda actions, _other: actions.parent().window().close(),
}


@pytest.mark.parametrize("leave", LEAVINGS)
def test_whoever_would_rather_stay_keeps_the_training(opened, actions, other, window, training, leave):
    root = opened.projects.project.root
    LEAVINGS[leave](actions, other)
    assert "left" in dialog_of(window, QMessageBox).text()
    answer(window, STAY)
    assert opened.projects.project.root == root
    assert opened.learning.training.running
    assert window.isVisible()
    assert not training.asked(Stop)


def test_discarding_opens_the_other_project(opened, actions, other, window, training, qtbot):
    actions.open_path(other)
    answer(window, DISCARD)
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project.root == other, timeout=TIMEOUT
    )


def test_keeping_waits_for_the_model_and_not_for_the_ranking_after_it(opened, actions, other, window, training, qtbot):
    root, job = opened.projects.project.root, opened.learning.training.job
    actions.open_path(other)
    answer(window, KEEP)
    assert training.asked(Stop) == [Stop(job, True)]
    qtbot.wait(50)
    assert opened.projects.project.root == root
    training.says(Trained(job, a_round(), False))
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project.root == other, timeout=TIMEOUT
    )


def test_a_closed_window_stays_until_the_model_is_kept(opened, actions, window, training, qtbot):
    window.close()
    assert window.isVisible()
    answer(window, KEEP)
    assert window.isVisible()
    training.says(Trained(opened.learning.training.job, a_round(), False))
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=TIMEOUT)


def test_the_window_closes_when_the_training_is_discarded(actions, window, training):
    window.close()
    answer(window, DISCARD)
    assert not window.isVisible()


def test_only_one_question_at_a_time(actions, other, window, training):
    window.close()
    actions.open_path(other)
    window.close()
    answer(window, STAY)
    assert window.isVisible()


def test_nothing_is_asked_without_a_training(opened, actions, window, other, qtbot):
    actions.open_path(other)
    assert not [box for box in window.findChildren(QMessageBox) if box.isVisible()]
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project.root == other, timeout=TIMEOUT
    )
    window.close()
    assert not window.isVisible()


def test_nothing_is_asked_for_the_project_that_is_open_already(opened, actions, window, training):
    actions.open_path(opened.projects.project.root / "config.yaml")
    assert not window.findChildren(QMessageBox)
    assert opened.learning.training.running


def test_the_ranking_after_a_training_is_not_asked_about(opened, actions, window, training, qtbot):
    job = opened.learning.training.job
    training.says(Trained(job, a_round(), False))
    qtbot.waitUntil(lambda: opened.learning.rounds != (), timeout=TIMEOUT)
    assert opened.learning.training.running
    window.close()
    assert not window.isVisible()


def test_the_question_goes_on_once_the_training_ended_by_itself(opened, actions, other, window, training, qtbot):
    actions.open_path(other)
    training.says(Trained(opened.learning.training.job, a_round(), False))
    training.says(Finished(opened.learning.training.job))
    qtbot.waitUntil(lambda: not opened.learning.training.running, timeout=TIMEOUT)
    answer(window, KEEP)
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project.root == other, timeout=TIMEOUT
    )


def test_a_script_that_closes_the_viewer_is_not_asked(window, actions, training):
    window.centralWidget().close()  # as `napari.Viewer.close` does before it closes the window
    window.close()
    assert not window.isVisible()


def test_a_line_of_the_skeleton_leaves_the_training_alone(opened, actions, window, training, qtbot):
    names, key, job = opened.frame.bodyparts, opened.frame.key, opened.learning.training.job
    client = training.client
    timeline = of_session(Timeline, opened, colours=theme_colours("dark"))
    qtbot.addWidget(timeline)
    marks, guess = timeline.lane.marks, Prediction(key, 1, np.ones((len(names), 2)), np.ones(len(names)))
    assert marks
    opened.frame.guesses.add_predictions({key: guess})
    actions.edit_skeleton(SkeletonEdit(names, ((names[0], names[-1]),)))
    qtbot.waitUntil(lambda: opened.frame.skeleton.links == ((names[0], names[-1]),), timeout=TIMEOUT)
    assert training.client is client
    assert opened.learning.training.job == job
    assert opened.frame.key == key
    assert opened.frame.guesses.predictions == {key: guess}
    assert timeline.lane.marks == marks
    window.close()
    answer(window, STAY)
    assert window.isVisible()
    # The next training begins with an engine that knows the line.
    training.says(Finished(job))
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    opened.learning.train()
    qtbot.waitUntil(lambda: opened.learning.training.running, timeout=TIMEOUT)
    assert training.client is not client
    assert training.asked(Train)


def test_other_bodyparts_end_a_training_only_once_the_user_says_so(opened, actions, window, training, qtbot):
    names = opened.frame.bodyparts
    edit = SkeletonEdit(("snout tip", *names[1:]), renamed=((names[0], "snout tip"),))
    assert opened.learning.n_new == 0
    actions.edit_skeleton(edit)
    answer(window, STAY)
    assert opened.learning.training.running
    assert opened.frame.bodyparts == names
    actions.edit_skeleton(edit)
    answer(window, DISCARD)
    qtbot.waitUntil(lambda: opened.frame.bodyparts == edit.bodyparts, timeout=TIMEOUT)
    assert not opened.learning.training.running
    assert opened.learning.n_new == 1  # nothing has learnt from it


def test_an_animal_more_ends_a_training_only_once_the_user_says_so(actions, window, training, opened):
    actions.add_individual("second")
    answer(window, STAY)
    assert opened.learning.training.running
