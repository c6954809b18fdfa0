"""What the window shows, without a window."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import (
    AlPoseError,
    Annotation,
    BodypartReason,
    ErrorSummary,
    FrameKey,
    FrameRole,
    KeypointState,
    Prediction,
    Reliability,
    Round,
    Skeleton,
    Suggestion,
)
from napari_al_pose.domain.confidence_threshold import Thresholds
from napari_al_pose.domain.labelling import LabelTally
from napari_al_pose.domain.skeleton_draft import SkeletonDraft
from napari_al_pose.domain.views import (
    AskedBodyparts,
    BodypartMark,
    FrameAxis,
    MarkKind,
    axis_of,
    bodypart_colours,
    bodypart_rows,
    describe_frame,
    describe_place,
    duration,
    entry_frame,
    error_curve,
    frame_progress,
    learning_verdict,
    model_line,
    model_sentence,
    parse_bodyparts,
    parse_links,
    project_line,
    queue_empty_text,
    queue_end,
    queue_progress,
    queue_rows,
    reliability_view,
    save_view,
    stop_view,
    time_left,
    timeline_marks,
    train_view,
    training_sentence,
    why_view,
)
from napari_al_pose.domain.views.formatting import short_paths
from napari_al_pose.domain.views.learning import bodypart_errors
from napari_al_pose.domain.views.new_project import (
    check_names,
    check_skeleton,
    check_videos,
    folder_preview,
    skeleton_hint,
    suggested_name,
)
from napari_al_pose.domain.views.prompt import Guessed
from napari_al_pose.domain.wording import counted

SKELETON = Skeleton(("nose", "ear", "tail"))
KEY = FrameKey("mouse", 7)


def annotation(*states, key=KEY, role=FrameRole.TRAIN):
    return Annotation(key, np.full((len(states), 2), 5.0), np.array(states, np.int8), role=role)


def prediction(xy, likelihood):
    return Prediction(KEY, 1, np.array(xy, np.float32), np.array(likelihood, np.float32))


def suggestion(frame, score=1.0, **more):
    return Suggestion(FrameKey("mouse", frame), score, "mpe", **more)


def finished(number, mean, half_width, *, n_holdout=10, measured=True):
    error = ErrorSummary(mean, mean, mean - half_width, mean + half_width, n_holdout) if measured else None
    return Round(number, number, 10 * number, n_holdout, "mpe", error, "2026-01-01T00:00:00+00:00", 30.0, 150)


# ---- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, ""), (math.nan, ""), (math.inf, ""), (0, "0 s left"), (41.6, "42 s left"), (150, "2 min left"),
     (4800, "1 h 20 min left"), (7200, "2 h left")],
)  # fmt: skip
def test_time_left_is_silent_while_nobody_can_tell(seconds, text):
    assert time_left(seconds) == text


@given(st.floats(0, 1e7))
def test_a_duration_never_says_sixty_minutes(seconds):
    assert "60 min" not in duration(seconds)


def test_counting():
    assert (counted(1, "frame"), counted(0, "frame"), counted(2330, "frame")) == ("1 frame", "0 frames", "2,330 frames")


# ---- colours --------------------------------------------------------------------------------------


@given(st.integers(0, 60))
def test_bodyparts_have_colours_of_their_own(n):
    colours = bodypart_colours(n)
    assert len(set(colours)) == len(colours) == n
    assert all(len(c) == 7 and c[0] == "#" and int(c[1:], 16) >= 0 for c in colours)


# ---- bodyparts ------------------------------------------------------------------------------------


def test_a_label_hides_the_guess_and_a_guess_shows_where_nobody_looked():
    guess = prediction([[1, 1], [2, 2], [np.nan, np.nan]], [0.9, 0.874, 0.1])
    rows = bodypart_rows(annotation(KeypointState.PLACED, 0, 0), Guessed(guess, 0.5), SKELETON.bodyparts, "ear")
    assert [row.mark for row in rows] == [BodypartMark.PLACED, BodypartMark.GUESSED, BodypartMark.OPEN]
    assert [row.text for row in rows] == ["placed", "guess 87%", ""]
    assert [row.is_current for row in rows] == [False, True, False]


def test_below_the_threshold_a_guess_may_not_be_visible():
    guess = prediction([[1, 1], [2, 2], [3, 3]], [0.9, 0.35, 0.5])
    rows = bodypart_rows(annotation(0, 0, 0), Guessed(guess, 0.5), SKELETON.bodyparts, "ear")
    assert [row.mark for row in rows] == [BodypartMark.GUESSED, BodypartMark.DOUBTED, BodypartMark.GUESSED]
    assert rows[1].text == "not visible? 35%"


def test_without_a_frame_every_bodypart_is_open():
    assert {row.mark for row in bodypart_rows(None, None, SKELETON.bodyparts, "")} == {BodypartMark.OPEN}
    assert frame_progress(None) == ""


def test_not_visible_counts_as_looked_at():
    assert frame_progress(annotation(1, 2, 0)) == "2 of 3 bodyparts"
    assert frame_progress(annotation(1, 2, 2)) == "complete"


# ---- tally ----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 4), st.lists(st.sampled_from((0, 1, 2)), min_size=3, max_size=3),
                          st.sampled_from(FrameRole))))  # fmt: skip
def test_a_tally_kept_edit_by_edit_is_that_of_the_last_states(edits):
    kept = LabelTally()
    last = {}
    for frame, states, role in edits:
        last[frame] = annotation(*states, key=FrameKey("v", frame), role=role)
        kept.update(last[frame])
    fresh = LabelTally(last.values())
    assert (kept.labelled, kept.complete, kept.holdout) == (fresh.labelled, fresh.complete, fresh.holdout)
    assert kept.n_trainable("frames") == len(kept.complete - kept.holdout)
    assert kept.done("bodyparts") == fresh.done("bodyparts") == kept.complete | (kept.labelled - kept.holdout)
    assert kept.n_trainable("bodyparts") == len(kept.labelled - kept.holdout)


def test_an_emptied_frame_leaves_the_tally():
    tally = LabelTally([annotation(1, 1, 1, role=FrameRole.HOLDOUT)])
    assert tally.holdout == {KEY}
    tally.update(annotation(0, 0, 0, role=FrameRole.HOLDOUT))
    assert not tally.labelled
    assert not tally.complete
    assert not tally.holdout


# ---- project --------------------------------------------------------------------------------------


def test_the_header_counts_and_says_whether_edits_are_kept():
    assert project_line("Ada", n_complete=1, n_labelled=3, n_holdout=1) == "Ada · 1 labelled · 2 begun · 1 test"
    assert project_line("Ada", n_complete=0, n_labelled=0, n_holdout=0) == "Ada · 0 labelled"
    assert save_view(read_only=False, lock_holder="").text == "saved"
    assert "lab-pc" in save_view(read_only=True, lock_holder="lab-pc").tooltip
    assert save_view(read_only=True, lock_holder="").text == "read-only"


# ---- queue ----------------------------------------------------------------------------------------


def test_queue_rows_keep_the_order_and_mark_done_holdout_and_current():
    queue = [suggestion(3, 2.0), suggestion(9, math.nan, role=FrameRole.HOLDOUT), suggestion(5, 1.0)]
    rows = queue_rows(queue, {FrameKey("mouse", 5)}, FrameKey("mouse", 9))
    assert [row.key.frame for row in rows] == [3, 9, 5]
    assert [row.fraction for row in rows] == [1.0, 0.0, 0.5]
    assert [row.score for row in rows] == ["2.00", "random", "1.00"]
    assert [row.is_done for row in rows] == [False, False, True]
    assert [row.is_current for row in rows] == [False, True, False]
    assert queue_progress(rows) == "1 of 3 done"
    assert "never used for training" in rows[1].tooltip


def test_a_queue_of_doubtful_bodyparts_says_how_many_are_asked_for():
    queue = [suggestion(n, 1.0, role=FrameRole.HOLDOUT if n == 2 else FrameRole.TRAIN) for n in range(7)]
    xy = np.array([[1, 2], [3, 4], [np.nan, np.nan]], np.float32)
    said = {key: Prediction(key, 1, xy, np.array([0.9, p, 0], np.float32))
            for key, p in ((queue[0].key, 0.4), (queue[1].key, 0.6), (queue[2].key, 0.4))}  # fmt: skip
    for key in (queue[5].key, queue[6].key):  # of the first, the draw asks for a bodypart
        said[key] = Prediction(key, 1, np.ones((3, 2), np.float32), np.ones(3, np.float32))
    rows = queue_rows(queue, (), None, asked=AskedBodyparts(said, Thresholds(0.5)))
    words = ["2 bodyparts", "1 bodypart", "whole frame", "", "whole frame", "1 bodypart", "none in doubt"]
    assert [row.detail for row in rows] == [f"frame {n}" + (f", {w}" if w else "") for n, w in enumerate(words)]


@given(st.lists(st.floats(-1e12, 1e12) | st.sampled_from((math.nan, math.inf, -math.inf))))
def test_score_bars_stay_inside_whatever_the_scores(scores):
    rows = queue_rows([suggestion(i, score) for i, score in enumerate(scores)], (), None)
    assert all(0.0 <= row.fraction <= 1.0 for row in rows)


def test_an_empty_queue_always_says_what_happens_or_what_to_do():
    texts = {
        queue_empty_text(engine_state=state, model_version=version, busy=busy)
        for state, version, busy in itertools.product(("off", "starting", "ready", "working", "dead"), (0, 3), (0, 1))
    }
    assert len(texts) == 4
    assert all("\n" in text for text in texts)
    assert "Restart" in queue_empty_text(engine_state="dead", model_version=3, busy=False)
    assert "Train" in queue_empty_text(engine_state="ready", model_version=3, busy=False)
    why = "There is nothing to choose: all 30 frames are labelled. Add a video."
    assert queue_empty_text(engine_state="ready", model_version=3, busy=False, why=why) == why
    assert "Choosing" in queue_empty_text(engine_state="working", model_version=3, busy=True, why=why)
    assert "The project's videos and images can't be found" in queue_empty_text(
        engine_state="working", model_version=0, busy=True, has_videos=False
    )


def test_the_end_of_the_queue_says_what_happens_or_what_to_do():
    def say(**changes):
        now = {"engine_state": "working", "job": "", "will_train": False, "seconds_left": -1.0}
        return queue_end(**{**now, **changes})

    training = say(job="train", seconds_left=180)
    assert training.sentence == "Queue done. Training, about 3 min; new frames follow."
    assert training.short == "Training, about 3 min…"
    assert say(job="train").sentence == "Queue done. Training; new frames follow."
    assert "Training starts soon" in say(job="rank", will_train=True).sentence
    assert "Choosing" in say(job="rank").sentence
    assert say(engine_state="ready").sentence == "Queue done. Press {learn} to train; new frames follow."
    assert "Restart" in say(engine_state="dead").sentence
    assert "read-only" in say(engine_state="ready", read_only=True).sentence
    assert "Label another frame" in say(engine_state="ready", n_trainable=0).sentence
    why = "There is nothing to choose: all 30 frames are labelled. Add a video."
    assert say(engine_state="ready", why_empty=why).sentence == f"Queue done. {why}"
    assert "Training" in say(job="train", why_empty=why).sentence


# ---- why ------------------------------------------------------------------------------------------


def reasons_of(**scores):
    return tuple(BodypartReason(name, score, ((1.0, 2.0, 0.4), (9.0, 9.0, 0.39))) for name, score in scores.items())


def test_the_sentence_tells_a_frame_from_the_others_and_the_bars_are_on_the_queue_s_scale():
    first = suggestion(7, reasons=reasons_of(nose=2.0, ear=1.0), sentence="nose: two peaks")
    second = suggestion(8, reasons=reasons_of(nose=4.0, ear=0.5), sentence="nose: two peaks")
    third = suggestion(9, reasons=reasons_of(nose=3.0, ear=0.2), sentence="nose: two peaks")
    queue = (first, second, third)
    seen = [why_view(each.key, each, queue) for each in queue]
    assert "two possible places for the ear; the score is higher than in any other" in seen[0].sentence
    assert "two possible places for the nose; the score is higher than in any other" in seen[1].sentence
    assert "the nose; the score is higher than in 50 %" in seen[2].sentence
    assert [(bar.bodypart, bar.fraction) for bar in seen[0].bars] == [("nose", 0.5), ("ear", 0.25)]
    assert seen[1].bars[0].fraction == 1
    assert seen[0].more == "Nose: two peaks."
    assert "0.40 at (1, 2), 0.39 at (9, 9)" in seen[0].bars[0].tooltip


def test_a_low_peak_is_no_place():
    low = (BodypartReason("nose", 1.0, ((1.0, 2.0, 0.9), (9.0, 9.0, 0.05))),)
    assert why_view(KEY, suggestion(7, reasons=low)).sentence == "The model sees the nose least clearly."


def test_what_is_less_clear_than_elsewhere_is_not_called_the_least_clear_of_its_frame():
    def score(**scores):
        return tuple(BodypartReason(name, value) for name, value in scores.items())

    first = suggestion(7, reasons=score(nose=2.0, ear=1.0))
    second = suggestion(8, reasons=score(nose=4.0, ear=0.5))
    seen = why_view(first.key, first, (first, second))
    assert seen.sentence == "The model sees the ear less clearly than in any other suggestion."
    lowest = suggestion(9, reasons=score(nose=0.1, ear=0.2))
    assert why_view(lowest.key, lowest, (first, second, lowest)).sentence == "The model sees the ear least clearly."


def test_any_other_frame_says_how_to_go_on():
    assert why_view(KEY, None, next_key="N").sentence == "This frame isn't suggested. Press N for the next suggestion."
    assert why_view(KEY, None).bars == ()


def test_a_holdout_frame_says_what_it_is_for():
    assert "never used for training" in why_view(KEY, suggestion(7, math.nan, role=FrameRole.HOLDOUT)).sentence


def test_of_many_bodyparts_the_highest_bars_stay_highest_first():
    reasons = tuple(BodypartReason(f"part {i}", float(i)) for i in range(10))
    view = why_view(KEY, suggestion(7, reasons=reasons))
    assert [bar.bodypart for bar in view.bars] == ["part 9", "part 8", "part 7", "part 6"]


def test_no_frame_has_no_reason():
    assert why_view(None, None).bars == ()


# ---- learning -------------------------------------------------------------------------------------


def learn(**changes):
    usual = {"engine_state": "ready", "busy": False, "read_only": False, "n_new": 4, "n_trainable": 14}
    return train_view(**{**usual, "n_complete": 14, "train_after": 10, **changes})


def test_learning_is_offered_when_it_can_work():
    assert learn().can_train
    assert learn().text == "4 of 10 new frames"
    assert (learn().done, learn().total) == (4, 10)
    for change in ({"engine_state": "dead"}, {"engine_state": "starting"}, {"busy": True}, {"read_only": True},
                   {"n_trainable": 0}):  # fmt: skip
        assert not learn(**change).can_train


def test_only_an_engine_that_is_down_can_be_restarted():
    can = {state: learn(engine_state=state).can_restart for state in ("off", "starting", "ready", "working", "dead")}
    assert can == {"off": True, "starting": False, "ready": False, "working": False, "dead": True}


def test_more_new_frames_than_needed_fill_the_bar_and_no_more():
    assert learn(n_new=30).done == 10
    assert learn(train_after=0).text == "4 new frames since the last training"


def test_the_progress_sentence():
    usual = {"step": 40, "steps": 150, "done": 40, "total": 150, "seconds_left": 25}
    assert training_sentence(stage="training", **usual) == "Training, step 40 of 150, 25 s left"
    scoring = {"step": 150, "steps": 150, "done": 3, "total": 60, "seconds_left": -1}
    assert training_sentence(stage="scoring candidate frames", **scoring) == "Scoring candidate frames, 3 of 60"


def test_a_finished_training_is_not_said_to_be_discarded():
    assert stop_view(kind="train", has_trained=False).cancel == "Cancel and discard"
    assert stop_view(kind="train", has_trained=False).shows_keep
    for view in (stop_view(kind="train", has_trained=True), stop_view(kind="rank", has_trained=True)):
        assert (view.shows_keep, view.cancel) == (False, "Cancel the ranking")
    assert stop_view(kind="predict", has_trained=True).cancel == "Cancel"
    assert stop_view(kind="adopt", has_trained=False).cancel == "Cancel"
    assert stop_view(kind="map", has_trained=True).cancel == "Cancel the map"
    assert not stop_view(kind="map", has_trained=False).shows_keep


def test_the_curve_leaves_out_rounds_nobody_measured():
    curve = error_curve([finished(1, 9, 2), finished(2, 0, 0, measured=False), finished(3, 6, math.nan)])
    assert curve.labels == (10, 30)
    assert curve.low == (7, 6)
    assert curve.high == (11, 6)


@pytest.mark.parametrize(
    ("bins", "gap", "words"),
    [
        (((0.3, 0.31, 10), (0.9, 0.92, 30)), 0.02, "right as often as they say: 2 % off"),
        (((0.5, 0.9, 10),), 0.4, "too careful: 40 % off"),
        (((0.9, 0.5, 1),), 0.4, "too sure: 40 % off on average, on 1 test keypoint."),
    ],
)
def test_likelihoods_are_judged_in_words(bins, gap, words):
    rounds = [finished(1, 9, 2), replace(finished(2, 9, 2), reliability=Reliability(bins, gap))]
    view = reliability_view(rounds)
    assert words in view.sentence
    assert (view.likelihoods, view.found) == (tuple(b[0] for b in bins), tuple(b[1] for b in bins))
    assert reliability_view(rounds[:1]).likelihoods == ()
    assert "test frame" in reliability_view(rounds[:1]).sentence
    assert reliability_view([]).sentence


def test_one_line_says_how_good_the_newest_model_is():
    assert model_line([]) == ""
    measured = finished(1, 9, 2)
    assert model_line([replace(measured, holdout=None)]) == f"Model 1, from {measured.n_train} frames"
    assert model_line([measured]).startswith("Model 1: error ")


def test_the_newest_model_says_what_it_sees_and_where_it_began():
    first = replace(finished(1, 9, 2), input_size=(288, 384))
    assert model_sentence([first]) == "Model 1 sees 384 × 288 px, trained from the start"
    assert model_sentence([first, replace(first, number=2)]) == "Model 2 sees 384 × 288 px, started over"
    assert model_sentence([first, replace(first, number=2, started_from=1)]).endswith("continued from model 1")
    assert model_sentence([finished(1, 9, 2)]) == ""
    assert model_sentence([]) == ""
    following = replace(first, input_size=(540, 960), window=320, scale=0.5)
    assert model_sentence([following]) == (
        "Model 1 looks at a 320 px window around the animal, at scale 0.5, trained from the start"
    )


@pytest.mark.parametrize(
    ("means", "half_width", "ending"),
    [
        ((12, 9, 6), 1, "more labels help."),
        ((6, 6, 5.9), 0.5, "More labels change little."),
        ((6, 6, 5.9), 3, "Too uncertain to tell: label more test frames."),
        ((6, 6, 9), 1, "The error rose: check the newest labels."),
        ((12, 6), 1, "A trend shows after three rounds."),
        ((12, 9, 6), math.nan, "Too few test frames to tell more."),
    ],
)
def test_the_verdict_follows_the_interval(means, half_width, ending):
    rounds = [finished(i + 1, mean, half_width) for i, mean in enumerate(means)]
    assert learning_verdict(rounds).endswith(ending)
    assert learning_verdict(rounds).startswith(f"{means[-1]:.1f} px mean error on 10 test frames.")


def test_the_error_of_each_bodypart_is_listed_the_worst_first():
    error = ErrorSummary(8.0, 7.0, 6.0, 10.0, 4, (("snout", 4.25), ("tail", 12.0)))
    last = replace(finished(2, 8, 2), holdout=error)
    assert bodypart_errors([finished(1, 9, 2), last]) == ("tail 12.0 px", "snout 4.25 px")
    assert bodypart_errors([last, finished(3, 8, 2)]) == (), "measured by an older version"
    assert bodypart_errors([]) == ()


def test_without_a_measured_round_the_verdict_says_what_is_missing():
    assert "first round" in learning_verdict([])
    assert "test frame" in learning_verdict([finished(1, 0, 0, measured=False)])


# ---- timeline -------------------------------------------------------------------------------------


@given(st.integers(1, 100_000), st.integers(1, 3000), st.data())
def test_a_click_on_a_painted_position_finds_it_when_there_is_a_pixel_for_each(n, width, data):
    axis = FrameAxis(n)
    position = data.draw(st.integers(0, n - 1))
    found = axis.position_at(axis.x_of(position, width), width)
    assert found == position
    assert axis.position_at(-5, width) == 0
    assert axis.position_at(width + 5, width) == n - 1


class Images:
    name, fps = "mouse", 30.0

    def __init__(self, numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def number(self, position):
        return self.numbers[position]


def test_extracted_images_have_an_axis_of_their_numbers():
    axis = axis_of(Images((12, 40, 371)))
    assert [axis.position(number) for number in (12, 40, 371, 41, 9999)] == [0, 1, 2, None, None]
    assert axis.number(2) == 371
    assert describe_place(axis, 1) == "· image 2 of 3"
    assert [axis.nearest(number) for number in (0, 40, 41, 9999)] == [0, 1, 2, 2]
    assert axis_of(Images(range(5))).numbers is None
    assert axis_of(Images(())).n_positions == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/data/a.slp", "/data/a.slp"),
        ("1/2 and 3/4 of it", "1/2 and 3/4 of it"),
        ("https://example.org/pages/that/go/on/and/on/and/on/x", "https://example.org/pages/that/go/on/and/on/and/on/x"),
        ("To /home/ada/my recordings of this autumn/2026/mice/x.slp. See a/b.", "To /home/…/mice/x.slp. See a/b."),
        (r"In C:\Users\Ada Byron\recordings of autumn\mice\x.slp", r"In C:\…\mice\x.slp"),
        ("/a-folder-with-a-name-that-goes-on-and-on-and-on/x", "/a-folder-with-a-name-that-goes-on-and-on-and-on/x"),
    ],
)  # fmt: skip
def test_long_paths_are_shortened_in_their_middle(text, shown):
    assert short_paths(text) == shown


def test_a_frame_has_one_mark_and_other_videos_have_none():
    keys = [FrameKey("mouse", frame) for frame in (1, 2, 3)]
    marks = timeline_marks("mouse", FrameAxis(10), labelled={*keys[:2], FrameKey("rat", 5)}, holdout={keys[1]},
                           queued=[*keys, FrameKey("mouse", 99)])  # fmt: skip
    assert [(mark.position, mark.kind) for mark in marks] == [
        (3, MarkKind.QUEUED), (1, MarkKind.LABELLED), (2, MarkKind.HOLDOUT),
    ]  # fmt: skip


def test_the_tooltip_names_the_mark_near_the_pointer():
    axis = FrameAxis(2330, None, 25.0)
    marks = timeline_marks("mouse", axis, labelled={FrameKey("mouse", 100)}, holdout=(), queued=())
    assert describe_frame(axis, 100, marks, reach=3) == "frame 100 · 0:04.0 · labelled"
    assert describe_frame(axis, 102, marks, reach=3) == "frame 102 · 0:04.1 · labelled at 100"
    assert describe_frame(axis, 110, marks, reach=3) == "frame 110 · 0:04.4"
    assert describe_place(axis, 413) == "of 2,330 · 0:16.5"
    assert [axis.nearest(number) for number in (0, 413, 2330)] == [0, 413, 2329]
    assert describe_place(axis, -1) == ""


def test_a_video_is_entered_at_its_best_suggestion():
    labelled = {FrameKey("mouse", 8), FrameKey("mouse", 4)}
    queued = [FrameKey("rat", 1), FrameKey("mouse", 30), FrameKey("mouse", 20)]
    assert entry_frame("mouse", labelled=labelled, queued=queued) == FrameKey("mouse", 30)
    assert entry_frame("mouse", labelled=labelled, queued=()) == FrameKey("mouse", 4)
    assert entry_frame("cat", labelled=labelled, queued=queued) == FrameKey("cat", 0)


# ---- a new project --------------------------------------------------------------------------------


def test_bodyparts_and_links_are_read_as_people_write_them():
    names = parse_bodyparts("nose, left-ear\n right-ear ;; tail\n")
    assert names == ("nose", "left-ear", "right-ear", "tail")
    links = parse_links("nose - left-ear\nleft-ear-right-ear, nose - right-ear - tail", names)
    assert links == (("nose", "left-ear"), ("left-ear", "right-ear"), ("nose", "right-ear"), ("right-ear", "tail"))
    for text, found in (("nose", "Expected a link"), ("nose - paw", "“paw”")):
        with pytest.raises(AlPoseError, match=found):
            parse_links(text, names)


def test_each_step_of_the_form_complains_of_one_thing_at_a_time():
    assert check_videos([Path("a/m1.mp4")]) == ""
    assert "video" in check_videos([])
    assert "m1" in check_videos([Path("a/m1.mp4"), Path("b/m1.avi")])
    assert check_skeleton(("nose", "tail"), (("nose", "tail"),), ("mouse1", "mouse2")) == ""
    assert check_skeleton(("nose",), (), ("mouse1",), ("door",)) == ""
    assert "Name the animals" in check_skeleton(("nose",), (), (), ("door",))
    assert "nose" in check_skeleton(("nose",), (), ("mouse1",), ("nose",))
    for bodyparts, individuals, word in (
        ((), (), "bodypart"),
        (("a", "a"), (), "unique"),
        (("a",), ("m", "m"), "unique"),
    ):
        assert word in check_skeleton(bodyparts, (), individuals)
    assert check_names("open", "Ada") == ""
    for task, scorer, word in ((" ", "Ada", "name"), ("open", "", "scorer"), ("a/b", "Ada", "file names")):
        assert word in check_names(task, scorer)


def test_a_project_is_named_after_a_folder_that_says_something():
    assert suggested_name(Path("/data/open-field/Videos/m1.mp4")) == "open-field"
    assert suggested_name(Path("/m1.mp4")) == ""


def test_the_folder_is_previewed_as_it_will_be_made(tmp_path):
    videos = [Path(f"/data/m{i}.mp4") for i in range(10)]
    day = date(2026, 3, 1)
    lines = folder_preview(
        tmp_path, task="open", scorer="Ada", videos=videos, copy_videos=False, today=day
    ).splitlines()
    assert lines[0] == str(tmp_path / "open-Ada-2026-03-01")
    assert any("m0.mp4" in line and "linked to" in line for line in lines)
    assert any("and 2 more" in line for line in lines)


def test_the_hint_says_what_the_next_click_does():
    draft = SkeletonDraft()
    assert "first bodypart" in skeleton_hint(draft, draws_lines=False)
    draft = draft.typed(["snout", "tail"])
    assert skeleton_hint(draft, draws_lines=False).startswith("Click the snout.")
    draft = draft.placed("snout", (3, 4)).placed("tail", (30, 40))
    assert "name it" in skeleton_hint(draft, draws_lines=False)
    assert "a line joins them" in skeleton_hint(draft, draws_lines=True)
    assert "two bodyparts" in skeleton_hint(SkeletonDraft(), draws_lines=True)
