"""Training learns, stops, repeats, refuses, and leaves a model that can be put away and used."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pose_tools import BODYPARTS, QUICK, finish

from napari_al_pose.domain import AlPoseError, KeypointState, steps
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import (
    LabelledFrame,
    PoseModel,
    batch_sampler,
    evaluate,
    optimisation,
    resolve_device,
    train,
    validation,
)
from napari_al_pose.pose.training_plan import animal_extent, make_plan, view_is_fixed


def test_it_learns_discs_to_a_pixel_or_two(learnt, disc_frames):
    _, model = learnt
    frames = np.stack([frame.image for frame in disc_frames[8:]])
    batch = model.predict(frames)
    errors = np.hypot(*np.moveaxis(batch.xy - np.stack([frame.xy for frame in disc_frames[8:]]), -1, 0))
    assert np.median(errors) < 2.0
    assert batch.likelihood.mean() > 0.3


def test_ticks_count_steps_and_measure_the_holdout_about_ten_times(learnt):
    ticks, _ = learnt
    assert ticks[0].step == 0
    assert math.isnan(ticks[0].loss)
    assert [t.step for t in ticks] == list(range(61))
    measured = [t.holdout_error for t in ticks if not math.isnan(t.holdout_error)]
    assert 8 <= len(measured) <= 12
    assert measured[-1] < measured[0]
    assert ticks[-1].seconds_left == 0
    assert all(t.seconds_left >= 0 for t in ticks[1:])


def test_prediction_has_the_promised_shapes(learnt, disc_frames):
    _, model = learnt
    batch = model.predict(np.stack([frame.image for frame in disc_frames]))
    assert batch.xy.shape == (12, 2, 2)
    assert batch.xy.dtype == batch.likelihood.dtype == np.float32
    assert batch.scoremaps is not None
    assert batch.scoremaps.shape == (12, 2, 16, 24)
    assert batch.scoremaps.dtype == np.float32
    assert 0 <= batch.scoremaps.min() <= batch.scoremaps.max() <= 1
    np.testing.assert_array_equal(batch.scoremaps.max(axis=(2, 3)), batch.likelihood)
    rows, columns = np.divmod(batch.scoremaps.reshape(12, 2, -1).argmax(-1), 24)
    cells = batch.grids[0].to_cells(batch.xy)
    np.testing.assert_allclose(cells, np.stack([columns, rows], -1), atol=0.51)


def test_prediction_does_not_depend_on_the_batch(learnt, disc_frames):
    _, model = learnt
    frames = np.stack([frame.image for frame in disc_frames])
    alone = np.concatenate([model.predict(frame[None], with_scoremaps=False).xy for frame in frames])
    np.testing.assert_allclose(alone, model.predict(frames).xy, atol=0.05)
    assert model.predict(frames, with_scoremaps=False).scoremaps is None
    assert model.predict(frames[:0]).xy.shape == (0, 2, 2)


def test_folding_the_norms_changes_nothing(learnt, disc_frames):
    _, model = learnt
    pixels = torch.from_numpy(disc_frames[0].image).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        torch.testing.assert_close(model.network.fused()(pixels), model.network(pixels), rtol=1e-3, atol=1e-3)


def test_save_and_load_give_the_same_model(learnt, disc_frames, tmp_path):
    _, model = learnt
    model.save(tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    again = PoseModel.load(tmp_path / "model.pt", device="cpu")
    assert again.bodyparts == BODYPARTS
    assert again.settings == model.settings
    assert again.input_size_for(64, 96) == model.input_size_for(64, 96) == (64, 96)
    frames = disc_frames[0].image[None]
    np.testing.assert_array_equal(again.predict(frames).xy, model.predict(frames).xy)


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "foreign", "text", "newer", "weights", "settings", "calibration", "gone"]
)
def test_bad_model_files_are_named(learnt, tmp_path, damage):
    _, model = learnt
    path = tmp_path / "model.pt"
    model.save(path)
    content = torch.load(path, weights_only=True)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        torch.save({"weights": torch.zeros(3)}, path)
    elif damage == "text":
        path.write_text("bodyparts: [a]")
    elif damage == "newer":
        torch.save(content | {"format_version": 99}, path)
    elif damage == "weights":
        content["state"].pop("scoremaps.bias")
        torch.save(content, path)
    elif damage == "settings":
        torch.save(content | {"settings": {"batch_size": -1}}, path)
    elif damage == "calibration":
        torch.save(content | {"calibration": [1.0, float("nan")]}, path)
    else:
        path.unlink()
    with pytest.raises(AlPoseError, match=r"model\.pt"):
        PoseModel.load(path)


def test_a_folder_that_is_gone_is_told(learnt, tmp_path):
    with pytest.raises(AlPoseError, match=r"model\.pt"):
        learnt[1].save(tmp_path / "nowhere" / "model.pt")


def test_stopping_keeps_and_closing_abandons(disc_frames):
    training = train(disc_frames, BODYPARTS, QUICK)
    next(training)
    assert next(training).step == 1
    with pytest.raises(StopIteration) as end:
        training.send("stop")
    assert isinstance(end.value.value, PoseModel)
    abandoned = train(disc_frames, BODYPARTS, QUICK)
    next(abandoned)
    abandoned.close()
    with pytest.raises(StopIteration):
        next(abandoned)


def test_stopping_within_a_holdout_measurement_is_heard(disc_frames, monkeypatch):
    monkeypatch.setattr(validation, "FRAMES_PER_YIELD", 1)
    training = train(disc_frames[:4], BODYPARTS, QUICK, holdout=disc_frames[4:8])
    next(training)
    tick = next(training)
    assert tick.step == 1
    with pytest.raises(StopIteration) as end:
        training.send("stop")
    assert isinstance(end.value.value, PoseModel)


def test_the_seed_repeats_and_leaves_torch_alone(disc_frames):
    torch.manual_seed(7)
    expected = torch.rand(3)
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(7)
        _, model = finish(train(disc_frames, BODYPARTS, QUICK.model_copy(update={"seed": seed}), threads=1))
        assert torch.equal(torch.rand(3), expected)
        states.append(model.network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10, 300])
def test_the_learning_rate_rises_and_falls(steps):
    rates = [optimisation.rate_at(step, steps) for step in range(steps + 1)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert max(rates) == 1
    top = rates.index(1)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_a_loss_that_is_no_number_ends_in_a_message(disc_frames, monkeypatch):
    def broken(logits, targets, weights):
        return logits.sum() * float("nan")

    monkeypatch.setattr(batch_sampler, "scoremap_loss", broken)
    training = train(disc_frames, BODYPARTS, QUICK)
    next(training)
    with pytest.raises(AlPoseError, match="loss is not a number"):
        next(training)


def test_frames_of_several_sizes_and_unfinished_ones_are_trained_on(disc_frames):
    small = LabelledFrame(disc_frames[0].image[:50, :40], np.full((2, 2), np.nan), np.array([0, 2], np.int8))
    half = LabelledFrame(disc_frames[1].image, disc_frames[1].xy, np.array([1, 0], np.int8))
    ticks, model = finish(train([disc_frames[2], small, half], BODYPARTS, QUICK))
    assert all(math.isfinite(t.loss) for t in ticks[1:])
    assert model.predict(small.image[None]).xy.shape == (1, 2, 2)


def test_one_label_and_black_frames_are_trained_on():
    black = LabelledFrame(np.zeros((48, 64, 3), np.uint8), np.array([[10.0, 10.0]]), np.array([1], np.int8))
    ticks, _ = finish(train([black], ["a"], QUICK))
    assert math.isfinite(ticks[-1].loss)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (LabelledFrame(np.zeros((32, 32), np.uint8), np.zeros((2, 2)), np.ones(2, np.int8)), "8-bit RGB"),
        (LabelledFrame(np.zeros((32, 32, 3), np.uint16), np.zeros((2, 2)), np.ones(2, np.int8)), "8-bit RGB"),
        (LabelledFrame(np.zeros((32, 32, 3), np.uint8), np.zeros((3, 2)), np.ones(3, np.int8)), "2 keypoints"),
        (LabelledFrame(np.zeros((32, 32, 3), np.uint8), np.full((2, 2), np.nan), np.ones(2, np.int8)), "position"),
        (LabelledFrame(np.zeros((32, 32, 3), np.uint8), np.zeros((2, 2)), np.zeros(2, np.int8)), "at least one"),
    ],
)
def test_frames_that_teach_nothing_are_refused(frame, message):
    with pytest.raises(AlPoseError, match=message):
        next(train([frame], BODYPARTS, QUICK))


def test_no_frames_unknown_backbones_and_devices_are_refused(disc_frames):
    with pytest.raises(AlPoseError, match="at least one"):
        next(train([], BODYPARTS, QUICK))
    with pytest.raises(AlPoseError, match="backbone"):
        next(train(disc_frames, BODYPARTS, QUICK.model_copy(update={"backbone": "nothing"})))
    with pytest.raises(AlPoseError, match="device"):
        resolve_device("tpu")
    assert resolve_device("cpu") == "cpu"


def test_the_model_refuses_other_images(learnt):
    with pytest.raises(AlPoseError, match="8-bit RGB"):
        learnt[1].predict(np.zeros((1, 32, 32, 3), np.float32))


def test_evaluate_measures_on_the_rest_and_draws_with_the_seed(disc_frames):
    def run(seed: int) -> dict:
        return steps.finish(evaluate(disc_frames, BODYPARTS, QUICK, train_frames=5, seed=seed)).to_json()

    result = run(3)
    assert (result["n_train"], result["n_test"], result["steps"]) == (5, 7, 4)
    assert set(result["per_bodypart"]) == set(BODYPARTS)
    assert result["train_seconds"] > 0
    again = run(3)
    assert {k: v for k, v in result.items() if k != "train_seconds"} == {
        k: v for k, v in again.items() if k != "train_seconds"
    }
    assert run(4)["mean_error_px"] != result["mean_error_px"]


@pytest.mark.parametrize("n", [0, 12, 13, -1])
def test_evaluate_needs_frames_on_both_sides(disc_frames, n):
    with pytest.raises(AlPoseError, match="1 to 11"):
        next(evaluate(disc_frames, BODYPARTS, QUICK, train_frames=n))


def frame_with_extent(share: float, *, width: int = 640, height: int = 480) -> LabelledFrame:
    xy = np.array([[10.0, 10.0], [10.0 + share * width, 10.0]])
    return LabelledFrame(np.zeros((height, width, 3), np.uint8), xy, np.full(2, KeypointState.PLACED, np.int8))


def test_smaller_animals_are_seen_at_a_finer_scale():
    settings = TrainSettings()
    small, large = (make_plan([frame_with_extent(share)] * 3, settings) for share in (0.15, 0.8))
    assert small.long_side > large.long_side
    assert max(small.crop) < small.long_side
    assert all(side % 32 == 0 for plan in (small, large) for side in plan.crop)
    assert make_plan([frame_with_extent(0.8, width=100, height=80)], settings).long_side <= 128
    assert make_plan([frame_with_extent(0.2)] * 100, settings).steps > small.steps
    chosen = make_plan([frame_with_extent(0.2)], TrainSettings(long_side=200, steps=7))
    assert (chosen.long_side, chosen.steps) == (200, 7)


def arrows(n: int, *, spread_degrees: float, seed: int = 0) -> list[LabelledFrame]:
    """Return frames with an animal that heads anywhere, and a lever whose ends differ by ``spread_degrees``."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        heading, lever = rng.uniform(0, 360), rng.normal(30, spread_degrees)
        ends = [[50 + 20 * np.cos(a), 50 + 20 * np.sin(a)] for a in np.radians([heading, lever])]
        xy = np.array([[50.0, 50.0], ends[0], [50.0, 50.0], ends[1]])
        frames.append(LabelledFrame(np.zeros((100, 120, 3), np.uint8), xy, np.ones(4, np.int8)))
    return frames


@pytest.mark.parametrize(
    ("n", "spread", "fixed"), [(20, 3, True), (8, 3, True), (7, 3, False), (20, 40, False), (30, 25, False)]
)
def test_a_fixed_view_is_told_by_what_never_turns(n, spread, fixed):
    frames = arrows(n, spread_degrees=spread)
    assert view_is_fixed(frames) == fixed
    assert (make_plan(frames, TrainSettings()).rotation_degrees < 90) == fixed
    assert make_plan(frames, TrainSettings(rotation_degrees=70)).rotation_degrees == 70


def test_the_rotation_that_was_chosen_is_kept_with_the_model():
    _, model = finish(train(arrows(8, spread_degrees=2), tuple("abcd"), QUICK))
    assert 0 < model.settings.rotation_degrees < 90


def test_the_extent_of_labels_that_do_not_tell_is_the_frame():
    lone = LabelledFrame(np.zeros((48, 64, 3), np.uint8), np.zeros((2, 2)), np.array([1, 0], np.int8))
    assert animal_extent([lone]) == 1.0
    assert animal_extent([frame_with_extent(0.25)]) == pytest.approx(0.25)
