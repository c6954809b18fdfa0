"""What glibc does with the memory of frames that are no longer kept, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from napari_al_pose.video.cache import FrameCache

if sys.argv[1] == "cached":
    FrameCache(1 << 20)


def frames():
    return [np.ones((1080, 1920, 3), np.uint8) for _ in range(8)]


for _ in range(3):
    frames()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    frames()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's")
def test_a_new_frame_takes_the_memory_of_an_old_one():
    """It fails where glibc no longer follows `mallopt`: then each new frame is 1,500 new pages."""

    def faults(how):
        ran = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        return int(ran.stdout)

    assert faults("plain") > 1000  # else there is nothing to save, and `FrameCache` need not set anything
    assert faults("cached") < 100
