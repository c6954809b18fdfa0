"""A predicted video on the timeline: lanes, places worth a look, tracks changed and the queue filled from there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from session_tools import TIMEOUT, of_session

from napari_al_pose.domain import FrameKey, FrameRole, Prediction
from napari_al_pose.domain.track_edits import TrackAct
from napari_al_pose.engine.messages import Looked, Ready
from napari_al_pose.gui.panels.timeline import Timeline
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.project import create_project, open_project
from napari_al_pose.project.track_edits import edits_path
from napari_al_pose.project.video_predictions import RunHeader, tracking_path

FIRST, SECOND = (50.0, 60.0), (250.0, 260.0)
UNSURE, DOUBTFUL = 12, 20


def predict(config, *, individuals=("mouse1", "mouse2"), version=1):
    """Store what a model could have said about the project's video: two mice that stand still, one gone at the end."""
    with open_project(config) as project:
        (video,) = project.videos
        source = video.open()
        n = len(source)
        source.close()
        project.models.folder(version).mkdir(parents=True, exist_ok=True)
        header = RunHeader(
            video=video.name,
            identity=video.footage,
            footage=video.footage,
            model_version=version,
            bodyparts=("nose", "tail"),
            individuals=individuals,
            segments=((0, n),),
        )
        poses = np.full((n, max(1, len(individuals)), 2, 3), 0.9, np.float32)
        poses[:, 0, :, :2] = [FIRST, (FIRST[0] + 30, FIRST[1])]
        poses[UNSURE, ..., 2] = 0.2
        if individuals:
            poses[:, 1, :, :2] = [SECOND, (SECOND[0] + 30, SECOND[1])]
            poses[-10:, 1] = (np.nan, np.nan, 0)
        run = project.video_predictions.store(header, poses.reshape(n, -1, 3))
        if individuals:
            margins = np.full(n, np.inf, np.float32)
            margins[DOUBTFUL] = 0.2
            with run.margins_path.open("wb") as file:
                np.save(file, margins)
            tracking_path(run.path).write_text(json.dumps({"frames": n, "tracker": None}))


@pytest.fixture
def pair(session, sample_project, tmp_path, qtbot):
    """A project of two mice whose video is predicted, open at frame 0."""
    config = create_project(
        parent=tmp_path,
        task="pair",
        scorer="me",
        bodyparts=("nose", "tail"),
        skeleton=(("nose", "tail"),),
        videos=[next((sample_project.parent / "videos").iterdir())],
        individuals=("mouse1", "mouse2"),
    )
    predict(config)
    session.projects.open_project(config)
    qtbot.waitUntil(lambda: session.frame.source is not None and session.tracks.can_edit, timeout=TIMEOUT)
    return session


@pytest.fixture
def timeline(pair, qtbot):
    """The timeline of the pair, on the screen."""
    made = of_session(Timeline, pair, colours=theme_colours("dark"))
    qtbot.addWidget(made)
    made.resize(1000, 120)
    made.show()
    return made


def go(session, frame):
    session.navigator.go_to(FrameKey(session.frame.key.video, frame))


def stored(session, frame):
    """Return the noses of the tracks in a frame, as whoever reads the file now gets them."""
    project = session.projects.project
    return project.video_predictions.find(1, session.frame.key.video).prediction(frame).animals_xy[:, 0]


def guessed(session):
    return session.frame.guess.xy[0].tolist()


