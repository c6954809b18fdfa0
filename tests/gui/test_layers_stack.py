"""The session on a viewer model: layers, mouse and keys, without a window."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from session_tools import TIMEOUT, of_session

from napari_al_pose.domain import (
    BodypartReason,
    FrameKey,
    KeypointState,
    Prediction,
    ScoremapGrid,
    Scoremaps,
    Suggestion,
)
from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.tools import Tool
from napari_al_pose.engine.messages import Checked, Looked, Ready
from napari_al_pose.gui.commands import commands_of
from napari_al_pose.gui.key_table import KEYS
from napari_al_pose.gui.keys import KeyBindings
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.panels.prompt_strip import PromptStrip
from napari_al_pose.gui.theme import theme_colours

pytestmark = pytest.mark.gui

LEFT, RIGHT = 1, 2


class Mouse:
    """Plays vispy: one canvas pixel is one source pixel."""

    def __init__(self, viewer):
        self.viewer = viewer

    def event(self, kind, x, y, button, *, dragging=False, modifiers=()):
        return SimpleNamespace(
            type=kind,
            position=(0.0, float(y), float(x)),
            pos=(float(x), float(y)),
            button=button,
            modifiers=modifiers,
            is_dragging=dragging,
            camera_zoom=1.0,
            handled=False,
        )

    def drag(self, *path, button=LEFT, modifiers=()):
        mouse_press_callbacks(self.viewer, Persistent(self.event("mouse_press", *path[0], button, modifiers=modifiers)))
        pans = [self.viewer.scene.camera.mouse_pan]
        for place in path[1:]:
            mouse_move_callbacks(self.viewer, self.event("mouse_move", *place, button, dragging=True))
            pans.append(self.viewer.scene.camera.mouse_pan)
        mouse_release_callbacks(self.viewer, self.event("mouse_release", *path[-1], button))
        return pans

    def click(self, x, y, button=LEFT, modifiers=()):
        self.drag((x, y), button=button, modifiers=modifiers)

    def double_click(self, *path, button=LEFT):
        """Play the second of two quick clicks, or a drag from there: napari tells of its press by this alone."""
        first = Persistent(self.event("mouse_double_click", *path[0], button))
        mouse_double_click_callbacks(self.viewer, first)
        for place in path[1:]:
            mouse_move_callbacks(self.viewer, self.event("mouse_move", *place, button))
        mouse_release_callbacks(self.viewer, self.event("mouse_release", *path[-1], button))


class Persistent:
    """Stands for napari's wrapper: later events come in by ``__wrapped__``."""

    def __init__(self, event):
        object.__setattr__(self, "__wrapped__", event)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "__wrapped__"), name)


PCUTOFF = 0.3
"""Likelihood cutoff in the project's config.yaml; not DeepLabCut's default."""


@pytest.fixture
def sample_copy(sample_copy):
    text = sample_copy.read_text()
    assert "pcutoff: 0.6\n" in text
    sample_copy.write_text(text.replace("pcutoff: 0.6\n", f"pcutoff: {PCUTOFF}\n"))
    return sample_copy


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def stack(viewer, opened):
    """Layers and mouse of the session on the viewer."""
    return of_session(LayerStack, opened, viewer=viewer)


@pytest.fixture(autouse=True)
def bindings(viewer, opened, stack, qtbot):
    """Its keys, too."""
    keys = KeyBindings(viewer, commands_of(opened, stack), stack)
    opened.frame.sourceChanged.emit()  # the stack came after the project
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    yield keys
    keys.unbind()
    stack.close()


@pytest.fixture
def mouse(viewer):
    return Mouse(viewer)


def on_canvas(viewer, name):
    """The bodyparts napari really draws of a layer."""
    names = viewer.layers["labels"].features["bodypart"]
    return [names[index] for index in viewer.layers[name]._view_indices]


def placed(session, name):
    return session.frame.annotation.xy[session.frame.bodyparts.index(name)].tolist()


