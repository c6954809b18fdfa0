"""Nothing acknowledged is lost when the labelling process is killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.project import LabelStore

SKELETON = Skeleton(("nose", "ear"))
KILLS = 10

LABELLER = """
import sys
from pathlib import Path
from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.project import LabelStore

store = LabelStore.open(Path(sys.argv[1]), Skeleton(("nose", "ear")))
n = int(sys.argv[2])
while True:
    store.place_many(FrameKey("mouse", n), {"nose": (n, n + 0.5), "ear": (n, n + 0.25)})
    print(f"placed {n}", flush=True)
    store.place(FrameKey("regretted", n), "nose", n, n)
    store.undo()
    print(f"undone {n}", flush=True)
    n += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_every_acknowledged_edit_survives_sigkill(tmp_path):
    path = tmp_path / "labels.sqlite"
    moments = random.Random(0)
    placed: set[int] = set()
    undone: set[int] = set()
    for _ in range(KILLS):
        start = max(placed, default=0) + 2
        command = [sys.executable, "-c", LABELLER, str(path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            time.sleep(moments.uniform(0, 0.25))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        assert process.returncode == -signal.SIGKILL, "the labelling process ended by itself"
        for word, number in (line.split() for line in said if line.endswith("\n")):
            (placed if word == "placed" else undone).add(int(number))

        store = LabelStore.open(path, SKELETON)
        found = {annotation.key: annotation for annotation in store.annotations()}
        store.close()
        for number in placed:
            expected = [[number, number + 0.5], [number, number + 0.25]]
            assert found[FrameKey("mouse", number)].xy.tolist() == expected
        assert not any(FrameKey("regretted", number) in found for number in undone)
        assert all(annotation.is_complete for key, annotation in found.items() if key.video == "mouse")
    assert len(placed) > KILLS
