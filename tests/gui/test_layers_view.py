"""A click is taken only where the canvas shows the current frame; what shows something else is undone or said."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from session_tools import TIMEOUT, of_session
from test_layers_stack import LEFT, Mouse

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.tools import LabelMode
from napari_al_pose.gui.commands import commands_of
from napari_al_pose.gui.keys import KeyBindings
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.layers import stack as stack_module
from napari_al_pose.project import open_project

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def stack(viewer, opened, qtbot):
    """Our layers on the viewer."""
    made = of_session(LayerStack, opened, viewer=viewer)
    keys = KeyBindings(viewer, commands_of(opened, made), made)
    opened.frame.sourceChanged.emit()
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    yield made
    keys.unbind()
    made.close()


@pytest.fixture
def told(opened):
    """What the window says, message by message."""
    heard = []
    opened.notices.raised.connect(lambda message, hint, _is_error: heard.append(f"{message} {hint}"))
    return heard


class WorldMouse(Mouse):
    """Clicks where napari would say the mouse is."""

    def event(self, kind, x, y, button, **more):
        event = super().event(kind, x, y, button, **more)
        event.position = (*self.viewer.dims.point[:-2], float(y), float(x))
        return event


@pytest.fixture
def mouse(viewer):
    return WorldMouse(viewer)


def frames_shown(viewer):
    return viewer.dims.ndisplay == 2 and viewer.dims.displayed == (viewer.dims.ndim - 2, viewer.dims.ndim - 1)


@pytest.mark.parametrize(
    "turn",
    [
        lambda dims: setattr(dims, "ndisplay", 3),
        lambda dims: dims.roll(),
        lambda dims: dims.transpose(),
        lambda dims: setattr(dims, "order", (2, 0, 1)),
    ],
)
@pytest.mark.parametrize("with_stack", [False, True])
def test_the_view_goes_back_to_frames_and_no_frame_is_read_for_it(
    viewer, opened, stack, mouse, told, turn, with_stack, monkeypatch
):
    if with_stack:
        viewer.add_image(np.zeros((100, 8, 8), np.uint8), visible=False)
    read = []
    monkeypatch.setattr(stack_module, "lazy_array", read.append)  # several frames at once come from there
    turn(viewer.dims)
    assert not read
    assert frames_shown(viewer)
    assert "2-D" in told[-1]
    mouse.click(50, 60)
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]


def test_a_project_opened_in_a_turned_view_is_shown_in_frames(viewer, opened, told, qtbot):
    viewer.add_image(np.zeros((4, 5, 6), np.uint8))
    viewer.dims.ndisplay = 3
    viewer.dims.order = (1, 0, 2)
    made = of_session(LayerStack, opened, viewer=viewer)
    opened.frame.sourceChanged.emit()
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert frames_shown(viewer)
    assert "2-D" in told[-1]
    made.close()
    viewer.dims.ndisplay = 3
    assert viewer.dims.ndisplay == 3, "without a project the view is the user's"


def test_beyond_the_video_s_end_a_click_is_refused(viewer, opened, stack, mouse, told, qtbot):
    stack_of_user = viewer.add_image(np.zeros((500, 8, 8), np.uint8), visible=False)
    last = opened.frame.key
    viewer.dims.set_point(0, len(opened.frame.source) + 20)
    mouse.click(50, 60)
    assert opened.frame.key == last
    assert opened.frame.annotation.is_empty
    assert "slider" in told[-1]
    viewer.layers.remove(stack_of_user)
    viewer.dims.set_point(0, 3)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    mouse.click(50, 60)
    assert opened.frame.key.frame == 3
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]


@pytest.mark.parametrize(("scale", "start"), [(0.5, 0), (2.0, 0), (1.0, -7), (0.3, 1.5)])
def test_the_slider_s_own_steps_do_not_shift_the_frames(viewer, opened, stack, mouse, qtbot, scale, start):
    """A stack of the user's with another frame rate or beginning gives the axis steps that are no frames."""
    viewer.add_image(np.zeros((100, 8, 8), np.uint8), scale=(scale, 1, 1), translate=(start, 0, 0), visible=False)
    opened.navigator.step(5)
    frame = opened.frame.key.frame
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert viewer.dims.point[0] == opened.frame.position
    assert stack.shown_position == opened.frame.position
    mouse.click(50, 60)
    assert opened.frame.annotation.key.frame == frame
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]
    viewer.dims.set_current_step(0, viewer.dims.current_step[0] + 3)
    assert viewer.dims.point[0] == opened.frame.position
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)