def test_a_label_that_is_checked_is_marked_with_the_model_s_place_and_the_distance(viewer, opened, engine):
    part = opened.frame.bodyparts[0]
    opened.editor.place(part, 30.0, 40.0)
    check = LabelCheck(opened.frame.key, part, "far", 30.0, 40.0, 55.0, 0.9, seen=(63.0, 84.0))
    engine.says(Checked(99, (check,)))
    rings, line = viewer.layers["checked label"], viewer.layers["checked distance"]
    assert not rings.visible
    opened.checks.open()
    assert rings.data.tolist() == [[40, 30], [84, 63]]
    assert line.data.tolist() == [[[40, 30], [44, 33]]]
    assert rings.text.values.tolist() == ["yours", "model, 55 px away"]
    assert rings.visible
    assert line.visible
    viewer.scene.camera.zoom *= 8
    opened.checks.show(check)
    opened.navigator.step(1)
    assert not rings.visible, "the marks belong to one frame"
    opened.navigator.step(-1)
    assert rings.visible
    opened.editor.place(part, 70.0, 80.0)
    assert not rings.visible
    opened.tracks.undo()
    assert rings.visible
    opened.checks.close()
    assert not rings.visible
    assert not line.visible


def test_eight_layers_with_the_video_lowest(viewer, opened):
    assert [layer.name for layer in viewer.layers] == [
        opened.frame.key.video,
        "scoremap",
        "checked distance",
        "checked label",
        "skeleton",
        "peaks",
        "guesses",
        "labels",
    ]
    assert viewer.dims.ndim == 3
    assert viewer.dims.range[0].stop == len(opened.frame.source) - 1


def test_the_video_on_the_canvas_is_the_frame_itself(viewer, opened, qtbot):
    opened.navigator.step(9)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    shown = np.asarray(viewer.layers[0].data[9:10])[0]
    np.testing.assert_array_equal(shown, opened.frame.source[9])


def test_the_slider_moves_the_session_and_the_session_the_slider(viewer, opened):
    viewer.dims.set_current_step(0, 17)
    assert opened.frame.key.frame == 17
    opened.navigator.step(3)
    assert viewer.dims.current_step[0] == 20


def test_clicks_place_the_bodyparts_in_order(viewer, opened, mouse):
    for index, name in enumerate(opened.frame.bodyparts):
        mouse.click(30 + 20 * index, 40)
        assert placed(opened, name) == [30 + 20 * index, 40]
    assert opened.frame.annotation.is_complete
    labels = viewer.layers["labels"]
    np.testing.assert_array_equal(labels.data[:, :0:-1], opened.frame.annotation.xy)
    assert on_canvas(viewer, "labels") == list(opened.frame.bodyparts)


def test_a_quick_second_click_places_the_next_one_and_does_not_zoom(viewer, opened, mouse):
    zoom = viewer.scene.camera.zoom
    mouse.click(30, 40)
    mouse.double_click((34, 44))
    assert placed(opened, opened.frame.bodyparts[1]) == [34, 44]
    assert viewer.scene.camera.zoom == zoom


def test_what_is_dragged_right_after_its_click_moves_and_places_nothing_else(viewer, opened, mouse):
    mouse.click(30, 40)
    mouse.double_click((31, 40), (40, 50), (60, 70))
    assert placed(opened, opened.frame.bodyparts[0]) == [60, 70]
    assert (opened.frame.annotation.states > 0).sum() == 1
    assert viewer.scene.camera.mouse_pan


def test_quick_right_clicks_all_count(opened, mouse):
    mouse.click(100, 100, RIGHT)
    mouse.double_click((100, 100), button=RIGHT)
    mouse.click(100, 100, RIGHT)
    assert (opened.frame.annotation.states == KeypointState.NOT_VISIBLE).tolist()[:4] == [True, True, True, False]


@pytest.mark.parametrize("drags", [False, True])
def test_a_press_in_one_frame_labels_nothing_in_another(viewer, opened, mouse, drags):
    said = []
    opened.notices.raised.connect(lambda message, *_: said.append(message))
    mouse.click(30, 40)
    here, labels = opened.frame.key, opened.frame.annotation.xy.copy()
    path = ((31, 41), (40, 50)) if drags else ((100, 100),)
    mouse_press_callbacks(viewer, Persistent(mouse.event("mouse_press", *path[0], LEFT)))
    for place in path[1:]:
        mouse_move_callbacks(viewer, mouse.event("mouse_move", *place, LEFT, dragging=True))
    opened.navigator.step(1)
    mouse_release_callbacks(viewer, mouse.event("mouse_release", *path[-1], LEFT))
    assert opened.frame.key != here
    assert opened.frame.annotation.is_empty
    assert said == ["The frame changed while the mouse button was down, so nothing was labelled."]
    opened.navigator.go_to(here)
    np.testing.assert_array_equal(opened.frame.annotation.xy, labels)


