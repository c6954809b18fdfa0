"""napari's slicing is recognised; fails if napari moves it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.layers import Image

from napari_al_pose.gui.slicing import asked_by_slicing
from napari_al_pose.video import LazyFrames

pytestmark = pytest.mark.gui


class Noting:
    """Notes what slicing asks for."""

    is_asked = staticmethod(asked_by_slicing)

    def __init__(self, pictures):
        self.pictures = pictures
        self.asked = []

    def __getitem__(self, key):
        self.asked.append(key)
        return self.pictures[key]


@pytest.fixture
def frames():
    pictures = np.zeros((5, 4, 6, 3), np.uint8)
    frames = LazyFrames(pictures)
    frames.shown = Noting(pictures)
    return frames


def test_slicing_in_the_main_thread_is_seen(make_napari_viewer, frames):
    viewer = make_napari_viewer()
    layer = viewer.add_layer(Image(frames, rgb=True, contrast_limits=(0, 255), multiscale=False))
    for ask in (lambda: viewer.dims.set_current_step(0, 3), layer.refresh):
        frames.shown.asked.clear()
        ask()
        assert frames.shown.asked


def test_nobody_else_is_taken_for_it(frames):
    frames[2]
    thread = threading.Thread(target=lambda: frames[1])
    thread.start()
    thread.join()
    assert not frames.shown.asked


def test_napari_still_waits_for_its_slicer_before_a_screenshot(make_napari_viewer):
    """What `napari_al_pose.gui.plain_layers` joins in on."""
    viewer = make_napari_viewer()
    waited = []
    wait = viewer._layer_slicer.wait_until_idle
    viewer._layer_slicer.wait_until_idle = lambda *args, **options: waited.append(wait(*args, **options))
    viewer.screenshot(canvas_only=True, flash=False)
    assert waited
