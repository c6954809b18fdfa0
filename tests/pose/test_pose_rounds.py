"""From one round to the next: what is carried on, what is held back, when it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pose_tools import BODYPARTS, QUICK, finish

from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import train, training_start, training_task, validation
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.training_plan import TrainPlan, make_plan


def is_same(before, kept):
    """Whether nothing was learnt in between."""
    weights, others = before.network.state_dict(), kept.network.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_a_good_model_is_carried_on_in_fewer_steps(learnt, disc_frames):
    """What it has not seen calibrates it; what it has seen is known again, whatever happened to the labels."""
    _, model = learnt
    assert model.learnt == {frame.fingerprint for frame in disc_frames[:8]}
    ticks, carried = finish(train(disc_frames, BODYPARTS, TrainSettings(device="cpu"), initial=model), stop_at=2)
    assert ticks[-1].fine_tuned
    assert ticks[-1].steps < make_plan(disc_frames, TrainSettings()).steps
    assert carried.calibration != model.calibration
    assert carried.learnt == {frame.fingerprint for frame in disc_frames}
    assert carried.long_side == model.long_side


def test_a_model_that_finds_nothing_new_is_not_carried_on(learnt, disc_frames):
    _, model = learnt
    elsewhere = [replace(f, image=f.image[:, ::-1].copy(), xy=f.xy[::-1]) for f in disc_frames]  # red is blue now
    training = train(elsewhere, BODYPARTS, TrainSettings(device="cpu"), initial=model)
    ticks, _ = finish(training, stop_at=1)
    assert not ticks[-1].fine_tuned


@pytest.fixture
def in_doubt(monkeypatch):
    """Whatever the model before finds, both starts are tried."""
    monkeypatch.setattr(training_start, "USABLE", -1.0)
    monkeypatch.setattr(training_start, "SURE", 2.0)


@pytest.mark.usefixtures("in_doubt")
def test_where_it_is_in_doubt_both_starts_are_tried_and_the_one_that_is_ahead_is_taken(
    learnt, disc_frames, monkeypatch
):
    settings = TrainSettings(device="cpu", batch_size=2)
    _, good = learnt
    # Discs are easy: the longer the trial, the less the two errors differ, and the more by chance.
    with monkeypatch.context() as shorter:
        shorter.setattr(training_start, "TRIAL_STEPS", 1)
        ticks, _ = finish(train(disc_frames, BODYPARTS, settings, initial=good), stop_at=1)
        n_tried = 2 * training_start.TRIAL_STEPS
    tried = [tick for tick in ticks if tick.to_try]
    assert {tick.step for tick in tried} == {0}
    assert sorted({tick.tried for tick in tried}) == list(range(1, n_tried + 1))
    assert tried[-1].seconds_left > 0  # the training that follows counts too
    assert ticks[-1].fine_tuned
    assert ticks[-1].to_try == 0

    # What was learnt wrongly is in the way: red and blue were exchanged.
    wrong = [replace(frame, xy=frame.xy[::-1].copy(), states=frame.states[::-1].copy()) for frame in disc_frames[:8]]
    _, bad = finish(train(wrong, BODYPARTS, settings.model_copy(update={"steps": 60, "long_side": 96})))
    ticks, _ = finish(train(disc_frames, BODYPARTS, settings, initial=bad), stop_at=1)
    assert any(tick.to_try for tick in ticks)
    assert not ticks[-1].fine_tuned


@pytest.mark.usefixtures("in_doubt")
@pytest.mark.parametrize("at", [0, 1, 7, 30, 31, 60])
def test_stopping_a_trial_keeps_the_model_before(learnt, disc_frames, at):
    """Asked to stop while the model is asked, or after a step of the trial, it makes no further step."""
    _, model = learnt
    work = train(disc_frames, BODYPARTS, TrainSettings(device="cpu", batch_size=2), initial=model)
    while next(work).tried < at:
        pass
    with pytest.raises(StopIteration) as end:
        work.send("stop")
    assert is_same(model, end.value.value)


@pytest.mark.usefixtures("in_doubt")
def test_a_single_new_frame_alone_is_nothing_to_try_with(learnt, disc_frames):
    """All labels but those of the new frame are gone: nothing would be left to learn from in a trial."""
    ticks, _ = finish(train(disc_frames[9:10], BODYPARTS, TrainSettings(device="cpu"), initial=learnt[1]), stop_at=1)
    assert not any(tick.to_try for tick in ticks)
    assert ticks[-1].fine_tuned


def test_a_project_of_one_bodypart_is_calibrated_and_carried_on(disc_frames):
    """Its labels tell no length of the animal."""
    frames = [replace(f, xy=f.xy[:1], states=f.states[:1]) for f in disc_frames]
    settings = TrainSettings(device="cpu", steps=60, batch_size=4, long_side=96)
    _, model = finish(train(frames[:8], ("red",), settings))
    ticks, carried = finish(train(frames, ("red",), settings, initial=model), stop_at=1)
    assert ticks[-1].fine_tuned
    assert carried.predict(frames[9].image[None]).likelihood[0, 0] > 0.5


def test_stopping_while_the_model_before_is_asked_keeps_it(learnt, disc_frames, monkeypatch):
    monkeypatch.setattr(validation, "FRAMES_PER_YIELD", 1)
    _, model = learnt
    training = train(disc_frames, BODYPARTS, TrainSettings(device="cpu"), initial=model)
    assert next(training).step == 0
    with pytest.raises(StopIteration) as end:
        training.send("stop")
    assert is_same(model, end.value.value)


def test_other_bodyparts_begin_with_the_backbone(learnt, disc_frames):
    ticks, model = finish(train(disc_frames, ("red", "green"), QUICK, initial=learnt[1]))
    assert not ticks[-1].fine_tuned
    assert model.bodyparts == ("red", "green")


def test_labels_held_back_teach_in_the_end(disc_frames):
    plan = TrainPlan(96, (64, 64), 10, n_validation=3, join_at=0.6)
    _, model = finish(train(disc_frames, BODYPARTS, QUICK, plan=plan))
    assert len(model.learnt) == 12
    assert model.calibration != Calibration()
    _, stopped = finish(train(disc_frames, BODYPARTS, QUICK, plan=plan), stop_at=2)
    assert len(stopped.learnt) == 9


def test_with_many_labels_training_stops_when_nothing_is_gained(disc_frames, monkeypatch):
    """Errors that only rise: the weights of the first measurement are kept."""
    monkeypatch.setattr(validation.ValidationPredictions, "mean_error", property(lambda _self: next(errors)))
    errors = iter(range(5, 100))
    plan = TrainPlan(96, (64, 64), 40, n_validation=3, join_at=1.0)
    ticks, model = finish(train(disc_frames, BODYPARTS, QUICK, plan=plan))
    assert ticks[-1].step < 40
    assert len(model.learnt) == 9
    _, at_four = finish(train(disc_frames, BODYPARTS, QUICK, plan=plan), stop_at=4)
    state, best = at_four.network.state_dict(), model.network.state_dict()
    assert all(torch.equal(state[name], best[name]) for name in state)


def test_pairs_found_by_name_mirror_views_that_are_not_turned_all_the_way(disc_frames, monkeypatch):
    seen = []
    monkeypatch.setattr(
        training_task, "Views", lambda crop, degrees, mirror: seen.append(mirror) or Views(crop, degrees, mirror)
    )
    for rotation, pairs in ((180.0, "auto"), (30.0, "auto"), (180.0, "left=right"), (30.0, "")):
        settings = QUICK.model_copy(update={"rotation_degrees": rotation, "swap_pairs": pairs})
        finish(train(disc_frames, ("left", "right"), settings), stop_at=0)
    assert seen == [None, (1, 0), (1, 0), None]