def test_a_label_is_dragged_and_the_view_stays(viewer, opened, mouse):
    mouse.click(30, 40)
    pans = mouse.drag((32, 41), (40, 50), (60, 70))
    assert pans == [False, False, False]
    assert viewer.scene.camera.mouse_pan
    assert placed(opened, opened.frame.bodyparts[0]) == [60, 70]
    assert opened.frame.bodypart == opened.frame.bodyparts[1]
    opened.editor.undo()
    assert placed(opened, opened.frame.bodyparts[0]) == [30, 40]


def test_a_drag_beside_every_point_pans_and_places_nothing(viewer, opened, mouse):
    assert mouse.drag((100, 100), (130, 130)) == [True, True]
    assert opened.frame.annotation.is_empty


def test_a_trembling_hand_still_clicks(viewer, opened, mouse):
    mouse.drag((100, 100), (101, 102))
    assert placed(opened, opened.frame.bodyparts[0]) == [100, 100]


def test_a_right_click_says_not_visible_and_a_right_drag_is_napari_s(viewer, opened, mouse):
    mouse.drag((100, 100), (140, 100), button=RIGHT)
    assert opened.frame.annotation.is_empty
    mouse.click(100, 100, RIGHT)
    assert opened.frame.annotation.states[0] == KeypointState.NOT_VISIBLE


@pytest.mark.parametrize("modifiers", [("Shift",), ("Control",), ("Alt",)])
def test_modifiers_leave_the_mouse_to_napari(viewer, opened, mouse, modifiers):
    mouse.click(100, 100, modifiers=modifiers)
    assert opened.frame.annotation.is_empty


def test_a_click_outside_the_image_places_nothing(viewer, opened, mouse):
    mouse.click(-5, 100)
    mouse.click(100, 10_000)
    assert opened.frame.annotation.is_empty


def test_no_click_is_taken_for_a_frame_that_is_not_on_the_canvas_yet(viewer, opened, mouse, qtbot):
    other = next(video.name for video in opened.projects.project.videos if video.name != opened.frame.key.video)
    opened.navigator.go_to(FrameKey(other, 33))
    mouse.click(100, 100)
    assert opened.frame.annotation.is_empty
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert viewer.layers[0].name == other
    assert viewer.dims.current_step[0] == 33
    mouse.click(100, 100)
    assert not opened.frame.annotation.is_empty


def test_the_tools_of_a_layer_of_the_user_s_own_are_left_alone(viewer, opened, mouse):
    own = viewer.add_points(ndim=2)
    own.mode = "add"
    mouse.click(100, 100)
    assert opened.frame.annotation.is_empty
    own.mode = "pan_zoom"
    mouse.click(100, 100)
    assert not opened.frame.annotation.is_empty


def test_napari_cannot_edit_our_points(viewer):
    viewer.layers["labels"].mode = "add"
    viewer.layers["guesses"].mode = "select"
    assert {str(viewer.layers[name].mode) for name in ("labels", "guesses")} == {"pan_zoom"}


def look(engine, session, *, version=1):
    n = len(session.frame.bodyparts)
    xy = np.stack([np.arange(n) * 20.0 + 50, np.full(n, 60.0)], axis=1).astype(np.float32)
    maps = np.zeros((n, 30, 40), np.float16)
    maps[:, 10, 20] = 1
    grid = ScoremapGrid(4, 4, 1.5, 1.5)
    engine.says(Ready("cpu", version))
    key = session.frame.key
    prediction = Prediction(key, version, xy, np.full(n, 0.9, np.float32))
    engine.says(Looked(1, key, Scoremaps(key, version, maps, grid), prediction))


def test_a_dragged_guess_becomes_a_label(viewer, opened, mouse, engine):
    look(engine, opened)
    assert on_canvas(viewer, "guesses") == list(opened.frame.bodyparts)
    third = opened.frame.bodyparts[2]
    mouse.drag((90, 60), (95, 70), (100, 80))
    assert placed(opened, third) == [100, 80]
    assert (opened.frame.annotation.states != KeypointState.UNSEEN).sum() == 1
    assert opened.frame.bodypart == opened.frame.bodyparts[0]
    assert on_canvas(viewer, "guesses") == [name for name in opened.frame.bodyparts if name != third]
    assert on_canvas(viewer, "labels") == [third]


