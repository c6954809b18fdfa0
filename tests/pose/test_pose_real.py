"""Thirty labels of a real mouse are enough for a useful model."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.pose import Evaluation, LabelledFrame, evaluate
from napari_al_pose.pose.training_plan import make_plan


def is_readable(path: Path) -> bool:
    try:
        Image.open(path).load()
    except OSError:
        return False
    return True


def read_labels(project: Path, table: str) -> tuple[list[LabelledFrame], list[str]]:
    labels = pd.read_csv(project / table, header=[0, 1, 2], index_col=0)
    # Copies of the data with a cut-off image exist; what can't be read is left out, and named.
    readable = [is_readable(project / name) for name in labels.index]
    if not all(readable):
        warnings.warn(f"left out: {list(labels.index[~np.array(readable)])}", stacklevel=2)
    labels = labels[readable]
    xy = labels.to_numpy(float).reshape(len(labels), -1, 2)
    states = np.where(np.isnan(xy[..., 0]), KeypointState.NOT_VISIBLE, KeypointState.PLACED).astype(np.int8)
    frames = [
        LabelledFrame(np.array(Image.open(project / name).convert("RGB")), points, state)
        for name, points, state in zip(labels.index, xy, states, strict=True)
    ]
    return frames, list(labels.columns.get_level_values(1)[::2])


def run(frames: list[LabelledFrame], bodyparts: list[str], *, train_frames: int, **settings: int) -> Evaluation:
    return finish(evaluate(frames, bodyparts, TrainSettings(**settings), train_frames=train_frames, seed=0))


@pytest.mark.parametrize(
    ("project", "table", "long_side"),
    [
        ("openfield-Pranav-2018-10-30", "labeled-data/m4s1/CollectedData_Pranav.csv", 384),
        ("Reaching-Mackenzie-2018-08-30", "labeled-data/reachingvideo1/CollectedData_Mackenzie.csv", 256),
    ],
)
def test_animals_that_fill_the_frame_are_looked_at_as_ever(data_dir, project, table, long_side):
    """No window, no less memory than there always was: the plan is the same as with both left out of it."""
    frames, _ = read_labels(data_dir / project, table)
    plan = make_plan(frames, TrainSettings(device="cpu"))
    assert (plan.long_side, plan.window, plan.batch_size, plan.notice) == (long_side, None, 8, "")
    assert plan == make_plan(frames, TrainSettings(device="cpu", follow_animal="off"))


@pytest.mark.slow
def test_openfield_from_thirty_labels(data_dir):
    project = data_dir / "openfield-Pranav-2018-10-30"
    frames, bodyparts = read_labels(project, "labeled-data/m4s1/CollectedData_Pranav.csv")
    result = run(frames, bodyparts, train_frames=30)
    assert (result.n_train, result.n_test) == (30, 86)
    assert result.errors.mean <= 6.0


@pytest.mark.slow
def test_reaching_with_its_missing_points_runs(data_dir):
    project = data_dir / "Reaching-Mackenzie-2018-08-30"
    frames, bodyparts = read_labels(project, "labeled-data/reachingvideo1/CollectedData_Mackenzie.csv")
    result = run(frames, bodyparts, train_frames=25, steps=60)
    assert result.n_train == 25
    assert result.n_test == len(frames) - 25
    assert np.isfinite(result.errors.mean)
    assert result.errors.mean < 100
