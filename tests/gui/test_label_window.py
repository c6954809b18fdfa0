"""Twenty frames labelled with mouse and keys only, through every mode, in the real window; the files by pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from session_tools import TIMEOUT, note_errors

from napari_al_pose.demo.annotator import MouseAnnotator
from napari_al_pose.domain import FrameKey, FrameRole, Prediction, Suggestion
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.engine.messages import Finished, Ranked, Ready
from napari_al_pose.gui.panels.key_overlay import KeyOverlay
from napari_al_pose.gui.viewers import session_for
from napari_al_pose.project import create_project, open_project

pytestmark = pytest.mark.gui

NAMES = ("nose", "left", "right", "tail")
QUEUE = (5, 12, 20, 27, 33)
HOLDOUT = 20
CONTROL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def viewer(make_napari_viewer, engine):
    made = make_napari_viewer(show=True)
    made.window.resize(760, 520)
    return made


@pytest.fixture
def session(viewer, sample_project, tmp_path, qtbot):
    video = sorted((sample_project.parent / "videos").iterdir())[0]
    links = (("nose", "left"), ("nose", "right"))
    config = create_project(
        parent=tmp_path, task="twenty", scorer="me", bodyparts=NAMES, skeleton=links, videos=[video]
    )
    session = note_errors(session_for(viewer))
    session.projects.open_project(config)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    yield session
    session.close()


class Person:
    """Mouse and keys, and what the files must hold in the end."""

    def __init__(self, viewer, session, qtbot):
        self.hand = MouseAnnotator(viewer, session, {})
        self.session, self.qtbot = session, qtbot
        self.meant = {}

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        self.hand.press(key, modifier)

    def see(self, frame=None):
        """Wait for the picture, as eyes do."""
        self.qtbot.waitUntil(lambda: self.session.frame.picture_is_current, timeout=TIMEOUT)
        if frame is not None:
            assert self.session.frame.key.frame == frame

    def point(self, name, frame):
        """Where a bodypart of a frame is meant to be."""
        return np.array([120.0 + 90 * NAMES.index(name) + frame % 7, 140.0 + 3 * frame])

    def click(self, name, at=None):
        frame = self.session.frame.key.frame
        self.meant[frame, name] = self.point(name, frame) if at is None else np.asarray(at, float)
        self.hand.click(*self.meant[frame, name])

    def means(self, name, at):
        self.meant[self.session.frame.key.frame, name] = at if at is None else np.asarray(at, float)


@pytest.fixture
def person(viewer, session, qtbot):
    return Person(viewer, session, qtbot)


def suggest(engine, session, qtbot, frames):
    """Let the engine suggest frames, with a guess in each."""
    video = session.frame.key.video
    keys = [FrameKey(video, frame) for frame in frames]
    roles = {FrameKey(video, HOLDOUT): FrameRole.HOLDOUT}
    found = tuple(Suggestion(key, 1.0, "mpe", role=roles.get(key, FrameRole.TRAIN), model_version=1) for key in keys)
    engine.says(Ready("cpu", 1))
    job = session.learning.training.job
    engine.says(Ranked(job, "mpe", 1, found, ()), Finished(job))
    qtbot.waitUntil(lambda: session.navigator.queue.row(keys[-1]) >= 0)


def loop_through_the_queue(person):
    """One bodypart through five frames, then the next: 5 frames."""
    for _ in range(2):
        person.press(Qt.Key.Key_M)
    assert person.session.options.label_mode is LabelMode.LOOP
    for name in NAMES:
        for frame in QUEUE:
            person.see(frame)
            assert person.session.frame.bodypart == name
            assert (person.session.navigator.role is FrameRole.HOLDOUT) == (frame == HOLDOUT)
            person.click(name)
    person.press(Qt.Key.Key_M)
    assert person.session.options.label_mode is LabelMode.SEQUENTIAL


def label_in_sequence(person, frames):
    """Bodypart after bodypart, frame after frame; one is not visible, one is cleared, taken back and redone."""
    for frame in frames:
        while person.session.frame.key.frame < frame:
            person.press(Qt.Key.Key_D)
        person.see(frame)
        for name in NAMES:
            if frame == frames[0] and name == "tail":
                person.press(Qt.Key.Key_X)
                person.means("tail", None)
            else:
                person.click(name)
        person.click("tail", person.meant[frame, "tail"]) if person.meant[frame, "tail"] is not None else None
    person.hand.click(300, 300)  # a click where every bodypart has its label changes nothing in this mode
    person.press(Qt.Key.Key_Backspace)
    person.press(Qt.Key.Key_Z, CONTROL)
    person.press(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert not person.session.frame.annotation.is_complete
    person.press(Qt.Key.Key_Z, CONTROL)
    assert person.session.frame.annotation.is_complete


def label_quickly(person, frames):
    """As in sequence, but the first bodypart is put elsewhere by clicking again."""
    person.press(Qt.Key.Key_M)
    assert person.session.options.label_mode is LabelMode.QUICK
    for frame in frames:
        person.press(Qt.Key.Key_D)
        person.see(frame)
        for name in NAMES:
            person.click(name)
        person.press(Qt.Key.Key_Down)  # from the last round to the first
        person.click("nose", person.point("nose", frame) + np.array([30, 20]))
    for _ in range(2):
        person.press(Qt.Key.Key_M)


def select_and_nudge(person, frame):
    """A point is chosen by a click, nudged by arrows, dragged; a click beside places nothing; pan does nothing."""
    person.press(Qt.Key.Key_D)
    person.see(frame)
    for name in NAMES:
        person.click(name)
    person.press(Qt.Key.Key_3)
    assert person.session.options.tool is Tool.SELECT
    nose = person.point("nose", frame)
    person.hand.click(*nose)
    assert person.session.frame.bodypart == "nose"
    person.hand.click(500, 400)
    person.press(Qt.Key.Key_Right)
    person.press(Qt.Key.Key_Down, SHIFT)
    person.means("nose", nose + np.array([1, 10]))
    left = person.point("left", frame)
    person.hand.drag(left, left + np.array([25, 15]))
    person.means("left", left + np.array([25, 15]))
    person.press(Qt.Key.Key_4)
    person.hand.click(400, 100)
    person.press(Qt.Key.Key_2)


def carry_poses(person, frames):
    """Copied and pasted; borrowed from the frame before, moved as a whole and accepted."""
    person.press(Qt.Key.Key_C, CONTROL)
    before = dict(person.meant)
    last, (pasted, moved) = person.session.frame.key.frame, frames
    person.press(Qt.Key.Key_D)
    person.see(pasted)
    person.press(Qt.Key.Key_V, CONTROL)
    for name in NAMES:
        person.means(name, before[last, name])
    person.press(Qt.Key.Key_D)
    person.see(moved)
    person.press(Qt.Key.Key_C)
    assert person.session.frame.annotation.is_empty
    person.hand.drag(before[last, "tail"], before[last, "tail"] + np.array([-12, 8]), ALT)
    assert person.session.frame.annotation.is_complete
    for name in NAMES:
        person.means(name, before[last, name] + np.array([-12, 8]))


def correct_guesses(person, frames):
    """A guess is dragged where it is wrong, accepted where it is right, hidden by a right click."""
    session = person.session
    for frame in frames:
        person.press(Qt.Key.Key_D)
        person.see(frame)
        xy = np.array([person.point(name, frame) for name in NAMES], np.float32)
        guess = Prediction(session.frame.key, 1, xy, np.full(4, 0.7, np.float32))
        session.frame.guesses.set_predictions({session.frame.key: guess})
        session.frame.annotationChanged.emit()
        person.hand.drag(xy[2], xy[2] + np.array([20, -10]))
        assert (session.frame.annotation.states > 0).sum() == 1
        person.hand.click(*xy[3], Qt.MouseButton.RightButton)
        person.press(Qt.Key.Key_Return)
        for index, name in enumerate(NAMES):
            person.means(name, xy[index])
        person.means("right", xy[2] + np.array([20, -10]))
        person.means("tail", None)


def finish_with_what_waits(engine, person, qtbot, frames):
    """Shift and arrow lead to the frames that wait for labels, wherever they are."""
    suggest(engine, person.session, qtbot, frames)
    for frame in frames:
        person.press(Qt.Key.Key_Right, SHIFT)
        person.see(frame)
        for name in NAMES:
            person.click(name)


def test_twenty_frames_through_every_mode(viewer, session, person, qtbot, engine):
    suggest(engine, session, qtbot, QUEUE)
    loop_through_the_queue(person)
    label_in_sequence(person, (35, 36, 37))
    label_quickly(person, (38, 39))
    select_and_nudge(person, 40)
    carry_poses(person, (41, 42))
    correct_guesses(person, (43, 44, 45))
    person.press(Qt.Key.Key_V)
    person.hand.click(300, 300)  # nobody labels what is hidden
    person.press(Qt.Key.Key_V)
    finish_with_what_waits(engine, person, qtbot, (60, 70, 80, 90))
    assert not session.notices.errors
    root, video = session.projects.project.root, session.frame.key.video
    session.projects.close_project()

    frames = sorted({frame for frame, _ in person.meant})
    assert len(frames) == 20
    folder = root / "labeled-data" / video
    from_h5 = pd.read_hdf(folder / "CollectedData_me.h5")
    from_csv = pd.read_csv(folder / "CollectedData_me.csv", header=[0, 1, 2], index_col=[0, 1, 2])
    np.testing.assert_allclose(from_csv.to_numpy(), from_h5.to_numpy())
    assert list(from_h5.columns.get_level_values("bodyparts").unique()) == list(NAMES)
    numbers = [int("".join(filter(str.isdigit, row[-1]))) for row in from_h5.index]
    assert sorted(numbers) == frames
    for row, number in zip(from_h5["me"].to_numpy().reshape(-1, 4, 2), numbers, strict=True):
        for xy, name in zip(row, NAMES, strict=True):
            meant = person.meant[number, name]
            expected = [np.nan, np.nan] if meant is None else meant
            np.testing.assert_allclose(xy, expected, atol=1.5, err_msg=f"{name} in frame {number}")
    with open_project(root, read_only=True) as stored:
        assert [key.frame for key in stored.labels.roles.holdout_keys()] == [HOLDOUT]


def test_the_view_comes_close_follows_and_plays_without_labelling_other_frames(viewer, session, person, qtbot):
    person.click("nose")
    here, zoom = session.frame.key, viewer.scene.camera.zoom
    person.press(Qt.Key.Key_W)
    person.press(Qt.Key.Key_Z)
    assert viewer.scene.camera.zoom > 3 * zoom
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], person.point("nose", here.frame)[::-1], atol=1.5)
    person.press(Qt.Key.Key_Z)
    assert viewer.scene.camera.zoom == zoom
    person.press(Qt.Key.Key_P)
    qtbot.waitUntil(lambda: viewer.dims.current_step[0] not in (here.frame, 0), timeout=TIMEOUT)
    assert session.frame.key == here
    person.hand.click(300, 300)  # the picture is another frame's
    assert (session.frame.annotation.states > 0).sum() == 1
    person.press(Qt.Key.Key_P)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    person.press(Qt.Key.Key_G)
    target = person.point("nose", here.frame)[::-1]
    qtbot.waitUntil(lambda: np.allclose(viewer.scene.camera.center[-2:], target, atol=1.5), timeout=TIMEOUT)


def test_the_question_mark_lists_the_keys_and_escape_puts_them_away(viewer, session, person, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("napari-al-pose", "Active-learning pose labeller")
    dock.window().activateWindow()
    qtbot.waitUntil(dock.window().isActiveWindow, timeout=TIMEOUT)
    person.press(Qt.Key.Key_Question, SHIFT)
    sheet = dock.window().findChild(KeyOverlay)
    assert sheet.isVisible()
    # The window may still be growing to what the dock needs.
    qtbot.waitUntil(lambda: sheet.size() == dock.window().size(), timeout=TIMEOUT)
    QTest.keyClick(sheet, Qt.Key.Key_X)  # nobody labels under the sheet
    assert session.frame.annotation.is_empty
    QTest.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    person.press(Qt.Key.Key_F1)
    assert sheet.isVisible()
    QTest.keyClick(sheet, Qt.Key.Key_Question)
    assert not sheet.isVisible()
