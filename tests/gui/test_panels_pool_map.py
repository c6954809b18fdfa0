"""The map of the pool: asked of the engine, painted, clicked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from session_tools import TIMEOUT, can_press, of_session

from napari_al_pose.domain import FrameKey, FrameRole, Suggestion
from napari_al_pose.domain.frame_groups import FrameGroup
from napari_al_pose.domain.queue import PICKED
from napari_al_pose.domain.views.pool_map import LABELLED, TEST
from napari_al_pose.engine.messages import Failed, Finished, MapPool, PoolMapped, Progress, Rank, Ranked
from napari_al_pose.gui.panels.pool_map import PoolMap
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.panels.strategy_box import StrategyBox
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.gui.thumbnails import Thumbnails, source_opener

pytestmark = pytest.mark.gui

DARK = theme_colours("dark")


def end_ranking(engine, session):
    """Let the engine be done with the first batch, which every project begins with."""
    engine.says(Finished(engine.asked(Rank)[-1].job))


@pytest.fixture
def shown(opened, qtbot, engine):
    end_ranking(engine, opened)
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    made = of_session(PoolMap, opened, thumbnails=Thumbnails(source_opener(opened.projects.project)), colours=DARK)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def asked(engine, session):
    return engine.asked(MapPool)[-1]


def answer(engine, session, n=6, **changes):
    """Let the engine answer with frames of the first video in a row."""
    request = asked(engine, session)
    video = session.projects.project.videos[0].name
    keys = tuple(FrameKey(video, 10 * i) for i in range(n))
    line = np.linspace(0, 1, n, dtype=np.float32)
    values = {
        "strategy": request.strategy,
        "points": np.stack([line, line], axis=1),
        "scores": np.arange(n, dtype=np.float64),
        "chosen": keys[-1:],
        "groups": (FrameGroup(0.03, 0, keys[1:5:2]), FrameGroup(0.97, 1, keys[::2])),
    } | changes
    engine.says(
        PoolMapped(
            request.job,
            request.strategy,
            values["strategy"],
            0,
            request.layout,
            keys,
            values["points"],
            values["scores"],
            (FrameKey(video, 7),),
            np.array([[0.5, 0.2]], np.float32),
            values["chosen"],
            values["groups"],
            np.arange(n, dtype=np.int16) % 2,
            np.array([0], np.int16),
            "",
        )
    )
    engine.says(Finished(request.job))
    return keys


def test_it_asks_and_shows_and_a_click_goes_to_the_frame(shown, opened, qtbot, engine):
    assert asked(engine, opened).strategy == opened.projects.settings.strategy
    assert asked(engine, opened).layout == "pca"
    assert opened.learning.training.kind == "map"
    assert not shown._update.isEnabled()
    keys = answer(engine, opened)
    qtbot.waitUntil(lambda: shown.best.count() == 3, timeout=TIMEOUT)
    assert shown._update.isEnabled()
    assert "6 candidate frames, 1 would be chosen, 1 labelled" in shown.caption
    assert len(shown.plot.dots.points()) == 7
    assert [shown.best.item(i).text() for i in range(3)] == ["5.00", "4.00", "3.00"]
    assert [shown.worst.item(i).text() for i in range(3)] == ["0.00", "1.00", "2.00"]
    shown.grab()
    dot = next(point for point in shown.plot.dots.points() if point.data().key == keys[3])
    shown.plot.dots.sigClicked.emit(shown.plot.dots, [dot], None)
    qtbot.waitUntil(lambda: opened.frame.key == keys[3], timeout=TIMEOUT)
    item = shown.worst.item(0)
    place = shown.worst.visualItemRect(item).center()
    qtbot.mouseClick(shown.worst.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: opened.frame.key == keys[0], timeout=TIMEOUT)


def test_pictures_come_when_they_are_read(shown, opened, qtbot, engine):
    keys = answer(engine, opened)
    qtbot.waitUntil(lambda: shown._thumbnails.image(keys[-1]) is not None, timeout=TIMEOUT)
    assert not shown.best.item(0).icon().isNull()


def test_another_strategy_another_layout(shown, opened, qtbot, engine):
    answer(engine, opened)
    qtbot.waitUntil(lambda: shown._update.isEnabled(), timeout=TIMEOUT)
    shown._strategy.setCurrentIndex(shown._strategy.findData("coverage"))
    shown._layout_box.setCurrentIndex(shown._layout_box.findData("tsne"))
    shown._update.click()
    assert (asked(engine, opened).strategy, asked(engine, opened).layout) == ("coverage", "tsne")
    engine.says(Progress(asked(engine, opened).job, "Laying out the map", 3, 9, 1.0))
    qtbot.waitUntil(lambda: "Laying out the map" in shown.caption, timeout=TIMEOUT)
    engine.says(Failed(asked(engine, opened).job, "No video can be opened.", "Add one."))
    qtbot.waitUntil(lambda: shown._update.isEnabled(), timeout=TIMEOUT)
    assert "6 candidate frames" in shown.caption  # the map before stays
    assert opened.notices.errors == ["No video can be opened."]


def test_what_was_just_ranked_is_shown_without_asking(opened, qtbot, engine):
    """The engine sends the map after a ranking; opened then, it is there at once, also during a training."""
    video = opened.projects.project.videos[0].name
    ranking = engine.asked(Rank)[-1]
    line = np.linspace(0, 1, 3, dtype=np.float32)
    keys = tuple(FrameKey(video, 30 * i) for i in range(3))
    points, none = np.stack([line, line], axis=1), np.zeros(0, np.int16)
    mapped = PoolMapped(
        ranking.job,
        ranking.strategy,
        ranking.strategy,
        0,
        "pca",
        keys,
        points,
        np.full(3, np.nan),
        (),
        np.zeros((0, 2), np.float32),
        keys,
        (),
        np.full(3, -1, np.int16),
        none,
    )
    suggestions = [Suggestion(key, 1.0, "mpe", sentence="") for key in keys]
    suggestions[2] = Suggestion(keys[2], 1.0, "random", role=FrameRole.HOLDOUT, sentence="")
    engine.says(Ranked(ranking.job, ranking.strategy, 0, tuple(suggestions), ()), mapped, Finished(ranking.job))
    opened.editor.place(opened.frame.bodyparts[0], 40.0, 50.0)
    opened.navigator.go_to(keys[0])
    qtbot.waitUntil(lambda: opened.frame.key == keys[0], timeout=TIMEOUT)
    opened.editor.place(opened.frame.bodyparts[0], 40.0, 50.0)
    made = of_session(PoolMap, opened, thumbnails=Thumbnails(source_opener(opened.projects.project)), colours=DARK)
    qtbot.addWidget(made)
    made.show()
    assert not engine.asked(MapPool)
    kinds = {point.data().key: point.data().kind for point in made.plot.dots.points()}
    assert kinds[keys[0]] == LABELLED, "labelled since"
    assert kinds[keys[2]] == TEST
    opened.projects.close_project()
    qtbot.waitUntil(lambda: opened.projects.project is None, timeout=TIMEOUT)
    assert opened.maps.known(ranking.strategy, "pca") is None


def test_a_ranking_by_another_strategy_leaves_the_map_that_is_looked_at(shown, opened, qtbot, engine):
    answer(engine, opened)
    qtbot.waitUntil(lambda: shown.best.count() == 3, timeout=TIMEOUT)
    other = replace(shown._mapped, asked="kcenter", keys=(), points=np.zeros((0, 2), np.float32))
    engine.says(other)
    assert len(shown.plot.dots.points()) == 7
    assert opened.maps.known("kcenter", "pca") is other


def test_pictures_stand_on_the_map(shown, opened, qtbot, engine):
    keys = answer(engine, opened)
    qtbot.waitUntil(lambda: keys[-1] in shown.plot.pictures, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: set(shown.plot.pictures) == set(shown.plot.wanted), timeout=TIMEOUT)
    shown.plot.getViewBox().setRange(xRange=(0.35, 0.45), yRange=(0.35, 0.45), padding=0)
    qtbot.waitUntil(lambda: shown.plot.pictures == (keys[2],), timeout=TIMEOUT)


def test_a_group_can_be_seen_gone_to_and_put_in_the_queue(shown, opened, qtbot, engine):
    keys = answer(engine, opened)
    qtbot.waitUntil(lambda: shown.groups.list.count() == 2, timeout=TIMEOUT)
    assert shown.groups.list.item(0).text() == "3 % of your videos look like this; none of it is labelled."
    assert not shown.groups.add.isEnabled()
    shown.groups.list.setCurrentRow(0)
    faint = {point.data().key for point in shown.plot.dots.points() if point.brush().color().alphaF() < 0.5}
    assert faint == set(keys[1::2])
    shown.groups.go.click()
    qtbot.waitUntil(lambda: opened.frame.key == keys[1], timeout=TIMEOUT)
    shown.groups.add.click()
    picked = [one for one in opened.navigator.queue.suggestions if one.strategy == PICKED]
    assert [one.key for one in picked] == [keys[1], keys[3]]
    assert "3 % of your videos" in picked[0].sentence


def test_nothing_scored_is_an_empty_sheet(shown, opened, qtbot, engine):
    answer(engine, opened, scores=np.full(6, np.nan), chosen=())
    qtbot.waitUntil(lambda: "0 would be chosen" in shown.caption, timeout=TIMEOUT)
    assert shown.best.count() == shown.worst.count() == 0
    shown.grab()


def test_it_waits_its_turn(opened, qtbot, engine):
    made = of_session(PoolMap, opened, thumbnails=Thumbnails(source_opener(opened.projects.project)), colours=DARK)
    qtbot.addWidget(made)
    made.show()
    assert "Waiting for the engine to finish: ranking the queue" in made.caption
    assert not can_press(made, "Show")
    end_ranking(engine, opened)
    qtbot.waitUntil(lambda: opened.learning.training.kind == "map", timeout=TIMEOUT)
    answer(engine, opened)
    qtbot.waitUntil(lambda: made.best.count() == 3, timeout=TIMEOUT)


def test_each_strategy_is_explained_in_the_box(opened, qtbot):
    panel = of_session(QueuePanel, opened, colours=DARK)
    qtbot.addWidget(panel)
    panel.set_project(None)
    box = panel.findChild(StrategyBox)
    tips = {box.itemData(i): box.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(box.count() - 1)}
    assert "Needs a model, else Coverage (facility location) takes its place." in tips["uherding"]
    assert tips["uniform"].endswith("Needs nothing.\nCosts nothing.")
    assert all(tip.count("\n") == 2 for name, tip in tips.items() if name)
