"""The disk fills up, permission is lost, the folder goes: nothing acknowledged is lost, and the user is told."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_tools import make_video, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.project import open_project

pytestmark = pytest.mark.skipif(os.name == "nt", reason="made with mount, chattr and removal of open files")


def complete(project, frame: int, x: float) -> None:
    project.labels.place_many(FrameKey("mouse", frame), {"nose": (x, 2), "ear": (3, 4), "tail": (5, 6)})


def xs(project) -> dict[int, float]:
    return {annotation.key.frame: annotation.xy[0, 0] for annotation in project.labels.annotations()}


def written(root: Path) -> dict[int, float]:
    """Return nose x by frame from the h5, and check that the csv says the same."""
    path = root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    table = pd.read_hdf(path, "df_with_missing")
    csv = pd.read_csv(path.with_suffix(".csv"), header=[0, 1, 2], index_col=[0, 1, 2])
    np.testing.assert_array_equal(csv.to_numpy(float), table.to_numpy())
    return {int(row[2][3:-4]): x for row, x in zip(table.index, table.to_numpy()[:, 0], strict=True)}


@pytest.fixture
def tiny_disk(tmp_path):
    """Return a file system of 1 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a tiny file system takes more rights than this run has")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on a disk; return the file to remove to have some again."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * 4096)
        except OSError:
            return filler


def test_full_disk(tiny_disk):
    root = tiny_disk / "project"
    write_config(root)
    with open_project(root) as project:
        complete(project, 1, x=10)
        project.export_labels()
        complete(project, 2, x=20)
        filler = fill(tiny_disk)
        acknowledged = {1: 10.0, 2: 20.0}
        refused = ""
        for frame in range(3, 400):
            try:
                complete(project, frame, x=frame)
                acknowledged[frame] = float(frame)
            except AlPoseError as error:
                refused = str(error)
                break
        assert "labels.sqlite" in refused
        assert "full" in refused
        assert "Make room" in refused
        assert xs(project) == acknowledged, "what was refused was not applied, what was taken is there"
        with pytest.raises(AlPoseError, match="could not be written"):
            project.export_labels()
        assert written(root) == {1: 10.0}, "the files are the old ones, whole"
        with pytest.raises(AlPoseError):
            project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert project.skeleton.bodyparts == ("nose", "ear", "tail")
    with open_project(root, read_only=True) as reader:
        assert xs(reader) == acknowledged
    filler.unlink()
    with open_project(root) as project:
        assert xs(project) == acknowledged
        complete(project, 500, x=7)
        project.export_labels()
        assert written(root) == {**acknowledged, 500: 7.0}
    assert not [path for path in (root / "labeled-data" / "mouse").iterdir() if path.name.startswith(".")]


def test_disk_that_fills_up_while_the_project_is_open_and_has_room_again(tiny_disk):
    root = tiny_disk / "project"
    write_config(root)
    with open_project(root) as project:
        complete(project, 1, x=10)
        filler = fill(tiny_disk)
        with pytest.raises(AlPoseError):
            _label_on(project, 2)
        before = xs(project)
        filler.unlink()
        complete(project, 500, x=7)
        assert xs(project) == {**before, 500: 7.0}
        assert project.labels.undo() == FrameKey("mouse", 500)
        project.export_labels()
        assert written(root) == before


def _label_on(project, frame: int) -> None:
    while True:
        complete(project, frame, x=frame)
        frame += 1


@contextmanager
def forbidden(folder: Path):
    """Take the right to make files in a folder away, from root too."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", folder], capture_output=True).returncode:
        pytest.skip("this file system lets root write everywhere")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


def test_permission_lost_while_the_project_is_open(project_root):
    with open_project(project_root) as project:
        complete(project, 1, x=10)
        with forbidden(project_root / "al-pose"):
            with pytest.raises(AlPoseError, match=r"labels\.sqlite"):
                complete(project, 2, x=20)
            assert xs(project) == {1: 10}
            with pytest.raises(AlPoseError):
                project.labels.undo()
        complete(project, 3, x=30)
        with forbidden(project_root / "labeled-data" / "mouse") if _made(project) else forbidden(project_root):
            with pytest.raises(AlPoseError, match="could not be written"):
                project.export_labels()
            complete(project, 4, x=40)
        project.export_labels()
        assert xs(project) == written(project_root) == {1: 10, 3: 30, 4: 40}


def _made(project) -> bool:
    (project.root / "labeled-data" / "mouse").mkdir(parents=True)
    return True


def test_folder_that_cannot_be_written_opens_for_reading(project_root):
    with open_project(project_root) as project:
        complete(project, 1, x=10)
    with forbidden(project_root / "al-pose"), open_project(project_root) as project:
        assert project.read_only
        assert xs(project) == {1: 10}


@pytest.mark.parametrize("gone", ["", "al-pose", "al-pose/labels.sqlite"])
@pytest.mark.parametrize("how", ["removed", "moved"])
def test_what_is_gone_takes_no_edit(project_root, tmp_path, gone, how):
    with open_project(project_root) as project:
        complete(project, 1, x=10)
        moved = tmp_path / "moved"
        if how == "moved":
            (project_root / gone).rename(moved)
        elif (project_root / gone).is_dir():
            shutil.rmtree(project_root / gone)
        else:
            (project_root / gone).unlink()
        with pytest.raises(AlPoseError, match="removed") as refusal:
            complete(project, 2, x=20)
        assert str(project_root / "al-pose" / "labels.sqlite") in str(refusal.value)
        if how == "moved":
            moved.rename(project_root / gone)
            complete(project, 3, x=30)
            assert xs(project) == {1: 10, 3: 30}
    if how == "moved":
        with open_project(project_root) as project:
            assert xs(project) == {1: 10, 3: 30}


def test_labels_file_that_another_took_the_place_of_takes_no_edit(project_root):
    """As a synchronising program does that puts an older copy back."""
    database = project_root / "al-pose" / "labels.sqlite"
    with open_project(project_root) as project:
        complete(project, 1, x=10)
        shutil.copy(database, database.with_suffix(".copy"))
        os.replace(database.with_suffix(".copy"), database)
        with pytest.raises(AlPoseError, match="removed"):
            complete(project, 2, x=20)


def test_video_folder_gone_leaves_labels_usable(project_root):
    video = make_video(project_root / "videos" / "mouse.mp4")
    save_labels(project_root, np.ones((1, 3, 2)), [5])
    with open_project(project_root) as project:
        shutil.rmtree(video.parent)
        complete(project, 7, x=10)
        project.export_labels()
        assert any("no video" in notice or "without images" in notice for notice in project.notices)
    assert written(project_root)[7] == 10
