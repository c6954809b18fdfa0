"""Only the cores that were given to a process are used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_al_pose.cores import usable_cores

ON_ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from pathlib import Path
from napari_al_pose.cores import usable_cores
from napari_al_pose.engine.loop import ActiveLearningLoop
print(usable_cores(), ActiveLearningLoop(Path("nowhere"), device="cpu")._threads)
"""


def test_there_is_one_at_least():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing here keeps a process to some cores")
def test_a_job_uses_what_it_was_given():
    told = subprocess.run([sys.executable, "-c", ON_ONE_CORE], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "1"]
