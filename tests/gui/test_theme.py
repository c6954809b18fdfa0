"""The colours: readable in both themes, one meaning each, all in one module."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QComboBox,
    QListWidget,
    QTableWidget,
    QTableWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

import napari_al_pose.gui
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views import MarkKind
from napari_al_pose.domain.views.pool_map import CHOSEN, LABELLED, TEST, MapDot
from napari_al_pose.gui.panels.map_plot import dot_colour
from napari_al_pose.gui.panels.timeline_lane import mark_colour
from napari_al_pose.gui.theme import contrast, style_sheet, theme_colours
from napari_al_pose.gui.widgets import tool_button

pytestmark = pytest.mark.gui

GUI = Path(napari_al_pose.gui.__file__).parent
READABLE = 4.5
SEEN = 3.0
"""The least contrast of what is no text, by WCAG 2.1."""


@pytest.fixture(params=["dark", "light"])
def theme(request):
    return request.param


@pytest.fixture
def page(theme, qtbot):
    """A widget with the style that panels and dialogs have: ours, within napari's."""
    window = QWidget()
    qtbot.addWidget(window)
    window.setStyleSheet(get_stylesheet(theme))
    inner = QWidget()
    inner.setStyleSheet(style_sheet(theme_colours(theme)))
    QVBoxLayout(inner)
    rows = QVBoxLayout(window)
    rows.addWidget(inner)
    window.resize(420, 300)
    return window, inner


def test_texts_and_marks_are_readable(theme):
    colours = theme_colours(theme)
    for behind in (colours.background, colours.raised, colours.line, colours.selected):
        assert contrast(colours.text, behind) >= READABLE
    for text in (colours.dim, colours.caution):
        assert contrast(text, colours.background) >= READABLE
    for mark in (colours.accent, colours.good, colours.holdout, colours.caution):
        assert contrast(mark, colours.background) >= SEEN


def painted(widget, *area):
    """Return the most common colour that a widget paints, and the one that differs most from it."""
    image = widget.grab(*area).toImage()
    pixels = Counter(image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height()))
    behind = QColor(pixels.most_common(1)[0][0])
    return behind, max((QColor(name) for name in pixels), key=lambda colour: contrast(colour, behind))


@pytest.mark.parametrize("kind", ["list", "table", "tree", "box"])
def test_the_chosen_row_of_every_list_is_readable_and_stands_out(page, qtbot, kind, theme):
    window, inner = page
    if kind == "list":
        view = QListWidget()
        view.addItems(["snout was moved", "tail base was placed"])
        inner.layout().addWidget(view)
    elif kind == "table":
        view = QTableWidget(2, 1)
        for row in range(2):
            view.setItem(row, 0, QTableWidgetItem("snout was moved"))
        inner.layout().addWidget(view)
    elif kind == "tree":
        view = QTreeWidget()
        view.addTopLevelItems([QTreeWidgetItem(["snout was moved"]), QTreeWidgetItem(["tail base was placed"])])
        inner.layout().addWidget(view)
    else:
        box = QComboBox()
        box.addItems(["snout was moved", "tail base was placed"])
        inner.layout().addWidget(box)
        view = box.view()
        view.setParent(inner)  # its own window otherwise
        inner.layout().addWidget(view)
    window.show()
    qtbot.waitExposed(window)
    view.setCurrentIndex(view.model().index(1, 0))
    first, second = (view.visualRect(view.model().index(row, 0)) for row in range(2))
    behind, text = painted(view.viewport(), second)
    assert contrast(text, behind) >= READABLE
    assert behind != painted(view.viewport(), first)[0]


def test_a_tool_that_is_not_chosen_looks_as_if_it_could_be(page, qtbot, theme):
    window, inner = page
    tools = [tool_button(text, "", part="choice", checkable=True) for text in ("Add", "Select", "Pan")]
    tools[0].setChecked(True)
    tools[2].setEnabled(False)
    for tool in tools:
        inner.layout().addWidget(tool)
    window.show()
    qtbot.waitExposed(window)
    behind, text = painted(tools[1])
    assert contrast(text, behind) >= READABLE
    assert behind.name() not in (painted(tools[0])[0].name(), theme_colours(theme).background.name())
    _, off = painted(tools[2])
    assert contrast(off, painted(tools[2])[0]) < contrast(text, behind)


def test_a_frame_has_one_colour_wherever_it_is_drawn(theme):
    colours = theme_colours(theme)
    for kind, mark in ((CHOSEN, MarkKind.QUEUED), (LABELLED, MarkKind.LABELLED), (TEST, MarkKind.HOLDOUT)):
        dot = MapDot(FrameKey("v", 0), 0.0, 0.0, kind, 1.0, "")
        assert dot_colour(dot, colours) == mark_colour(mark, colours)
    assert len({mark_colour(kind, colours).name() for kind in MarkKind}) == 3


def test_only_the_theme_names_colours():
    hexadecimal = re.compile(r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3}){0,2}")
    for path in GUI.rglob("*.py"):
        if path.name == "theme.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "QColor":
                assert not all(isinstance(one, ast.Constant) for one in node.args), f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute) and getattr(node.value, "attr", "") == "GlobalColor":
                assert node.attr == "transparent", f"{path}:{node.lineno}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not hexadecimal.fullmatch(node.value), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("colour", "modules"),
    [
        ("holdout", {"timeline_lane.py", "queue.py", "prompt_strip.py", "map_plot.py"}),
        ("good", {"timeline_lane.py", "queue.py", "map_plot.py"}),
    ],
)
def test_the_colours_of_frames_are_used_for_frames_alone(colour, modules):
    used = re.compile(rf"colours\.{colour}\b")
    found = {path.name for path in GUI.rglob("*.py") if used.search(path.read_text(encoding="utf-8"))}
    assert found == modules
