"""Whatever of napari's own a user presses, the project stays labelable, and the process alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._layer_actions import _convert_to_labels

from napari_al_pose.domain import FrameKey
from napari_al_pose.project import create_project, open_project

pytestmark = pytest.mark.gui

HERE = Path(__file__).parent


def played(program, config, tmp_path, *, seconds):
    """Run one of the programs beside this file; return what it printed, line by line."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "NAPARI_CONFIG": str(tmp_path / "napari.yaml"),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    command = [sys.executable, str(HERE / program), str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    printed = done.stdout.splitlines()
    assert done.returncode == 0, (printed[-1:], done.stderr[-3000:])
    assert "Traceback" not in done.stderr, (printed[-1:], done.stderr[-3000:])
    return printed


@pytest.fixture
def without_lines(sample_copy):
    """A project without a skeleton, and without labels."""
    lines = sample_copy.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if line.startswith("skeleton:"))
    last = next(index for index in range(first + 1, len(lines)) if not lines[index].startswith(("-", " ")))
    sample_copy.write_text("".join([*lines[:first], "skeleton: []\n", *lines[last:]]))
    return sample_copy


@pytest.fixture
def read_only(without_lines):
    """A labelled project without a skeleton that another window writes to meanwhile."""
    with open_project(without_lines) as project:
        parts = project.skeleton.bodyparts[:2]
        project.labels.place_many(FrameKey(project.videos[0].name, 8), dict.fromkeys(parts, (60.0, 50.0)))
        yield without_lines


@pytest.fixture
def animals_in_images(sample_project, tmp_path):
    """A labelled project of two animals, of which only the extracted images are there."""
    video = next((sample_project.parent / "videos").iterdir())
    config = create_project(
        tmp_path,
        task="pair",
        scorer="me",
        bodyparts=("nose", "back", "tail"),
        skeleton=(("nose", "back"), ("back", "tail")),
        videos=[video],
        copy_videos=True,
        individuals=("mouse1", "mouse2"),
    )
    with open_project(config) as project:
        name = project.videos[0].name
        for frame in (3, 8, 20):
            for offset, individual in enumerate(project.skeleton.individuals):
                xy = {part: (50.0 + 90 * offset + 9 * i, 60.0) for i, part in enumerate(project.skeleton.bodyparts)}
                project.labels.place_many(FrameKey(name, frame), xy, individual=individual)
        project.export_labels()
        for individual in project.skeleton.individuals:
            project.labels.clear(FrameKey(name, 3), "tail", individual=individual)
    (config.parent / "videos" / video.name).unlink()
    return config


@pytest.mark.parametrize("shape", [(20, 20, 3), (5, 20, 20, 3)])
def test_napari_cannot_convert_its_own_rgb_images_to_labels(shape):
    """Once it can, `napari_menus.NAPARI_S_FAULTS` has to go."""
    viewer = ViewerModel()
    viewer.add_image(np.zeros(shape, np.uint8), rgb=True)
    with pytest.raises(ValueError, match="axis_labels"):
        _convert_to_labels(viewer.layers)


def test_whatever_napari_s_menus_do_with_our_layers_labels_stay_right(sample_copy, tmp_path):
    printed = played("napari_menus.py", sample_copy, tmp_path, seconds=600)
    assert printed[-1] == "all triggered"


@pytest.mark.parametrize("kind", ["animals_in_images", "read_only"])
def test_napari_s_menus_leave_labels_right_in_other_projects_too(kind, request, tmp_path):
    printed = played("napari_menus.py", request.getfixturevalue(kind), tmp_path, seconds=300)
    assert any(line.startswith("labelled before") for line in printed)
    assert printed[-1] == "all triggered"


@pytest.mark.parametrize("kind", ["without_lines", "animals_in_images", "read_only"])
def test_every_button_and_key_of_napari_s_leaves_frames_to_label(kind, request, tmp_path):
    printed = played("napari_presses.py", request.getfixturevalue(kind), tmp_path, seconds=300)
    assert printed[-1] == "all pressed"