def test_labels_are_drawn_in_their_own_frame_only(viewer, opened, mouse):
    mouse.click(30, 40)
    opened.navigator.step(1)
    assert on_canvas(viewer, "labels") == []
    opened.navigator.step(-1)
    assert on_canvas(viewer, "labels") == [opened.frame.bodyparts[0]]
    opened.editor.clear(opened.frame.bodyparts[0])
    assert on_canvas(viewer, "labels") == []


def test_the_scoremap_lies_on_the_image_and_goes_with_its_frame(viewer, opened, engine):
    opened.frame.set_scoremap(opened.frame.bodyparts[1])
    look(engine, opened)
    layer = viewer.layers["scoremap"]
    assert layer.visible
    row, column = np.unravel_index(layer.data[..., 3].argmax(), layer.data.shape[:2])
    np.testing.assert_allclose(layer.data_to_world((row, column)), [1.5 + 4 * 10, 1.5 + 4 * 20], atol=1)
    opened.navigator.step(1)
    assert not layer.data.any()
    look(engine, opened)
    assert layer.data.any()
    opened.frame.set_scoremap("")
    assert not layer.visible


def test_the_peaks_of_the_reason_are_marked_with_the_scoremap(viewer, opened):
    reasons = (BodypartReason(opened.frame.bodyparts[1], 1.0, ((121.5, 81.5, 0.5), (30.0, 20.0, 0.3))),)
    opened.navigator.change_queue(
        Queue((Suggestion(opened.frame.key, 1.0, "mpe", model_version=1, reasons=reasons),), 0)
    )
    peaks = viewer.layers["peaks"]
    opened.frame.set_scoremap(opened.frame.bodyparts[0])
    assert not peaks._view_indices.size
    opened.frame.set_scoremap("*")
    np.testing.assert_array_equal(peaks._view_data[:, ::-1], [[121.5, 81.5], [30, 20]])
    opened.navigator.step(1)
    assert not peaks._view_indices.size


def test_the_skeleton_joins_labels_and_guesses(viewer, opened, mouse, engine):
    look(engine, opened)
    before = len(viewer.layers["skeleton"].data)
    assert before == len(opened.projects.project.skeleton.links)
    opened.editor.mark_not_visible(opened.projects.project.skeleton.links[0][0])
    assert len(viewer.layers["skeleton"].data) < before


def doubt(engine, session, *doubted):
    """Have the model say that some bodyparts are hardly there."""
    look(engine, session)
    looked, n = session.frame.guesses.looked, len(session.frame.bodyparts)
    likelihood = np.array([0.12 if i in doubted else 0.9 for i in range(n)], np.float32)
    pose = Prediction(looked.key, 1, looked.prediction.xy, likelihood)
    engine.says(Looked(1, looked.key, looked.scoremaps, pose))


def test_a_doubted_guess_has_no_ring_and_no_line_leads_to_it(viewer, opened, engine):
    look(engine, opened)
    lines = len(viewer.layers["skeleton"].data)
    end = opened.frame.bodyparts.index(opened.projects.project.skeleton.links[0][0])
    doubt(engine, opened, end)
    guesses = viewer.layers["guesses"]
    assert on_canvas(viewer, "guesses") == list(opened.frame.bodyparts), "it can be taken hold of still"
    assert guesses.border_color[end, 3] == 0
    assert (np.delete(guesses.border_color[:, 3], end) > 0.5).all()
    assert 0 < guesses.face_color[end, 3] < 0.5
    assert not np.delete(guesses.face_color[:, 3], end).any()
    assert len(viewer.layers["skeleton"].data) < lines


@pytest.mark.parametrize("choice", list(DoubtfulGuesses))
def test_accepting_takes_what_is_believed_and_the_user_s_choice_for_the_rest(opened, choice, engine):
    opened.options.set("unbelieved", choice)
    doubt(engine, opened, 1)
    opened.editor.accept_guess()
    states = opened.frame.annotation.states
    hidden = KeypointState.NOT_VISIBLE if choice is DoubtfulGuesses.NOT_VISIBLE else KeypointState.UNSEEN
    assert states[1] == hidden
    assert (np.delete(states, 1) == KeypointState.PLACED).all()
    opened.editor.undo()
    assert opened.frame.annotation.is_empty, "one step"


