"""A session on a real project and real videos, without a window; the engine is scripted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import psutil
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, FrameRole, KeypointState, Prediction, Suggestion
from napari_al_pose.engine.messages import Died, Finished, Look, Looked, Rank, Ranked, Ready, Train
from napari_al_pose.gui.state import saving
from napari_al_pose.gui.state.session import new_session
from napari_al_pose.project import open_project
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.writing_process import WritingProcess

pytestmark = pytest.mark.gui


def frame(session, number: int) -> FrameKey:
    return FrameKey(session.frame.key.video, number)


def label_all(session, offset: float = 0.0) -> None:
    for index, name in enumerate(session.frame.bodyparts):
        session.editor.place(name, 10.0 + index, 20.0 + offset)


def ranked(engine, session, *keys, strategy="mpe", version=0, guesses=(), role=FrameRole.TRAIN) -> None:
    suggestions = tuple(Suggestion(key, 1.0, strategy, role=role, model_version=version) for key in keys)
    job = session.learning.training.job
    engine.says(Ranked(job, strategy, version, suggestions, tuple(guesses)))
    engine.says(Finished(job))


def test_opening_shows_a_frame_and_asks_for_a_queue(opened, engine):
    assert opened.projects.project is not None
    assert not opened.notices.errors
    assert opened.frame.annotation.is_empty
    assert opened.frame.position == 0
    assert opened.frame.bodypart == opened.frame.bodyparts[0]
    assert [request.strategy for request in engine.asked(Rank)] == [opened.projects.settings.strategy]


@pytest.mark.parametrize("touched", [False, True])
def test_the_first_suggestion_is_shown_by_itself_unless_the_user_has_begun(
    session, sample_copy, qtbot, engine, touched
):
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None and session.learning.training.busy, timeout=TIMEOUT)
    first, wanted = session.frame.key, frame(session, 40)
    if touched:
        session.editor.place(session.frame.bodypart, 3, 4)
    ranked(engine, session, wanted, frame(session, 50))
    qtbot.waitUntil(lambda: len(session.navigator.queue) == 2)
    assert session.frame.key == (first if touched else wanted)
    qtbot.waitUntil(lambda: not session.learning.training.busy)
    session.projects.set_strategy("influence")
    ranked(engine, session, frame(session, 60), strategy="influence")
    qtbot.waitUntil(lambda: session.navigator.queue.row(frame(session, 60)) >= 0)
    assert session.frame.key == (first if touched else wanted), "only the first ranking moves anything"


def test_a_bad_path_is_one_notice_and_the_open_project_stays(opened, qtbot, tmp_path):
    project = opened.projects.project
    with qtbot.waitSignal(opened.notices.raised, timeout=TIMEOUT) as notice:
        opened.projects.open_project(tmp_path / "nowhere" / "config.yaml")
    assert "nowhere" in notice.args[0]
    assert opened.projects.project is project
    assert opened.notices.busy == ""


def test_placing_in_order_completes_the_frame_and_is_on_disk_at_once(opened):
    names = opened.frame.bodyparts
    for name in names:
        assert opened.frame.bodypart == name
        opened.editor.place(opened.frame.bodypart, 30.5, 40.25)
        with open_project(opened.projects.project.root, read_only=True) as second:
            stored = second.labels.annotation(opened.frame.key)
        np.testing.assert_array_equal(stored.xy, opened.frame.annotation.xy)
    assert opened.frame.annotation.is_complete
    assert opened.frame.bodypart == names[-1]
    assert len(opened.projects.tally.complete) == opened.learning.n_new == 1


def test_undo_of_an_import_into_many_frames_counts_all_of_them(opened, qtbot):
    video, place = opened.frame.key.video, Keypoint(KeypointState.PLACED, 3.0, 4.0)
    keys = [FrameKey(video, number) for number in (4, 8, 15)]
    changes = [(KeypointKey(video, key.frame, "", name), place) for key in keys for name in opened.frame.bodyparts]
    with qtbot.waitSignal(opened.projects.projectChanged, timeout=TIMEOUT):
        opened.projects.change_labels(
            "Importing", lambda project: project.labels.exchange.take_in(changes, source="labels.csv", undoable=True)
        )
    assert opened.projects.tally.complete >= set(keys)
    before = opened.projects.tally.labelled - set(keys)
    opened.editor.undo()
    assert opened.frame.key == keys[0]
    assert opened.projects.tally.labelled == before
    opened.editor.redo()
    assert opened.projects.tally.complete >= set(keys)


def test_not_visible_clear_undo_and_redo(opened):
    first, second = opened.frame.bodyparts[:2]
    opened.editor.mark_not_visible()
    assert opened.frame.annotation.states[0] == KeypointState.NOT_VISIBLE
    assert opened.frame.bodypart == second
    opened.editor.clear(first)
    assert opened.frame.annotation.is_empty
    assert opened.frame.bodypart == first
    opened.editor.undo()
    assert opened.frame.annotation.states[0] == KeypointState.NOT_VISIBLE
    opened.editor.redo()
    assert opened.frame.annotation.is_empty


def test_undo_goes_to_the_frame_it_changes(opened):
    start = opened.frame.key
    opened.editor.place(opened.frame.bodypart, 1, 2)
    opened.navigator.step(5)
    assert opened.frame.key == frame(opened, start.frame + 5)
    opened.editor.undo()
    assert opened.frame.key == start
    assert opened.frame.annotation.is_empty
    assert not opened.projects.tally.labelled


def test_stepping_stops_at_the_ends(opened):
    opened.navigator.step(-3)
    assert opened.frame.position == 0
    opened.navigator.step(10**6)
    assert opened.frame.position == len(opened.frame.source) - 1


def test_walking_through_the_labelled_frames(opened):
    for number in (30, 10, 20):
        opened.navigator.go_to(frame(opened, number))
        opened.editor.place(opened.frame.bodypart, 1, 2)
    opened.navigator.previous_labelled()
    assert opened.frame.key.frame == 10
    opened.navigator.previous_labelled()
    assert opened.frame.key.frame == 10
    opened.navigator.next_labelled()
    opened.navigator.next_labelled()
    assert opened.frame.key.frame == 30


def test_another_video_is_opened_without_waiting(opened, qtbot):
    other = next(video.name for video in opened.projects.project.videos if video.name != opened.frame.key.video)
    opened.navigator.go_to(FrameKey(other, 7))
    assert opened.frame.key == FrameKey(other, 7)
    assert opened.frame.source is None
    assert not opened.frame.picture_is_current
    qtbot.waitUntil(lambda: opened.frame.source is not None, timeout=TIMEOUT)
    assert opened.frame.source.name == other
    assert opened.frame.position == 7


def test_a_frame_the_video_does_not_have_is_said(opened):
    opened.navigator.go_to(frame(opened, 10**6))
    assert opened.frame.position == -1
    assert "no frame 1000000" in opened.notices.errors[-1]


def test_the_first_label_of_a_suggested_frame_stores_who_chose_it_and_what_for(opened, qtbot, engine):
    suggested, beside = frame(opened, 12), frame(opened, 13)
    ranked(engine, opened, suggested, strategy="random", role=FrameRole.HOLDOUT)
    qtbot.waitUntil(lambda: len(opened.navigator.queue) == 1)
    opened.navigator.next_suggestion()
    assert opened.frame.key == suggested
    opened.editor.place(opened.frame.bodypart, 1, 2)
    assert opened.frame.annotation.role is FrameRole.HOLDOUT
    assert opened.projects.project.labels.roles.provenance(suggested) == "random"
    opened.navigator.go_to(beside)
    opened.editor.place(opened.frame.bodypart, 1, 2)
    assert opened.frame.annotation.role is FrameRole.TRAIN
    assert opened.projects.project.labels.roles.provenance(beside) == ""


def test_a_new_ranking_leaves_the_frame_in_front(opened, qtbot, engine):
    root = opened.projects.project.root
    a, b, c = (frame(opened, n) for n in (10, 20, 30))
    ranked(engine, opened, a, b)
    qtbot.waitUntil(lambda: len(opened.navigator.queue) == 2)
    opened.navigator.next_suggestion()
    opened.editor.place(opened.frame.bodypart, 1, 2)
    labels = opened.frame.annotation
    opened.projects.set_strategy("influence")
    assert opened.projects.project.settings.strategy == "influence"
    ranked(engine, opened, c, strategy="influence")
    qtbot.waitUntil(lambda: opened.navigator.queue.row(c) >= 0)
    assert opened.frame.key == a
    np.testing.assert_array_equal(opened.frame.annotation.xy, labels.xy)
    opened.navigator.next_suggestion()
    assert opened.frame.key == c
    opened.projects.close_project()
    with open_project(root, read_only=True) as again:
        assert [s.key for s in again.queue.load().suggestions] == [a, c]


def guess_for(session, key, version=1):
    n = len(session.frame.bodyparts)
    xy = np.arange(2 * n, dtype=np.float32).reshape(n, 2) + 50
    return Prediction(key, version, xy, np.full(n, 0.8, np.float32))


def test_a_guess_becomes_labels_only_when_accepted(opened, qtbot, engine):
    key = frame(opened, 12)
    guess = guess_for(opened, key)
    ranked(engine, opened, key, version=1, guesses=[guess])
    qtbot.waitUntil(lambda: len(opened.navigator.queue) == 1)
    opened.navigator.next_suggestion()
    assert opened.frame.guess is not None
    assert opened.frame.annotation.is_empty
    opened.editor.place(opened.frame.bodyparts[1], 5, 6)
    assert np.isnan(opened.frame.guess.xy[1]).all()
    opened.editor.accept_guess(opened.frame.bodyparts[0])
    np.testing.assert_array_equal(opened.frame.annotation.xy[0], guess.xy[0])
    opened.editor.accept_guess()
    assert opened.frame.annotation.is_complete
    np.testing.assert_array_equal(opened.frame.annotation.xy[1], [5, 6])
    assert opened.frame.guess is None
    opened.editor.undo()  # the whole rest was one step
    assert (opened.frame.annotation.states != KeypointState.UNSEEN).sum() == 2


def test_the_key_that_accepts_goes_on_once_all_is_labelled(opened, qtbot, engine):
    first, second = frame(opened, 12), frame(opened, 30)
    ranked(engine, opened, first, second, version=1, guesses=[guess_for(opened, first)])
    qtbot.waitUntil(lambda: len(opened.navigator.queue) == 2)
    opened.navigator.go_to(first)
    opened.editor.accept_guess()
    assert opened.frame.annotation.is_complete
    assert opened.frame.key == first, "what was accepted can be looked at"
    opened.editor.accept_guess()
    assert opened.frame.key == second
    opened.editor.accept_guess()
    assert opened.frame.key == second, "there is still something to label"


def test_answers_for_other_frames_and_older_models_are_dropped(opened, qtbot, engine):
    here, there = opened.frame.key, frame(opened, 9)
    engine.says(Ready("cpu", 2))
    for key, version in ((there, 2), (here, 1)):
        engine.says(Looked(0, key, None, guess_for(opened, key, version)))
    engine.says(Looked(0, here, None, guess_for(opened, here, 2)))
    qtbot.waitUntil(lambda: opened.frame.guesses.looked is not None)
    assert opened.frame.guesses.looked.prediction.model_version == 2
    assert opened.frame.guess.model_version == 2


def test_one_look_is_under_way_and_the_newest_wish_follows(opened, engine):
    first = opened.frame.key
    engine.says(Ready("cpu", 1))
    for n in (3, 4, 5, 6):
        opened.navigator.go_to(frame(opened, n))
    (look,) = engine.asked(Look)
    assert look.key == first
    engine.says(Looked(look.job, look.key, None, guess_for(opened, look.key)))
    assert [look.key.frame for look in engine.asked(Look)] == [first.frame, 6]


def test_enough_complete_frames_start_a_training_once(opened, qtbot, engine):
    opened.projects.set_settings(opened.projects.settings.model_copy(update={"train_after": 2}))
    for n in (3, 4, 5):
        opened.navigator.go_to(frame(opened, n))
        label_all(opened)
    ranked(engine, opened, frame(opened, 50))
    qtbot.waitUntil(lambda: opened.learning.training.running)
    assert len(engine.asked(Train)) == 1
    assert opened.learning.n_new == 1


def test_deeplabcut_files_follow_a_complete_frame(opened, qtbot):
    video = opened.frame.key.video
    file = opened.projects.project.root / "labeled-data" / video / f"CollectedData_{opened.projects.project.scorer}.h5"
    opened.editor.place(opened.frame.bodyparts[0], 1, 2)
    qtbot.wait(3 * saving.DELAY_MS)
    assert not file.exists()
    label_all(opened)
    qtbot.waitUntil(file.is_file, timeout=TIMEOUT)
    assert not opened.notices.errors


def test_many_labels_are_written_by_a_process_that_ends_with_the_window(opened, qtbot, monkeypatch):
    monkeypatch.setattr(saving, "MANY", 2)
    project = opened.projects.project
    folder = project.root / "labeled-data" / opened.frame.key.video
    with qtbot.waitSignal(opened.projects.written, timeout=TIMEOUT):
        label_all(opened)
    assert not isinstance(project.writer, WritingProcess)
    opened.navigator.go_to(frame(opened, 7))
    with qtbot.waitSignal(opened.projects.written, timeout=TIMEOUT):
        label_all(opened)
    process = psutil.Process(project.writer.pid)
    assert process.is_running()
    opened.navigator.go_to(frame(opened, 9))
    label_all(opened)
    opened.close()
    assert not process.is_running()
    table = pd.read_hdf(next(folder.glob("CollectedData_*.h5")))
    assert {7, 9} < {int(image[3:-4]) for *_, image in table.index}


def test_closing_writes_what_is_left_and_everything_is_there_again(opened, qtbot, sample_copy):
    key, root = opened.frame.key, opened.projects.project.root
    label_all(opened)
    opened.projects.close_project()
    assert opened.projects.project is None
    assert list((root / "labeled-data" / key.video).glob("CollectedData_*.h5"))
    opened.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: opened.frame.key is not None, timeout=TIMEOUT)
    assert not opened.projects.read_only
    assert opened.frame.key == key
    assert opened.frame.annotation.is_complete


def test_a_second_window_reads_and_says_why_it_does_not_write(opened, qtbot, sample_copy):
    second = new_session()
    said = []
    second.notices.raised.connect(lambda message, hint, is_error: said.append(message))
    try:
        second.projects.open_project(sample_copy)
        qtbot.waitUntil(lambda: second.frame.key is not None, timeout=TIMEOUT)
        assert second.projects.read_only
        second.editor.place(second.frame.bodypart, 1, 2)
        assert second.frame.annotation.is_empty
        assert any("read" in line and "only" in line for line in said)
    finally:
        second.close()


def test_a_dead_engine_keeps_the_labels_and_can_be_started_again(opened, qtbot, engine):
    label_all(opened)
    engine.says(Finished(opened.learning.training.job))  # the first ranking
    opened.learning.train()
    qtbot.waitUntil(lambda: opened.learning.training.running, timeout=TIMEOUT)
    engine.says(Died("The engine process ended with code 9.", "Restart the engine."))
    qtbot.waitUntil(lambda: opened.learning.engine_state == "dead")
    assert not opened.learning.training.running
    assert "code 9" in opened.notices.errors[-1]
    assert opened.frame.annotation.is_complete
    opened.learning.restart_engine()
    qtbot.waitUntil(lambda: opened.learning.engine_state == "ready")


def test_the_scoremap_choice_is_remembered_when_toggled(opened):
    opened.frame.toggle_scoremap()
    assert opened.frame.scoremap_choice == "*"
    opened.frame.set_scoremap(opened.frame.bodyparts[1])
    opened.frame.toggle_scoremap()
    assert opened.frame.scoremap_choice == ""
    opened.frame.toggle_scoremap()
    assert opened.frame.scoremap_choice == opened.frame.bodyparts[1]
    opened.frame.set_scoremap("no such bodypart")
    assert opened.frame.scoremap_choice == opened.frame.bodyparts[1]


def test_what_was_said_of_an_engine_that_died_is_taken_back_once_it_runs_again(opened, qtbot, engine):
    withdrawn = []
    opened.notices.withdrawn.connect(withdrawn.append)
    engine.says(Died("The engine ran out of memory.", "Restart it."))
    qtbot.waitUntil(lambda: opened.learning.engine_state == "dead", timeout=TIMEOUT)
    assert opened.notices.errors == ["The engine ran out of memory."]
    assert "memory" not in opened.learning.training.sentence  # said once
    opened.learning.restart_engine()
    qtbot.waitUntil(lambda: opened.learning.engine_state in ("ready", "working"), timeout=TIMEOUT)
    assert withdrawn == ["The engine ran out of memory."]


def test_accepting_where_there_is_no_guess_says_so(opened):
    told = []
    opened.notices.raised.connect(lambda message, hint, _is_error: told.append((message, hint)))
    opened.editor.accept_guess()
    ((message, hint),) = told
    assert message == "There is no guess to accept in this frame."
    assert "X" in hint
