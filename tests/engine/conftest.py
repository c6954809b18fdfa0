"""Projects with a model that costs no training."""

from __future__ import annotations

import pytest

from leaks import nothing_is_left  # noqa: F401
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.project import open_project


def _add_model(project, *, long_side=64, window=None):
    """Put an untrained model into the project: what it says makes no sense, but it always says the same."""
    import torch

    torch.manual_seed(0)
    bodyparts = project.skeleton.bodyparts
    network = PoseNetwork("efficientnet_lite0", len(bodyparts), pretrained=True).eval()
    torch.nn.init.normal_(network.scoremaps.weight, std=1.0)
    model = PoseModel(network, bodyparts=bodyparts, settings=TrainSettings(), long_side=long_side, window=window)
    with project.models.new_folder() as folder:
        model.save(folder / "model.pt")
    return model


@pytest.fixture
def add_model():
    """Return what puts an untrained model into a project: what it says makes no sense, but is always the same."""
    return _add_model


@pytest.fixture
def model_project(sample_copy):
    """A copy of the sample project, open, with an untrained model; and that model."""
    with open_project(sample_copy) as project:
        yield project, _add_model(project)