def test_accepting_what_nobody_believes_places_nothing_and_says_so(opened, engine):
    heard = []
    opened.notices.raised.connect(lambda message, *_: heard.append(message))
    opened.options.set("unbelieved", DoubtfulGuesses.OPEN)
    doubt(engine, opened, *range(len(opened.frame.bodyparts)))
    opened.editor.accept_guess()
    assert opened.frame.annotation.is_empty
    assert "not confident of any guess" in heard[-1]
    opened.options.set("unbelieved", DoubtfulGuesses.NOT_VISIBLE)
    opened.editor.accept_guess()
    assert set(opened.frame.annotation.states.tolist()) == {KeypointState.NOT_VISIBLE}


def test_moving_the_whole_guess_leaves_what_is_doubted_open(opened, mouse, engine):
    doubt(engine, opened, 2)
    mouse.drag((70, 61), (75, 70), (80, 81), modifiers=("Alt",))
    assert opened.frame.annotation.states[2] == KeypointState.UNSEEN
    assert (opened.frame.annotation.states == KeypointState.PLACED).sum() == len(opened.frame.bodyparts) - 1


def test_a_doubted_guess_becomes_a_label_by_being_dragged(opened, mouse, engine):
    doubt(engine, opened, 2)
    mouse.drag((90, 60), (95, 70), (100, 80))
    assert placed(opened, opened.frame.bodyparts[2]) == [100, 80]


@pytest.fixture
def strip(opened, stack, bindings, qtbot):
    """The line above the canvas."""
    made = of_session(PromptStrip, opened, context=stack.context, colours=theme_colours("dark"))
    qtbot.addWidget(made)
    return made


def test_the_prompt_follows(strip, opened, mouse, engine):
    assert opened.frame.bodyparts[0] in strip.shown.text
    mouse.click(30, 40)
    assert opened.frame.bodyparts[1] in strip.shown.text
    doubt(engine, opened, 3)
    assert "leave 1 open" in strip.shown.keys
    opened.options.set("unbelieved", DoubtfulGuesses.NOT_VISIBLE)
    assert "mark 1 not visible" in strip.shown.keys
    keys = strip.shown.keys
    assert "{" not in keys
    opened.navigator.step(2)
    opened.editor.borrow_pose()
    assert strip.shown.warning == "Copied from frame 0"
    assert "copied point" in strip.shown.keys
    opened.projects.close_project()
    assert not strip.shown.text


def test_neither_line_of_the_prompt_is_cut_off_on_a_small_screen(strip, opened, mouse):
    mouse.click(30, 40)
    opened.navigator.step(1)
    opened.editor.borrow_pose()
    room = 600  # what is left for the canvas on 1366 pixels
    above, below = f"{strip.shown.warning}  {strip.shown.text}", strip.shown.keys
    assert strip.fontMetrics().horizontalAdvance(above) * 1.3 < room
    assert strip.fontMetrics().horizontalAdvance(below) < room


def test_the_prompt_never_changes_its_height(strip, opened):
    heights = {strip.sizeHint().height()}
    for tool in Tool:
        opened.options.set("tool", tool)
        strip.resize(300, strip.sizeHint().height())
        strip.grab()
        heights.add(strip.sizeHint().height())
    assert len(heights) == 1


def test_the_mouse_over_a_point_shows_its_name(viewer, opened, mouse, monkeypatch, engine):
    from qtpy.QtWidgets import QToolTip

    shown = []
    monkeypatch.setattr(QToolTip, "showText", lambda _place, text: shown.append(text))
    look(engine, opened)
    opened.editor.place(opened.frame.bodyparts[0], 30, 40)
    for x, y in ((30, 41), (31, 41), (200, 200), (90, 60)):
        mouse_move_callbacks(viewer, mouse.event("mouse_move", x, y, None))
    assert shown == [opened.frame.bodyparts[0], "", f"{opened.frame.bodyparts[2]}: guess, 90%"]


