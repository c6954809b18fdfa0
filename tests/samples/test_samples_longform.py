"""The long form: rare behaviours, and things that go wrong, in recordings that mostly show an animal at rest."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.samples.longform import BEHAVIOURS, Recording


@pytest.fixture(scope="module")
def recording():
    return Recording(2, 0, seed=3)


def shown(recording, behaviour):
    return [number for number, name in enumerate(recording.behaviours()) if name == behaviour]


def test_the_animal_mostly_rests(recording):
    shares = Counter(recording.behaviours())
    assert shares.keys() <= set(BEHAVIOURS)
    assert 0.75 < shares["rest"] / recording.n_frames < 0.97
    assert 0 < shares["rear"] / recording.n_frames < 0.05
    assert len(recording.behaviours()) == recording.n_frames == 5 * 60 * 30


def test_a_frame_is_the_same_whichever_others_are_drawn(recording):
    last = recording.n_frames - 1
    (alone,), among = recording.draw([last]), list(recording.draw([0, last]))
    assert np.array_equal(alone, among[-1])
    np.testing.assert_array_equal(recording.truth([last])[0], recording.truth([0, last])[-1])


def test_both_days_show_the_same_animal_and_other_motion(recording):
    second = Recording(2, 1, seed=3)
    assert (second.name, recording.name) == ("mouse-03-day2", "mouse-03-day1")
    (first,), (other,) = recording.draw([0]), second.draw([0])
    assert np.median(np.abs(first.astype(int) - other)) < 12  # the arena is the same
    assert not np.allclose(recording.truth([0]), second.truth([0]), equal_nan=True)


def test_a_hand_hides_what_it_covers(recording):
    numbers = shown(recording, "hand")
    (before,) = recording.draw([numbers[0] - 1])
    middle = numbers[len(numbers) // 2]
    (during,) = recording.draw([middle])
    glove = (during[..., 2].astype(int) - during[..., 0]) > 40
    assert glove.sum() > 50 * ((before[..., 2].astype(int) - before[..., 0]) > 40).sum() + 2_000
    xy = recording.truth([middle])[0]
    seen = xy[np.isfinite(xy[:, 0])].round().astype(int)
    assert not glove[seen[:, 1], seen[:, 0]].any()


def test_a_recording_that_is_not_there_is_told():
    with pytest.raises(AlPoseError, match="mouse below 10"):
        Recording(10, 0)
