"""Videos from napari's own File > Open: the slider does not wait for them, and scripts get the very frame."""

from __future__ import annotations

import gc
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import QEventLoop, QTimer

from napari_al_pose import readers
from napari_al_pose.video import open_source

pytestmark = pytest.mark.gui


@pytest.fixture
def path(sample_project):
    return str(sample_project.parent / "videos" / "black-mouse.mp4")


def opened(viewer, path) -> Layer:
    """Open a video as the menu does."""
    (layer_data,) = readers.get_video_reader(path)(path)
    return viewer.add_layer(Layer.create(*layer_data))


def wait_until(condition, seconds=20.0) -> None:
    """Let the window run; vispy does not get on with QTest's waiting."""
    loop, timer, limit = QEventLoop(), QTimer(interval=5), QTimer(singleShot=True, interval=round(1e3 * seconds))
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    limit.timeout.connect(loop.quit)
    timer.start()
    limit.start()
    loop.exec()
    timer.stop()
    limit.stop()
    assert condition()


def on_screen(layer):
    return np.asarray(layer._slicing_state._slice.image.raw)


@contextmanager
def busy_decoder(source):
    """Keep the video's decoder for somebody else; yields whether whoever waited for it was let through at last."""
    has_it, let_go, gave_up = threading.Event(), threading.Event(), []

    def hold() -> None:
        with source._lock:
            has_it.set()
            gave_up.append(not let_go.wait(20))

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(20)
    yield
    let_go.set()
    thread.join()
    assert gave_up == [False]


def test_the_slider_does_not_wait_for_a_frame(make_napari_viewer, path):
    viewer = make_napari_viewer()
    layer = opened(viewer, path)
    with open_source(path) as video:
        viewer.dims.set_current_step(0, 0)
        np.testing.assert_array_equal(on_screen(layer), video[0])
        with busy_decoder(layer.data.source):
            for position in (70, 90, 110):
                viewer.dims.set_current_step(0, position)
            np.testing.assert_array_equal(on_screen(layer), video[0])
        wait_until(lambda: (on_screen(layer) == video[110]).all())


def test_everybody_else_gets_the_very_frame(make_napari_viewer, path):
    viewer = make_napari_viewer()
    layer = opened(viewer, path)
    with open_source(path) as video:
        for position, key in ((80, 80), (30, np.s_[30, :, :]), (99, np.s_[99:100, :, :])):
            np.testing.assert_array_equal(np.squeeze(layer.data[key]), video[position])
        assert np.asarray(layer.data[5:60:20]).shape == (3, 480, 640, 3)


def test_a_screenshot_shows_the_frame_the_slider_is_at(make_napari_viewer, path):
    viewer = make_napari_viewer()
    layer = opened(viewer, path)
    with open_source(path) as video:
        for position in (77, 12, 101):
            viewer.dims.set_current_step(0, position)
            viewer.screenshot(canvas_only=True, flash=False)
            np.testing.assert_array_equal(on_screen(layer), video[position])


def test_two_layers_of_one_video_both_follow(make_napari_viewer, path):
    viewer = make_napari_viewer()
    layer = opened(viewer, path)
    other = viewer.add_image(layer.data, rgb=True)
    viewer.dims.set_current_step(0, 33)
    with open_source(path) as video:
        wait_until(lambda: (on_screen(layer) == video[33]).all() and (on_screen(other) == video[33]).all())


def test_a_removed_layer_leaves_no_thread_behind(make_napari_viewer, path):
    viewer = make_napari_viewer()
    before = set(threading.enumerate())
    layer = opened(viewer, path)
    started = [thread for thread in set(threading.enumerate()) - before if thread.name == "al-pose-frames"]
    assert len(started) == 1
    viewer.layers.clear()
    del layer

    def gone() -> bool:
        gc.collect()
        return not any(thread.is_alive() for thread in started)

    wait_until(gone)
