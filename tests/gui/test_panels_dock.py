"""The dock in a real napari window: start page, project, theme, and what is left when it goes."""

from __future__ import annotations

import threading

import pytest
from qtpy.QtCore import QEvent, QObject, QPoint
from qtpy.QtWidgets import QAbstractButton, QLabel, QWidget
from session_tools import TIMEOUT, cut_off, label_with, overlapping, press, text_in

from napari_al_pose.domain import ErrorSummary, FrameKey, Round, Suggestion
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.views import MarkKind
from napari_al_pose.engine.messages import Checked, Finished, Ranked, Trained, TrainStep
from napari_al_pose.gui import dock as dock_module
from napari_al_pose.gui.dock import CURVES, MIN_WIDTH, TIMELINE, WIDTH, PoseLabeller, dock_of
from napari_al_pose.gui.panels.bodyparts import TIGHT_ROW_HEIGHT
from napari_al_pose.gui.panels.plots import LivePlots
from napari_al_pose.gui.panels.queue import ROW_HEIGHT
from napari_al_pose.gui.remembered import recent_projects, remember_project
from napari_al_pose.gui.widgets import RowsView
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui
LAPTOP = 706
"""Height of the dock where the screen has 1366 x 768 pixels."""


@pytest.fixture
def viewer(make_napari_viewer, engine):
    return make_napari_viewer()  # not shown: painting the canvas in software takes most of a test's time


@pytest.fixture
def dock(viewer, qtbot):
    """The widget, docked as napari's menu does it."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-al-pose", "Active-learning pose labeller")
    return widget


@pytest.fixture
def opened_dock(dock, sample_copy, qtbot):
    dock.session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: dock.session.frame.source is not None, timeout=TIMEOUT)
    return dock


def sees(dock, widget):
    """Whether the widget would be in sight if the window were."""
    return widget.isVisibleTo(dock)


def timeline_dock(viewer):
    return viewer.window.dock_widgets[TIMELINE].parent()


def thumbnail_threads():
    return [thread for thread in threading.enumerate() if thread.name == "al-pose-thumbnails"]


def test_it_begins_with_three_ways_to_begin(dock):
    texts = {button.text() for button in dock.start.findChildren(QAbstractButton) if sees(dock, button)}
    assert texts >= {"New project from videos…", "Open project…", "Try the sample"}
    assert not sees(dock, dock.header)
    assert dock.timeline is None


def test_recent_projects_are_listed_once_as_soon_as_the_list_is_made_again(dock, sample_copy):
    remember_project(sample_copy.parent)
    for _ in range(2):
        dock.start.refresh()  # nothing is destroyed in between
    titles = [each for each in dock.start.findChildren(QLabel) if each.text() == "Recent"]
    assert sum(sees(dock, title) for title in titles) == 1


def test_opening_shows_the_panels_and_the_timeline(opened_dock, viewer, qtbot):
    assert sees(opened_dock, opened_dock.header)
    assert not sees(opened_dock, opened_dock.start)
    assert label_with(opened_dock.header, "alpose-sample").text() == "alpose-sample"
    assert not timeline_dock(viewer).isHidden()
    assert opened_dock.curves.isVisibleTo(opened_dock.window())
    assert [path.name for path in recent_projects()] == [opened_dock.session.projects.project.root.name]


@pytest.mark.parametrize(("low_screen", "tabbed"), [(0, False), (100_000, True)])
def test_on_a_low_screen_the_curves_share_a_place_with_the_dock(
    dock, sample_copy, viewer, qtbot, monkeypatch, low_screen, tabbed
):
    monkeypatch.setattr(dock_module, "LOW_SCREEN", low_screen)
    dock.session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: dock.curves is not None, timeout=TIMEOUT)
    window, curves = dock.window(), viewer.window.dock_widgets[CURVES].parent()
    others = [dock_of(dock) for _ in range(int(tabbed))]
    assert window.tabifiedDockWidgets(curves) == others
    assert dock.queue.isVisibleTo(dock), "the dock itself is in front"
    if tabbed:
        assert window.minimumSizeHint().height() < 700  # a laptop has 768, less its bars


def places(dock):
    """Return where the dock's buttons are in the window, by their texts."""
    window = dock.window()
    buttons = (b for b in dock.findChildren(QAbstractButton) if b.isVisible() and b.text())
    return {button.text(): button.mapTo(window, QPoint(0, 0)).y() for button in buttons}


