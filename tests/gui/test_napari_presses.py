"""Whatever of napari's own a user presses, the project stays labelable, and the process alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui

HERE = Path(__file__).parent


def test_every_button_and_key_of_napari_s_leaves_frames_to_label(sample_copy, tmp_path):
    lines = sample_copy.read_text().splitlines(keepends=True)
    first = next(index for index, line in enumerate(lines) if line.startswith("skeleton:"))
    last = next(index for index in range(first + 1, len(lines)) if not lines[index].startswith(("-", " ")))
    sample_copy.write_text("".join([*lines[:first], "skeleton: []\n", *lines[last:]]))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "NAPARI_CONFIG": str(tmp_path / "napari.yaml"),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    command = [sys.executable, str(HERE / "napari_presses.py"), str(sample_copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    last_press = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, (last_press, done.stderr[-3000:])
    assert last_press == ["all pressed"]
    assert "Traceback" not in done.stderr, (last_press, done.stderr[-3000:])
