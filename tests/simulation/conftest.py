from __future__ import annotations

from pathlib import Path

import pytest
import torch
from simulation_blobs import make_blobs

from napari_al_pose.simulation.dataset import RawDataset


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Play as the workers do: small networks are slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def blobs() -> RawDataset:
    return make_blobs(videos=2, frames=14)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"
