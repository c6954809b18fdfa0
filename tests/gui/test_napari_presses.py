"""Whatever of napari's own a user presses, the project stays labelable, and the process alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_whatever_napari_s_menus_do_with_our_layers_labels_stay_right(sample_copy, tmp_path):
    printed = played("napari_menus.py", sample_copy, tmp_path, seconds=600)
    assert printed[-1] == "all triggered"


def test_every_button_and_key_of_napari_s_leaves_frames_to_label(sample_copy, tmp_path):
    lines = sample_copy.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if line.startswith("skeleton:"))
    last = next(index for index in range(first + 1, len(lines)) if not lines[index].startswith(("-", " ")))
    sample_copy.write_text("".join([*lines[:first], "skeleton: []\n", *lines[last:]]))
    printed = played("napari_presses.py", sample_copy, tmp_path, seconds=300)
    assert printed[-1] == "all pressed"
