"""One click mends the rest, in a session: drawn at once, and undone with the click."""

from __future__ import annotations

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, Prediction, ScoremapGrid, Scoremaps
from napari_al_pose.domain.effort import Gesture
from napari_al_pose.engine.messages import Looked
from napari_al_pose.samples.synthetic import ground_truth

pytestmark = pytest.mark.gui

GRID = ScoremapGrid(4.0, 4.0, 1.5, 1.5)


@pytest.fixture
def truth(opened, qtbot):
    """The true poses of the current video; eight frames of it are labelled with them."""
    frame, editor = opened.frame, opened.editor
    poses = ground_truth(opened.projects.project.root)[frame.key.video][0]
    whole = [i for i in range(len(poses)) if np.isfinite(poses[i]).all()]
    for number in whole[:: max(1, len(whole) // 9)][:8]:
        opened.navigator.go_to(FrameKey(frame.key.video, number))
        for name, (x, y) in zip(frame.bodyparts, poses[number], strict=True):
            editor.place(name, float(x), float(y))
    qtbot.waitUntil(lambda: frame.guesses.prior is not None and frame.guesses.prior.n_poses == 8, timeout=TIMEOUT)
    return poses


def look_at(engine, session, qtbot, number: int, heights, pose) -> Prediction:
    """Go to a frame and let the engine answer with one peak a bodypart, where ``pose`` has it."""
    key = FrameKey(session.frame.key.video, number)
    session.navigator.go_to(key)
    rows, columns = np.mgrid[:120, :160]
    maps = np.zeros((len(pose), 120, 160), np.float32)
    for own, peaks in zip(maps, heights, strict=True):
        for k, top in peaks.items():
            x, y = (pose[k] - 1.5) / 4
            np.maximum(own, top * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2), out=own)
    best = [max(peaks, key=peaks.get) for peaks in heights]
    guess = Prediction(key, 1, pose[best].astype(np.float32), np.full(len(pose), 0.7, np.float32))
    engine.says(Looked(1, key, Scoremaps(key, 1, maps, GRID), guess))
    qtbot.waitUntil(lambda: session.frame.guesses.looked is not None, timeout=TIMEOUT)
    return guess


def unlabelled(session, poses) -> int:
    done = {key.frame for key in session.projects.tally.labelled}
    return next(i for i in range(len(poses)) if i not in done and np.isfinite(poses[i]).all())


def test_a_click_on_one_ear_moves_the_guess_of_the_other_and_undo_moves_it_back(opened, truth, qtbot, engine):
    frame, names = opened.frame, opened.frame.bodyparts
    left, right = names.index("leftear"), names.index("rightear")
    number = unlabelled(opened, truth)
    heights = [{k: 0.7} for k in range(len(names))]
    heights[left], heights[right] = {right: 0.6, left: 0.5}, {left: 0.6, right: 0.5}
    look_at(engine, opened, qtbot, number, heights, truth[number])
    before = frame.guess.xy.copy()
    opened.editor.place("leftear", *map(float, truth[number][left]))
    assert np.hypot(*(frame.guess.xy[right] - truth[number][right])) < 4
    assert np.isnan(frame.guess.xy[left]).all()
    opened.editor.undo()
    np.testing.assert_array_equal(frame.guess.xy, before)
    opened.editor.redo()
    assert np.hypot(*(frame.guess.xy[right] - truth[number][right])) < 4


def test_accepting_takes_the_mended_guesses(opened, truth, qtbot, engine):
    frame, names = opened.frame, opened.frame.bodyparts
    number = unlabelled(opened, truth)
    look_at(engine, opened, qtbot, number, [{k: 0.7} for k in range(len(names))], truth[number])
    opened.editor.place(names[0], *map(float, truth[number][0]))
    shown = frame.guess.xy.copy()
    opened.editor.accept_guess()
    np.testing.assert_allclose(frame.annotation.xy[1:], shown[1:], atol=1e-3)


def test_the_log_says_what_was_corrected_accepted_moved_and_placed(opened, truth, qtbot, engine):
    names = opened.frame.bodyparts
    number, before = unlabelled(opened, truth), opened.projects.project.labels.revision
    look_at(engine, opened, qtbot, number, [{k: 0.7} for k in range(len(names))], truth[number])
    opened.editor.place(names[0], 50.0, 60.0)
    opened.editor.place(names[0], 51.0, 60.0)
    opened.editor.accept_guess()
    opened.editor.undo()
    opened.navigator.go_to(FrameKey(opened.frame.key.video, unlabelled(opened, truth)))
    opened.editor.place(names[0], 10.0, 10.0)
    acts = opened.projects.project.labels.acts(after=before)
    assert [act.gesture for act in acts] == [
        Gesture.CORRECTED,
        Gesture.MOVED,
        Gesture.ACCEPTED,
        Gesture.UNDONE,
        Gesture.PLACED,
    ]
    assert acts[2].points == len(names) - 1


def test_without_labels_the_models_guess_is_drawn_as_it_is(opened, qtbot, engine):
    n = len(opened.frame.bodyparts)
    pose = np.random.default_rng(0).uniform(50, 400, (n, 2))
    guess = look_at(engine, opened, qtbot, 3, [{k: 0.7} for k in range(n)], pose)
    np.testing.assert_array_equal(opened.frame.guess.xy, guess.xy)


def test_what_labelling_took_is_read_beside_the_window(opened, truth, qtbot):
    lines = []
    opened.effort.changed.connect(lambda: lines.append(opened.effort.effort))
    number = unlabelled(opened, truth)
    opened.navigator.go_to(FrameKey(opened.frame.key.video, number))
    opened.editor.place(opened.frame.bodyparts[0], 10.0, 10.0)
    n = 8 * len(opened.frame.bodyparts) + 1
    qtbot.waitUntil(lambda: bool(lines) and lines[-1] is not None and lines[-1].frames == 9, timeout=TIMEOUT)
    assert lines[-1].clicks == n  # also the first, of which nobody knows how long it took
    opened.projects.close_project()
    qtbot.waitUntil(lambda: opened.effort.effort is None, timeout=TIMEOUT)
