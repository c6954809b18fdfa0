"""The tool rows, the menu, the dialog for bodyparts, folded sections and the dock's fit, on a real session."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLabel, QMessageBox, QWidget
from session_tools import TIMEOUT, button_with, can_press, choice_with, of_session, press, text_in

from napari_al_pose.domain import FrameRole, Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.domain.views.colours import Palette
from napari_al_pose.gui.commands import commands_of
from napari_al_pose.gui.dialogs.skeleton import LabelCounts, SkeletonDialog
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.panels.bodyparts import BodypartPanel
from napari_al_pose.gui.panels.column import PanelColumn
from napari_al_pose.gui.panels.label_menu import LabelMenu
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.panels.view_menu import ViewMenu
from napari_al_pose.gui.panels.why import WhyPanel
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.gui.widgets import RowsView

pytestmark = pytest.mark.gui

DARK = theme_colours("dark")
CHANGE = "Change the project"
SKELETON = Skeleton(("nose", "ear", "tail"), (("nose", "ear"), ("ear", "tail")))


@pytest.fixture
def panel(opened, qtbot):
    made = of_session(BodypartPanel, opened, colours=DARK)
    qtbot.addWidget(made)
    made.resize(360, 400)
    made.show()
    return made


def test_tools_and_modes_are_shown_and_chosen(panel, opened):
    tools = panel.tools
    press(tools, "Select")
    assert opened.options.tool is Tool.SELECT
    opened.options.set("tool", Tool.PAN)
    assert button_with(tools, "Pan").isChecked()
    assert not button_with(tools, "Select").isChecked()
    opened.options.next_label_mode()
    mode = choice_with(tools, LabelMode.LOOP)
    assert mode.currentText() == "Quick"
    mode.activated.emit(mode.findData(LabelMode.LOOP))
    assert opened.options.label_mode is LabelMode.LOOP
    assert len([box for box in tools.findChildren(QComboBox) if box.isVisible()]) == 1  # one animal: nothing to choose
    panel.grab()


def test_a_folded_section_stays_folded_in_the_next_window(panel, opened, qtbot):
    whole = panel.sizeHint().height()
    press(panel, "Bodyparts")
    assert panel.is_folded
    assert not panel.findChild(RowsView).isVisible()
    assert panel.sizeHint().height() < whole / 3
    again = of_session(BodypartPanel, opened, colours=DARK)
    qtbot.addWidget(again)
    assert again.is_folded
    again.fold(False)
    assert not again.is_folded


def test_the_list_of_bodyparts_gives_way_before_anything_must_be_scrolled(opened, qtbot):
    bodyparts, queue, why = (
        of_session(BodypartPanel, opened, colours=DARK),
        of_session(QueuePanel, opened, colours=DARK),
        of_session(WhyPanel, opened, colours=DARK),
    )
    holder = QWidget()
    qtbot.addWidget(holder)
    column = PanelColumn(QWidget(), bodyparts, queue, why, checks=QWidget())
    column.setParent(holder)
    rows = []
    for height in (900, 480):
        holder.resize(380, height)
        column.resize(380, height)
        holder.show()
        view = bodyparts.findChild(RowsView)
        qtbot.waitUntil(lambda view=view: view.height() > 0)
        column.fit()
        rows.append(view.height() // 22)
    assert rows == [len(opened.frame.bodyparts), 4]


def swatches_of(panel):
    """Return the colour beside each bodypart."""
    return panel.findChild(RowsView).itemDelegate().swatches


def entries(menu):
    menu.fill()
    return {action.text().split("\t")[0]: action for action in menu.actions() if action.text()}


@pytest.fixture
def stack(opened):
    """The session's layers on a viewer."""
    viewer = ViewerModel()
    made = of_session(LayerStack, opened, viewer=viewer)
    opened.frame.announce()
    yield made
    made.close()


@pytest.fixture
def label_menu(opened, stack, actions, panel):
    commands = commands_of(opened, stack)
    return of_session(LabelMenu, opened, commands=commands, actions=actions, parent=panel)


def test_the_menu_offers_what_is_possible(label_menu):
    found = entries(label_menu)
    assert found["Start from the labelled frame before"].isEnabled()
    assert not found["Carry the labels on until they are lost"].isEnabled()  # there are none in this frame
    assert "Add an individual…" not in found  # a project of one animal