def test_nothing_moves_when_the_first_model_learns_and_is_measured(
    dock, sample_copy, viewer, qtbot, engine, monkeypatch
):
    monkeypatch.setattr(dock_module, "LOW_SCREEN", 0)  # the curves below the dock
    viewer.window.resize(1600, 1000)
    viewer.window.show()
    session = dock.session
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    for name in session.frame.bodyparts:
        session.editor.place(name, 50.0, 60.0)
    job, key = session.learning.training.job, session.frame.key
    engine.says(Ranked(job, "mpe", 0, tuple(Suggestion(FrameKey(key.video, n), 1.0, "mpe") for n in range(9)), ()))
    engine.says(Finished(job))
    qtbot.waitUntil(lambda: len(session.navigator.queue) == 9, timeout=TIMEOUT)
    session.learning.train()
    qtbot.waitUntil(lambda: session.learning.training.running, timeout=TIMEOUT)
    qtbot.wait(100)
    before, height = places(dock), dock_of(dock.curves).height()
    assert "Next frame" in before
    job = session.learning.training.job
    engine.says(TrainStep(job, 10, 150, 0.1, 30.0, 40.0))
    qtbot.waitUntil(lambda: dock.curves.findChild(LivePlots) is not None, timeout=TIMEOUT)
    qtbot.wait(100)
    assert (places(dock), dock_of(dock.curves).height()) == (before, height)
    errors = tuple((f"bodypart {number}", 10.0) for number in range(7))
    measured = ErrorSummary(12.0, 12.0, 11.0, 13.0, 12, errors)
    engine.says(Trained(job, Round(1, 1, 10, 12, "mpe", measured, "2026-01-01T00:00:00+00:00", 20.0, 150), False))
    engine.says(Finished(job))
    qtbot.waitUntil(lambda: not session.learning.training.running, timeout=TIMEOUT)
    for page in ("All rounds", "Likelihoods"):
        press(dock.curves, page)
        qtbot.wait(100)
        after = places(dock)
        assert {text: after[text] for text in before.keys() & after.keys()} == {
            text: before[text] for text in before.keys() & after.keys()
        }
        assert dock_of(dock.curves).height() == height
        assert not [*overlapping(dock.curves), *cut_off(dock.curves)], page


def test_nothing_is_wider_than_the_dock(opened_dock):
    room = MIN_WIDTH - 30  # margins and a scroll bar
    for panel in (opened_dock.header, opened_dock.bodyparts, opened_dock.queue, opened_dock.why, opened_dock.learning):
        assert panel.minimumSizeHint().width() <= room, panel


def test_long_names_make_nothing_wider_than_the_dock(dock, sample_copy, qtbot):
    config = sample_copy.read_text(encoding="utf-8").replace("multianimalproject: false", "multianimalproject: true")
    before, after = config.index("bodyparts:"), config.index("start: 0")
    joints = "".join(f"- left_forelimb_digit_{number}_metacarpophalangeal_joint\n" for number in range(32))
    lists = (
        f"bodyparts: MULTI!\nmultianimalbodyparts:\n{joints}individuals:\n- dominant_male_of_the_second_cohort\n- b\n"
    )
    config = config[:before] + lists + config[after : config.index("skeleton:")] + "skeleton: []\n"
    sample_copy.write_text(config, encoding="utf-8")
    dock.session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: dock.session.frame.picture_is_current, timeout=TIMEOUT)
    assert len(dock.bodyparts.rows) == 32
    test_nothing_is_wider_than_the_dock(dock)


def test_the_dock_is_as_wide_and_its_rows_as_high_as_a_large_font_needs(opened_dock, viewer, qtbot):
    viewer.window.show()  # what is hidden does not lay itself out
    qtbot.waitUntil(opened_dock.isVisible, timeout=TIMEOUT)
    before = opened_dock.minimumWidth()
    opened_dock.setStyleSheet(opened_dock.styleSheet() + "* { font-size: 18pt; }")
    qtbot.waitUntil(lambda: opened_dock.minimumWidth() > before, timeout=TIMEOUT)
    row = opened_dock.bodyparts._view.fontMetrics().height()
    assert row > TIGHT_ROW_HEIGHT
    qtbot.waitUntil(lambda: opened_dock.bodyparts._delegate.height >= row, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: opened_dock.queue._delegate.height >= 2 * row, timeout=TIMEOUT)
    assert opened_dock._panels.minimumSizeHint().width() < opened_dock.minimumWidth()


