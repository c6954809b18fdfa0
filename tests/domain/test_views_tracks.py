"""What the timeline shows of a predicted video."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain.views import FrameAxis
from napari_al_pose.domain.views import tracks as views
from napari_al_pose.domain.views.tracks import OverviewBuilder, columns_of, gaps_sentence, place_after, place_before

N = 10_000


@pytest.fixture
def overview():
    """A long video of two animals: one gone in 2,000 to 2,999, unsure at 50 to 60 and at 7,000, doubtful at 4,000."""
    poses = np.full((N, 2, 3, 3), 0.9, np.float32)
    poses[2000:3000, 1] = (np.nan, np.nan, 0)
    poses[50:61, ..., 2] = 0.3
    poses[55, ..., 2] = 0.2
    poses[7000, ..., 2] = 0.1
    margins = np.full(N, np.inf, np.float32)
    margins[3995:4005] = 0.9
    margins[4000] = 0.1
    builder = OverviewBuilder(("a", "b"), N, threshold=0.6)
    for first in range(0, N, 37):  # the stretches cross the pieces it comes in
        builder.add(first, poses[first : first + 37], margins[first : first + 37])
    return builder.overview()


def test_places_worth_a_look_are_stretches_with_their_worst_frame(overview):
    assert [(place.first, place.last, place.worst) for place in overview.low] == [(50, 60, 55), (7000, 7000, 7000)]
    assert overview.low[0].value == pytest.approx(0.2)
    assert [(place.first, place.last, place.worst) for place in overview.doubtful] == [(3995, 4004, 4000)]
    assert place_after(overview.low, 54).worst == 55
    assert place_after(overview.low, 55).worst == 7000
    assert place_after(overview.low, 7000) is None
    assert place_before(overview.low, 7000).worst == 55
    assert place_before(overview.low, 55) is None


def test_a_long_video_takes_as_many_bins_as_a_screen_and_one_frame_still_shows(overview):
    assert overview.seen.shape[1] <= views.MOST_BINS
    columns = columns_of(overview, FrameAxis(N), 500)
    assert columns.likelihood[350] == pytest.approx(0.1)
    assert columns.likelihood[200] == pytest.approx(0.9)
    assert columns.seen[1, 100:150].max() == 0
    assert columns.seen[0].min() == columns.seen[1, 160:].min() == 1
    assert gaps_sentence(overview, 1) == "b: found in 90 % of the video"
    assert gaps_sentence(overview, 0) == "a: found in 100 % of the video"


def test_a_short_video_is_drawn_wider_than_it_is_long():
    builder = OverviewBuilder((), 3, threshold=0.6)
    builder.add(0, np.array([0.9, 0.2, 0.0], np.float32)[:, None, None, None] * np.ones((3, 1, 2, 3), np.float32), None)
    made = builder.overview()
    assert np.isnan(made.likelihood[2])  # nothing was found there, or nobody has looked yet
    columns = columns_of(made, FrameAxis(3), 9)
    assert columns.likelihood[:6] == pytest.approx([0.9] * 3 + [0.2] * 3)
    assert columns.seen.shape == (0, 9)
    # The images of a folder: rows stand for some of the frame numbers.
    sparse = columns_of(made, FrameAxis(2, (4, 90)), 4, (4, 7, 90))
    assert sparse.likelihood[:2] == pytest.approx([0.9, 0.9])
    assert np.isnan(sparse.likelihood[2:]).all()
