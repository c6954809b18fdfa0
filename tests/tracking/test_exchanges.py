"""Tracks that went on with each other's animal are found by looks and by labels, and alike animals are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain.steps import finish
from napari_al_pose.tracking import exchanges
from napari_al_pose.tracking.exchanges import StretchCollector, exchanged, exchanged_in_steps, swapped_ranges

SHAPE = np.array([[0, 0], [10, 3], [20, 0], [30, -3]], float)
CONTACT, BETWEEN = 12, 80


def tracks(signs, *, colour=0.0, size=1.0, noise=3.0, seed=0):
    """Return poses and colours of two tracks that meet between stretches; where a sign is -1 they are exchanged."""
    rng = np.random.default_rng(seed)
    n = len(signs) * (BETWEEN + CONTACT)
    gaps = np.where(np.arange(n) % (BETWEEN + CONTACT) < BETWEEN, 120.0, 5.0)
    poses = np.stack([np.broadcast_to(SHAPE, (n, 4, 2)), size * SHAPE + gaps[:, None, None] * (0.0, 1.0)], axis=1)
    poses = poses + rng.normal(0, 0.7, poses.shape)
    colours = np.full((n, 2, 4, 3), 90.0) + rng.normal(0, noise, (n, 2, 4, 3))
    colours[:, 1] += colour
    which = np.repeat(signs, BETWEEN + CONTACT) < 0
    poses[which], colours[which] = poses[which, ::-1], colours[which, ::-1]
    return poses, colours


def found(poses, colours, votes=None):
    with StretchCollector() as collector:
        for first in range(0, len(poses), 100):  # in parts, as a video is read
            part = slice(first, first + 100)
            collector.add_frames(first, poses[part], colours[part], None if votes is None else votes[part])
        stretches = collector.stretches(len(poses))
        return stretches, exchanged(collector, stretches)


@pytest.mark.parametrize("looks", [{"colour": 25.0}, {"size": 1.3}])
def test_an_exchange_is_found_by_colour_or_by_size(looks):
    signs = np.array([1, 1, -1, -1, 1, 1, -1, 1])
    stretches, said = found(*tracks(signs, **looks))
    assert len(stretches) == len(signs)
    assert said == (signs < 0).tolist()


@pytest.mark.parametrize("seed", range(12))
def test_animals_that_look_alike_stay_as_they_were_followed(seed):
    _, said = found(*tracks(np.ones(8, int), seed=seed))
    assert not any(said)


def test_a_few_contacts_are_too_few_to_judge_by_looks():
    _, said = found(*tracks(np.array([1, -1, 1]), colour=25.0))
    assert not any(said)


def test_what_is_exchanged_most_of_the_time_is_called_right():
    _, said = found(*tracks(np.array([-1, -1, 1, -1, -1, -1]), colour=25.0))
    assert said == [False, False, True, False, False, False]


def test_labels_with_names_say_which_is_which_where_looks_say_nothing():
    poses, colours = tracks(np.ones(6, int))
    in_stretch = [index * (BETWEEN + CONTACT) + 5 for index in range(6)]
    votes = np.zeros(len(poses), int)
    votes[in_stretch[3]] = -1
    assert all(found(poses, colours, votes)[1]), "one label names the tracks of the whole video"
    votes[[in_stretch[0], in_stretch[5]]] = 1
    said = found(poses, colours, votes)[1]
    assert (said[0], said[3], said[5]) == (False, True, False)


def test_tracks_change_where_it_was_least_clear_which_is_which():
    poses, colours = tracks(np.array([1, 1, -1, -1, 1, 1]), colour=25.0)
    stretches, said = found(poses, colours)
    margins = np.full(len(poses), 2.0)
    first, second = 2 * (BETWEEN + CONTACT) - 4, 4 * (BETWEEN + CONTACT) - 9
    margins[[first, second]] = 0.1
    assert swapped_ranges(stretches, said, margins) == [(first, second)]
    assert swapped_ranges(stretches, [False] * 5 + [True], margins)[0][1] == len(poses)


def test_animals_that_are_never_apart_or_never_found_make_no_stretch():
    poses, colours = tracks(np.ones(2, int))
    poses[:, 1] = np.nan
    assert found(poses, colours) == ([], [])


def as_in_memory(collector, stretches):
    """Return how sure the stretches are by their looks, from all observations at once."""
    blocks = [collector.blocks(stretch) for stretch in stretches]
    steps, together = np.concatenate([np.diff(own, axis=0) for own in blocks]), np.concatenate(blocks)
    noise = np.sqrt(np.nanmean(together**2, axis=0))
    if len(steps) >= exchanges.FEWEST_STRETCHES:
        noise = np.maximum(np.sqrt(np.nanmean(steps**2, axis=0) / 2), 0.05 * noise)
    scaled = [np.nan_to_num(own / noise) for own in blocks]

    def direction(rows):
        return np.linalg.svd(np.concatenate(rows), full_matrices=False)[2][0]

    main, means = direction(scaled), []
    for i, own in enumerate(scaled):
        others = direction(scaled[:i] + scaled[i + 1 :])
        means.append((own @ others).mean() * (1 if others @ main >= 0 else -1))
    means = np.array(means)
    means *= np.sign((means * [stretch.stop - stretch.first for stretch in stretches]).sum())
    size, spread = np.abs(means), np.abs(means).std()
    clear = exchanges.CLEAR + exchanges.FEW_ARE_LESS_CLEAR / (len(stretches) - 2)
    if size.mean() < clear * spread or (size >= exchanges.VISIBLE).mean() < exchanges.NEARLY_ALL:
        return np.zeros(len(means))
    return np.clip(2 * means * size.mean() / spread**2, -exchanges.MOST_SURE, exchanges.MOST_SURE)


@pytest.mark.parametrize("colour", [0.0, 4.0, 25.0])
def test_observations_read_one_stretch_at_a_time_say_what_they_say_all_at_once(colour):
    rng = np.random.default_rng(int(colour))
    for seed in range(4):
        poses, colours = tracks(rng.choice([1, 1, 1, -1], 9), colour=colour, seed=seed)
        colours[rng.random(colours.shape) < 0.05] = np.nan
        colours[: 3 * BETWEEN, :, 2] = np.nan
        with StretchCollector() as collector:
            collector.add_frames(0, poses, colours)
            stretches = collector.stretches(len(poses))
            odds = finish(exchanges._odds_by_looks(collector, stretches))
            np.testing.assert_allclose(odds, as_in_memory(collector, stretches), rtol=1e-6, atol=1e-9)


def test_looking_at_stretches_can_be_stopped_after_each():
    poses, colours = tracks(np.ones(8, int), colour=25.0)
    with StretchCollector() as collector:
        collector.add_frames(0, poses, colours)
        stretches = collector.stretches(len(poses))
        assert len(list(exchanged_in_steps(collector, stretches))) == 3 * len(stretches)
