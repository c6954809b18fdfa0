"""What paths are that are dropped or given on the command line, with real files."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_al_pose.project.to_open import (
    LabelsToImport,
    NothingToOpen,
    ProjectToOpen,
    VideosToAdd,
    what_to_open,
)


@pytest.fixture
def root(sample_copy):
    return sample_copy.parent


@pytest.fixture
def video(root):
    return next((root / "videos").iterdir())


def nothing(*paths):
    found = what_to_open(paths)
    assert isinstance(found, NothingToOpen)
    assert found.message.endswith(".")
    assert found.hint.endswith(".")
    return found


def pictures(folder, suffix, n=3):
    folder.mkdir()
    for i in range(n):
        Image.new("L", (8, 6)).save(folder / f"img{i:04d}{suffix}")
    return folder


def test_a_project_is_known_by_its_config_its_folder_and_its_labelled_data(root):
    (root / "labeled-data" / "mouse1").mkdir(parents=True, exist_ok=True)
    image = root / "labeled-data" / "mouse1" / "img0001.png"
    Image.new("L", (8, 6)).save(image)
    for path in (root, root / "labeled-data", image.parent, image):
        assert what_to_open([path]) == ProjectToOpen(root)
    assert what_to_open([root, image, image.parent]) == ProjectToOpen(root)
    assert what_to_open([root / "config.yaml"]) == ProjectToOpen(root / "config.yaml")


def test_paths_are_taken_from_where_one_is(root, monkeypatch):
    (root / "labeled-data" / "mouse1").mkdir(parents=True, exist_ok=True)
    for folder, path in ((root, "."), (root / "labeled-data" / "mouse1", "."), (root / "videos", "..")):
        monkeypatch.chdir(folder)
        assert what_to_open([path]) == ProjectToOpen(root)


def test_a_folder_is_the_videos_directly_in_it(video, tmp_path):
    folder = tmp_path / "day 1"
    (folder / "old" / "older").mkdir(parents=True)
    shutil.copy(video, folder / "b.mp4")
    shutil.copy(video, folder / "a.MP4")
    shutil.copy(video, folder / "old" / "c.mp4")
    (folder / "notes.txt").write_text("no video")
    (folder / "._a.MP4").write_bytes(b"what macOS leaves beside a file")
    inside = (folder / "a.MP4", folder / "b.mp4")
    assert what_to_open([folder]) == VideosToAdd(inside)
    assert what_to_open([folder, video, video, folder / "b.mp4"]) == VideosToAdd((*inside, video))


def test_labels_of_another_program(tmp_path):
    path = tmp_path / "labels.slp"
    path.write_bytes(b"")
    assert what_to_open([path]) == LabelsToImport(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_folder_of_images_is_said_to_be_one(tmp_path, suffix):
    said = nothing(pictures(tmp_path / "frames", suffix))
    assert not said.may_be_others
    assert f"{tmp_path / 'frames'} holds 3 images" in said.message
    assert "Make a video of them" in said.hint


def test_a_folder_of_stacks_is_videos(tmp_path):
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((5, 6, 8), np.uint8), photometric="minisblack")
    assert what_to_open([tmp_path]) == VideosToAdd((tmp_path / "a.tif", tmp_path / "b.tif"))


def test_folders_without_anything_of_ours(tmp_path):
    assert nothing(tmp_path).message == f"{tmp_path} is empty."
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert nothing(tmp_path).message == f"{tmp_path} is empty."
    (tmp_path / "mice").mkdir()
    assert "holds 1 folder" in nothing(tmp_path).message
    assert not nothing(tmp_path).may_be_others
    (tmp_path / "cells.zarr").mkdir()
    (tmp_path / "notes.txt").write_text("of a microscope")
    for path in (tmp_path, tmp_path / "cells.zarr", tmp_path / "notes.txt"):
        assert nothing(path).may_be_others
        assert str(path) in nothing(path).message
    assert nothing(tmp_path, tmp_path / "notes.txt").may_be_others


def test_what_is_not_there_is_named(video, tmp_path):
    for gone in (tmp_path / "mouse.mp4", video / "below a file.mp4"):
        assert nothing(gone).message == f"There is no file {gone}."
        assert nothing(video, gone).message == f"There is no file {gone}."
    assert nothing(tmp_path / "mice").message == f"There is no file or folder {tmp_path / 'mice'}."


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit names in other ways")
def test_what_the_disk_refuses_is_said(tmp_path):
    path = tmp_path / ("m" * 300 + ".mp4")
    assert f"{path} can't be read: File name too long." in nothing(path).message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everywhere")
def test_a_folder_without_permission_is_said_to_be_one(tmp_path):
    locked = tmp_path / "locked"
    (locked / "mice").mkdir(parents=True)
    locked.chmod(0)
    try:
        for path in (locked, locked / "mice", locked / "mouse.mp4"):
            assert nothing(path).message == f"You have no permission to use {path}."
            assert not nothing(path).may_be_others
    finally:
        locked.chmod(0o700)


def test_what_does_not_go_together_is_named(root, video, tmp_path):
    labels = tmp_path / "labels.json"
    labels.write_text("{}")
    for other in (root, labels):
        said = nothing(video, other)
        assert said.message == f"Expected one project, or several videos, got {other} among them."
        assert not said.may_be_others
    notes = [tmp_path / f"{name}.csv" for name in "abcde"]
    for path in notes:
        path.write_text("of each video")
    assert f"got {notes[0]}, {notes[1]}, {notes[2]} and 2 more among them" in nothing(video, *notes).message
