from __future__ import annotations

import pytest
import torch

from leaks import nothing_is_left  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Play as the workers do: small networks are slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
