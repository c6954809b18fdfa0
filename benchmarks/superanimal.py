"""What a look of DeepLabCut's SuperAnimal networks costs: processor time of one thread.

The weights are random: the time does not depend on them. A frame takes one look at the whole frame and mostly two
closer ones; seven at most.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.report import Figure
from napari_al_pose.domain.pretrained import TOP_VIEW_MOUSE
from napari_al_pose.pose.foreign.deeplabcut_model import DeepLabCutModel, network_of
from napari_al_pose.pose.foreign.superanimal import NETWORKS, snapshot_of

N_FRAMES, REPEATS = 4, 3
HEIGHT, WIDTH = 480, 640


def figures(_data: Path | None) -> Iterator[Figure]:
    """Measure each network on boxes of made-up frames."""
    torch.set_num_threads(1)
    frames = np.random.default_rng(0).integers(0, 255, (N_FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    boxes = np.tile([100.0, 50.0, 400.0, 300.0], (N_FRAMES, 1))
    setting = {"threads": 1, "frame": f"{HEIGHT} x {WIDTH}", "input": "256 x 256"}
    for name in NETWORKS:
        snapshot = snapshot_of(TOP_VIEW_MOUSE, name)
        network = network_of(snapshot).eval().requires_grad_(False)
        model = DeepLabCutModel(network, snapshot=snapshot, bodyparts=TOP_VIEW_MOUSE.bodyparts)
        if model.search is None:
            raise TypeError("Expected a top-down network.")
        took = []
        for _ in range(REPEATS + 1):
            began = time.process_time()
            model.search.look(frames, boxes)
            took.append(1000 * (time.process_time() - began) / N_FRAMES)
        yield Figure(f"superanimal.look_{name}", statistics.median(took[1:]), "ms", setting=setting)
