"""DeepLabCut's openfield video: 4:4:4 by an old x264, which decodes to garbage where the decoder was not told so."""

from __future__ import annotations

import os
import random
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from napari_al_pose.video import VideoFile

VIDEO = Path("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4")
SAMPLES = sorted(random.Random(0).sample(range(600), 6))


@pytest.fixture(scope="module")
def path():
    folder = os.environ.get("NAPARI_AL_POSE_DATA")
    if folder is None or not (Path(folder) / VIDEO).exists():
        pytest.skip("NAPARI_AL_POSE_DATA does not name a folder with the openfield project")
    return Path(folder) / VIDEO


@pytest.fixture(scope="module")
def decoded(path):
    """Frames as plain decoding from the start gives them."""
    reformatter = VideoReformatter()
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return {
            i: reformatter.reformat(frame, format="rgb24").to_ndarray().copy()
            for i, frame in zip(range(SAMPLES[-1] + 1), container.decode(video=0), strict=False)
            if i in SAMPLES
        }


def test_seeking_gives_the_pixels_of_plain_decoding(path, decoded):
    with VideoFile(path) as video:
        for i in reversed(SAMPLES):
            np.testing.assert_array_equal(video[i], decoded[i])


def test_decoding_ahead_gives_the_pixels_of_plain_decoding(path, decoded):
    with VideoFile(path) as video:
        video.prefetch(SAMPLES[::-1])
        while not all(video.cached(i) for i in SAMPLES):
            pass
        for i in SAMPLES:
            np.testing.assert_array_equal(video[i], decoded[i])
