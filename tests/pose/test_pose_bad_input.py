"""What goes wrong in a training is survived or told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pose_tools import BODYPARTS, QUICK, finish

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose import LabelledFrame, batch_sampler, train


def test_one_bad_loss_is_survived_at_a_lower_rate(disc_frames, monkeypatch):
    usual, calls = batch_sampler.scoremap_loss, []

    def sometimes(logits, targets, weights):
        calls.append(1)
        return usual(logits, targets, weights) * (float("nan") if len(calls) == 2 else 1.0)

    monkeypatch.setattr(batch_sampler, "scoremap_loss", sometimes)
    ticks, model = finish(train(disc_frames, BODYPARTS, QUICK))
    assert [math.isfinite(t.loss) for t in ticks[1:]] == [True] * 4
    assert len(calls) == 5
    assert all(torch.isfinite(w).all() for w in model.network.state_dict().values())


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("can't allocate memory")]
)
def test_too_little_memory_halves_the_batch(disc_frames, monkeypatch, error):
    usual, sizes = batch_sampler.scoremap_loss, []

    def small(logits, targets, weights):
        sizes.append(len(logits))
        if len(logits) > 1:
            raise error
        return usual(logits, targets, weights)

    monkeypatch.setattr(batch_sampler, "scoremap_loss", small)
    ticks, _ = finish(train(disc_frames, BODYPARTS, QUICK))
    assert sizes == [2, 1, 1, 1, 1]
    assert math.isfinite(ticks[-1].loss)


def test_no_memory_at_all_ends_in_a_message(disc_frames, monkeypatch):
    def never(logits, targets, weights):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(batch_sampler, "scoremap_loss", never)
    with pytest.raises(AlPoseError, match="too little memory"):
        finish(train(disc_frames, BODYPARTS, QUICK))


def test_other_faults_are_not_taken_for_a_lack_of_memory(disc_frames, monkeypatch):
    def broken(logits, targets, weights):
        raise RuntimeError("expected scalar type")

    monkeypatch.setattr(batch_sampler, "scoremap_loss", broken)
    with pytest.raises(RuntimeError, match="scalar"):
        finish(train(disc_frames, BODYPARTS, QUICK))


def test_a_bodypart_never_labelled_stays_absent_and_spoils_nothing(disc_frames):
    frames = [
        replace(f, xy=np.vstack([f.xy, [np.nan, np.nan]]), states=np.append(f.states, np.int8(0))) for f in disc_frames
    ]
    ticks, model = finish(train(frames, (*BODYPARTS, "never"), QUICK))
    assert all(math.isfinite(t.loss) for t in ticks[1:])
    batch = model.predict(disc_frames[0].image[None])
    assert np.isfinite(batch.xy).all()
    assert batch.likelihood[0, 2] < 0.1


def test_labels_in_one_corner_are_trained_on():
    corner = LabelledFrame(np.full((64, 96, 3), 90, np.uint8), np.zeros((2, 2)), np.ones(2, np.int8))
    ticks, model = finish(train([corner] * 3, BODYPARTS, QUICK))
    assert all(math.isfinite(t.loss) for t in ticks[1:])
    assert np.isfinite(model.predict(corner.image[None]).xy).all()
