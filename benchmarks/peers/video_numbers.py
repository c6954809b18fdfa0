"""Frames that carry their number, in blocks that survive compression; runs in the peers' environment too."""

from __future__ import annotations

from typing import Any

import numpy as np


def draw_number(number: int) -> Any:
    """Return an RGB frame of 128 x 64 with ``number`` in its upper half."""
    bits = np.array([number >> bit & 1 for bit in range(16)], np.uint8).reshape(2, 8)
    frame = np.random.default_rng(number).integers(0, 256, (64, 128, 3), np.uint8)
    frame[:32] = (bits * 200 + 28).repeat(16, 0).repeat(16, 1)[..., None]
    return frame


def number_in(frame: Any) -> int:
    """Return the number of a frame, which may have axes of length one in front."""
    blocks = frame.reshape(-1, *frame.shape[-3:])[0][:32, :128].mean(-1).reshape(2, 16, 8, 16)[:, 4:-4, :, 4:-4]
    return int(((blocks.mean((1, 3)).ravel() > 128) * (1 << np.arange(16))).sum())
