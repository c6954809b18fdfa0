"""Places that are taken for the animal: found, shown, and asked for on the way of a training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.pose import LabelledFrame, train, training
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.batch_sampler import HARD_NEGATIVE_SHARE, BatchSampler
from napari_al_pose.pose.hard_negatives import find_hard_negatives

SIZE = (240, 320)
ANIMAL, CORNER = np.array([60.0, 80.0]), np.array([280.0, 200.0])


class Bright(torch.nn.Module):
    """Says of every bodypart that it is where the picture is bright."""

    mean = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        brightness = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4)
        return ((brightness - brightness.amax(dim=(2, 3), keepdim=True) * 0.4).sign() * 4).expand(-1, 2, -1, -1)


def frame_of(*bright, states=(KeypointState.PLACED, KeypointState.PLACED), value=255):
    image = np.zeros((*SIZE, 3), np.uint8)
    for x, y in np.array(bright, int):
        image[y - 6 : y + 6, x - 6 : x + 6] = value
    return LabelledFrame(image, np.array([ANIMAL - 5, ANIMAL + 5]), np.array(states, np.int8))


def found_in(*frames, reach=80):
    return finish(find_hard_negatives(Bright(), frames, 320, reach))


def test_only_what_is_far_from_the_animal_is_found():
    with_rival, without = frame_of(ANIMAL, CORNER), frame_of(ANIMAL)
    ((frame, place),) = found_in(without, with_rival)
    assert frame is with_rival
    assert np.abs(place - CORNER).max() < 12
    assert found_in(with_rival, reach=250) == []


def test_what_nobody_has_looked_for_says_nothing():
    unseen = (KeypointState.UNSEEN, KeypointState.UNSEEN)
    hidden = (KeypointState.NOT_VISIBLE, KeypointState.NOT_VISIBLE)
    assert found_in(frame_of(ANIMAL, CORNER, states=unseen), frame_of(ANIMAL, CORNER, states=hidden)) == []


def test_a_tenth_of_the_views_shows_them():
    frame = frame_of(ANIMAL, CORNER, value=200)
    sampler = BatchSampler(Views((64, 64), 180.0), long_side=320, batch_size=400, seed=0)
    sampler.add([frame] * 10)

    def share_of_views_that_show_the_corner():
        batch = sampler.batch()
        images, uv = batch.images, batch.uv
        middle = uv.mean(dim=1)
        away = ((middle < 0) | (middle > 64)).any(dim=1)
        lit = (images > 180).flatten(1).float().mean(dim=1) > 0.01
        return float((away & lit).float().mean())

    before = share_of_views_that_show_the_corner()
    sampler.add_hard_negatives([(frame, CORNER)])
    gained = share_of_views_that_show_the_corner() - before
    assert gained == pytest.approx(HARD_NEGATIVE_SHARE, abs=0.06)


def test_a_training_looks_for_them_and_learns_from_them(monkeypatch):
    asked, told = [], []
    find, add = training.find_hard_negatives, BatchSampler.add_hard_negatives

    def finding(network, frames, long_side, reach):
        asked.append(len(frames))
        yield from find(network, frames, long_side, reach)
        return [(frames[0], CORNER)]

    monkeypatch.setattr(training, "find_hard_negatives", finding)
    monkeypatch.setattr(
        BatchSampler, "add_hard_negatives", lambda self, negatives: told.append(len(negatives)) or add(self, negatives)
    )
    settings = TrainSettings(device="cpu", steps=10, batch_size=2, long_side=160, follow_animal="off")
    for _ in train([frame_of(ANIMAL)] * 4, ("nose", "tail"), settings):
        pass
    assert len(asked) == 3
    assert asked[0] in (2, 3, 4)
    assert told == [1, 1, 1]
