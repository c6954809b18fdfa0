"""What a teacher shows of frames nobody labelled, and what a training makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pose_tools import BODYPARTS, QUICK, finish

from napari_al_pose.pose import PoseModel, TrainTick, train
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.mean_teacher import WEIGHT, MeanTeacher, cover_joints

LENIENT = Calibration(1.0, 5.0)
"""Believes a network of sixty steps."""

RISING = 4


def views(*, mirror: tuple[int, ...] | None = None) -> Views:
    return Views((64, 96), 180.0, mirror)


def taught(learnt, frames, calibration: Calibration = LENIENT, **how) -> MeanTeacher:
    teacher = MeanTeacher(learnt[1].network, views(**how), calibration, rising=RISING, seed=0)
    assert len(list(teacher.find((frame.image for frame in frames), 96, None))) == len(frames)
    return teacher


@pytest.fixture
def unseen(disc_frames):
    """Frames that the network did not learn from."""
    return disc_frames[8:]


def test_what_is_shown_is_where_the_animal_is(learnt, unseen):
    teacher = taught(learnt, unseen)
    assert teacher.frames
    off = []
    for _ in range(5):
        for frame, xy in zip(teacher.frames, teacher._shown(teacher.frames), strict=True):
            (truth,) = [one.xy for one in unseen if np.array_equal(one.image, frame.image.permute(1, 2, 0))]
            off += np.hypot(*(xy - truth).T).tolist()
    found = np.isfinite(off)
    assert found.mean() > 0.5
    assert np.median(np.array(off)[found]) < 2.0
    assert np.array(off)[found].max() < 6.0


def test_frames_in_which_nothing_is_sure_teach_nothing(learnt, unseen):
    empty = np.full((64, 96, 3), 95, np.uint8)
    teacher = MeanTeacher(learnt[1].network, views(), Calibration(), rising=RISING, seed=0)
    list(teacher.find([empty], 96, None))
    assert not teacher.frames
    assert not taught(learnt, unseen, Calibration(1.0, -8.0)).frames


@pytest.mark.parametrize("mirror", [None, (1, 0)])
def test_only_points_in_view_have_a_weight_and_it_rises(learnt, unseen, mirror):
    teacher = taught(learnt, unseen, mirror=mirror)
    tops = []
    for _ in range(2 * RISING):
        batch = teacher.batch(4)
        assert batch.images.shape == (4, 3, 64, 96)
        weighed = batch.uv[batch.weights > 0]
        assert ((weighed >= 0) & (weighed <= torch.tensor([95.0, 63.0]))).all()
        assert not batch.weights[~torch.isfinite(batch.uv).all(dim=-1)].any()
        tops.append(float(batch.weights.max()))
    assert tops == pytest.approx([WEIGHT * min(1, (i + 1) / RISING) for i in range(2 * RISING)])


def test_points_on_which_two_looks_differ_are_not_shown(learnt, unseen, monkeypatch):
    teacher = taught(learnt, unseen)
    xy = np.tile([[20.0, 20.0], [40.0, 40.0]], (2, 1, 1))
    likelihood = np.full((2, 2), 0.9, np.float32)
    monkeypatch.setattr(teacher, "_look", lambda _frames: (xy, likelihood))
    np.testing.assert_array_equal(teacher._shown(teacher.frames[:1]), xy[:1])
    xy[1, 0] += 3.0, 4.0
    np.testing.assert_array_equal(np.isnan(teacher._shown(teacher.frames[:1])[0, :, 0]), [True, False])
    likelihood[0, 1] = 0.5
    assert np.isnan(teacher._shown(teacher.frames[:1])).all()


def test_the_teacher_follows_its_student_and_the_student_is_left_alone(learnt, unseen):
    teacher = taught(learnt, unseen)
    student = {name: value.clone() for name, value in teacher._student.state_dict().items()}
    bias = teacher._network.scoremaps.get_parameter("bias")
    bias.data += 1.0
    apart = [float((bias - student["scoremaps.bias"]).abs().max())]
    for _ in range(3):
        teacher.batch(1)
        apart.append(float((bias - student["scoremaps.bias"]).abs().max()))
    assert apart == pytest.approx([1.0, 0.95, 0.95**2, 0.95**3], rel=1e-3)
    assert all(torch.equal(value, student[name]) for name, value in teacher._student.state_dict().items())


def test_joints_are_covered_and_nothing_else(disc_frames):
    view = torch.full((3, 64, 96), -1.0)
    uv = np.array([[5.0, 5.0], [90.0, 60.0], [48.0, 32.0]])
    covered = np.zeros(3)
    for seed in range(200):
        changed = (cover_joints(view, uv, np.random.default_rng(seed)) >= 0).all(dim=0).numpy()
        rows, columns = np.nonzero(changed)
        near = np.hypot(columns[:, None] - uv[:, 0], rows[:, None] - uv[:, 1]).min(axis=1)
        assert (near < 15).all()
        covered += [changed[int(y), int(x)] for x, y in uv]
    assert ((covered > 20) & (covered < 60)).all()
    assert (view == -1).all()


# ---- in a training --------------------------------------------------------------------------------


class Reader:
    """Reads frames, and counts how many."""

    def __init__(self, frames) -> None:
        self._frames = frames
        self.n = 0

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for frame in self._frames:
            self.n += 1
            yield frame.image


def trained(learnt, disc_frames, unlabelled, *, stop_at: int | None = None) -> tuple[list[TrainTick], PoseModel]:
    """Train on from a model that is sure of what it sees."""
    previous = learnt[1]
    sure = PoseModel(
        previous.network,
        bodyparts=BODYPARTS,
        settings=previous.settings,
        long_side=previous.long_side,
        calibration=LENIENT,
    )
    settings = QUICK.model_copy(update={"steps": 10})
    training = train(disc_frames[:3], BODYPARTS, settings, initial=sure, threads=1, unlabelled=unlabelled)
    return finish(training, stop_at=stop_at)


def test_a_training_learns_from_them_and_the_seed_repeats(learnt, disc_frames, unseen):
    states = [
        trained(learnt, disc_frames, unlabelled)[1].network.state_dict()
        for unlabelled in (Reader(unseen), Reader(unseen), ())
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_frames_are_read_when_the_network_finds_something(learnt, disc_frames, unseen):
    early, late, whole = Reader(unseen), Reader(unseen), Reader(unseen)
    ticks, _ = trained(learnt, disc_frames, early, stop_at=5)
    assert (ticks[-1].step, early.n) == (5, 0)
    ticks, model = trained(learnt, disc_frames, late, stop_at=6)
    assert (ticks[-1].step, late.n) == (6, 1), "stopping within the search is heard"
    assert np.isfinite(model.predict(unseen[0].image[None]).xy).all()
    ticks, _ = trained(learnt, disc_frames, whole)
    assert (ticks[-1].step, whole.n) == (10, len(unseen))


def test_likelihoods_that_are_not_calibrated_are_not_believed(disc_frames, unseen):
    reader = Reader(unseen)
    _, model = finish(train(disc_frames[:3], BODYPARTS, QUICK, threads=1, unlabelled=reader))
    assert model.predict(unseen[0].image[None]).likelihood.max() > 0.9, "after few steps it believes anything"
    assert reader.n == 0
