"""Trains on and predicts 4096 px frames with two gigabytes to spare, to which the operating system holds it."""

from __future__ import annotations

import json
import resource
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import torch
from pose_tools import BODYPARTS, finish

from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, memory, train

SPARE, SIDE = 2 * 2**30, 4096


def main() -> None:
    torch.nn.functional.conv2d(torch.zeros(1, 3, 32, 32), torch.zeros(4, 3, 3, 3))
    limit = psutil.Process().memory_info().data + SPARE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def free() -> SimpleNamespace:
        return SimpleNamespace(available=limit - psutil.Process().memory_info().data)

    memory.psutil = SimpleNamespace(virtual_memory=free)
    frames = []
    for i in range(3):
        xy = np.array([[300.0 + 40 * i, 400.0], [3600.0, 3700.0]])
        image = np.full((SIDE, SIDE, 3), 90, np.uint8)
        for (x, y), colour in zip(xy.astype(int), ([250, 30, 30], [30, 30, 250]), strict=True):
            image[y - 150 : y + 150, x - 150 : x + 150] = colour
        frames.append(LabelledFrame(image, xy, np.ones(2, np.int8)))
    ticks, model = finish(train(frames, BODYPARTS, TrainSettings(device="cpu", steps=1, batch_size=64)))
    batch = model.predict(np.stack([frame.image for frame in frames]))
    json.dump({"notice": ticks[-1].notice, "finite": bool(np.isfinite(batch.xy).all())}, sys.stdout)


main()