def test_a_fourth_axis_does_not_shift_the_frames(viewer, opened, stack, mouse, qtbot):
    viewer.add_image(np.zeros((4, 100, 8, 8), np.uint8), visible=False)
    viewer.dims.set_point(0, 3)
    viewer.dims.set_point(1, 6)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert opened.frame.position == 6
    mouse.click(50, 60)
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]


def test_the_grid_is_refused(viewer, opened, stack, mouse, told):
    viewer.canvas.grid.enabled = True
    mouse.click(50, 60)
    assert opened.frame.annotation.is_empty
    assert "Ctrl+G" in told[-1]


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("change", ["scale", "translate", "rotate", "shear"])
@pytest.mark.parametrize("name", ["labels", "video"])
def test_a_layer_that_was_moved_is_refused(viewer, opened, stack, mouse, told, change, name):
    layer = viewer.layers[opened.frame.key.video if name == "video" else name]
    values = {"scale": (1, 2, 2), "translate": (0, 5, 0), "rotate": (0, 30, 0), "shear": (0, 0, 1)}
    setattr(layer, change, values[change])
    mouse.click(50, 60)
    assert opened.frame.annotation.is_empty
    assert layer.name in told[-1]


def test_napari_s_turning_and_dragging_of_layers_is_undone(viewer, opened, stack, mouse):
    from napari.components._viewer_key_bindings import rotate_layers

    rotate_layers(viewer)
    for layer in viewer.layers:
        layer.mode = "transform"
        assert layer.mode == "pan_zoom"
        np.testing.assert_array_equal(layer.affine.affine_matrix, np.eye(layer.ndim + 1))
    mouse.click(50, 60)
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]


def test_hidden_layers_are_refused_with_their_names(viewer, opened, stack, mouse, told):
    for name in ("labels", "guesses", opened.frame.key.video):
        viewer.layers[name].visible = False
        mouse.click(50, 60)
        assert opened.frame.annotation.is_empty
        assert f'"{name}"' in told[-1]
        viewer.layers[name].visible = True
    opened.options.set("points", False)
    mouse.click(50, 60)
    assert opened.frame.annotation.is_empty
    assert "(V)" in told[-1]


def test_an_image_over_the_video_is_refused_where_it_hides_it(viewer, opened, stack, mouse, told):
    above = viewer.add_image(np.zeros((40, 40), np.uint8), name="another recording")
    mouse.click(20, 20)
    assert opened.frame.annotation.is_empty
    assert "another recording" in told[-1]
    mouse.click(80, 60)
    assert opened.frame.annotation.xy[0].tolist() == [80, 60]
    above.opacity = 0.4
    mouse.click(20, 20)
    assert opened.frame.annotation.xy[1].tolist() == [20, 20]
    above.opacity, above.blending = 1, "additive"
    mouse.click(25, 20)
    assert opened.frame.annotation.xy[2].tolist() == [25, 20]
    above.blending = "translucent"
    viewer.layers.move(viewer.layers.index(above), 0)
    mouse.click(20, 30)
    assert opened.frame.annotation.xy[3].tolist() == [20, 30]


def test_a_slider_with_a_thickness_shows_one_frame(viewer, opened, stack, qtbot):
    viewer.dims.thickness = (6, 0, 0)
    opened.navigator.step(4)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    shown = np.asarray(viewer.layers[0]._slice.image.view)
    np.testing.assert_array_equal(shown, opened.frame.source[opened.frame.position])


def test_a_refused_drag_moves_the_view_without_a_word(viewer, opened, stack, mouse, told):
    viewer.canvas.grid.enabled = True
    mouse.drag((50, 60), (80, 90), button=LEFT)
    assert not told


