"""Nothing acknowledged is lost when the labelling process is killed at any moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from project_tools import make_video, write_config

from napari_al_pose.domain import FrameKey
from napari_al_pose.project import open_project

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


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL and fork")
@pytest.mark.parametrize("edited_since", [False, True])
@pytest.mark.parametrize("n_written", [1, 2])
def test_killed_right_after_a_file_was_put_in_place(tmp_path, n_written, edited_since):
    write_config(tmp_path)
    make_video(tmp_path / "videos" / "mouse.mp4", n=20)
    h5, key = tmp_path / "labeled-data" / "mouse" / "CollectedData_Me.h5", FrameKey("mouse", 3)
    with open_project(tmp_path) as project:
        project.labels.place_many(key, {"nose": (1, 2), "ear": (3, 4), "tail": (5, 6)})
        project.export_labels()
    child = os.fork()
    if child == 0:
        _write_and_be_killed(tmp_path, key, n_written)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with open_project(tmp_path) as project:
        assert not project.labels.conflicts.all()
        assert project.labels.annotation(key).xy[0].tolist() == [7, 8]
        if edited_since:
            project.labels.place(key, "nose", 9, 10)
        project.export_labels()
    with_h5 = pd.read_hdf(h5, "df_with_missing").to_numpy()
    with_csv = pd.read_csv(h5.with_suffix(".csv"), header=[0, 1, 2], index_col=[0, 1, 2]).to_numpy()
    assert with_h5.tolist() == with_csv.tolist() == [[*((9, 10) if edited_since else (7, 8)), 3, 4, 5, 6]]


def _write_and_be_killed(root: Path, key: FrameKey, n_written: int) -> None:
    replace, left = os.replace, [n_written]

    def replace_and_die(source, target):
        replace(source, target)
        left[0] -= Path(target).name.startswith("CollectedData")
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        os.replace = replace_and_die
        with open_project(root) as project:
            project.labels.place(key, "nose", 7, 8)
            project.export_labels()
    finally:
        os._exit(1)  # the parent sees that it was not killed


def test_killed_after_writing_with_a_later_edit_is_no_conflict(tmp_path):
    write_config(tmp_path)
    make_video(tmp_path / "videos" / "mouse.mp4", n=20)
    folder, key = tmp_path / "labeled-data" / "mouse", FrameKey("mouse", 3)
    log = tmp_path / "al-pose" / "labels.sqlite"
    with open_project(tmp_path) as project:
        project.labels.place_many(key, {"nose": (1, 2), "ear": (3, 4), "tail": (5, 6)})
        project.export_labels()
    copy = shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    with open_project(copy) as project:
        project.labels.place(key, "nose", 7, 8)
        project.export_labels()
    with open_project(tmp_path) as project:
        project.labels.place(key, "nose", 7, 8)
        project.labels.place(key, "nose", 9, 10)
        unwritten = log.read_bytes()
    log.write_bytes(unwritten)
    shutil.copytree(copy / "labeled-data", folder.parent, dirs_exist_ok=True)
    with open_project(tmp_path) as project:
        assert not project.labels.conflicts.all()
        assert project.labels.annotation(key).xy[0].tolist() == [9, 10]
