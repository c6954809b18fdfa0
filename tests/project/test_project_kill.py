"""Nothing acknowledged is lost when the labelling process is killed at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project_tools import make_video, write_config

KILLS = 200
LANES = 4


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and fork")
def test_every_acknowledged_edit_survives_sigkill(tmp_path):
    for i in range(LANES):
        root = tmp_path / f"lane{i}"
        write_config(root)
        make_video(root / "videos" / "mouse.mp4", n=50)
    program = Path(__file__).with_name("killed_sessions.py")
    command = [sys.executable, str(program), str(tmp_path), str(LANES), str(KILLS // LANES), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == [], done.stderr
    assert found["killed"] == KILLS
    assert found["edits"] > 2 * KILLS, "they had work in hand"
