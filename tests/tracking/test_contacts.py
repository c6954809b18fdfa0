"""Drawn mice that climb over each other keep their names, although poses in contact are made of parts of both."""

from __future__ import annotations

import pytest

from benchmarks.contacts import found_in, in_tracks, mice
from napari_al_pose.tracking import follow, score_tracks


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_mice_that_climb_over_each_other_keep_their_names(seed):
    truth = mice(seed)
    poses, likelihood = found_in(truth, seed)
    followed = follow(poses, likelihood)
    assert score_tracks(zip(in_tracks(poses, followed.given), truth, strict=True)).idf1 >= 0.95


def test_where_names_may_be_exchanged_it_is_said():
    truth = mice(5)  # one mouse lies on the other for long
    poses, likelihood = found_in(truth, 5)
    assert follow(poses, likelihood).margins[125:165].min() < 0.5