def test_the_view_menu_changes_what_the_canvas_shows(opened, stack, panel):
    menu = of_session(ViewMenu, opened, commands=commands_of(opened, stack), parent=panel)
    found = entries(menu)
    assert not found["Colour by individual"].isEnabled()
    found["Names beside the points"].trigger()
    assert opened.options.names
    assert entries(menu)["Names beside the points"].isChecked()
    video, labels = stack.layers[0], stack.layers[-1]
    named = {label.text(): label.buddy() for label in menu.findChildren(QLabel)}
    named["Contrast"].setValue((40, 200))
    named["Gamma"].setValue(0)
    named["Scoremap"].setValue(30)
    assert (tuple(video.contrast_limits), video.gamma) == ((40, 200), pytest.approx(0.2))
    assert stack.layers[1].opacity == pytest.approx(0.3)
    entries(menu)["Contrast and gamma as filmed"].trigger()
    assert (tuple(video.contrast_limits), video.gamma) == ((0, 255), 1.0)
    before, swatches = labels.face_color.copy(), dict(swatches_of(panel))
    colours = entries(menu)["Bodypart colours"].menu()
    next(action for action in colours.actions() if action.text() == Palette.SAFE.value).trigger()
    assert (labels.face_color != before).any(axis=1).all()
    assert all(swatches_of(panel)[name] != colour for name, colour in swatches.items())


def test_a_window_of_our_own_is_arranged_unless_the_user_chose_otherwise():
    options = ViewOptions()
    assert not options.wide  # in a napari that was open already
    options.arrange_own_window()
    assert options.wide
    options.toggle("wide")
    again = ViewOptions()
    again.arrange_own_window()
    assert not again.wide


@pytest.mark.parametrize("agrees", [True, False])
def test_the_hold_out_mark_is_changed_only_by_a_yes(opened, label_menu, panel, qtbot, agrees):
    opened.editor.place(opened.frame.bodypart, 1, 2)
    entries(label_menu)["Make this a test frame…"].trigger()
    box = panel.findChild(QMessageBox)
    assert "No model trains" in box.text()
    if agrees:
        next(button for button in box.buttons() if button.text() == "Make it a test frame").click()
    else:
        qtbot.keyClick(box, Qt.Key.Key_Return)  # what a hasty hand presses
    expected = FrameRole.HOLDOUT if agrees else FrameRole.TRAIN
    qtbot.waitUntil(lambda: not box.isVisible(), timeout=TIMEOUT)
    assert opened.navigator.role is expected
    assert opened.projects.project.labels.roles.of(opened.frame.key) is expected


@pytest.fixture
def dialog(qtbot):
    agreed = []
    counts = LabelCounts({"nose": 5, "ear": 4, "tail": 2}, {"paw": 7}, 5, 0)
    made = SkeletonDialog(SKELETON, counts)
    made.agreed.connect(agreed.append)
    made.heard = agreed
    qtbot.addWidget(made)
    made.show()
    return made


def test_the_dialog_says_what_it_would_do_and_does_it_on_yes(dialog):
    assert not can_press(dialog, CHANGE)
    dialog.bodyparts.item(0).setText("snout")
    dialog.bodyparts.setCurrentRow(2)
    dialog.remove()
    dialog.bodyparts.setCurrentRow(1)
    dialog.move_bodypart(-1)
    assert any("snout" in line and "5 labels" in line for line in dialog.sentences)
    assert any("tail" in line and "archived" in line for line in dialog.sentences)
    dialog.grab()
    press(dialog, CHANGE)
    assert dialog.heard == [SkeletonEdit(("ear", "snout"), (("snout", "ear"),), (("nose", "snout"),))]


def test_the_dialog_refuses_two_of_one_name_and_says_so(dialog):
    dialog.bodyparts.item(0).setText("ear")
    assert "ear" in text_in(dialog)
    assert not can_press(dialog, CHANGE)
    dialog.bodyparts.item(0).setText("nose")
    assert can_press(dialog, CHANGE) or "ear" not in text_in(dialog)


def test_bodyparts_and_lines_are_added(dialog):
    dialog.add()
    dialog.bodyparts.currentItem().setText("paw")
    assert any("paw is added again, with the 7 labels" in line for line in dialog.sentences)
    a, b = dialog.findChildren(QComboBox)
    a.setCurrentText("paw")
    b.setCurrentText("tail")
    dialog.add_line()
    dialog.add_line()  # once is enough
    dialog.lines.setCurrentRow(0)
    dialog.remove_line()
    assert dialog.edit == SkeletonEdit(("nose", "ear", "tail", "paw"), (("ear", "tail"), ("paw", "tail")))
