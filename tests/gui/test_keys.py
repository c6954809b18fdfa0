"""Keys: what they do where, that napari keeps its own in other people's layers, and that they can be changed."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Points, Shapes
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from napari.utils.key_bindings import KeymapHandler, coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QTableWidget
from session_tools import TIMEOUT, button_with, choice_with, of_session

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.gui.commands import commands_of
from napari_al_pose.gui.dialogs.keys import KeyDialog
from napari_al_pose.gui.key_table import HELP, KEYS, NAPARI_S, changed_keys, check_key, napari_name, spoken
from napari_al_pose.gui.keys import KeyBindings
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.panels.bodyparts import BodypartPanel
from napari_al_pose.gui.panels.label_menu import LabelMenu
from napari_al_pose.gui.panels.prompt_strip import PromptStrip
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.theme import theme_colours

pytestmark = pytest.mark.gui

FOREIGN = (Points, Shapes, Labels)


def by_action(action, *arguments, table=KEYS):
    return next(key for key in table if key.action == action and key.arguments == arguments)


@pytest.fixture
def viewer():
    """A viewer model with napari's own keys, which only a window binds otherwise."""
    shortcuts = get_settings().shortcuts.shortcuts
    for action, keys in shortcuts.items():
        action_manager.unbind_shortcut(action)
        for key in keys:
            action_manager.bind_shortcut(action, key)
    return ViewerModel()


@pytest.fixture
def stack(viewer, opened):
    """Our layers, on the viewer model."""
    made = of_session(LayerStack, opened, viewer=viewer)
    yield made
    made.close()


@pytest.fixture
def keys(viewer, opened, stack, qtbot):
    """The session's keys on a viewer model with our layers in it."""
    bindings = KeyBindings(viewer, commands_of(opened, stack), stack)
    opened.frame.sourceChanged.emit()
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    yield opened.keys
    bindings.unbind()


def press(viewer, name):
    """Press and release a key as napari's canvas does: the active layer is asked first."""
    handler = KeymapHandler()
    active = viewer.layers.selection.active
    handler.keymap_providers = [viewer] if active is None else [active, viewer]
    handled = handler.press_key(name)
    handler.release_key(name)
    return handled


def add_foreign(viewer, kind):
    layer = Labels(np.zeros((4, 4), int)) if kind is Labels else kind(ndim=2)
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    return layer


# ---- the table ------------------------------------------------------------------------------------


def test_no_key_does_two_things_and_none_is_napari_s_everywhere():
    names = [name for key in KEYS for name in key.keys]
    assert len(names) == len(set(names))
    assert not set(names) & set(NAPARI_S)
    assert len({key.name for key in KEYS}) == len(KEYS)
    assert all(key.title and key.group for key in KEYS)


def test_napari_deeplabcut_s_keys_do_what_they_do_there():
    does = {name: (key.action, *key.arguments) for key in KEYS for name in key.keys}
    assert does["2"][1:] == ("tool", "add")
    assert does["3"][1:] == ("tool", "select")
    assert does["4"][1:] == ("tool", "pan")
    assert does["M"] == ("next_label_mode",)
    assert does["S"] == ("next_bodypart",)
    assert does["Down"] == ("arrow", 0, 1)
    assert does["D"] == ("step", 1)
    assert does["Shift-Right"] == ("shift_arrow", 1, 0)
    assert does["Backspace"] == ("clear",)
    assert does["Control-C"] == ("copy_pose",)
    assert does["Control-V"] == ("paste_pose",)
    assert does["V"] == ("options.toggle", "points")
    assert does["F"] == ("next_colouring",)


@pytest.mark.parametrize(
    ("qt", "napari"),
    [
        ("Ctrl+Shift+Z", "Control-Shift-Z"),
        ("Return", "Enter"),
        ("Alt+Right", "Alt-Right"),
        ("Shift+Ctrl+K", "Control-Shift-K"),
        ("Y", "Y"),
        ("Del", "Delete"),
    ],
)
def test_qt_s_names_of_keys_become_napari_s(qt, napari):
    assert napari_name(qt) == napari
    coerce_keybinding(napari)


def test_a_key_that_is_taken_is_refused_by_name():
    learn = by_action("learn")
    with pytest.raises(AlPoseError, match=r"S is taken: Next bodypart"):
        check_key(KEYS, learn, "S")
    with pytest.raises(AlPoseError, match="Space is napari's"):
        check_key(KEYS, learn, "Space")
    check_key(KEYS, learn, "L")  # its own
    freed = changed_keys({by_action("next_bodypart").name: ["Y"]})
    check_key(freed, learn, "S")


def test_keys_are_written_as_people_do():
    assert spoken("Control-Shift-Z") == "Ctrl+Shift+Z"
    assert spoken("Shift-Right") == "Shift+→"


