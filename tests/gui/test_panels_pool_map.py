"""The map of the pool: asked of the engine, painted, clicked."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from session_tools import TIMEOUT, of_session

from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.messages import Failed, Finished, MapPool, PoolMapped, Progress, Rank
from napari_al_pose.gui.dock import _source_opener
from napari_al_pose.gui.panels.pool_map import PoolMap
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.gui.thumbnails import Thumbnails

pytestmark = pytest.mark.gui

DARK = theme_colours("dark")


def end_ranking(engine, session):
    """Let the engine be done with the first batch, which every project begins with."""
    engine.says(Finished(engine.asked(Rank)[-1].job))


@pytest.fixture
def shown(opened, qtbot, engine):
    end_ranking(engine, opened)
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    made = of_session(PoolMap, opened, thumbnails=Thumbnails(_source_opener(opened.projects.project)), colours=DARK)
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
    } | changes
    engine.says(
        PoolMapped(
            request.job,
            values["strategy"],
            0,
            request.layout,
            keys,
            values["points"],
            values["scores"],
            (FrameKey(video, 7),),
            np.array([[0.5, 0.2]], np.float32),
            values["chosen"],
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


def test_nothing_scored_is_an_empty_sheet(shown, opened, qtbot, engine):
    answer(engine, opened, scores=np.full(6, np.nan), chosen=())
    qtbot.waitUntil(lambda: "0 would be chosen" in shown.caption, timeout=TIMEOUT)
    assert shown.best.count() == shown.worst.count() == 0
    shown.grab()


def test_it_waits_its_turn(opened, qtbot, engine):
    made = of_session(PoolMap, opened, thumbnails=Thumbnails(_source_opener(opened.projects.project)), colours=DARK)
    qtbot.addWidget(made)
    made.show()
    assert "Waiting for the engine to finish: ranking the queue" in made.caption
    assert not made._update.isEnabled()
    end_ranking(engine, opened)
    qtbot.waitUntil(lambda: opened.learning.training.kind == "map", timeout=TIMEOUT)
    answer(engine, opened)
    qtbot.waitUntil(lambda: made.best.count() == 3, timeout=TIMEOUT)


def test_each_strategy_is_explained_in_the_box(opened, qtbot):
    panel = of_session(QueuePanel, opened, colours=DARK)
    qtbot.addWidget(panel)
    panel.set_project(None)
    box = panel._strategy
    tips = {box.itemData(i): box.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(box.count() - 1)}
    assert "Needs a model, else Coverage (facility location) takes its place." in tips["uherding"]
    assert tips["uniform"].endswith("Needs nothing.\nCosts nothing.")
    assert all(tip.count("\n") == 2 for name, tip in tips.items() if name)