def test_lanes_show_every_animal_and_the_buttons_what_to_look_at(pair, timeline):
    lanes, bar = timeline.tracks, timeline.predicted
    assert lanes.isVisible()
    assert (bar.low.text(), bar.doubtful.text()) == ("1 unsure place", "1 doubtful crossing")
    seen = pair.tracks.overview.seen
    assert seen[0].all()
    assert seen[1, :-10].all()
    assert not seen[1, -10:].any()
    painted = lanes.grab().toImage()
    second = painted.height() - 8
    there, gone = (painted.pixelColor(x, second) for x in (painted.width() // 2, painted.width() - 4))
    assert there != gone
    assert there.blue() > there.red()  # the second individual's colour on the canvas


def test_a_click_into_a_lane_goes_there_and_chooses_its_animal(pair, timeline, qtbot):
    lanes = timeline.tracks
    y = lanes.height() - 6
    assert lanes.track_at(y) == 1
    qtbot.mouseClick(lanes, Qt.MouseButton.LeftButton, pos=QPoint(lanes.width() // 2, y))
    assert abs(pair.frame.key.frame - len(pair.frame.source) / 2) <= 1
    assert pair.frame.individual == "mouse2"
    assert "mouse2: found in" in lanes.words(QPoint(5, y).toPointF())


def test_swapped_tracks_are_swapped_on_disk_on_the_canvas_and_until_they_are_taken_back(pair, engine, qtbot):
    go(pair, 30)
    assert guessed(pair) == list(FIRST)
    pair.tracks.swap()
    assert guessed(pair) == list(SECOND)
    np.testing.assert_array_equal(stored(pair, 30), [SECOND, FIRST])
    np.testing.assert_array_equal(stored(pair, 29), [FIRST, SECOND])
    # What the model says anew of the frame, in an order of its own, is named after the tracks.
    engine.says(Ready("cpu", 1))
    poses = np.array([[FIRST, (80, 60)], [SECOND, (280, 260)]], np.float32) + 2
    said = Prediction.of_animals(pair.frame.key, 1, poses, np.full((2, 2), 0.9, np.float32))
    engine.says(Looked(1, pair.frame.key, None, said))
    assert guessed(pair) == [SECOND[0] + 2, SECOND[1] + 2]
    qtbot.waitUntil(lambda: not pair.tracks.overview.seen[0, -10:].any(), timeout=TIMEOUT)
    pair.tracks.undo()
    np.testing.assert_array_equal(stored(pair, 30), [FIRST, SECOND])
    pair.tracks.redo()
    np.testing.assert_array_equal(stored(pair, 30), [SECOND, FIRST])
    assert not pair.notices.errors


def test_labels_and_tracks_are_taken_back_in_the_order_they_were_changed(pair):
    go(pair, 30)
    pair.editor.click(10, 20)
    pair.tracks.swap(0, 1)
    pair.editor.click(30, 40)
    labels, done = pair.projects.project.labels, lambda: pair.tracks.run.edits.done
    pair.tracks.undo()
    assert np.isnan(labels.annotation(pair.frame.key, "mouse1").xy[1]).all()
    assert len(done()) == 1
    pair.tracks.undo()
    assert not done()
    assert labels.annotation(pair.frame.key, "mouse1").xy[0].tolist() == [10, 20]
    pair.tracks.undo()
    assert not pair.tracks.can_undo
    for _ in range(3):
        pair.tracks.redo()
    assert len(done()) == 1
    assert labels.annotation(pair.frame.key, "mouse1").xy.tolist() == [[10, 20], [30, 40]]
    assert not pair.tracks.can_redo


def test_a_track_is_split_named_and_joined_from_the_menu(pair, timeline, qtbot):
    go(pair, 30)
    menu = timeline.menu

    def choose(text, track=0):
        menu.fill_for(track)
        actions = {action.text().split("\t")[0]: action for action in menu.actions()}
        actions[text].trigger()

    choose("Split here: another animal from here on")
    qtbot.waitUntil(lambda: pair.tracks.overview.tracks == ("mouse1", "mouse2", "track 3"), timeout=TIMEOUT)
    assert np.isnan(stored(pair, 30)[0]).all()
    np.testing.assert_array_equal(stored(pair, 30)[2], FIRST)
    pair.tracks.name(2, " stranger ")
    assert pair.tracks.tracks == ("mouse1", "mouse2", "stranger")
    pair.tracks.join(0, 2)
    np.testing.assert_array_equal(stored(pair, 40)[:2], [FIRST, SECOND])
    pair.tracks.name(0, "mouse2")
    np.testing.assert_array_equal(stored(pair, 3)[:2], [SECOND, FIRST])
    assert [edit.act for edit in pair.tracks.run.edits.done] == [
        TrackAct.SPLIT,
        TrackAct.NAME,
        TrackAct.JOIN,
        TrackAct.SWAP,
    ]
    with open_project(pair.projects.project.root, read_only=True) as again:
        assert again.video_predictions.find(1, pair.frame.key.video).tracks == ("mouse1", "mouse2", "stranger")


def test_keys_go_to_what_is_worth_a_look_and_put_it_in_the_queue(pair):
    pair.review.go_low(1)
    assert pair.frame.key.frame == UNSURE
    pair.review.pick_here()
    (picked,) = pair.navigator.queue.suggestions
    assert (picked.key.frame, picked.strategy) == (UNSURE, "picked")
    pair.review.go_doubtful(1)
    assert pair.frame.key.frame == DOUBTFUL
    pair.review.pick_here()
    pair.review.pick_all()  # is there already
    assert len(pair.navigator.queue) == 2
    pair.review.go_doubtful(1)
    assert pair.frame.key.frame == DOUBTFUL
    pair.review.drop_picked()
    assert len(pair.navigator.queue) == 0
    assert not pair.notices.errors


def test_damaged_changes_are_named_and_not_written_over(pair, qtbot):
    path = edits_path(pair.tracks.run.path)
    path.write_text('{"done": [{"act": "swap", "row": 3, "track": 0, "other": 9}]}')
    pair.tracks.read_anew()
    qtbot.waitUntil(lambda: bool(pair.notices.errors), timeout=TIMEOUT)
    assert str(path) in pair.notices.errors[0]
    assert '"other": 9' in path.read_text()


def test_errors_are_measured_where_labels_are_on_test_frames_first(pair, timeline, qtbot):
    labels = pair.projects.project.labels

    def read(frame, off):
        """Label a frame, the second animal's tail so far off, as another animal than the tracks say."""
        here = FrameKey(pair.frame.key.video, frame)
        for who, (x, y) in (("mouse2", FIRST), ("mouse1", SECOND)):
            labels.place(here, "nose", x, y, individual=who)
            labels.place(here, "tail", x + 30, y + (off if who == "mouse1" else 0), individual=who)
        with qtbot.waitSignal(pair.tracks.changed, timeout=TIMEOUT):
            pair.tracks.read_anew()

    read(5, 4.0)
    assert pair.tracks.errors.bodyparts == (("tail", 2.0, 2), ("nose", 0.0, 2))
    assert pair.tracks.errors.frames == ((5, 1.0),)
    assert not pair.tracks.errors.is_test
    labels.roles.set(FrameKey(pair.frame.key.video, 7), FrameRole.HOLDOUT)
    read(7, 8.0)
    assert pair.tracks.errors.bodyparts[0] == ("tail", 4.0, 2)
    assert (pair.tracks.errors.n_frames, pair.tracks.errors.is_test) == (1, True)
    assert [row for row, _ in pair.tracks.errors.frames] == [5, 7]
    timeline.menu.fill()
    (menu,) = [action.menu() for action in timeline.menu.actions() if action.text() == "Error by bodypart"]
    lines = [action.text() for action in menu.actions()]
    assert lines[0] == "tail: 4.00 px (2 labels)"
    assert lines[-1] == "Median in 1 test frame of this video"


def test_it_fits_below_the_video_on_a_laptops_screen(pair, timeline):
    assert timeline.minimumSizeHint().width() <= 880  # 1366 px less the dock and what is between them