@pytest.fixture
def bodypart_panel(keys, opened, qtbot):
    panel = of_session(BodypartPanel, opened, colours=theme_colours("dark"))
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_tooltips_menus_prompts_and_hints_name_the_chosen_key(
    viewer, keys, stack, opened, actions, bodypart_panel, qtbot
):
    panel, commands = bodypart_panel, commands_of(opened, stack)
    menu = of_session(LabelMenu, opened, commands=commands, actions=actions, parent=panel)
    strip = of_session(PromptStrip, opened, context=stack.context, colours=theme_colours("dark"))
    qtbot.addWidget(strip)
    assert button_with(panel, "Not visible").toolTip().endswith("(X)")
    assert "X: not visible" in strip.shown.keys
    for action, arguments, pressed in (
        ("mark_not_visible", (), "F6"),
        ("copy_pose", (), "Control-J"),
        ("options.set", ("tool", Tool.SELECT), "9"),
        ("next_label_mode", (), "F7"),
    ):
        keys.change(by_action(action, *arguments), pressed)
    assert button_with(panel, "Not visible").toolTip().endswith("(F6)")
    assert button_with(panel, "↶").toolTip().endswith("(Ctrl+Z)")
    assert button_with(panel, "Select").toolTip().endswith("(9)")
    assert "(F7)" in choice_with(panel, LabelMode.LOOP).toolTip()
    assert "F6: not visible" in strip.shown.keys
    menu.fill()
    assert "Copy the pose\tCtrl+J" in [action.text() for action in menu.actions()]
    with qtbot.waitSignal(opened.notices.raised) as notice:
        opened.editor.paste_pose()
    assert notice.args[1] == "Copy the labels of a frame with Ctrl+J first."
    keys.restore()
    assert button_with(panel, "Not visible").toolTip().endswith("(X)")


# ---- on the viewer --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOREIGN)
def test_napari_keeps_its_keys_in_layers_that_are_not_ours(viewer, keys, opened, kind):
    layer = add_foreign(viewer, kind)
    handler = KeymapHandler()
    handler.keymap_providers = [layer, viewer]
    own = {key: func for cls in reversed(kind.__mro__) for key, func in getattr(cls, "class_keymap", {}).items()}
    assert own
    for key, func in handler.active_keymap.items():
        if key in own:
            assert func.__func__ is own[key], str(key)
    before = opened.frame.key, opened.frame.annotation.states.tolist(), opened.frame.bodypart
    for name in ("Backspace", "Delete"):
        if coerce_keybinding(name) in own:
            press(viewer, name)
    assert (opened.frame.key, opened.frame.annotation.states.tolist(), opened.frame.bodypart) == before


def test_the_viewer_s_own_keys_are_napari_s_while_another_layer_is_active(viewer, keys, opened):
    layer = add_foreign(viewer, Points)
    press(viewer, "V")
    assert not layer.visible  # napari: the selected layer
    assert opened.options.points
    viewer.layers.selection.active = viewer.layers["labels"]
    press(viewer, "V")
    assert not opened.options.points
    assert not viewer.layers["labels"].visible


def test_napari_s_own_tools_cannot_change_our_points(viewer, keys, opened):
    opened.editor.place(opened.frame.bodypart, 30, 40)
    labels = viewer.layers["labels"]
    viewer.layers.selection.active = labels
    n = len(labels.data)
    for name in ("Control-A", "1"):
        press(viewer, name)
    assert len(labels.data) == n
    assert not labels.selected_data


def test_every_action_of_the_table_can_be_pressed(viewer, keys, opened):
    for name in (name for key in keys.table for name in key.keys if name != HELP):
        assert press(viewer, name), name


# ---- changing -------------------------------------------------------------------------------------


def test_a_changed_key_works_at_once_everywhere_and_after_a_restart(viewer, keys, opened):
    keys.change(by_action("mark_not_visible"), "Shift-X")
    for active in (None, viewer.layers["labels"]):
        viewer.layers.selection.active = active
        press(viewer, "X")
        assert opened.frame.annotation.is_empty
        press(viewer, "Shift-X")
        assert not opened.frame.annotation.is_empty
        opened.editor.undo()
    assert by_action("mark_not_visible", table=KeyChoices().table).keys == ("Shift-X",)
    keys.restore()
    press(viewer, "X")
    assert not opened.frame.annotation.is_empty


def test_the_dialog_takes_a_free_key_and_says_why_it_refuses_another(keys, qtbot):
    dialog = KeyDialog(keys)
    qtbot.addWidget(dialog)
    dialog.show()
    table = dialog.findChild(QTableWidget)
    rows = {table.item(row, 0).text(): row for row in range(table.rowCount())}
    table.setCurrentCell(rows["Train"], 0)
    QTest.keyClick(table, Qt.Key.Key_S)
    assert "S is taken: Next bodypart" in dialog.answer
    QTest.keyClick(table, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert table.item(rows["Train"], 1).text() == "Ctrl+K"
    assert by_action("learn", table=keys.table).keys == ("Control-K",)
