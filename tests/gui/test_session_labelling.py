"""A session on a real project and real videos, without a window; the engine is scripted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from session_tools import TIMEOUT, ScriptedEngine

from napari_al_pose.domain import FrameKey, FrameRole, KeypointState, Prediction, Suggestion
from napari_al_pose.engine.messages import Died, Finished, Look, Looked, Rank, Ranked, Train
from napari_al_pose.gui import saving
from napari_al_pose.gui.session import Session
from napari_al_pose.project import open_project
from napari_al_pose.project.label_log import Keypoint, KeypointKey

pytestmark = pytest.mark.gui


def engine(session) -> ScriptedEngine:
    return session._engine._client


def frame(session, number: int) -> FrameKey:
    return FrameKey(session.current.video, number)


def label_all(session, offset: float = 0.0) -> None:
    for index, name in enumerate(session.bodyparts):
        session.place(name, 10.0 + index, 20.0 + offset)


def ranked(session, *keys, strategy="mpe", version=0, guesses=(), role=FrameRole.TRAIN) -> None:
    suggestions = tuple(Suggestion(key, 1.0, strategy, role=role, model_version=version) for key in keys)
    job = session.training.job
    engine(session).on_reply(Ranked(job, strategy, version, suggestions, tuple(guesses)))
    engine(session).on_reply(Finished(job))


def test_opening_shows_a_frame_and_asks_for_a_queue(opened):
    assert opened.project is not None
    assert not opened.errors
    assert opened.annotation.is_empty
    assert opened.position == 0
    assert opened.bodypart == opened.bodyparts[0]
    assert [request.strategy for request in engine(opened).asked(Rank)] == [opened.settings.strategy]


def test_a_bad_path_is_one_notice_and_the_open_project_stays(opened, qtbot, tmp_path):
    project = opened.project
    with qtbot.waitSignal(opened.noticeRaised, timeout=TIMEOUT) as notice:
        opened.open_project(tmp_path / "nowhere" / "config.yaml")
    assert "nowhere" in notice.args[0]
    assert opened.project is project
    assert opened.busy == ""


def test_placing_in_order_completes_the_frame_and_is_on_disk_at_once(opened):
    names = opened.bodyparts
    for name in names:
        assert opened.bodypart == name
        opened.place(opened.bodypart, 30.5, 40.25)
        with open_project(opened.project.root, read_only=True) as second:
            stored = second.labels.annotation(opened.current)
        np.testing.assert_array_equal(stored.xy, opened.annotation.xy)
    assert opened.annotation.is_complete
    assert opened.bodypart == names[-1]
    assert opened.n_complete == opened.n_complete_since_training == 1


def test_undo_of_an_import_into_many_frames_counts_all_of_them(opened, qtbot):
    video, place = opened.current.video, Keypoint(KeypointState.PLACED, 3.0, 4.0)
    keys = [FrameKey(video, number) for number in (4, 8, 15)]
    changes = [(KeypointKey(video, key.frame, "", name), place) for key in keys for name in opened.bodyparts]
    with qtbot.waitSignal(opened.projectChanged, timeout=TIMEOUT):
        opened.change_labels(
            "Importing", lambda project: project.labels.exchange.take_in(changes, source="labels.csv", undoable=True)
        )
    assert opened.tally.complete >= set(keys)
    before = opened.tally.labelled - set(keys)
    opened.undo()
    assert opened.current == keys[0]
    assert opened.tally.labelled == before
    opened.redo()
    assert opened.tally.complete >= set(keys)


def test_not_visible_clear_undo_and_redo(opened):
    first, second = opened.bodyparts[:2]
    opened.mark_not_visible()
    assert opened.annotation.states[0] == KeypointState.NOT_VISIBLE
    assert opened.bodypart == second
    opened.clear(first)
    assert opened.annotation.is_empty
    assert opened.bodypart == first
    opened.undo()
    assert opened.annotation.states[0] == KeypointState.NOT_VISIBLE
    opened.redo()
    assert opened.annotation.is_empty


def test_undo_goes_to_the_frame_it_changes(opened):
    start = opened.current
    opened.place(opened.bodypart, 1, 2)
    opened.step(5)
    assert opened.current == frame(opened, start.frame + 5)
    opened.undo()
    assert opened.current == start
    assert opened.annotation.is_empty
    assert not opened.tally.labelled


def test_stepping_stops_at_the_ends(opened):
    opened.step(-3)
    assert opened.position == 0
    opened.step(10**6)
    assert opened.position == len(opened.source) - 1


def test_walking_through_the_labelled_frames(opened):
    for number in (30, 10, 20):
        opened.go_to(frame(opened, number))
        opened.place(opened.bodypart, 1, 2)
    opened.previous_labelled()
    assert opened.current.frame == 10
    opened.previous_labelled()
    assert opened.current.frame == 10
    opened.next_labelled()
    opened.next_labelled()
    assert opened.current.frame == 30


def test_another_video_is_opened_without_waiting(opened, qtbot):
    other = next(video.name for video in opened.project.videos if video.name != opened.current.video)
    opened.go_to(FrameKey(other, 7))
    assert opened.current == FrameKey(other, 7)
    assert opened.source is None
    assert not opened.picture_is_current
    qtbot.waitUntil(lambda: opened.source is not None, timeout=TIMEOUT)
    assert opened.source.name == other
    assert opened.position == 7


def test_a_frame_the_video_does_not_have_is_said(opened):
    opened.go_to(frame(opened, 10**6))
    assert opened.position == -1
    assert "no frame 1000000" in opened.errors[-1]


def test_the_first_label_of_a_suggested_frame_stores_who_chose_it_and_what_for(opened, qtbot):
    suggested, beside = frame(opened, 12), frame(opened, 13)
    ranked(opened, suggested, strategy="random", role=FrameRole.HOLDOUT)
    qtbot.waitUntil(lambda: len(opened.queue) == 1)
    opened.next_suggestion()
    assert opened.current == suggested
    opened.place(opened.bodypart, 1, 2)
    assert opened.annotation.role is FrameRole.HOLDOUT
    assert opened.project.labels.provenance(suggested) == "random"
    opened.go_to(beside)
    opened.place(opened.bodypart, 1, 2)
    assert opened.annotation.role is FrameRole.TRAIN
    assert opened.project.labels.provenance(beside) == ""


def test_a_new_ranking_leaves_the_frame_in_front(opened, qtbot):
    root = opened.project.root
    a, b, c = (frame(opened, n) for n in (10, 20, 30))
    ranked(opened, a, b)
    qtbot.waitUntil(lambda: len(opened.queue) == 2)
    opened.next_suggestion()
    opened.place(opened.bodypart, 1, 2)
    labels = opened.annotation
    opened.set_strategy("influence")
    assert opened.project.settings.strategy == "influence"
    ranked(opened, c, strategy="influence")
    qtbot.waitUntil(lambda: opened.queue.row(c) >= 0)
    assert opened.current == a
    np.testing.assert_array_equal(opened.annotation.xy, labels.xy)
    opened.next_suggestion()
    assert opened.current == c
    opened.close_project()
    with open_project(root, read_only=True) as again:
        assert [s.key for s in again.queue.load().suggestions] == [a, c]


def guess_for(session, key, version=1):
    n = len(session.bodyparts)
    xy = np.arange(2 * n, dtype=np.float32).reshape(n, 2) + 50
    return Prediction(key, version, xy, np.full(n, 0.8, np.float32))


def test_a_guess_becomes_labels_only_when_accepted(opened, qtbot):
    key = frame(opened, 12)
    guess = guess_for(opened, key)
    ranked(opened, key, version=1, guesses=[guess])
    qtbot.waitUntil(lambda: len(opened.queue) == 1)
    opened.next_suggestion()
    assert opened.guess is not None
    assert opened.annotation.is_empty
    opened.place(opened.bodyparts[1], 5, 6)
    assert np.isnan(opened.guess.xy[1]).all()
    opened.accept_guess(opened.bodyparts[0])
    np.testing.assert_array_equal(opened.annotation.xy[0], guess.xy[0])
    opened.accept_guess()
    assert opened.annotation.is_complete
    np.testing.assert_array_equal(opened.annotation.xy[1], [5, 6])
    assert opened.guess is None
    opened.undo()  # the whole rest was one step
    assert (opened.annotation.states != KeypointState.UNSEEN).sum() == 2


def test_answers_for_other_frames_and_older_models_are_dropped(opened, qtbot):
    here, there = opened.current, frame(opened, 9)
    opened._engine._model_version = 2
    for key, version in ((there, 2), (here, 1)):
        engine(opened).on_reply(Looked(0, key, None, guess_for(opened, key, version)))
    engine(opened).on_reply(Looked(0, here, None, guess_for(opened, here, 2)))
    qtbot.waitUntil(lambda: opened.looked is not None)
    assert opened.looked.prediction.model_version == 2
    assert opened.guess.model_version == 2


def test_one_look_is_under_way_and_the_newest_wish_follows(opened, qtbot):
    opened._engine._model_version = 1
    for n in (3, 4, 5, 6):
        opened.go_to(frame(opened, n))
    looks = engine(opened).asked(Look)
    assert [look.key.frame for look in looks] == [3]
    engine(opened).on_reply(Looked(looks[0].job, looks[0].key, None, guess_for(opened, looks[0].key)))
    qtbot.waitUntil(lambda: len(engine(opened).asked(Look)) == 2)
    assert engine(opened).asked(Look)[1].key.frame == 6


def test_enough_complete_frames_start_a_training_once(opened, qtbot):
    opened.set_settings(opened.settings.model_copy(update={"learn_after": 2}))
    for n in (3, 4, 5):
        opened.go_to(frame(opened, n))
        label_all(opened)
    ranked(opened, frame(opened, 50))
    qtbot.waitUntil(lambda: opened.training.running)
    assert len(engine(opened).asked(Train)) == 1
    assert opened.n_complete_since_training == 1


def test_deeplabcut_files_follow_a_complete_frame(opened, qtbot):
    video = opened.current.video
    file = opened.project.root / "labeled-data" / video / f"CollectedData_{opened.project.scorer}.h5"
    opened.place(opened.bodyparts[0], 1, 2)
    assert not opened._saver._timer.isActive()
    label_all(opened)
    qtbot.waitUntil(file.is_file, timeout=TIMEOUT)
    assert not opened.errors


def test_many_labels_are_written_by_a_process_that_ends_with_the_window(opened, qtbot, monkeypatch):
    monkeypatch.setattr(saving, "MANY", 2)
    folder = opened.project.root / "labeled-data" / opened.current.video
    with qtbot.waitSignal(opened._saver.written, timeout=TIMEOUT):
        label_all(opened)
    assert opened._saver._process.pid is None
    opened.go_to(frame(opened, 7))
    with qtbot.waitSignal(opened._saver.written, timeout=TIMEOUT):
        label_all(opened)
    process = opened._saver._process._process
    assert process.poll() is None
    opened.go_to(frame(opened, 9))
    label_all(opened)
    opened.close()
    assert process.poll() == 0
    table = pd.read_hdf(next(folder.glob("CollectedData_*.h5")))
    assert {7, 9} < {int(image[3:-4]) for *_, image in table.index}


def test_closing_writes_what_is_left_and_everything_is_there_again(opened, qtbot, sample_copy):
    key, root = opened.current, opened.project.root
    label_all(opened)
    opened.close_project()
    assert opened.project is None
    assert list((root / "labeled-data" / key.video).glob("CollectedData_*.h5"))
    opened.open_project(sample_copy)
    qtbot.waitUntil(lambda: opened.current is not None, timeout=TIMEOUT)
    assert not opened.read_only
    assert opened.current == key
    assert opened.annotation.is_complete


def test_a_second_window_reads_and_says_why_it_does_not_write(opened, qtbot, sample_copy):
    second = Session()
    said = []
    second.noticeRaised.connect(lambda message, hint, is_error: said.append(message))
    try:
        second.open_project(sample_copy)
        qtbot.waitUntil(lambda: second.current is not None, timeout=TIMEOUT)
        assert second.read_only
        second.place(second.bodypart, 1, 2)
        assert second.annotation.is_empty
        assert any("read" in line and "only" in line for line in said)
    finally:
        second.close()


def test_a_dead_engine_keeps_the_labels_and_can_be_started_again(opened, qtbot):
    label_all(opened)
    opened.learn()
    engine(opened).on_reply(Died("The engine process ended with code 9.", "Restart the engine."))
    qtbot.waitUntil(lambda: opened.engine_state == "dead")
    assert not opened.training.running
    assert "code 9" in opened.errors[-1]
    assert opened.annotation.is_complete
    opened.restart_engine()
    qtbot.waitUntil(lambda: opened.engine_state == "ready")


def test_the_scoremap_choice_is_remembered_when_toggled(opened):
    opened.toggle_scoremap()
    assert opened.scoremap_choice == "*"
    opened.set_scoremap(opened.bodyparts[1])
    opened.toggle_scoremap()
    assert opened.scoremap_choice == ""
    opened.toggle_scoremap()
    assert opened.scoremap_choice == opened.bodyparts[1]
    opened.set_scoremap("no such bodypart")
    assert opened.scoremap_choice == opened.bodyparts[1]
