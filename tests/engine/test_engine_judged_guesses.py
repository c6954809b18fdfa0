"""What labels say of guesses that were made before them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey, FrameRole, KeypointState
from napari_al_pose.engine.judged_guesses import measured_thresholds
from napari_al_pose.project import open_project

N = 40


def save_guesses(project, version, keys, xy, likelihood):
    with project.models.new_folder() as folder:
        (folder / "model.pt").write_bytes(b"")
    assert project.models.latest() == version
    project.predictions.save(version, keys, np.stack(xy).astype(np.float32), np.stack(likelihood))


def clear(project):
    for key in {a.key for a in project.labels.annotations()}:
        project.labels.clear_frame(key)


def pose_of(parts):
    return np.stack([np.arange(len(parts)) * 10.0, np.zeros(len(parts))], axis=1)


def test_a_bodypart_that_is_often_wrong_is_believed_later_than_others(sample_copy):
    with open_project(sample_copy) as project:
        clear(project)
        parts = project.skeleton.bodyparts
        pose, keys = pose_of(parts), [FrameKey(project.videos[0].name, n) for n in range(N)]
        guesses, likelihood = [], np.tile(np.linspace(0.05, 0.95, N)[:, None], (1, len(parts)))
        for n in range(N):
            guess = pose.copy()
            guess[0, 1] += 0 if likelihood[n, 0] > 0.3 else 100  # right early
            guess[1, 1] += 0 if likelihood[n, 1] > 0.75 else 100  # right late
            guesses.append(guess)
        save_guesses(project, 1, keys, guesses, likelihood)
        assert measured_thresholds(project, None) == (), "nothing was answered yet"
        for key in keys:
            project.labels.place_many(key, dict(zip(parts, pose.tolist(), strict=True)))
        found = measured_thresholds(project, None)
    assert len(found) == len(parts)
    assert found[0] == pytest.approx(0.3, abs=0.1)
    assert found[1] == pytest.approx(0.75, abs=0.1)
    assert found[0] < found[1]


def test_what_was_labelled_as_a_test_frame_is_told_by_the_new_model_alone(sample_copy):
    with open_project(sample_copy) as project:
        clear(project)
        parts = project.skeleton.bodyparts
        pose, key = pose_of(parts), FrameKey(project.videos[0].name, 5)
        save_guesses(project, 1, [key], [pose + 300], np.full((1, len(parts)), 0.9))
        project.labels.place_many(key, dict(zip(parts, pose.tolist(), strict=True)))
        before = measured_thresholds(project, None)
        project.labels.roles.set(key, FrameRole.HOLDOUT)
        assert measured_thresholds(project, None) == ()
        states = np.full((6, len(parts)), KeypointState.PLACED, np.int8)
        six = np.repeat(pose[None], 6, axis=0)
        right = measured_thresholds(project, (six, np.full((6, len(parts)), 0.6), six, states))
    assert min(before) > 0.5 > max(right)


def test_a_bodypart_with_few_labels_must_be_surer(sample_copy):
    with open_project(sample_copy) as project:
        clear(project)
        parts = project.skeleton.bodyparts
        pose, keys = pose_of(parts), [FrameKey(project.videos[0].name, n) for n in range(N)]
        likelihood = np.tile(np.linspace(0.05, 0.95, N)[:, None], (1, len(parts)))
        wrong = pose + np.float64([0, 100])
        guesses = [np.where(likelihood[n, :, None] > 0.5, pose, wrong) for n in range(N)]
        save_guesses(project, 1, keys, guesses, likelihood)
        for n, key in enumerate(keys):
            names = parts if n % 4 == 0 else parts[1:]
            project.labels.place_many(
                key, {name: xy for name, xy in zip(parts, pose.tolist(), strict=True) if name in names}
            )
        found = measured_thresholds(project, None)
    assert found[0] > max(found[1:]) + 0.01
    assert found[1:] == pytest.approx([0.5] * (len(parts) - 1), abs=0.05)
