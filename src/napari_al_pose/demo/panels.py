"""A picture of each panel alone, for the page that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtWidgets import QApplication, QMenu, QWidget

from napari_al_pose.gui.dock import PoseLabeller, dock_of
from napari_al_pose.gui.panels.pool_map import PoolMap
from napari_al_pose.gui.panels.prompt_strip import PromptStrip
from napari_al_pose.gui.panels.view_menu import ViewMenu

if TYPE_CHECKING:
    from napari_al_pose.demo.jobs import Play

_AROUND = 4
"""Pixels of the window around a panel."""


def show_the_panels(play: Play) -> None:
    """Take the pictures, with a guess on the canvas: each panel, the close-up, the map, the menu *View*."""
    window = play.viewer.window._qt_window
    dock: PoseLabeller = window.findChild(PoseLabeller)
    strip = window.findChild(PromptStrip)
    for name, panel in (
        ("prompt", strip),
        ("header", dock.header),
        ("bodyparts", dock.bodyparts),
        ("queue", dock.queue),
        ("why", dock.why),
        ("train", dock.learning),
        ("timeline", dock.timeline),
    ):
        _picture(play, name, panel)
    _of_curves(play, dock)
    _of_close_up(play)
    _of_map(play)
    _of_view_menu(play, dock)


def _picture(play: Play, name: str, panel: QWidget | None) -> None:
    if panel is None or not panel.isVisible():
        raise LookupError(f"There is no panel to take the picture {name} of.")
    window = panel.window()
    area = QRect(panel.mapTo(window, QPoint(0, 0)), panel.size())
    play.picture(f"panel-{name}", of=window, area=area.adjusted(-_AROUND, -_AROUND, _AROUND, _AROUND))


def _of_curves(play: Play, dock: PoseLabeller) -> None:
    """On a low screen the curves are a tab behind the dock."""
    own, curves = dock_of(dock), dock_of(dock.curves)
    if curves is not None and own is not None and dock.curves is not None:
        curves.raise_()
        _picture(play, "curves", dock.curves)
        own.raise_()


def _of_close_up(play: Play) -> None:
    play.annotator.press(Qt.Key.Key_Z)
    play.picture("close-up")
    play.annotator.press(Qt.Key.Key_Z)


def _of_map(play: Play) -> None:
    play.hand.press("Map")
    found = [each for each in QApplication.topLevelWidgets() if isinstance(each, PoolMap) and each.isVisible()]
    mapped = found[0]
    play.wait(lambda: bool(mapped.plot.wanted), "the map")
    play.wait(lambda: set(mapped.plot.wanted) == set(mapped.plot.pictures), "the map's pictures")
    play.picture("map", of=mapped)
    mapped.close()


def _of_view_menu(play: Play, dock: PoseLabeller) -> None:
    menu = dock.findChild(ViewMenu)
    if not isinstance(menu, QMenu):
        return
    menu.popup(dock.header.mapToGlobal(QPoint(0, dock.header.height())))
    play.picture("panel-view", of=menu)
    menu.close()
