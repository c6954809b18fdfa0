"""Panels on a real session with a real project; only the engine is scripted. Every widget is painted, not just made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QProgressBar
from session_tools import TIMEOUT, can_press, label_with, of_session, press, text_in

from napari_al_pose.domain import (
    BodypartReason,
    ErrorSummary,
    FrameKey,
    FrameRole,
    KeypointState,
    Prediction,
    Reliability,
    Round,
    Suggestion,
)
from napari_al_pose.domain.views import BodypartMark, FrameAxis, Mark, MarkKind, queue_end
from napari_al_pose.domain.views.learning import NEXT_IS_MEASURED, NO_TEST_FRAMES
from napari_al_pose.engine.messages import Died, Finished, Rank, Ranked, Stop, Train, Trained, TrainStep
from napari_al_pose.gui.dock import MIN_WIDTH, WIDTH
from napari_al_pose.gui.panels.bodyparts import ROW_HEIGHT, TIGHT_ROW_HEIGHT, BodypartPanel
from napari_al_pose.gui.panels.curves import CurvesPanel
from napari_al_pose.gui.panels.plots import LivePlots, ReliabilityPlot, RoundsPlot
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.panels.timeline import Lane, Timeline
from napari_al_pose.gui.panels.train import TrainPanel
from napari_al_pose.gui.panels.why import BarList, WhyPanel
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.gui.thumbnails import Thumbnails
from napari_al_pose.gui.widgets import RowsView
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui

DARK = theme_colours("dark")
SLOW_TO_IMPORT = (
    "torch",
    "pyqtgraph",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy.stats",
    "scipy.sparse",
    "dask.array",
    "cv2",
    "h5py",
    "tifffile",
    "imagecodecs",
    "napari_al_pose.exchange",
    "napari_al_pose.gui.dialogs.settings",
    "napari_al_pose.gui.dialogs.new_project",
)
NO_PROJECT = "from napari_al_pose.gui.window import open_window; open_window(show=False)"


def shown(qtbot, widget):
    qtbot.addWidget(widget)
    widget.resize(360, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def click_row(qtbot, panel, row):
    view = panel.findChild(RowsView)
    area = view.visualRect(view.model().index(row, 0))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=area.center())


def suggestions(session, *frames, version=0):
    names = session.frame.bodyparts
    return tuple(
        Suggestion(
            FrameKey(session.frame.key.video, frame),
            1.0 / (i + 1),
            "mpe",
            FrameRole.HOLDOUT if i == 2 else FrameRole.TRAIN,
            version,
            tuple(BodypartReason(name, float(k), ((50.0, 60.0, 0.4),)) for k, name in enumerate(names)),
            f"reason of frame {frame}",
        )
        for i, frame in enumerate(frames)
    )


def rank(engine, qtbot, session, *frames, version=0, guesses=()):
    """Let the engine answer the ranking under way."""
    job = session.learning.training.job
    with qtbot.waitSignal(session.navigator.queueChanged, timeout=TIMEOUT):
        found = suggestions(session, *frames, version=version)
        engine.says(Ranked(job, "mpe", version, found, tuple(guesses)))
        engine.says(Finished(job))
    qtbot.waitUntil(lambda: not session.learning.training.busy, timeout=TIMEOUT)


def guess(session, frame, version=1):
    n = len(session.frame.bodyparts)
    xy = np.tile(np.arange(n, dtype=np.float32)[:, None] + 30, 2)
    return Prediction(FrameKey(session.frame.key.video, frame), version, xy, np.full(n, 0.8, np.float32))


def finished_round(number, mean):
    error = ErrorSummary(mean, mean, mean - 1, mean + 1, 12)
    return Round(number, number, 10 * number, 12, "mpe", error, "2026-01-01T00:00:00+00:00", 20.0, 150)


# ---- bodyparts ------------------------------------------------------------------------------------


@pytest.fixture
def bodyparts(opened, qtbot):
    return shown(qtbot, of_session(BodypartPanel, opened, colours=DARK))


def test_a_click_on_a_bodypart_chooses_it(bodyparts, opened, qtbot):
    click_row(qtbot, bodyparts, 2)
    assert opened.frame.bodypart == opened.frame.bodyparts[2]
    assert [row.is_current for row in bodyparts.rows].index(True) == 2
    bodyparts.grab()


def test_rows_are_tighter_only_where_that_shows_all_bodyparts(bodyparts, opened):
    view, n = bodyparts.findChild(RowsView), len(opened.frame.bodyparts)
    around = bodyparts.minimumSizeHint().height() - view.height()

    def shown(room):
        bodyparts.fit(around + 4 + room)
        QApplication.processEvents()  # the panel's least height follows
        rows = view.sizeHintForRow(0)
        return rows, (view.height() - 4) // rows

    assert shown(ROW_HEIGHT * n) == (ROW_HEIGHT, n)
    assert shown(TIGHT_ROW_HEIGHT * n) == (TIGHT_ROW_HEIGHT, n)
    assert shown(TIGHT_ROW_HEIGHT * n - 1) == (ROW_HEIGHT, (TIGHT_ROW_HEIGHT * n - 1) // ROW_HEIGHT)
    bodyparts.grab()


def test_the_buttons_label_and_take_back(bodyparts, opened):
    first = opened.frame.bodyparts[0]
    assert not can_press(bodyparts, "Clear")
    assert not can_press(bodyparts, "Accept")
    press(bodyparts, "Not visible")
    assert opened.frame.annotation.states[0] == KeypointState.NOT_VISIBLE
    assert bodyparts.rows[0].mark is BodypartMark.NOT_VISIBLE
    opened.frame.choose_bodypart(first)
    assert not can_press(bodyparts, "Not visible")
    press(bodyparts, "Clear")
    assert bodyparts.rows[0].mark is BodypartMark.OPEN
    press(bodyparts, "↶")
    assert bodyparts.rows[0].mark is BodypartMark.NOT_VISIBLE
    press(bodyparts, "↷")
    assert bodyparts.rows[0].mark is BodypartMark.OPEN
    assert not can_press(bodyparts, "↷")


def test_a_guess_is_shown_and_accepted(bodyparts, opened, qtbot, engine):
    rank(engine, qtbot, opened, 40, version=1, guesses=[guess(opened, 40)])
    opened.navigator.go_to(FrameKey(opened.frame.key.video, 40))
    assert {row.text for row in bodyparts.rows} == {"guess 80%"}
    bodyparts.grab()
    press(bodyparts, "Accept")
    assert {row.mark for row in bodyparts.rows} == {BodypartMark.PLACED}
    assert bodyparts.side.text() == "complete"
    assert not can_press(bodyparts, "Accept")


# ---- queue ----------------------------------------------------------------------------------------


@pytest.fixture
def thumbnails(opened):
    made = Thumbnails(lambda video, cancelled: opened.projects.project.video(video).open(cancelled=cancelled))
    yield made
    made.close()


@pytest.fixture
def queue(opened, thumbnails, qtbot):
    panel = shown(qtbot, of_session(QueuePanel, opened, colours=DARK))
    panel.set_project(thumbnails)
    return panel


def test_an_empty_queue_says_so_instead_of_a_list(queue, opened, qtbot, engine):
    assert "Choosing frames" in text_in(queue)
    assert not queue.findChild(RowsView).isVisible()
    rank(engine, qtbot, opened, 10, 20)
    assert "Choosing frames" not in text_in(queue)
    assert queue.findChild(RowsView).isVisible()


def test_an_empty_queue_says_why_it_is_empty_and_keeps_saying_it(queue, opened, qtbot, engine):
    why = "There is nothing to choose: all 30 frames are labelled. Add a video."
    job = opened.learning.training.job
    engine.says(Ranked(job, "mpe", 0, (), (), why_empty=why), Finished(job))
    qtbot.waitUntil(lambda: why in text_in(queue), timeout=TIMEOUT)
    opened.frame.keyChanged.emit()
    assert why in text_in(queue)


def test_a_click_goes_to_the_frame_and_the_buttons_walk_the_queue(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10, 20, 30)
    click_row(qtbot, queue, 1)
    assert opened.frame.key.frame == 20
    assert [row.is_current for row in queue.rows] == [False, True, False]
    press(queue, "Next frame")
    assert opened.frame.key.frame == 30
    press(queue, "Previous")
    assert opened.frame.key.frame == 20
    queue.grab()


def test_a_completed_frame_gets_its_tick_and_a_holdout_its_mark(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10, 20, 30)
    opened.navigator.go_to(FrameKey(opened.frame.key.video, 20))
    for name in opened.frame.bodyparts:
        assert not queue.rows[1].is_done
        opened.editor.place(name, 50.0, 60.0)
    assert [row.is_done for row in queue.rows] == [False, True, False]
    assert [row.is_holdout for row in queue.rows] == [False, False, True]
    assert queue.side.text() == "1 of 3 done"
    queue.grab()


def test_thumbnails_come_from_the_frames_themselves(queue, opened, thumbnails, qtbot, engine):
    rank(engine, qtbot, opened, 10, 90)
    keys = [row.key for row in queue.rows]
    qtbot.waitUntil(lambda: all(thumbnails.image(key) is not None for key in keys), timeout=TIMEOUT)
    images = [thumbnails.image(key) for key in keys]
    assert (images[0].width(), images[0].height()) == (128, 96)
    assert images[0] != images[1]
    want = opened.projects.project.video(keys[0].video).open()
    mean = np.asarray(want[10]).mean()
    want.close()
    bits = images[0].convertToFormat(images[0].Format.Format_Grayscale8)
    got = np.mean([bits.pixelColor(x, y).red() for x in range(0, 128, 7) for y in range(0, 96, 7)])
    assert abs(got - mean) < 15
    queue.grab()


def test_a_video_that_cannot_be_read_leaves_a_blank_and_no_trouble(queue, opened, qtbot, engine):
    from napari_al_pose.domain import AlPoseError

    def refuse(video, cancelled):
        raise AlPoseError(f"{video} is gone.", "Bring it back.")

    blank = Thumbnails(refuse)
    queue.set_project(blank)
    rank(engine, qtbot, opened, 10, 20)
    qtbot.wait(200)
    assert blank.image(queue.rows[0].key) is None
    queue.grab()
    blank.close()


def test_the_strategy_box_offers_what_matters_and_ranks_anew(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10, 20)
    box = queue.findChild(QComboBox)
    names = {box.itemData(i): i for i in range(box.count()) if box.itemData(i)}  # without the separator and More
    assert list(names) == ["hybrid", "uherding", "mpe", "coverage", "uniform"]
    assert box.itemText(box.count() - 1) == "More…"
    assert box.currentData() == opened.projects.settings.strategy
    assert all(box.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in names.values())
    other = next(i for name, i in names.items() if name != opened.projects.settings.strategy)
    box.setCurrentIndex(other)
    box.activated.emit(other)
    assert opened.projects.settings.strategy == box.itemData(other)
    assert engine.asked(Rank)[-1].strategy == box.itemData(other)


# ---- why ------------------------------------------------------------------------------------------


def test_why_shows_the_reason_of_the_frame_in_front(opened, qtbot, engine):
    panel = shown(qtbot, of_session(WhyPanel, opened, colours=DARK))
    sentence = label_with(panel, "This frame")
    assert sentence.text() == "This frame isn't suggested."
    rank(engine, qtbot, opened, 10, 20)
    assert sentence.text() == "This frame isn't suggested. Press N for the next suggestion."
    height = panel.sizeHint().height()
    opened.navigator.next_suggestion()
    assert sentence.text() == f"The model sees the {opened.frame.bodyparts[-1]} least clearly."
    assert sentence.toolTip().endswith("Reason of frame 10.")
    assert panel.findChild(BarList).bars[0].fraction == 1.0
    panel.grab()
    opened.navigator.next_suggestion()
    assert sentence.toolTip().endswith("Reason of frame 20.")
    assert panel.sizeHint().height() == height, "nothing below it moves from frame to frame"
    longest = "The model sees three possible places for the left paw; the score is higher than in 75% of the other"
    sentence.setText(f"{longest} suggestions.")
    assert sentence.heightForWidth(MIN_WIDTH - 30) <= sentence.height(), "no line is cut off"


def test_the_scoremap_box_and_the_key_agree(opened, qtbot):
    panel = shown(qtbot, of_session(WhyPanel, opened, colours=DARK))
    box = panel.findChild(QComboBox)
    assert [box.itemText(i) for i in range(box.count())] == ["None", "All bodyparts", *opened.frame.bodyparts]
    box.activated.emit(2)
    assert opened.frame.scoremap_choice == opened.frame.bodyparts[0]
    opened.frame.toggle_scoremap()
    assert box.currentText() == "None"
    opened.frame.set_scoremap("*")
    assert box.currentText() == "All bodyparts"


# ---- learning -------------------------------------------------------------------------------------


@pytest.fixture
def learning(opened, qtbot, engine):
    rank(engine, qtbot, opened, 10, 20, 30)
    return shown(qtbot, of_session(TrainPanel, opened))


@pytest.fixture
def curves(opened, qtbot):
    return shown(qtbot, CurvesPanel(opened.projects, opened.learning, effort=opened.effort, colours=DARK))


def label_frames(session, *frames):
    for frame in frames:
        session.navigator.go_to(FrameKey(session.frame.key.video, frame))
        for name in session.frame.bodyparts:
            session.editor.place(name, 50.0, 60.0)


def start_training(engine, qtbot, learning, session):
    label_frames(session, 10, 20)
    press(learning, "Train")
    qtbot.waitUntil(lambda: bool(engine.asked(Train)), timeout=TIMEOUT)
    return engine.asked(Train)[0].job


def test_learn_waits_for_a_complete_frame_and_counts_to_the_next_training(learning, opened):
    assert not can_press(learning, "Train")
    assert "completely" in text_in(learning)
    label_frames(opened, 10, 20)
    assert label_with(learning, "new frames").text() == f"2 of {opened.projects.settings.train_after} new frames"
    assert can_press(learning, "Train")
    learning.grab()


def test_a_first_training_is_offered_for_the_labels_a_project_came_with(learning, opened):
    label_frames(opened, *range(1, opened.projects.settings.train_after))
    assert not can_press(learning, "Train on your 10 labels")
    height = learning.sizeHint().height()
    label_frames(opened, 50)
    assert can_press(learning, "Train on your 10 labels") or opened.learning.training.running
    assert learning.sizeHint().height() == height, "nothing above it moves"


def test_labels_that_came_with_a_project_need_not_wait_for_the_queue(session, sample_copy, qtbot, engine):
    with open_project(sample_copy) as project:
        for number in range(12):
            for bodypart in project.skeleton.bodyparts:
                project.labels.place(FrameKey(project.videos[0].name, number), bodypart, 10.0, 10.0)
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.learning.training.kind == "rank", timeout=TIMEOUT)
    panel = shown(qtbot, of_session(TrainPanel, session))
    height = panel.sizeHint().height()
    press(panel, "Train on your 12 labels")
    qtbot.waitUntil(lambda: bool(engine.asked(Train)), timeout=TIMEOUT)
    buttons = [each for each in panel.findChildren(QAbstractButton) if "12 labels" in each.text()]
    qtbot.waitUntil(lambda: not can_press(panel, "Train on your 12 labels"), timeout=TIMEOUT)
    session.learning.train()  # pressed twice: still one training
    engine.says(Finished(session.learning.training.job))
    qtbot.waitUntil(lambda: session.learning.training.running, timeout=TIMEOUT)
    assert not any(each.isVisible() for each in buttons)
    assert len(engine.asked(Train)) == 1
    assert panel.sizeHint().height() == height, "nothing above it moves"


def test_a_training_is_shown_step_by_step(learning, curves, opened, qtbot, engine):
    curves.resize(WIDTH, curves.height())
    height = curves.minimumSizeHint().height()
    job = start_training(engine, qtbot, learning, opened)
    for step, error in ((10, 30.0), (20, float("nan")), (30, 12.0)):
        engine.says(TrainStep(job, step, 150, 1.0 / step, error, 40.0))
    qtbot.waitUntil(lambda: "step 30 of 150, 55 s left" in text_in(learning), timeout=TIMEOUT)
    (bar,) = (bar for bar in learning.findChildren(QProgressBar) if bar.isVisible())
    assert (bar.value(), bar.maximum()) == (30, 150)
    assert not can_press(learning, "Train")
    live = curves.findChild(LivePlots)
    qtbot.waitUntil(lambda: np.size(live.loss.curve.getData()[0]) == 3, timeout=TIMEOUT)
    np.testing.assert_allclose(live.error.curve.getData()[1], [30, 12])
    learning.grab()
    curves.grab()
    # Nothing above moves when the first curves come. Qt learns what was hidden with the next events.
    qtbot.waitUntil(lambda: curves.minimumSizeHint().height() == height, timeout=TIMEOUT)


def test_without_a_test_frame_the_curves_say_what_to_do(learning, curves, opened, qtbot, engine):
    job = start_training(engine, qtbot, learning, opened)
    engine.says(TrainStep(job, 10, 150, 0.1, float("nan"), 40.0))
    qtbot.waitUntil(lambda: curves.findChild(LivePlots) is not None, timeout=TIMEOUT)
    error = curves.findChild(LivePlots).error
    assert not error.isVisible()
    assert NO_TEST_FRAMES in text_in(curves)
    curves.grab()
    opened.editor.set_role(FrameRole.HOLDOUT)
    engine.says(TrainStep(job, 20, 150, 0.1, float("nan"), 40.0))
    qtbot.waitUntil(error.isVisible, timeout=TIMEOUT)
    assert NO_TEST_FRAMES not in text_in(curves)
    engine.says(Finished(job))
    qtbot.waitUntil(lambda: not opened.learning.training.running, timeout=TIMEOUT)
    assert not error.isVisible(), "no empty axes: that training measured nothing"
    assert NEXT_IS_MEASURED in text_in(curves)


@pytest.mark.parametrize(("text", "keep"), [("Stop and keep", True), ("Cancel and discard", False)])
def test_a_training_can_be_ended_both_ways(learning, opened, qtbot, text, keep, engine):
    job = start_training(engine, qtbot, learning, opened)
    engine.says(TrainStep(job, 1, 150, 1.0, float("nan"), 40.0))
    qtbot.waitUntil(lambda: can_press(learning, text), timeout=TIMEOUT)
    press(learning, text)
    assert engine.asked(Stop)[-1] == Stop(job, keep=keep)


def test_a_finished_round_is_drawn_and_judged(learning, curves, opened, qtbot, engine):
    job = start_training(engine, qtbot, learning, opened)
    engine.says(TrainStep(job, 150, 150, 1.0, 12.0, 0.0))
    qtbot.waitUntil(lambda: can_press(learning, "Stop and keep"), timeout=TIMEOUT)
    for number, mean in ((1, 12.0), (2, 8.0), (3, 5.0)):
        done = replace(
            finished_round(number, mean),
            reliability=Reliability(((0.4, 0.5, 8), (0.9, 0.9, 30)), 0.02),
            input_size=(288, 384),
            started_from=number - 1,
        )
        engine.says(Trained(job, done, False))
    qtbot.waitUntil(lambda: can_press(learning, "Cancel the ranking"), timeout=TIMEOUT)
    engine.says(Finished(job))
    qtbot.waitUntil(lambda: "more labels help" in text_in(curves), timeout=TIMEOUT)
    rounds, reliability = curves.findChild(RoundsPlot), curves.findChild(ReliabilityPlot)
    np.testing.assert_allclose(rounds.curve.getData(), [[10, 20, 30], [12, 8, 5]])
    assert rounds.isVisible()
    np.testing.assert_allclose(reliability.curve.getData(), [[0.4, 0.9], [0.5, 0.9]])
    line = label_with(learning, "Model 3: error 5.0 px")
    assert line.toolTip().startswith("Model 3 sees 384 × 288 px, continued from model 2.")
    press(curves, "Likelihoods")
    assert reliability.isVisible()
    assert "right as often as they say" in text_in(curves)
    curves.grab()
    opened.learning.modelChanged.emit()  # as after a change of the skeleton's lines
    assert reliability.isVisible(), "the user's choice stays"


def test_the_curves_say_what_labelling_took_in_this_round(curves, opened, qtbot):
    assert "Round" not in text_in(curves)
    for name in opened.frame.bodyparts[:2]:
        opened.editor.place(name, 50.0, 60.0)
    qtbot.waitUntil(lambda: "Round 1: 2 points placed" in text_in(curves), timeout=TIMEOUT)


def test_no_line_of_a_caption_is_cut_off_however_low_the_dock(curves):
    press(curves, "All rounds")
    (caption,) = (label for label in curves.findChildren(QLabel) if label.isVisible())
    for text in ("Short.", "7.4 px mean error on 23 test frames. A trend shows after three rounds. " * 3):
        caption.setText(text)
        for width in (600, 200):
            caption.resize(width, 5)
            assert caption.minimumHeight() == caption.heightForWidth(width) >= caption.fontMetrics().height()
    assert caption.minimumHeight() > 3 * caption.fontMetrics().height()


def test_a_dead_engine_can_be_restarted(learning, opened, qtbot, engine):
    engine.says(Died("The engine died.", "Restart it."))
    qtbot.waitUntil(lambda: can_press(learning, "Restart engine"), timeout=TIMEOUT)
    assert not can_press(learning, "Train")
    learning.grab()
    press(learning, "Restart engine")
    qtbot.waitUntil(lambda: opened.learning.engine_state == "ready", timeout=TIMEOUT)
    assert not can_press(learning, "Restart engine")


# ---- timeline -------------------------------------------------------------------------------------


def test_the_timeline_marks_seeks_and_changes_video(opened, qtbot, engine):
    timeline = shown(qtbot, of_session(Timeline, opened, colours=DARK))
    timeline.resize(900, 60)
    rank(engine, qtbot, opened, 10, 20, 30)
    video = opened.frame.key.video
    label_frames(opened, 20)
    kinds = {mark.position: mark.kind for mark in timeline.lane.marks}
    assert kinds == {10: MarkKind.QUEUED, 20: MarkKind.LABELLED, 30: MarkKind.QUEUED_HOLDOUT}
    lane = timeline.lane
    lane.grab()
    spot = QPoint(round(lane.axis.x_of(55, lane.width())), 12)
    qtbot.mouseClick(lane, Qt.MouseButton.LeftButton, pos=spot)
    assert opened.frame.key == FrameKey(video, 55)
    assert timeline.transport.place.startswith("55 of 120")
    box = timeline.findChild(QComboBox)
    other = next(i for i in range(box.count()) if box.itemText(i) != video)
    box.activated.emit(other)
    assert opened.frame.key.video == box.itemText(other)
    qtbot.waitUntil(lambda: opened.frame.source is not None, timeout=TIMEOUT)
    assert timeline.lane.marks == ()
    timeline.grab()


def test_undo_takes_the_mark_away(opened, qtbot):
    timeline = shown(qtbot, of_session(Timeline, opened, colours=DARK))
    opened.editor.place(opened.frame.bodyparts[0], 5.0, 6.0)
    assert [mark.kind for mark in timeline.lane.marks] == [MarkKind.LABELLED]
    opened.editor.undo()
    assert timeline.lane.marks == ()


def test_one_mark_more_or_less_paints_what_all_of_them_anew_would(qtbot):
    """On a lane with several frames a pixel, so that neighbours share a place."""
    kinds = (MarkKind.QUEUED, MarkKind.LABELLED, MarkKind.HOLDOUT, MarkKind.QUEUED_HOLDOUT)
    marks = [Mark(position, kinds[position % 4]) for position in range(0, 3_000, 7)]
    changed, anew = (shown(qtbot, Lane(DARK)) for _ in range(2))
    for lane in (changed, anew):
        lane.resize(640, lane.height())
        lane.set_axis(FrameAxis(3_000))
    changed.set_marks(tuple(marks))
    changed.grab()  # the picture is there
    for position, kind in ((5, MarkKind.LABELLED), (14, None), (2_100, MarkKind.HOLDOUT), (2_999, MarkKind.QUEUED)):
        changed.set_mark(position, kind)
        marks = [mark for mark in marks if mark.position != position]
        if kind is not None:
            marks.append(Mark(position, kind))
    anew.set_marks(tuple(marks))
    assert changed.grab().toImage() == anew.grab().toImage()


# ---- the whole ------------------------------------------------------------------------------------


def test_a_click_into_a_panel_leaves_the_keyboard_to_the_canvas(queue, bodyparts):
    for panel in (queue, bodyparts):
        for widget in (panel.findChild(RowsView), *panel.findChildren(QAbstractButton), *panel.findChildren(QComboBox)):
            if widget.isVisible():
                assert not widget.focusPolicy() & Qt.FocusPolicy.ClickFocus, widget


@pytest.mark.parametrize("what", ["import napari_al_pose.gui.dock", NO_PROJECT])
def test_the_window_comes_without_what_the_first_picture_does_not_need(what):
    """By name, since nobody measures here: each of these takes tenths of a second."""
    code = f"import sys; {what}; print([name for name in {SLOW_TO_IMPORT} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_end_of_the_queue_says_what_follows_and_offers_nothing_that_does_nothing(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10, 20)
    click_row(qtbot, queue, 1)
    for frame in (20, 10):
        assert opened.frame.key.frame == frame
        for name in opened.frame.bodyparts:
            opened.editor.place(name, 50.0, 60.0)
        if frame == 20:
            press(queue, "Next frame")  # one was passed over
    assert not can_press(queue, "Next frame")
    assert "Press L to train" in text_in(queue)
    assert opened.prompter.prompt.keys == "Queue done. Press {learn} to train; new frames follow."
    opened.navigator.next_suggestion()
    assert opened.frame.key.frame == 20  # whoever looks through the queue again may
    opened.learning.train()
    assert "Training starts soon" in text_in(queue)
    qtbot.waitUntil(lambda: "Training…" in text_in(queue), timeout=TIMEOUT)
    assert opened.prompter.prompt.keys == "Queue done. Training; new frames follow."


def test_that_nothing_is_left_to_choose_is_said_in_one_place(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10)
    click_row(qtbot, queue, 0)
    said = []
    opened.notices.raised.connect(lambda message, hint, _is_error: said.append(f"{message} {hint}"))
    for name in opened.frame.bodyparts:
        opened.editor.place(name, 50.0, 60.0)
    opened.learning.train()
    qtbot.waitUntil(lambda: opened.learning.training.running, timeout=TIMEOUT)
    job, why = opened.learning.training.job, "There is nothing to choose: all 30 frames are labelled. Add a video."
    engine.says(Ranked(job, "mpe", 1, (), (), "mouse2 can't be read.", why), Finished(job))
    qtbot.waitUntil(lambda: why in opened.prompter.prompt.keys, timeout=TIMEOUT)
    curves = shown(qtbot, of_session(CurvesPanel, opened, colours=DARK))
    assert "Nothing is left to choose" in text_in(queue)
    assert why not in text_in(queue) + text_in(curves) + "".join(said)
    assert said == ["mouse2 can't be read. "]
    assert "mouse2" not in text_in(curves)


def test_what_stands_in_place_of_next_frame_is_never_cut_off(queue, opened, qtbot, engine):
    rank(engine, qtbot, opened, 10)
    click_row(qtbot, queue, 0)
    for name in opened.frame.bodyparts:
        opened.editor.place(name, 50.0, 60.0)
    queue.resize(MIN_WIDTH - 20, queue.height())  # beside the dock's margins and a scroll bar
    line = label_with(queue, "Press L to train")
    now = {"engine_state": "ready", "job": "", "will_train": False, "seconds_left": -1.0}
    changes = [{}, {"job": "train", "seconds_left": 5400}, {"will_train": True}, {"job": "rank"}, {"read_only": True}]
    for change in (*changes, {"engine_state": "dead"}, {"why_empty": "All are labelled."}, {"n_trainable": 0}):
        text = opened.keys.named(queue_end(**{**now, **change}).short)
        assert line.fontMetrics().horizontalAdvance(text) <= line.width(), text
