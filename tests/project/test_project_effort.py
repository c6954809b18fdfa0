"""From the window's edits to what labelling took: the log knows the gestures, and what older logs lack is told."""

from __future__ import annotations

import json

import pytest

from napari_al_pose.cli import main
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.effort import Gesture
from napari_al_pose.engine.labels import with_taken
from napari_al_pose.project import open_project

A, B = FrameKey("v", 3), FrameKey("v", 7)


@pytest.fixture
def project(project_root):
    with open_project(project_root) as opened:
        yield opened


def gestures(project):
    return [(act.gesture, act.points, act.frame) for act in project.labels.acts()]


def test_gestures_are_kept(project):
    labels = project.labels
    labels.place(A, "nose", 1, 2, gesture=Gesture.CORRECTED)
    labels.place_many(A, {"ear": (3, 4), "tail": (5, 6)}, gesture=Gesture.ACCEPTED)
    labels.undo()
    assert gestures(project) == [(Gesture.CORRECTED, 1, A), (Gesture.ACCEPTED, 2, A), (Gesture.UNDONE, 2, A)]
    assert len(labels.acts(after=labels.acts()[0].number)) == 2


def test_gestures_of_older_logs_are_told_from_what_changed(project):
    labels = project.labels
    labels.place(A, "nose", 1, 2)
    labels.place(A, "nose", 2, 2)
    labels.place_many(B, {"ear": (3, 4), "tail": (5, 6)})
    labels.mark_not_visible(B, "nose")
    labels.clear(B, "tail")
    assert [gesture for gesture, _, _ in gestures(project)] == [
        Gesture.PLACED,
        Gesture.MOVED,
        Gesture.ACCEPTED,
        Gesture.HIDDEN,
        Gesture.CLEARED,
    ]


def test_guesses_that_were_taken_as_they_are_are_known(project):
    labels = project.labels

    def taken():
        return {(one.frame, one.bodypart) for one in labels.taken()}

    labels.place_many(A, {"nose": (1, 2), "ear": (3, 4), "tail": (5, 6)}, gesture=Gesture.ACCEPTED)
    labels.place(B, "nose", 1, 2, gesture=Gesture.PLACED)
    assert taken() == {(3, "nose"), (3, "ear"), (3, "tail")}
    labels.place(A, "ear", 3.5, 4, gesture=Gesture.MOVED)
    labels.mark_not_visible(A, "tail")
    assert taken() == {(3, "nose")}
    labels.undo()
    labels.undo()
    assert taken() == {(3, "nose"), (3, "ear"), (3, "tail")}
    labels.undo()
    labels.undo()
    assert taken() == set()
    labels.redo()
    labels.redo()
    assert len(taken()) == 3
    assert [a.taken.tolist() for a in with_taken(project, labels.annotations())] == [
        [name in {"nose", "ear", "tail"} for name in project.skeleton.bodyparts],
        [False] * project.skeleton.n_bodyparts,
    ]


def test_what_another_program_did_is_nobodys_effort(project):
    project.labels.roles.set(A, project.labels.roles.of(A))
    assert project.labels.acts() == []


def test_the_command_prints_it(project, capsys):
    project.labels.place(A, "nose", 1, 2, gesture=Gesture.PLACED)
    project.labels.place(A, "ear", 1, 2, gesture=Gesture.PLACED)
    root = project.root
    project.close()
    with pytest.raises(SystemExit) as end:
        main(["effort", str(root), "--json"])
    assert end.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["frames"] == 1
    assert document["rounds"][0]["placed"] == 2
    assert document["place"]["n"] == 1
    with pytest.raises(SystemExit):
        main(["effort", str(root)])
    assert "Round 1: 2 points placed" in capsys.readouterr().out