@pytest.mark.parametrize("delete", ["one", "selected", "all"])
def test_deleted_layers_come_back_with_the_labels(viewer, opened, stack, mouse, told, qtbot, delete):
    key = FrameKey(opened.frame.key.video, 33)
    opened.navigator.go_to(key)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    mouse.click(50, 60)
    if delete == "one":
        viewer.layers.remove("skeleton")
    elif delete == "selected":
        viewer.layers.selection = {viewer.layers["labels"], viewer.layers[opened.frame.key.video]}
        viewer.layers.remove_selected()
    else:
        viewer.layers.clear()
    assert opened.frame.annotation.xy[0].tolist() == [50, 60]
    mouse.click(70, 60)
    assert opened.frame.annotation.states.tolist().count(1) == 1, "nobody labels what can't be seen"
    qtbot.waitUntil(lambda: opened.frame.picture_is_current and len(viewer.layers) == 8, timeout=TIMEOUT)
    assert opened.frame.key == key
    assert "restored" in told[-1]
    labels = viewer.layers["labels"]
    assert labels.data[labels.shown].tolist() == [[33, 60, 50]]
    mouse.click(70, 60)
    assert opened.frame.annotation.xy[1].tolist() == [70, 60]


def test_a_click_in_a_project_that_another_window_holds_says_so(viewer, opened, stack, mouse, told, qtbot, sample_copy):
    opened.projects.close_project()
    with open_project(sample_copy) as other:
        opened.projects.open_project(sample_copy)
        qtbot.waitUntil(lambda: opened.frame.key is not None and opened.frame.picture_is_current, timeout=TIMEOUT)
        told.clear()
        mouse.drag((50, 60), (90, 90))
        assert not told, "a drag moves the view"
        mouse.click(50, 60)
        assert "read-only" in told[-1]
        assert "Close it there" in told[-1]
        assert opened.frame.annotation.is_empty
        assert not other.labels.annotations()


def test_layers_stay_away_once_the_project_is_closed(viewer, opened, stack, qtbot):
    viewer.layers.remove("labels")
    opened.projects.close_project()
    qtbot.wait(50)
    assert not viewer.layers


def test_in_loop_mode_a_near_view_jumps_to_the_guess_once(viewer, opened, stack):
    n, name = len(opened.frame.bodyparts), opened.frame.bodyparts[1]
    video = opened.frame.key.video

    def guess(number, x):
        xy = np.tile(np.array([x, 60.0], np.float32), (n, 1))
        return {FrameKey(video, number): Prediction(FrameKey(video, number), 1, xy, np.full(n, 0.9, np.float32))}

    def middle():
        return tuple(round(value) for value in viewer.scene.camera.center[-2:])

    opened.options.set("label_mode", LabelMode.LOOP)
    opened.frame.choose_bodypart(name)
    before = middle()
    opened.frame.guesses.add_predictions(guess(7, 30))
    opened.navigator.go_to(FrameKey(video, 7))
    assert middle() == before  # all of the frame is in view
    viewer.scene.camera.zoom *= 4
    opened.frame.guesses.add_predictions(guess(9, 90))
    opened.navigator.go_to(FrameKey(video, 9))
    assert middle() == (60, 90)
    viewer.scene.camera.center = (0, 10, 10)
    opened.editor.place(opened.frame.bodyparts[2], 5, 5)
    assert middle() == (10, 10)  # the user looks elsewhere
    opened.navigator.go_to(FrameKey(video, 8))
    assert middle() == (10, 10)
    opened.frame.guesses.add_predictions(guess(8, 40))  # the model takes its time
    assert middle() == (60, 40)
    opened.options.set("label_mode", LabelMode.SEQUENTIAL)
    opened.navigator.go_to(FrameKey(video, 9))
    assert middle() == (60, 40)


def test_opening_the_open_project_shows_it_again(viewer, opened, stack, qtbot):
    root = opened.projects.project.root
    viewer.layers[opened.frame.key.video].visible = False
    viewer.layers["labels"].visible = False
    current = opened.frame.key
    opened.projects.open_project(root)
    qtbot.waitUntil(lambda: opened.frame.picture_is_current, timeout=TIMEOUT)
    assert opened.frame.key == current
    assert viewer.layers["labels"].visible