def test_alt_moves_the_whole_pose_and_beside_points_is_napari_s(viewer, opened, mouse):
    for index in range(3):
        mouse.click(100 + 30 * index, 100)
    pans = mouse.drag((130, 101), (140, 105), (150, 121), modifiers=("Alt",))
    assert pans == [False, False, False]
    assert [placed(opened, name) for name in opened.frame.bodyparts[:3]] == [[120, 120], [150, 120], [180, 120]]
    assert (opened.frame.annotation.states == KeypointState.PLACED).sum() == 3
    assert mouse.drag((300, 300), (320, 320), modifiers=("Alt",)) == [True, True]
    opened.editor.undo()  # all of it was one step
    assert placed(opened, opened.frame.bodyparts[2]) == [160, 100]


def test_hidden_points_and_colours_and_doubts_are_drawn_as_chosen(viewer, opened, mouse, engine):
    look(engine, opened)
    labels, guesses = viewer.layers["labels"], viewer.layers["guesses"]
    opened.options.toggle("points")
    assert not any(viewer.layers[name].visible for name in ("labels", "guesses", "skeleton"))
    mouse.click(30, 40)
    assert opened.frame.annotation.is_empty
    opened.options.toggle("points")
    assert guesses.visible
    key, n = opened.frame.key, len(opened.frame.bodyparts)
    doubted = Prediction(key, 1, np.full((n, 2), 50, np.float32), np.linspace(0, 1, n, dtype=np.float32))
    engine.says(Looked(1, key, None, doubted))
    opened.options.toggle("borders")
    red = (guesses.border_color[:, :3] == np.float32([1, 0.1, 0.1])).all(axis=1)
    np.testing.assert_array_equal(red, doubted.likelihood < PCUTOFF)
    assert not labels.text.visible
    opened.options.toggle("names")
    assert labels.text.visible


def press(owner, name):
    """Press and release a key the way napari looks it up."""
    from napari.utils.key_bindings import coerce_keybinding

    result = owner.keymap[coerce_keybinding(name)](owner)
    if result is not None:
        next(result)
        next(result, None)


@pytest.mark.parametrize("owner", ["viewer", "labels", "scoremap"])
def test_the_keys_work_whichever_of_our_layers_is_active(viewer, opened, bindings, owner):
    target = viewer if owner == "viewer" else viewer.layers[owner]
    press(target, "X")
    assert opened.frame.annotation.states[0] == KeypointState.NOT_VISIBLE
    press(target, "Control-Z")
    assert opened.frame.annotation.is_empty
    press(target, "S")
    assert opened.frame.bodypart == opened.frame.bodyparts[1]
    press(target, "D")
    press(target, "D")
    press(target, "A")
    assert opened.frame.key.frame == 1
    assert not bindings.is_repeating


def test_a_held_key_goes_on_until_it_is_released(viewer, opened, qtbot, monkeypatch):
    from napari.utils.key_bindings import coerce_keybinding
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    state = Qt.ApplicationState.ApplicationActive
    monkeypatch.setattr(QApplication, "applicationState", lambda: state)
    held = viewer.keymap[coerce_keybinding("D")](viewer)
    next(held)
    qtbot.waitUntil(lambda: opened.frame.key.frame >= 3, timeout=TIMEOUT)
    next(held, None)
    there = opened.frame.key.frame
    qtbot.wait(150)
    assert opened.frame.key.frame == there


def test_every_action_of_the_table_exists_and_no_key_does_two_things():
    names = [name for key in KEYS for name in key.keys]
    assert len(names) == len(set(names))
    assert all(key.title for key in KEYS)


def test_closing_leaves_the_viewer_as_it_was(viewer, opened):
    fresh, another = ViewerModel(), ViewerModel()
    stack = of_session(LayerStack, opened, viewer=another)
    keys = KeyBindings(another, commands_of(opened, stack), stack)
    opened.frame.sourceChanged.emit()
    assert another.layers
    keys.unbind()
    stack.close()
    assert not another.layers
    assert dict(another.keymap) == dict(fresh.keymap)
    assert another.mouse_drag_callbacks == fresh.mouse_drag_callbacks
    assert another.mouse_double_click_callbacks == fresh.mouse_double_click_callbacks


def test_a_deleted_layer_comes_back_with_the_next_video(viewer, opened, qtbot):
    viewer.layers.remove("guesses")
    other = next(video.name for video in opened.projects.project.videos if video.name != opened.frame.key.video)
    opened.navigator.go_to(FrameKey(other, 3))
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert "guesses" in viewer.layers


def test_closing_the_project_clears_the_canvas(viewer, opened):
    opened.projects.close_project()
    assert not viewer.layers