class PaintWatch(QObject):
    """Notes what lies over each other or is cut off in a widget whenever a part of it is painted."""

    def __init__(self, watched):
        super().__init__(watched)
        self.watched, self.n_paints, self.found = watched, 0, []
        for widget in (watched, *watched.findChildren(QWidget)):
            widget.installEventFilter(self)

    def eventFilter(self, widget, event):  # noqa: N802
        if event.type() == QEvent.Type.Paint:
            self.n_paints += 1
            self.found += [*overlapping(self.watched), *cut_off(self.watched)]
        return False


def test_nothing_is_painted_before_it_is_laid_out(dock, viewer, sample_copy, qtbot, monkeypatch):
    """The window is busy for seconds while a project opens, and shows meanwhile what was painted last."""
    with open_project(sample_copy) as project:
        points = dict.fromkeys(project.skeleton.bodyparts, (40.0, 50.0))
        for frame in range(20):
            project.labels.place_many(FrameKey(project.videos[0].name, frame), points)
    monkeypatch.setattr(dock_module, "LOW_SCREEN", 100_000)
    dock.session.options.arrange_own_window()
    viewer.window.show()
    viewer.window.resize(1366, 768)
    qtbot.waitUntil(dock.isVisible, timeout=TIMEOUT)
    watch, at_once = PaintWatch(dock.learning), []
    dock.session.projects.begun.connect(lambda _beginning: at_once.extend(cut_off(dock.learning)))
    dock.session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: dock.session.frame.picture_is_current, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: watch.n_paints > 0, timeout=TIMEOUT)
    assert "Train on your 20 labels" in [b.text() for b in dock.learning.findChildren(QAbstractButton) if sees(dock, b)]
    assert not watch.found
    assert not at_once


def test_no_text_is_cut_off_and_nothing_needed_is_below_the_fold(opened_dock, qtbot, engine):
    """At the height that a screen of 1600 x 1000 leaves, and one of 1366 x 768, training and idle."""
    session = opened_dock.session
    keys = [FrameKey(session.frame.key.video, number) for number in range(10, 90, 10)]
    found = tuple(Suggestion(key, 1.0, "mpe", sentence="The model sees five possible places.") for key in keys)
    engine.says(Ranked(session.learning.training.job, "mpe", 0, found, ()))
    qtbot.waitUntil(lambda: len(session.navigator.queue) == len(keys), timeout=TIMEOUT)
    opened_dock.setParent(None)  # of its own: the window's docks are laid out only when it is shown
    qtbot.addWidget(opened_dock)
    opened_dock.show()
    qtbot.waitExposed(opened_dock)
    for height, busy in ((900, True), (LAPTOP, True), (632, True), (632, False), (900, False)):
        opened_dock.setFixedSize(WIDTH, height)
        if not busy and session.learning.training.busy:
            engine.says(Finished(session.learning.training.job))
        qtbot.waitUntil(lambda busy=busy: session.learning.training.busy is busy, timeout=TIMEOUT)
        qtbot.waitUntil(lambda: opened_dock.queue.findChild(RowsView).height() >= 3 * ROW_HEIGHT, timeout=TIMEOUT)
        queue = opened_dock.queue.findChild(RowsView)
        fourth = queue.visualRect(queue.model().index(3, 0))
        assert height == 900 or fourth.bottom() < queue.viewport().height(), "four suggestions are in sight"
        bodyparts = opened_dock.bodyparts.findChild(RowsView)
        needed = len(opened_dock.bodyparts.rows) * TIGHT_ROW_HEIGHT
        qtbot.waitUntil(lambda: height < LAPTOP or bodyparts.height() >= needed, timeout=TIMEOUT)  # noqa: B023
        assert not cut_off(opened_dock)
        foot = opened_dock.learning.geometry()
        assert foot.bottom() <= opened_dock.height()
        assert opened_dock.queue.mapTo(opened_dock, opened_dock.queue.rect().bottomLeft()).y() < foot.top()


