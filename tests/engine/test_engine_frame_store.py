"""Frames that are too many for the memory are on disk, and gone afterwards."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.engine import training
from napari_al_pose.engine.training import FrameStore


def test_what_does_not_fit_goes_to_disk_and_comes_back_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "IN_MEMORY", 3000)
    monkeypatch.setattr(training.tempfile, "tempdir", str(tmp_path))
    frames = [np.full((20, 30, 3), value, np.uint8) for value in range(4)]
    room = FrameStore()
    kept = [room.keep(frame) for frame in frames]
    assert [isinstance(frame, np.memmap) for frame in kept] == [False, True, True, True]
    for frame, same in zip(frames, kept, strict=True):
        np.testing.assert_array_equal(frame, same)
    del kept, same
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_no_room_anywhere_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "IN_MEMORY", 0)
    monkeypatch.setattr(training.tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(AlPoseError, match="gone"):
        FrameStore().keep(np.zeros((4, 4, 3), np.uint8))
