from __future__ import annotations

import numpy as np
from PIL import Image

from napari_al_pose.video import is_placeholder, open_source


def test_only_what_stands_in_for_a_frame_is_a_placeholder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)).save(tmp_path / f"img{number}.png")
    damaged = tmp_path / "img1.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    with open_source(tmp_path) as source:
        assert [is_placeholder(source[i]) for i in range(3)] == [False, True, False]
    assert not is_placeholder(np.zeros((48, 64, 3), np.uint8))