@pytest.mark.parametrize("height", [900, 632])
def test_labels_to_check_take_the_place_of_the_queue_and_what_is_above_does_not_move(
    opened_dock, qtbot, engine, height
):
    session, part = opened_dock.session, opened_dock.session.frame.bodyparts[0]
    session.editor.place(part, 40.0, 50.0)
    check = LabelCheck(session.frame.key, part, "far", 40.0, 50.0, 55.0, 0.9, seen=(73.0, 94.0))
    engine.says(Finished(session.learning.training.job), Checked(99, (check,)))
    opened_dock.setParent(None)
    qtbot.addWidget(opened_dock)
    opened_dock.setFixedSize(WIDTH, height)
    opened_dock.show()
    qtbot.waitExposed(opened_dock)
    qtbot.waitUntil(lambda: opened_dock.queue.findChild(RowsView).height() >= 3 * ROW_HEIGHT, timeout=TIMEOUT)
    still = opened_dock.header, opened_dock.bodyparts, opened_dock.learning
    opened_dock.header.refresh()
    qtbot.waitUntil(lambda: opened_dock.header.height() == opened_dock.header.minimumSizeHint().height())
    before = [panel.geometry() for panel in still]
    press(opened_dock.learning, "Check 1 label")
    qtbot.waitUntil(lambda: opened_dock.checks.height() >= opened_dock.checks.minimumSizeHint().height())
    assert not sees(opened_dock, opened_dock.queue)
    assert [panel.geometry() for panel in still] == before
    assert not cut_off(opened_dock)
    bottom = opened_dock.checks.mapTo(opened_dock, opened_dock.checks.rect().bottomLeft()).y()
    assert bottom < opened_dock.learning.geometry().top()
    session.checks.close()
    assert sees(opened_dock, opened_dock.queue)


def test_the_name_of_the_project_is_whole(opened_dock, qtbot):
    opened_dock.setParent(None)
    qtbot.addWidget(opened_dock)
    opened_dock.setFixedSize(WIDTH, 632)
    opened_dock.show()
    qtbot.waitExposed(opened_dock)
    name = opened_dock.header._name
    opened_dock.header.refresh()
    qtbot.waitUntil(lambda: name.fontMetrics().horizontalAdvance(name.text()) <= name.width(), timeout=TIMEOUT)


def test_the_header_and_the_timeline_follow_each_label(opened_dock):
    session = opened_dock.session
    for name in session.frame.bodyparts:
        session.editor.place(name, 50.0, 60.0)
    assert "1 labelled" in text_in(opened_dock.header)
    assert [mark.kind for mark in opened_dock.timeline.lane.marks] == [MarkKind.LABELLED]


def test_closing_the_project_brings_the_start_page_back(opened_dock, viewer, qtbot):
    opened_dock.session.projects.close_project()
    qtbot.waitUntil(lambda: sees(opened_dock, opened_dock.start), timeout=TIMEOUT)
    assert timeline_dock(viewer).isHidden()
    qtbot.waitUntil(lambda: not thumbnail_threads(), timeout=TIMEOUT)
    recent = [b.text() for b in opened_dock.start.findChildren(QAbstractButton)]
    assert any("alpose-sample" in text for text in recent)


def test_another_theme_paints_anew(opened_dock, viewer, qtbot):
    dark = opened_dock.grab().toImage().pixelColor(20, 200)
    viewer.theme = "light"
    qtbot.wait(50)
    light = opened_dock.grab().toImage().pixelColor(20, 200)
    assert light.lightness() > dark.lightness() + 80


def test_an_error_of_the_session_is_in_the_bar(dock, qtbot, tmp_path):
    dock.session.projects.open_project(tmp_path / "nowhere" / "config.yaml")
    qtbot.waitUntil(lambda: sees(dock, dock.notices), timeout=TIMEOUT)
    assert "nowhere" in dock.notices.text


def test_closing_the_dock_ends_session_thumbnails_and_timeline(opened_dock, viewer, qtbot):
    session = opened_dock.session
    dock = next(d for d in viewer.window.dock_widgets.values() if d is opened_dock)
    viewer.window.remove_dock_widget(dock)
    opened_dock.deleteLater()
    qtbot.waitUntil(lambda: session.projects.is_closed, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: TIMELINE not in viewer.window.dock_widgets, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not thumbnail_threads(), timeout=TIMEOUT)
    again = PoseLabeller(viewer)
    qtbot.addWidget(again)
    assert again.session is not session
