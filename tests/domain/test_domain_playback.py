"""Which frame is due: time decides, not how many frames went by."""

from __future__ import annotations

import pytest

from napari_al_pose.domain.frames import due_position


@pytest.mark.parametrize(
    ("start", "elapsed", "due"),
    [(0, 0, 0), (0, 0.039, 0), (0, 0.04, 1), (3, 0.1, 5), (3, 60, 9), (9, 5, 9)],
)
def test_even_frames(start, elapsed, due):
    assert due_position(lambda i: i / 25, start, elapsed, 10) == due


def test_uneven_frames():
    times = [0.0, 0.1, 0.15, 2.0, 2.01]
    elapsed = (0.04, 0.05, 1.89, 1.9, 1.92)
    assert [due_position(times.__getitem__, 1, each, 5) for each in elapsed] == [1, 2, 2, 3, 4]
