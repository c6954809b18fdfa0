"""Which paths are named like projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_al_pose.domain.file_names import is_config, is_foreign, is_sleap, project_root


@pytest.mark.parametrize("name", ["config.yaml", "old.yml", "CONFIG.YAML"])
def test_a_config_names_the_project_of_its_folder(name):
    path = Path("mice") / name
    assert is_config(path)
    assert project_root(path) == Path("mice")


@pytest.mark.parametrize("name", ["mice", "labels.slp", "clip.mp4"])
def test_anything_else_names_itself(name):
    assert not is_config(Path(name))
    assert project_root(Path(name)) == Path(name)


def test_sleap_files_are_known_by_their_suffix():
    assert is_sleap(Path("labels.v001.pkg.SLP"))
    assert is_foreign(Path("train.JSON"))
    assert not is_foreign(Path("CollectedData_me.csv"))
    assert not is_sleap(Path("slp"))
