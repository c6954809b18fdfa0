"""What napari's own tool buttons, status line and help say while a project is open."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_al_pose.demo.annotator import MouseAnnotator
from napari_al_pose.domain.tools import Tool
from napari_al_pose.gui.key_table import KEYS
from napari_al_pose.gui.layers.napari_widgets import canvas_widget, tool_buttons
from napari_al_pose.gui.viewers import stack_for

pytestmark = pytest.mark.gui


def tips(viewer, layer):
    return {button.toolTip() for button in tool_buttons(viewer, layer)}


def test_napari_keeps_its_widgets_where_we_look(viewer, session):
    assert canvas_widget(viewer) is not None
    for layer in stack_for(viewer).layers:
        assert len(tool_buttons(viewer, layer)) >= 2, layer


def test_its_buttons_say_which_tool_the_mouse_has(viewer, session):
    for layer in stack_for(viewer).layers:
        (tip,) = tips(viewer, layer)
        assert "Now: Add (2). A click places the chosen bodypart" in tip
    session.options.set("tool", Tool.SELECT)
    select = next(key for key in KEYS if key.name == "options.set tool select")
    session.keys.change(select, "F3")
    assert "Now: Select (F3)." in tips(viewer, stack_for(viewer).layers[-1]).pop()
    edits = [button for button in tool_buttons(viewer, stack_for(viewer).layers[-1]) if not button.isEnabled()]
    assert len(edits) >= 3, "napari's tools that would edit are off"


def test_its_lines_say_what_a_click_does(viewer, session, qtbot):
    hand = MouseAnnotator(viewer, session, {})
    hand.click(100, 60)
    second = session.frame.bodyparts[1]
    viewer.cursor.position = (0, 61.0, 102.0)
    viewer.mouse_over_canvas = True
    viewer.update_status_from_cursor()  # as napari's thread has it done
    assert viewer.status == f"Add (2): a click places the {second}   x 102, y 61"
    viewer.mouse_over_canvas = False
    assert viewer.status == f"Add (2): a click places the {second}"
    hand.press(Qt.Key.Key_4)
    assert viewer.status.startswith("Pan (4): the mouse moves the view")
    assert viewer.help == "2: add   3: select   4: pan   ?: all keys"


def test_somebody_elses_layer_keeps_what_napari_says(viewer, session):
    theirs = viewer.add_points(np.zeros((1, 3)), name="theirs")
    assert not any("dock" in tip for tip in tips(viewer, theirs))
    assert "Add (2)" not in str(viewer.status)
    assert "add points" in viewer.help
    viewer.layers.selection.active = stack_for(viewer).layers[-1]
    assert viewer.status.startswith("Add (2)")
