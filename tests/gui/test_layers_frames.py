"""The image layer's data never waits, and only the newest wish counts."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.frames import NewestFrame
from napari_al_pose.video import lazy_array

pytestmark = pytest.mark.gui

N = 50


class GatedSource:
    """Frames of their own number; a frame that is not in the cache decodes only when the gate is open."""

    name, fps, notice = "gated", 30.0, ""
    shape, dtype, ndim = (N, 4, 6, 3), np.dtype(np.uint8), 4

    def __init__(self):
        self.gate = threading.Event()
        self.decoded = []
        self.cache = {}

    def __len__(self):
        return N

    def __getitem__(self, key):
        first = key[0] if isinstance(key, tuple) else key
        positions = range(N)[first] if isinstance(first, slice) else [first]
        frames = [self._decode(position) for position in positions]
        rest = key[1:] if isinstance(key, tuple) else ()
        return np.stack(frames)[(slice(None), *rest)] if isinstance(first, slice) else frames[0][rest]

    def _decode(self, position):
        assert self.gate.wait(10)
        self.decoded.append(int(position))
        self.cache[position] = np.full(self.shape[1:], position, np.uint8)
        return self.cache[position]

    def peek(self, position):
        return self.cache.get(position)

    @contextlib.contextmanager
    def superseded_by(self, superseded):
        self.superseded = superseded
        yield


@pytest.fixture
def source():
    return GatedSource()


@pytest.fixture
def frames(qtbot, source):
    made = NewestFrame(source, lambda: lazy_array(source), asked=lambda: True)
    yield made
    source.gate.set()
    made.close()
    made.join()


def test_a_frame_not_decoded_yet_does_not_hold_anybody_up(frames, source, qtbot):
    assert not frames[7].any()
    assert frames.shown_position == -1
    with qtbot.waitSignal(frames.news.arrived) as arrived:
        source.gate.set()
    assert arrived.args == [7]
    assert (frames[7] == 7).all()
    assert frames.shown_position == 7


def test_a_cached_frame_is_there_at_once_and_nothing_is_decoded(frames, source):
    source.cache[3] = np.full(source.shape[1:], 3, np.uint8)
    assert (frames[3:4, :, :] == 3).all()
    assert frames[3:4, :, :].shape == (1, 4, 6, 3)
    assert frames.shown_position == 3
    assert source.decoded == []


def test_the_last_frame_stays_until_the_next_arrives(frames, source):
    source.cache[3] = np.full(source.shape[1:], 3, np.uint8)
    frames[3]
    assert (frames[9] == 3).all()
    assert frames.shown_position == 3


def test_only_the_newest_wish_is_decoded_after_the_one_under_way(frames, source, qtbot):
    frames[0]
    qtbot.waitUntil(lambda: frames._wanted is None)  # the thread is at frame 0, behind the gate
    for position in range(1, 40):
        frames[position]
    with qtbot.waitSignals([frames.news.arrived, frames.news.arrived]):
        source.gate.set()
    assert source.decoded == [0, 39]


@pytest.mark.parametrize("key", [-1, np.int64(49), (slice(49, 50), slice(1, 3)), (49, slice(None), 0)])
def test_it_indexes_as_numpy_does(frames, source, key):
    source.gate.set()
    array = np.stack([np.full(source.shape[1:], i, np.uint8) for i in range(N)])
    source.cache[49] = array[49]
    np.testing.assert_array_equal(frames[key], array[key])


def test_several_frames_are_read_when_somebody_wants_them_all(frames, source):
    source.gate.set()
    assert frames[2:5, 0, 0, 0].tolist() == [2, 3, 4]


@pytest.mark.parametrize("key", [7, np.s_[7:8], np.s_[..., 0], np.s_[:, 1]])
def test_who_does_not_draw_gets_the_very_frames(source, frames, key):
    source.gate.set()
    array = np.stack([np.full(source.shape[1:], i, np.uint8) for i in range(N)])
    read = NewestFrame(source, lambda: lazy_array(source))
    np.testing.assert_array_equal(read[key], array[key])
    np.testing.assert_array_equal(read, array)
    assert read.shown_position == -1
    read.close()


def test_frames_are_not_read_at_once_where_they_are_too_many(source, frames, monkeypatch):
    monkeypatch.setattr("napari_al_pose.gui.frames.MOST_BYTES", 10 * 4 * 6 * 3)
    source.gate.set()
    read = NewestFrame(source, lambda: lazy_array(source))
    assert read[5:15].shape == (10, 4, 6, 3)
    with pytest.raises(AlPoseError, match=r"gated is too long"):
        np.max(read, axis=0)
    read.close()
