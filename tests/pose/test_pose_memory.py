"""Scale, batches and images at once go by the memory that is free; what still runs out of it goes on with less."""

from __future__ import annotations

import json
import logging
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pose_tools import BODYPARTS, QUICK, finish

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, forward, memory, train
from napari_al_pose.pose.backbone import LIGHT
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.training_plan import make_plan


@pytest.fixture
def free(monkeypatch):
    """Return what sets how many bytes are free."""

    def say(n_bytes):
        monkeypatch.setattr(memory, "free_in_container", lambda: math.inf)
        monkeypatch.setattr(
            memory, "psutil", SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=n_bytes))
        )

    return say


def frame_with(extent: float, size: tuple[int, int] = (1080, 1920)) -> LabelledFrame:
    xy = np.array([[10.0, 10.0], [10.0 + extent * max(size), 10.0]])
    return LabelledFrame(np.zeros((*size, 3), np.uint8), xy, np.full(2, KeypointState.PLACED, np.int8))


@pytest.mark.parametrize("extent", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("megabytes", [100, 500, 2000])
def test_what_is_chosen_fits(free, extent, megabytes):
    frames = [frame_with(extent)] * 3
    free(64 * 2**30)
    roomy = make_plan(frames, TrainSettings(device="cpu"))
    assert roomy.notice == ""
    assert roomy.batch_size == 8
    free(megabytes * 2**20)
    plan = make_plan(frames, TrainSettings(device="cpu"))
    budget = memory.USABLE * megabytes * 2**20
    height, width = plan.crop
    assert plan.batch_size * height * width * LIGHT.training <= 1.2 * budget
    seen = plan.window.search_side if plan.window else plan.long_side
    assert seen**2 * 1080 / 1920 * LIGHT.predicting <= 1.2 * budget
    assert (plan.notice == "") == (plan == roomy)
    if plan.notice:
        assert re.match(r"Little memory is free: (frames are seen at|batches are of) \d+", plan.notice)


def test_large_frames_train_and_predict_with_two_gigabytes_to_spare():
    """In a process of its own that the operating system gives no more."""
    child = Path(__file__).with_name("two_gigabytes.py")
    done = subprocess.run([sys.executable, child], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["finite"]
    assert re.fullmatch(r"Little memory is free: batches are of \d+ views for 64\.", said["notice"])


def out_of_memory_above(n, monkeypatch, *, device="cuda"):
    """Make the network's pass fail as a full GPU does for more than ``n`` images; return the sizes it was asked for."""
    usual, sizes = PoseNetwork.forward, []

    def small(self, images):
        sizes.append(len(images))
        if len(images) > n:
            raise torch.OutOfMemoryError(f"{device.upper()} out of memory. Tried to allocate 2.00 GiB.")
        return usual(self, images)

    monkeypatch.setattr(PoseNetwork, "forward", small)
    return sizes


class GpuForward(forward.Forward):
    """Goes the way of a GPU, on the processor."""

    def __init__(self, network, window=None, animals=None):
        super().__init__(network, window, animals)
        self._device = SimpleNamespace(type="cuda")


def test_a_full_gpu_in_prediction_halves_the_batch_and_goes_on(learnt, disc_frames, monkeypatch, caplog):
    _, model = learnt
    frames = np.stack([frame.image for frame in disc_frames])
    expected = model.predict(frames)
    monkeypatch.setattr(forward, "usable_bytes", lambda _device: 2**34)
    monkeypatch.setattr("napari_al_pose.pose.model.Forward", GpuForward)
    fresh = PoseModel(model.network, bodyparts=BODYPARTS, settings=model.settings, long_side=96)
    fresh.calibration = model.calibration
    sizes = out_of_memory_above(2, monkeypatch)
    with caplog.at_level(logging.WARNING):
        said = fresh.predict(frames)
    assert sizes == [8, 4, *[2] * 6]
    assert "out of memory" in caplog.text
    np.testing.assert_allclose(said.xy, expected.xy, atol=0.05)
    assert fresh.notice == "little memory: 2 at once"
    sizes.clear()
    fresh.predict(frames)  # and does not try again what did not fit
    assert max(sizes) <= 2


def test_a_processor_without_memory_looks_at_fewer_at_once(learnt, disc_frames, monkeypatch, free):
    _, model = learnt
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    seen = forward.Forward(model.network)
    geometry = forward.InputGeometry.fit(disc_frames[0].size, 96)
    free(2**34)
    assert seen._at_once(8, geometry) == 4
    assert seen._at_once(1, geometry) == 1
    free(2 * 2 * 64 * 96 * LIGHT.predicting)
    assert seen._at_once(8, geometry) == 2
    free(1000)
    assert seen._at_once(8, geometry) == 1


def test_no_memory_for_a_single_frame_ends_in_a_message(learnt, disc_frames, monkeypatch):
    _, model = learnt
    fresh = PoseModel(model.network, bodyparts=BODYPARTS, settings=model.settings, long_side=96)
    out_of_memory_above(0, monkeypatch)
    with pytest.raises(AlPoseError, match="too little memory to predict a frame"):
        fresh.predict(disc_frames[0].image[None])


def test_a_full_gpu_in_training_halves_the_batch_and_says_so(disc_frames, monkeypatch):
    sizes = out_of_memory_above(2, monkeypatch)
    ticks, _ = finish(train(disc_frames[:6], BODYPARTS, QUICK.model_copy(update={"batch_size": 8})))
    assert sizes == [8, 4, *[2] * 4]
    assert ticks[-1].notice == "Memory ran out; training continued with batches of 2."
