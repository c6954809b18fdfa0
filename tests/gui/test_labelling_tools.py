"""Modes, poses, individuals, roles and changed bodyparts on a real project; the engine is scripted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, FrameRole, KeypointState, Prediction, Round, Suggestion
from napari_al_pose.domain.asked_bodyparts import is_drawn
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.messages import Looked, Ready, Train, Trained
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.project import create_project, open_project

pytestmark = pytest.mark.gui


def frame(session, number):
    return FrameKey(session.frame.key.video, number)


def queue(session, *numbers, holdout=()):
    rows = tuple(
        Suggestion(frame(session, n), 1.0, "mpe", role=FrameRole.HOLDOUT if n in holdout else FrameRole.TRAIN)
        for n in numbers
    )
    session.navigator.change_queue(Queue(rows))


def label_all(session, offset=0.0):
    for index, name in enumerate(session.frame.bodyparts):
        session.editor.place(name, 100.0 + 10 * index, 200.0 + offset)


def look(engine, session):
    """Let the model guess the current frame."""
    n, key = len(session.frame.bodyparts), session.frame.key
    engine.says(Ready("cpu", 1))
    xy = np.stack([np.arange(n) * 20.0 + 50, np.full(n, 60.0)], axis=1).astype(np.float32)
    engine.says(Looked(1, key, None, Prediction(key, 1, xy, np.full(n, 0.9, np.float32))))


def placed(session, name):
    return session.frame.annotation.xy[session.frame.bodyparts.index(name)].tolist()


# ---- modes ----------------------------------------------------------------------------------------


def test_quick_mode_moves_labels_by_clicks_and_sequential_would_not_get_that_far(opened):
    label_all(opened)
    first, second = opened.frame.bodyparts[:2]
    opened.options.set("label_mode", LabelMode.QUICK)
    opened.frame.choose_bodypart(first)
    opened.editor.click(5, 6)
    assert placed(opened, first) == [5, 6]
    assert opened.frame.bodypart == second


def test_loop_mode_labels_one_bodypart_through_the_queue_then_the_next(opened):
    queue(opened, 10, 30)
    opened.navigator.go_to(frame(opened, 10))
    opened.options.set("label_mode", LabelMode.LOOP)
    first, second = opened.frame.bodyparts[:2]
    opened.editor.click(1, 2)
    assert (opened.frame.key.frame, opened.frame.bodypart) == (30, first)
    opened.editor.click(3, 4)
    assert (opened.frame.key.frame, opened.frame.bodypart) == (10, second)
    assert placed(opened, first) == [1, 2]
    opened.navigator.step(1)
    opened.frame.choose_bodypart(second)
    opened.editor.click(7, 8)  # beside the queue the loop goes along the video
    assert (opened.frame.key.frame, opened.frame.bodypart) == (12, second)


def test_the_mode_is_remembered_and_the_tool_is_not(opened):
    opened.options.next_label_mode()
    opened.options.set("tool", Tool.PAN)
    again = ViewOptions()
    assert again.label_mode is LabelMode.QUICK
    assert again.tool is Tool.ADD


def test_arrows_nudge_with_select_and_move_otherwise(opened):
    label_all(opened)
    first = opened.frame.bodyparts[0]
    opened.frame.choose_bodypart(first)
    opened.options.set("tool", Tool.SELECT)
    opened.editor.arrow(1, 0)
    opened.editor.shift_arrow(0, -1)
    assert placed(opened, first) == [101, 190]
    opened.editor.nudge(-1000, 0)
    assert placed(opened, first) == [0, 190]  # not out of the image
    opened.options.set("tool", Tool.ADD)
    opened.editor.arrow(0, 1)
    assert opened.frame.bodypart == opened.frame.bodyparts[1]
    opened.editor.arrow(1, 0)
    assert opened.frame.key.frame == 1


def test_a_nudged_guess_becomes_a_label_and_the_others_stay_guesses(opened, engine):
    look(engine, opened)
    opened.editor.nudge(1, 0)
    assert placed(opened, opened.frame.bodyparts[0]) == [51, 60]
    assert (opened.frame.annotation.states == KeypointState.PLACED).sum() == 1


def test_unlabelled_frames_are_the_queue_s_and_the_begun_ones(opened):
    queue(opened, 40, 20)
    opened.navigator.go_to(frame(opened, 30))
    opened.editor.place(opened.frame.bodypart, 1, 2)
    opened.navigator.go_to(frame(opened, 0))
    seen = []
    for _ in range(4):
        opened.navigator.next_unlabelled()
        seen.append(opened.frame.key.frame)
    assert seen == [20, 30, 40, 40]
    label_all(opened)
    opened.navigator.previous_unlabelled()
    assert opened.frame.key.frame == 30


def test_without_a_queue_the_next_unlabelled_frame_is_the_video_s(opened):
    label_all(opened)
    opened.navigator.step(1)
    label_all(opened)
    opened.navigator.step(-1)
    opened.navigator.next_unlabelled()
    assert opened.frame.key.frame == 2


# ---- poses ----------------------------------------------------------------------------------------


def test_a_pasted_pose_fills_what_is_open_as_one_step(opened):
    label_all(opened)
    opened.editor.copy_pose()
    opened.navigator.step(5)
    kept = opened.frame.bodyparts[1]
    opened.editor.place(kept, 1, 2)
    opened.editor.paste_pose()
    assert placed(opened, kept) == [1, 2]
    assert opened.frame.annotation.is_complete
    opened.editor.undo()
    assert (opened.frame.annotation.states == KeypointState.PLACED).sum() == 1


def test_the_pose_of_the_frame_before_is_a_guess_until_it_is_accepted(opened):
    label_all(opened)
    opened.navigator.step(9)
    opened.editor.borrow_pose()
    assert opened.frame.annotation.is_empty
    np.testing.assert_array_equal(opened.frame.guess.xy[0], [100, 200])
    opened.navigator.step(1)
    opened.navigator.step(-1)
    assert opened.frame.guess is None  # not confirmed: nothing is kept
    opened.editor.borrow_pose()
    opened.editor.move_pose(10, -5)
    assert opened.frame.annotation.is_complete
    assert placed(opened, opened.frame.bodyparts[0]) == [110, 195]


def test_moving_a_half_labelled_pose_confirms_no_guess(opened, engine):
    look(engine, opened)
    first = opened.frame.bodyparts[0]
    opened.editor.place(first, 10, 20)
    opened.editor.move_pose(3, 4)
    assert placed(opened, first) == [13, 24]
    assert (opened.frame.annotation.states == KeypointState.PLACED).sum() == 1
    opened.editor.undo()
    assert placed(opened, first) == [10, 20]


# ---- hold-out -------------------------------------------------------------------------------------


def test_a_hold_out_mark_stays_through_everything_but_asking_for_it(opened, qtbot):
    queue(opened, 12, holdout=(12,))
    opened.navigator.go_to(frame(opened, 12))
    assert opened.navigator.role is FrameRole.HOLDOUT  # before the first label
    label_all(opened)
    opened.editor.undo()
    opened.editor.redo()
    queue(opened, 12)  # suggested again, as a frame to train on
    opened.editor.clear(opened.frame.bodyparts[0])
    label_all(opened)
    assert opened.navigator.role is FrameRole.HOLDOUT
    opened.editor.set_role(FrameRole.TRAIN)
    assert opened.navigator.role is FrameRole.TRAIN
    assert opened.frame.annotation.role is FrameRole.TRAIN
    assert frame(opened, 12) not in opened.projects.tally.holdout


def test_a_suggested_hold_out_that_is_released_first_is_trained_on(opened):
    queue(opened, 12, holdout=(12,))
    opened.navigator.go_to(frame(opened, 12))
    opened.editor.set_role(FrameRole.TRAIN)
    opened.editor.place(opened.frame.bodypart, 1, 2)
    assert opened.frame.annotation.role is FrameRole.TRAIN


# ---- bodyparts ------------------------------------------------------------------------------------


def test_changed_bodyparts_keep_their_labels_and_the_files_follow(opened, qtbot):
    label_all(opened)
    root, key = opened.projects.project.root, opened.frame.key
    a, b, *rest, last = opened.frame.bodyparts
    edit = SkeletonEdit((b, "nose", *rest, "whiskers"), (("nose", b),), ((a, "nose"),))
    opened.projects.edit_skeleton(edit)
    opened.editor.place(b, 0, 0)  # not while it is under way
    qtbot.waitUntil(
        lambda: opened.frame.bodyparts == edit.bodyparts and opened.frame.source is not None, timeout=TIMEOUT
    )
    assert not opened.notices.errors
    assert opened.frame.key == key
    assert placed(opened, "nose") == [100, 200]
    assert placed(opened, b) == [110, 200]
    assert opened.frame.bodypart == "whiskers"
    opened.editor.mark_not_visible("whiskers")
    opened.projects.close_project()
    table = pd.read_hdf(next((root / "labeled-data" / key.video).glob("CollectedData_*.h5")))
    assert list(table.columns.get_level_values("bodyparts").unique()) == list(edit.bodyparts)
    np.testing.assert_array_equal(table.xs("nose", axis=1, level="bodyparts").to_numpy(), [[100, 200]])
    with open_project(root) as again:
        assert again.skeleton.links == (("nose", b),)
        assert again.labels.unknown_bodyparts() == {last: 1}  # archived, not erased


def test_from_where_guesses_are_believed_goes_with_the_bodypart(engine, opened, qtbot):
    a, b, *rest = opened.frame.bodyparts
    finished = Round(1, 1, 1, 0, "mpe", None, "2026-01-01T00:00:00", 1.0, 20, thresholds=((a, 0.3), (b, 0.7)))
    engine.says(Ready("cpu", 0), Trained(1, finished, False))
    assert opened.frame.guesses.model_thresholds.bodyparts[:3] == (0.3, 0.7, 0.5)
    opened.projects.edit_skeleton(SkeletonEdit((b, a, *rest), ()))
    qtbot.waitUntil(lambda: opened.frame.bodyparts[:2] == (b, a), timeout=TIMEOUT)
    assert opened.frame.guesses.model_thresholds.bodyparts[:3] == (0.7, 0.3, 0.5)


# ---- several individuals --------------------------------------------------------------------------


@pytest.fixture
def several(session, sample_project, tmp_path, qtbot):
    """A project of two mice, open, with a frame in front."""
    video = next((sample_project.parent / "videos").iterdir())
    config = create_project(
        parent=tmp_path,
        task="pair",
        scorer="me",
        bodyparts=("nose", "tail"),
        skeleton=(("nose", "tail"),),
        videos=[video],
        individuals=("mouse1", "mouse2"),
    )
    session.projects.open_project(config)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    return session


def test_each_individual_has_labels_of_its_own_in_deeplabcut_s_columns(several):
    assert several.frame.individual == "mouse1"
    several.editor.click(10, 20)
    several.editor.click(30, 40)
    # The first is done: the next click is the second's.
    assert (several.frame.individual, several.frame.bodypart) == ("mouse2", "nose")
    several.editor.click(50, 60)
    assert several.frame.key not in several.projects.tally.complete  # mouse2 is labelled by half
    several.editor.mark_not_visible()
    assert several.frame.key in several.projects.tally.complete
    root, video = several.projects.project.root, several.frame.key.video
    several.projects.close_project()
    table = pd.read_hdf(root / "labeled-data" / video / "CollectedData_me.h5")
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    row = table.iloc[0]["me"]
    assert row["mouse1"].tolist() == [10, 20, 30, 40]
    np.testing.assert_array_equal(row["mouse2"].to_numpy(), [50, 60, np.nan, np.nan])


@pytest.fixture
def with_corner(sample_project, session, tmp_path, qtbot):
    """A project of two mice in an arena with a corner and a lamp, open, with a frame in front."""
    video = next((sample_project.parent / "videos").iterdir())
    config = create_project(
        parent=tmp_path,
        task="pair",
        scorer="me",
        bodyparts=("nose", "ear", "tail"),
        skeleton=(("nose", "tail"),),
        videos=[video],
        individuals=("mouse1", "mouse2"),
        unique_bodyparts=("corner", "lamp"),
    )
    session.projects.open_project(config)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    return session


def test_unique_bodyparts_are_labelled_after_the_animals(with_corner):
    session, frame = with_corner, with_corner.frame
    assert frame.individuals == ("mouse1", "mouse2", "single")
    for place in range(6):
        session.editor.click(10 + place, 20)
    assert (frame.individual, frame.bodypart, frame.bodyparts) == ("single", "corner", ("corner", "lamp"))
    session.editor.click(50, 60)
    assert frame.bodypart == "lamp"
    assert frame.key not in session.projects.tally.complete
    session.editor.mark_not_visible()
    assert frame.key in session.projects.tally.complete
    session.editor.next_individual()
    assert (frame.individual, frame.bodypart) == ("mouse1", "nose")
    session.editor.undo()
    assert (frame.individual, frame.bodypart) == ("single", "lamp")
    session.editor.redo()
    root, video = session.projects.project.root, frame.key.video
    session.projects.close_project()
    table = pd.read_hdf(root / "labeled-data" / video / "CollectedData_me.h5")
    np.testing.assert_array_equal(table["me"]["single"].to_numpy(), [[50, 60, np.nan, np.nan]])


def test_a_model_s_guesses_for_unique_bodyparts_are_shown_and_accepted_with_all_others(with_corner, engine):
    session, key = with_corner, with_corner.frame.key
    engine.says(Ready("cpu", 1))
    poses = np.arange(12, dtype=np.float32).reshape(2, 3, 2) * 20 + 30
    said = Prediction.of_animals(key, 1, poses, np.full((2, 3), 0.9, np.float32))
    unique = np.array([(5, 6), (90, 80)], np.float32)
    said = dataclasses.replace(said, unique_xy=unique, unique_likelihood=np.array([0.9, 0.1], np.float32))
    engine.says(Looked(1, key, None, said))
    session.frame.choose_individual("single")
    assert session.frame.guess.xy.tolist() == unique.tolist()
    session.frame.choose_individual("mouse1")
    session.editor.accept_all_guesses()
    labels = {one.individual: one for one in session.projects.project.labels.annotations(unique=True)}
    assert sorted(labels) == ["mouse1", "mouse2", "single"]
    np.testing.assert_array_equal(labels["single"].xy, [(5, 6), (np.nan, np.nan)])
    assert (session.frame.individual, session.frame.bodypart) == ("single", "lamp")


def test_what_a_model_of_one_animal_says_is_of_the_first_individual(several, engine):
    look(engine, several)
    assert several.frame.guess is not None
    several.editor.click(10, 20)
    several.editor.next_individual()
    assert several.frame.guess is None
    several.editor.click(30, 40)
    assert [label.individual for label in known_labels(several.projects.project)] == ["mouse1", "mouse2"]


def test_every_animal_has_a_guess_that_is_accepted_by_itself(several, engine):
    n, key = len(several.frame.bodyparts), several.frame.key
    engine.says(Ready("cpu", 1))
    pose = np.stack([np.arange(n) * 20.0 + 50, np.full(n, 60.0)], axis=1)
    poses = np.stack([pose, pose + 200]).astype(np.float32)
    said = Prediction.of_animals(key, 1, poses, np.full((2, n), 0.9, np.float32))
    engine.says(Looked(1, key, None, said))
    assert several.frame.guess.xy[0].tolist() == poses[0, 0].tolist()
    several.editor.click(*poses[1, 0].tolist())  # it is the other one
    assert several.frame.guess.xy[1].tolist() == poses[1, 1].tolist()
    several.editor.accept_guess()
    assert several.frame.individual == "mouse2"  # the first is done
    assert several.frame.guess.xy[0].tolist() == poses[0, 0].tolist()
    several.editor.accept_guess()
    labels = [label.xy[0].tolist() for label in known_labels(several.projects.project)]
    assert labels == [poses[1, 0].tolist(), poses[0, 0].tolist()]


def test_the_guesses_of_every_animal_are_accepted_at_once_and_taken_back_at_once(several, engine):
    n, key = len(several.frame.bodyparts), several.frame.key
    engine.says(Ready("cpu", 1))
    pose = np.stack([np.arange(n) * 20.0 + 50, np.full(n, 60.0)], axis=1)
    poses = np.stack([pose, pose + 200]).astype(np.float32)
    sure = np.full((2, n), 0.9, np.float32)
    sure[1, 1] = 0.1
    engine.says(Looked(1, key, None, Prediction.of_animals(key, 1, poses, sure)))
    several.editor.accept_all_guesses()
    labels = {label.individual: label for label in known_labels(several.projects.project)}
    np.testing.assert_array_equal(labels["mouse1"].xy, poses[0])
    np.testing.assert_array_equal(labels["mouse2"].xy, [poses[1, 0], (np.nan, np.nan)])
    assert (several.frame.individual, several.frame.bodypart) == ("mouse2", several.frame.bodyparts[1])
    several.editor.undo()
    assert not known_labels(several.projects.project)
    several.editor.accept_guess()
    several.editor.accept_all_guesses()
    several.editor.accept_all_guesses()  # nothing is left that is believed
    assert not several.notices.errors


def test_one_key_says_that_no_animal_is_here_or_that_the_others_are_missing(several):
    key, frame = several.frame.key, several.frame
    several.editor.mark_rest_not_visible()
    labels = known_labels(several.projects.project)
    assert [label.individual for label in labels] == ["mouse1", "mouse2"]
    assert all((label.states == KeypointState.NOT_VISIBLE).all() for label in labels)
    assert key in several.projects.tally.complete
    several.editor.undo()
    assert not known_labels(several.projects.project)
    frame.choose_individual("mouse2")
    several.editor.click(30, 40)
    several.editor.mark_rest_not_visible()
    first, second = known_labels(several.projects.project)
    assert (first.states == KeypointState.NOT_VISIBLE).all()
    assert second.xy[0].tolist() == [30, 40]
    assert (second.states[1:] == KeypointState.NOT_VISIBLE).all()
    revision = several.projects.project.labels.revision
    several.editor.mark_rest_not_visible()  # nothing is left to say
    assert several.projects.project.labels.revision == revision


def test_in_whatever_order_animals_are_labelled_the_same_labels_come_of_it(several, engine):
    key = several.frame.key
    engine.says(Ready("cpu", 1))
    poses = np.array([[(50, 60), (80, 60)], [(250, 260), (280, 260)]], np.float32)
    said = Prediction.of_animals(key, 1, poses, np.full((2, 2), 0.9, np.float32))

    def label(*order):
        for who in order:
            several.frame.choose_individual(who)
            place = poses[("mouse2", "mouse1").index(who), 0].tolist()  # mouse2 is where the model's first is
            several.editor.place(several.frame.bodyparts[0], *place)
        several.editor.accept_all_guesses()
        return {one.individual: one.xy.tolist() for one in known_labels(several.projects.project)}

    engine.says(Looked(1, key, None, said))
    found = label("mouse1", "mouse2")
    several.projects.project.labels.clear_frame(key)
    several.frame.reload()
    assert label("mouse2", "mouse1") == found == {"mouse1": poses[1].tolist(), "mouse2": poses[0].tolist()}


def test_an_undo_shows_the_individual_it_changed(several):
    several.editor.click(10, 20)
    several.editor.next_individual()
    several.editor.undo()
    assert several.frame.individual == "mouse1"
    assert several.frame.annotation.is_empty
    assert several.frame.bodypart == "nose"


def test_an_individual_is_added_in_the_window(several, qtbot):
    several.editor.click(10, 20)
    several.projects.add_individual("mouse3")
    qtbot.waitUntil(lambda: len(several.frame.individuals) == 3 and several.frame.source is not None, timeout=TIMEOUT)
    several.frame.choose_individual("mouse3")
    several.editor.click(5, 6)
    assert [annotation.is_empty for annotation in several.frame.annotations] == [False, True, False]
    assert not several.notices.errors


def doubt(engine, session, *doubtful):
    """Let the model guess the current frame and doubt some bodyparts, the first of them most."""
    names, key = session.frame.bodyparts, session.frame.key
    likelihood = np.full(len(names), 0.9, np.float32)
    likelihood[list(doubtful)] = np.linspace(0.1, 0.3, len(doubtful))
    xy = np.stack([np.arange(len(names)) * 20.0 + 50, np.full(len(names), 60.0)], axis=1).astype(np.float32)
    engine.says(Ready("cpu", 1))
    engine.says(Looked(1, key, None, Prediction(key, 1, xy, likelihood)))


def test_only_what_the_model_doubts_is_asked_for_and_the_rest_may_stay_open(engine, opened):
    """In the order of its doubt; then the strip says that it is sure of the rest, and one key accepts that."""
    opened.projects.toggle_ask()
    names = opened.frame.bodyparts
    doubt(engine, opened, 3, 1)
    assert opened.frame.bodypart == names[3]
    opened.editor.click(5, 6)
    assert opened.frame.bodypart == names[1]

    assert "Click" in opened.prompter.prompt.text
    opened.editor.click(7, 8)
    assert opened.prompter.prompt.text == f"The model is sure of the other {len(names) - 2}"
    assert "leave them open" in opened.prompter.prompt.keys
    assert (opened.frame.annotation.states == KeypointState.UNSEEN).sum() == len(names) - 2
    opened.editor.accept_guess()
    assert opened.frame.annotation.is_complete
    assert placed(opened, names[3]) == [5, 6]


def test_a_frame_whose_doubtful_bodyparts_are_labelled_is_done_and_counts_for_training(engine, opened, qtbot):
    opened.projects.set_settings(opened.projects.settings.model_copy(update={"ask": "bodyparts", "train_after": 2}))
    queue(opened, 10, 30, 50)
    for number, parts in ((10, [2]), (30, [0, 1])):
        opened.navigator.go_to(frame(opened, number))
        doubt(engine, opened, *parts)
        assert not engine.asked(Train)
        for _ in parts:
            opened.editor.click(5, 6)
    assert opened.projects.done >= {frame(opened, 10), frame(opened, 30)}
    assert not opened.projects.tally.complete & {frame(opened, 10), frame(opened, 30)}
    assert opened.navigator.first_open == frame(opened, 50)
    qtbot.waitUntil(lambda: bool(engine.asked(Train)), timeout=TIMEOUT)


def test_test_frames_and_every_fifth_are_asked_for_as_a_whole(engine, opened):
    opened.projects.toggle_ask()
    queue(opened, 10, 30, 50, 70, 90, holdout=(30,))
    asked = {}
    for number in (10, 30, 90):
        opened.navigator.go_to(frame(opened, number))
        doubt(engine, opened, 3)
        asked[number] = opened.frame.bodypart, opened.prompter.prompt
    first, _, _, fourth = opened.frame.bodyparts[:4]
    assert [name for name, _ in asked.values()] == [fourth, first, first]
    assert asked[90][1].text.startswith(f"Whole frame: click the {first}")
    opened.navigator.go_to(frame(opened, 30))
    doubt(engine, opened, 3)
    opened.editor.click(5, 6)
    assert frame(opened, 30) not in opened.projects.done


def test_doubtful_bodyparts_of_every_animal_are_asked_for(engine, several):
    several.projects.toggle_ask()
    names = several.frame.bodyparts
    video = several.frame.key.video
    key = next(key for key in (FrameKey(video, n) for n in range(100)) if not drawn_in(several, key))
    several.navigator.go_to(key)
    xy = np.stack([np.arange(len(names)) * 20.0 + 50, np.full(len(names), 60.0)], axis=1).astype(np.float32)
    sure = np.full(len(names), 0.9, np.float32)
    poses = np.stack([xy, xy + np.float32([0, 100])])
    likelihood = np.stack([sure, sure])
    likelihood[1, 1] = 0.1
    engine.says(Ready("cpu", 1))
    guess = Prediction(key, 1, xy, sure, animals_xy=poses, animals_likelihood=likelihood)
    engine.says(Looked(1, key, None, guess))
    assert (several.frame.individual, several.frame.bodypart) == ("mouse2", "tail")
    several.editor.click(70, 160)
    assert key in several.projects.done
    assert "The model is sure of" in several.prompter.prompt.text


def test_what_was_drawn_is_asked_for_though_the_model_is_sure(engine, several):
    several.projects.toggle_ask()
    video, names = several.frame.key.video, several.frame.bodyparts
    key = next(key for key in (FrameKey(video, n) for n in range(100)) if len(drawn_in(several, key)) == 1)
    (drawn,) = drawn_in(several, key)
    several.navigator.go_to(key)
    xy = np.stack([np.arange(len(names)) * 20.0 + 50, np.full(len(names), 60.0)], axis=1).astype(np.float32)
    sure = np.full((2, len(names)), 0.9, np.float32)
    engine.says(Ready("cpu", 1))
    poses = np.stack([xy, xy + np.float32([0, 100])])
    guess = Prediction(key, 1, xy, sure[0], animals_xy=poses, animals_likelihood=sure)
    engine.says(Looked(1, key, None, guess))
    assert (several.frame.individual, several.frame.bodypart) == drawn
    assert "1 drawn at random left" in several.prompter.prompt.text
    several.editor.accept_guess(drawn[1])
    assert "The model is sure of" in several.prompter.prompt.text


def drawn_in(session, key):
    """Return which bodyparts of which animals are drawn in a frame."""
    names = session.frame.bodyparts
    return [
        (who, name)
        for who in session.frame.individuals
        for name, is_one in zip(names, is_drawn(key, who, len(names)), strict=True)
        if is_one
    ]
