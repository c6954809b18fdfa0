"""What all tests share: caches and settings of their own, the sample project, the real data where it is present.

Nothing here imports Qt or napari: most tests need no window.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from napari_al_pose import openmp  # noqa: F401  # before anything that imports torch

# Importing triton after Mesa's software OpenGL has a context ends in a segmentation fault (two LLVMs in a process).
with suppress(ImportError):
    import triton  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's settings and caches out of the tests, and the tests out of them."""
    folder = tempfile.TemporaryDirectory(prefix="napari-al-pose-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["NAPARI_CONFIG"] = str(Path(folder.name, "napari-settings.yaml"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        os.environ[name] = str(Path(folder.name, name.split("_")[1].lower()))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data, read-only: copy to ``tmp_path`` before opening anything in it as a project."""
    value = os.environ.get("NAPARI_AL_POSE_DATA", "")
    if not value:
        pytest.skip("the real data is not here: NAPARI_AL_POSE_DATA is not set")
    folder = Path(value).resolve()
    if not folder.is_dir():
        pytest.skip(f"the real data is not here: NAPARI_AL_POSE_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def sample_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic sample's ``config.yaml``, made once and only read; parametrise indirectly for other lengths.

    Several test processes of one run share it (see ``scripts/test.sh``), as drawing it takes each some seconds.
    """
    from napari_al_pose.samples import make_sample

    n_frames, shared = getattr(request, "param", 120), os.environ.get("NAPARI_AL_POSE_TEST_SAMPLES", "")
    folder = Path(shared, str(n_frames)) if shared else tmp_path_factory.mktemp("sample")
    return make_sample(folder, n_frames=n_frames)


@pytest.fixture
def sample_copy(sample_project: Path, tmp_path: Path) -> Path:
    """The ``config.yaml`` of a copy of the sample that a test may change."""
    folder = tmp_path / sample_project.parent.name
    shutil.copytree(sample_project.parent, folder)
    return folder / sample_project.name
