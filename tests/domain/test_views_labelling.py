"""What the window says of guesses, hold-out frames and changed bodyparts."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, Prediction, Skeleton, Suggestion
from napari_al_pose.domain.labelling import borrowed_guess
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.skeleton_edit import edited_skeleton
from napari_al_pose.domain.views import (
    DraftRow,
    FrameAxis,
    MarkKind,
    bodypart_rows,
    change_sentences,
    draft_edit,
    links_among,
    queue_rows,
    rename_in_links,
    role_question,
    timeline_marks,
)
from napari_al_pose.domain.views.prompt import Guessed

SKELETON = Skeleton(("nose", "ear", "tail"), (("nose", "ear"), ("ear", "tail")))
LABELS = {"nose": 5, "ear": 4, "tail": 1}


def says(rows, links=SKELETON.links, archived=None, n_frames=5, n_models=0):
    edit = draft_edit([DraftRow(*row) for row in rows], links)
    edited_skeleton(SKELETON, edit, archived=archived or {})  # possible
    return change_sentences(
        SKELETON, edit, labels=LABELS, archived=archived or {}, n_frames=n_frames, n_models=n_models
    )


SAME = [("nose", "nose"), ("ear", "ear"), ("tail", "tail")]


def test_no_change_says_nothing():
    assert says(SAME) == ()


def test_each_change_says_what_becomes_of_its_labels():
    links = rename_in_links(SKELETON.links, "nose", "snout")
    assert says([("snout", "nose"), *SAME[1:]], links) == ("nose becomes snout and keeps its 5 labels.",)
    links = links_among(SKELETON.links, ["nose", "ear"])
    removed, fewer = says(SAME[:2], links)
    assert removed == "tail is removed: 1 label archived, not erased; adding tail again brings back what it had."
    assert fewer == "The skeleton has 1 line."
    assert says([*SAME, ("paw", "")]) == ("paw is added: not looked at yet in 5 labelled frames.",)
    assert says([*SAME, ("paw", "")], archived={"paw": 7}) == ("paw is added again, with the 7 labels it had.",)
    assert says(SAME[::-1]) == ("The order changes. Labels stay with their names.",)


def test_a_removed_and_readded_bodypart_is_another_one_than_a_renamed_one():
    lines = says([("nose", "nose"), ("ear", "ear"), ("tail2", "")], (("nose", "ear"),))
    assert [line.split()[0] for line in lines[:2]] == ["tail", "tail2"]


def test_models_of_other_bodyparts_are_named_only_where_there_are_any():
    assert "train again" in says([*SAME, ("paw", "")], n_models=2)[-1]
    assert len(says(SAME[::-1], n_models=2)) == 1


def test_the_question_about_a_role_names_what_it_costs():
    release = role_question(FrameRole.HOLDOUT, 3)
    assert release.wanted is FrameRole.TRAIN
    assert "never be a test frame again" in release.question
    hold = role_question(FrameRole.TRAIN, 0)
    assert hold.wanted is FrameRole.HOLDOUT
    assert "Earlier models" not in hold.question
    assert "Earlier models" in role_question(FrameRole.TRAIN, 1).question


def test_hold_out_frames_are_marked_queued_and_labelled():
    keys = [FrameKey("v", n) for n in range(4)]
    marks = timeline_marks(
        "v",
        FrameAxis(10),
        labelled={keys[0], keys[1]},
        holdout={keys[1]},
        queued=keys[1:],
        queued_holdout=[keys[1], keys[3]],
    )
    assert {mark.position: mark.kind for mark in marks} == {
        0: MarkKind.LABELLED,
        1: MarkKind.HOLDOUT,
        2: MarkKind.QUEUED,
        3: MarkKind.QUEUED_HOLDOUT,
    }


def test_the_queue_marks_a_frame_that_was_held_out_whatever_suggests_it_now():
    keys = [FrameKey("v", n) for n in range(3)]
    rows = tuple(Suggestion(key, 1.0, "mpe") for key in keys)
    queue = Queue(rows).with_role(keys[2], FrameRole.HOLDOUT)
    shown = queue_rows(queue.suggestions, (), None, {keys[0]})
    assert [row.is_holdout for row in shown] == [True, False, True]


@pytest.mark.parametrize("version", [0, 3])
def test_a_borrowed_pose_is_not_called_the_model_s_guess(version):
    key, empty = FrameKey("v", 1), Annotation.empty(FrameKey("v", 1), 3)
    if version:
        guess = Prediction(key, version, np.ones((3, 2), np.float32), np.full(3, 0.5, np.float32))
    else:
        guess = borrowed_guess({"nose": (1.0, 2.0)}, key, SKELETON.bodyparts)
    guessed = Guessed(guess, 0.4, copied_from=None if version else FrameKey("v", 0))
    texts = [row.text for row in bodypart_rows(empty, guessed, SKELETON.bodyparts, "nose")]
    assert texts == (["guess 50%"] * 3 if version else ["from frame 0", "", ""])
