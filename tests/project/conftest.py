"""What the tests of projects share."""

from __future__ import annotations

from pathlib import Path

import pytest
from project_tools import write_config

from leaks import nothing_is_left  # noqa: F401


@pytest.fixture
def project_root(tmp_path) -> Path:
    """Return a project with a placeholder for its video, and nothing else."""
    root = tmp_path / "reach-Me-2024-05-01"
    write_config(root)
    return root
