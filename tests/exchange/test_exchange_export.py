"""A project's labels written in every format and read back from the files, images with them."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest
from exchange_tools import project_with_labels
from PIL import Image
from scipy.io import loadmat

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole
from napari_al_pose.domain.steps import finish
from napari_al_pose.exchange import FORMATS, detect_format, export_labels, format_named, import_labels
from napari_al_pose.exchange.catalogue import find_labels
from napari_al_pose.exchange.form_rules import export_complaint, import_complaint, suggest_output, suggest_project
from napari_al_pose.project import open_project

BODYPARTS = ("right knee", "left knee")  # which MPII and LSP know too


@pytest.fixture
def config(tmp_path):
    return project_with_labels(tmp_path / "ours", bodyparts=BODYPARTS, frames=(1, 7))


def exported(project, name, folder):
    to = format_named(name)
    return finish(export_labels(project, to, folder / (f"out-{name}" + ("" if to.file else ".slp"))))


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
def test_every_format_there_and_back_through_a_project(config, tmp_path, name):
    with open_project(config) as project:
        done = exported(project, name, tmp_path)
        assert (done.frames, done.points) == (2, 4)
        before = [a.xy for a in project.labels.annotations()]
    assert done.path.is_file()
    assert detect_format(done.path).name == name
    again = finish(import_labels(done.path, tmp_path / "again"))
    assert again.frames == 2
    with open_project(tmp_path / "again") as project:
        found = project.labels.annotations()
        order = [project.skeleton.index(part) for part in BODYPARTS]
        for ours, theirs in zip(before, found, strict=True):
            np.testing.assert_allclose(theirs.xy[order], ours, atol=1e-9)
        (video,) = project.videos
        image = video.open()[project.video(video.name).open().position(found[1].key.frame)]
        assert abs(int(image[30, 40, 0]) - 5 * 7) < 8  # frame 7 of the video is grey of 35


@pytest.mark.parametrize("name", ["lightning-pose", "coco", "mpii"])
def test_images_lie_where_the_file_says(config, tmp_path, name):
    with open_project(config) as project:
        done = exported(project, name, tmp_path)
    if name == "lightning-pose":
        files = list(pd.read_csv(done.path, header=[0, 1, 2], index_col=0).index)
    else:
        document = json.loads(done.path.read_text())
        files = [e["image"] for e in document] if name == "mpii" else [e["file_name"] for e in document["images"]]
    assert len(files) == 2
    for file in files:
        assert Image.open(done.path.parent / file).size == (96, 64)


def test_lsp_numbers_its_images_and_says_so(config, tmp_path):
    with open_project(config) as project:
        done = exported(project, "lsp", tmp_path)
    assert sorted(os.listdir(done.path.parent / "images")) == ["im0001.jpg", "im0002.jpg"]
    assert loadmat(done.path)["joints"].shape == (3, 14, 2)
    assert any("numbers its images" in notice and "cam 1, cam 7" in notice for notice in done.notices)


def test_individuals_that_do_not_fit_are_counted(tmp_path):
    config = project_with_labels(tmp_path / "ours", individuals=("ann", "bob"), frames=(1, 2, 3))
    with open_project(config) as project:
        done = exported(project, "lightning-pose", tmp_path)
        assert done.points == 6
        assert "Lightning Pose holds no individuals; 6 points of 'bob' left out." in done.notices
        assert exported(project, "deeplabcut", tmp_path).points == 12
    table = pd.read_hdf(tmp_path / "out-deeplabcut" / "labeled-data" / "cam" / "CollectedData_Ada.h5")
    assert list(table.columns.get_level_values("individuals").unique()) == ["ann", "bob"]


def test_half_labelled_and_hold_out_frames_are_told(config, tmp_path):
    with open_project(config) as project:
        project.labels.place(FrameKey("cam", 9), BODYPARTS[0], 1.0, 2.0)
        project.labels.roles.set(FrameKey("cam", 7), FrameRole.HOLDOUT)
        told = " ".join(exported(project, "sleap", tmp_path).notices)
        assert "1 partly labelled frame left out: cam 9" in told
        assert "1 test frame is written like the others" in told
        done = exported(project, "lightning-pose", tmp_path)
        assert done.frames == 3
    cells = pd.read_csv(done.path, header=[0, 1, 2], index_col=0)
    assert sorted(cells.xs("visible", axis=1, level=2).to_numpy().ravel()) == [0, 2, 2, 2, 2, 2]


def test_unfinished_frames_are_filled_with_guesses_that_are_believed(config, tmp_path):
    """A frame as a whole or not at all; a table names each guess, and the labels of the project stay as they are."""
    sure, unsure, unknown, finished = (FrameKey("cam", frame) for frame in (9, 11, 13, 1))
    with open_project(config) as project:
        for key in (sure, unsure, unknown):
            project.labels.place(key, BODYPARTS[0], 1.0, 2.0)
        guess = np.array([[50, 50], [30.5, 20.25]])
        with project.models.new_folder() as folder:
            (folder / "model.pt").touch()
        likelihood = np.array([[0.9, 0.9], [0.9, 0.1], [0.9, 0.9]])
        project.predictions.save(1, [sure, unsure, finished], np.stack([guess] * 3), likelihood)
        plain = exported(project, "sleap", tmp_path)
        done = finish(export_labels(project, format_named("deeplabcut"), tmp_path / "filled", filling=True))
        assert (plain.frames, done.frames, done.points) == (2, 3, 6)
        told = " ".join(done.notices)
        assert "1 point in 1 frame that nobody looked at is guessed by the model" in told
        assert "2 frames stayed unfinished" in told
        assert not project.labels.annotation(sure).is_complete
        beside = finish(export_labels(project, format_named("sleap"), tmp_path / "filled.slp", filling=True))
        assert beside.frames == 3
    for table in (tmp_path / "filled" / "filled-by-model.csv", tmp_path / "filled.slp.filled-by-model.csv"):
        assert table.read_text().splitlines()[1:] == [f"cam,9,{BODYPARTS[1]},30.500,20.250,0.900"]
    with open_project(done.path) as project:
        found = project.labels.annotation(sure)
        np.testing.assert_allclose(found.xy, [[1, 2], [30.5, 20.25]])
        assert found.is_complete


def test_a_deeplabcut_export_is_a_project_of_its_own(config, tmp_path):
    with open_project(config) as project:
        done = exported(project, "deeplabcut", tmp_path)
    text = done.path.read_text()
    assert ".new-project" not in text
    assert str(tmp_path / "out-deeplabcut" / "videos" / "cam.mp4") in text
    assert not list(tmp_path.glob(".*"))
    with open_project(done.path) as project:
        assert project.videos[0].has_video
        assert not project.notices


def test_what_is_there_is_never_written_over(config, tmp_path):
    (tmp_path / "out-coco").mkdir()
    (tmp_path / "out-coco" / "mine.txt").touch()
    (tmp_path / "out-sleap.slp").write_text("mine")
    with open_project(config) as project:
        for name in ("coco", "sleap"):
            with pytest.raises(AlPoseError, match="exists already"):
                exported(project, name, tmp_path)
    assert (tmp_path / "out-sleap.slp").read_text() == "mine"


def test_a_cancelled_export_leaves_nothing(config, tmp_path):
    before = set(tmp_path.iterdir())
    with open_project(config) as project:
        for name in ("coco", "deeplabcut"):
            work = export_labels(project, format_named(name), tmp_path / name)
            for _ in range(3):
                next(work)
            work.close()
    assert set(tmp_path.iterdir()) == before


def test_frames_without_video_and_image(config, tmp_path):
    with open_project(config) as project:
        for path in (project.videos[0].path, *(config.parent / "labeled-data" / "cam").glob("*.png")):
            path.unlink()
    with open_project(config) as project:
        with pytest.raises(AlPoseError, match="image"):
            exported(project, "coco", tmp_path)
        done = exported(project, "sleap", tmp_path)
        assert any("cam" in notice for notice in done.notices)
    assert finish(import_labels(done.path, tmp_path / "again")).frames == 2


# ---- what the window suggests and complains about -------------------------------------------------


def test_suggested_places_are_free(config, tmp_path):
    (tmp_path / "theirs.slp").touch()
    assert suggest_project(tmp_path / "theirs.slp") == tmp_path / "theirs-project"
    (tmp_path / "theirs-project").mkdir()
    assert suggest_project(tmp_path / "theirs.slp") == tmp_path / "theirs-project-2"
    assert suggest_project(tmp_path / "lsp" / "joints.mat").name == "lsp-project"
    root = config.parent
    assert suggest_output(root, format_named("sleap")) == root.parent / f"{root.name}-sleap.slp"
    for known in FORMATS:
        assert export_complaint(known, str(suggest_output(root, known))) == ""


def test_complaints_name_what_is_wrong(config, tmp_path):
    assert "file of labels" in import_complaint("", "", into_open=True)
    assert "nowhere" in import_complaint(str(tmp_path / "nowhere.slp"), "", into_open=True)
    assert import_complaint(str(config), "", into_open=True) == ""
    assert "new project" in import_complaint(str(config), "relative", into_open=False)
    assert "exists" in import_complaint(str(config), str(config.parent), into_open=False)
    assert ".slp" in export_complaint(format_named("sleap"), str(tmp_path / "x.txt"))


def test_a_folder_stands_for_the_labels_in_it(config, tmp_path):
    assert find_labels(config.parent) == config
    (tmp_path / "two").mkdir()
    for name in ("a.slp", "b.slp"):
        (tmp_path / "two" / name).touch()
    with pytest.raises(AlPoseError, match=r"there are a\.slp, b\.slp"):
        find_labels(tmp_path / "two")
