"""Animals in unusual numbers and places, labelled through the session: forty, none, one twice, half of one."""

from __future__ import annotations

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.project import create_project, open_project

PARTS = ("nose", "tail")
NAMES = tuple(f"worm{i}" for i in range(40))


@pytest.fixture
def make(session, sample_project, tmp_path, qtbot):
    """Return a function that opens a new project of some individuals in the session."""

    def made(individuals):
        video = next((sample_project.parent / "videos").iterdir())
        config = create_project(
            parent=tmp_path, task="dish", scorer="me", bodyparts=PARTS, videos=[video], individuals=individuals
        )
        return opened(config)

    def opened(config):
        session.projects.open_project(config)
        qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
        return session

    made.opened = opened
    return made


def test_forty_animals_are_labelled_one_after_the_other_and_taken_back(make):
    session = make(NAMES)
    key = session.frame.key
    places = np.random.default_rng(0).uniform(10, 200, (40, 2, 2)).round(1)
    for worm in places:
        for x, y in worm.tolist():
            session.editor.click(x, y)
    labels = session.projects.project.labels
    assert key in session.projects.tally.complete
    np.testing.assert_allclose([labels.annotation(key, name).xy for name in NAMES], places)
    session.editor.undo()
    assert key not in session.projects.tally.complete
    assert np.isfinite(labels.annotation(key, "worm39").xy[0]).all()
    root = session.projects.project.root
    session.projects.close_project()
    with open_project(root) as again:
        np.testing.assert_allclose(again.labels.annotation(key, "worm38").xy, places[38])


def test_no_animal_in_a_frame_is_one_edit_for_all_forty(make):
    session = make(NAMES)
    key, labels = session.frame.key, session.projects.project.labels
    session.editor.mark_rest_not_visible()
    assert key in session.projects.tally.complete
    assert all((labels.annotation(key, name).states == KeypointState.NOT_VISIBLE).all() for name in NAMES)
    session.editor.undo()
    assert all((labels.annotation(key, name).states == KeypointState.UNSEEN).all() for name in NAMES)


def test_two_labels_of_one_animal_are_both_kept(make):
    session = make(("ann", "bob"))
    key = session.frame.key
    for _ in range(2):
        for x, y in ((30, 40), (60, 70)):
            session.editor.click(x, y)
    root = session.projects.project.root
    session.projects.close_project()
    with open_project(root) as again:
        for name in ("ann", "bob"):
            np.testing.assert_array_equal(again.labels.annotation(key, name).xy, [[30, 40], [60, 70]])


def test_an_animal_half_out_of_the_frame_keeps_its_shape_when_it_is_moved(make):
    """Other programs put labels beyond the edge; ours are inside, and moving them brings nothing nearer together."""
    session = make(("ann", "bob"))
    project, key = session.projects.project, session.frame.key
    root = project.root
    session.projects.close_project()
    with open_project(root) as other:
        other.labels.place_many(key, {"nose": (-12.0, 30.0), "tail": (18.0, 30.0)}, individual="ann")
    make.opened(root / "config.yaml")
    session.navigator.go_to(FrameKey(key.video, key.frame))
    session.frame.choose_individual("ann")
    labels = session.projects.project.labels
    np.testing.assert_array_equal(labels.annotation(key, "ann").xy, [[-12, 30], [18, 30]])
    session.editor.move_pose(0, 5)
    np.testing.assert_array_equal(np.diff(labels.annotation(key, "ann").xy, axis=0), [[30, 0]])
    session.editor.undo()
    np.testing.assert_array_equal(labels.annotation(key, "ann").xy, [[-12, 30], [18, 30]])
