"""Labels taken into projects, new and open: what comes in, what stays, and what is left behind when it fails."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sleap_io as sio
from exchange_tools import make_video, project_with_labels
from PIL import Image

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState, Skeleton
from napari_al_pose.domain.steps import finish
from napari_al_pose.exchange import CancelledError, Committed, export_labels, format_named, import_labels
from napari_al_pose.exchange.catalogue import detect_format
from napari_al_pose.project import open_project

REAL = {
    "sleap": ("sleap/small_robot_minimal.slp", 2, 4),
    "coco": ("horse10/test_horse10.json", 3, 52),
    "mpii": ("mpii/test_mpii.json", 5, 76),
    "lsp": ("lsp/joints.mat", 2000, 28000),
    "deeplabcut": ("openfield-Pranav-2018-10-30/config.yaml", 116, 464),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_become_projects(data_dir, tmp_path, name):
    source, frames, points = REAL[name]
    done = finish(import_labels(data_dir / source, tmp_path / "made"))
    assert (done.format, done.frames, done.points) == (name, frames, points)
    with open_project(tmp_path / "made") as project:
        assert len(project.labels.complete_keys()) == frames
        assert not project.labels.can_undo
        for video in project.videos:
            shape = video.open().shape
            assert min(shape) > 0
        (folder,) = (tmp_path / "made" / "labeled-data").iterdir()
        written = pd.read_hdf(folder / f"CollectedData_{project.scorer}.h5")
        assert written.notna().to_numpy().sum() == 2 * points
        images = sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
        assert len(images) == (0 if name == "lsp" else frames)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_sleap_brings_video_and_skeleton(data_dir, tmp_path):
    finish(import_labels(data_dir / "sleap" / "small_robot_minimal.slp", tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert project.skeleton.links == (("A", "B"),)
        (video,) = project.videos
        # Its stored path is stale: it was found by name beside the file.
        assert video.path is not None
        assert video.path.resolve() == data_dir / "sleap" / "small_robot.mp4"
        assert str(video.path) in (entry.path for entry in project.config.video_sets)


def test_a_missing_video_is_told_and_its_labels_stay(data_dir, tmp_path):
    shutil.copy(data_dir / "sleap" / "small_robot_minimal.slp", tmp_path / "alone.slp")
    done = finish(import_labels(tmp_path / "alone.slp", tmp_path / "made"))
    assert any("small_robot.mp4" in notice and "labels are kept" in notice for notice in done.notices)
    assert not any(".new-project" in notice for notice in done.notices)
    with open_project(tmp_path / "made") as project:
        assert len(project.labels.complete_keys()) == 2
    shutil.copy(data_dir / "sleap" / "small_robot.mp4", tmp_path / "made" / "videos")
    with open_project(tmp_path / "made") as project:
        assert project.videos[0].has_video


def test_images_inside_a_sleap_package(tmp_path):
    """A ``.pkg.slp`` carries its images; the video itself may be elsewhere."""
    video = sio.Video.from_filename(str(make_video(tmp_path / "elsewhere" / "cam.mp4")))
    skeleton = sio.Skeleton(["nose"])
    instance = sio.Instance.from_numpy(np.array([[3.0, 4.0]]), skeleton=skeleton)
    frame = sio.LabeledFrame(video=video, frame_idx=17, instances=[instance])
    sio.save_slp(sio.Labels([frame]), str(tmp_path / "a.pkg.slp"), embed=True, verbose=False)
    shutil.rmtree(tmp_path / "elsewhere")
    finish(import_labels(tmp_path / "a.pkg.slp", tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert project.labels.complete_keys() == [FrameKey("cam", 17)]
        source = project.video("cam").open()
        assert source.number(0) == 17
        assert abs(int(source[0][40, 60, 0]) - 5 * 17) < 8  # the video's frame i is grey of 5 i


def test_into_an_open_project_by_name_and_undoable(tmp_path):
    ours = project_with_labels(tmp_path / "ours", bodyparts=("nose", "ear"), frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", bodyparts=("EAR", "nose", "tail"), frames=(1, 2), shift=50)
    with open_project(theirs) as project:
        finish(export_labels(project, format_named("lightning-pose"), tmp_path / "lp"))
    with open_project(ours) as project:
        before = project.labels.annotation(FrameKey("cam", 1)).xy.copy()
        done = finish(import_labels(tmp_path / "lp", project))
        assert (done.frames, done.points) == (1, 2)
        told = " ".join(done.notices)
        assert "no bodypart 'tail'; 2 points left out" in told
        assert "kept where the file differs: 2 labels" in told
        np.testing.assert_array_equal(project.labels.annotation(FrameKey("cam", 1)).xy, before)
        assert {conflict.key.bodypart for conflict in project.labels.conflicts.all()} == {"nose", "ear"}
        assert project.labels.complete_keys() == [FrameKey("cam", 1), FrameKey("cam", 2)]
        project.labels.undo()
        assert project.labels.complete_keys() == [FrameKey("cam", 1)]
        project.labels.redo()
        assert project.labels.complete_keys() == [FrameKey("cam", 1), FrameKey("cam", 2)]
    # Twice the same brings nothing new.
    assert finish(import_labels(tmp_path / "lp", ours)).points == 0


def test_several_animals_into_a_project_of_one(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", individuals=("ann", "bob"), frames=(1, 2))
    ours = project_with_labels(tmp_path / "ours", frames=())
    done = finish(import_labels(theirs, ours))
    assert "holds one animal; 4 points of 'bob' left out" in " ".join(done.notices)
    assert done.points == 4


def test_forty_animals_into_a_project_of_two_are_told_in_one_sentence(tmp_path):
    names = tuple(f"worm{i}" for i in range(40))
    theirs = project_with_labels(tmp_path / "theirs", individuals=names, frames=(1, 2))
    ours = project_with_labels(tmp_path / "ours", individuals=("worm0", "worm1"), frames=())
    done = finish(import_labels(theirs, ours))
    assert done.points == 8
    told = [notice for notice in done.notices if "left out" in notice]
    assert told == ["The project has no such individual; 152 points of 'worm2', 'worm3', 'worm4' and 35 more left out."]


def test_several_animals_become_a_project_of_several(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", individuals=("ann", "bob"), frames=(1, 2))
    with open_project(theirs) as project:
        finish(export_labels(project, format_named("sleap"), tmp_path / "a.slp"))
    finish(import_labels(tmp_path / "a.slp", tmp_path / "made"))
    with open_project(theirs) as project, open_project(tmp_path / "made") as made:
        assert made.skeleton.individuals == ("ann", "bob")
        for a, b in zip(project.labels.annotations(), made.labels.annotations(), strict=True):
            assert (a.key, a.individual) == (b.key, b.individual)
            np.testing.assert_array_equal(a.xy, b.xy)
    folder = tmp_path / "made" / "labeled-data" / "cam"
    assert pd.read_hdf(next(folder.glob("*.h5"))).columns.nlevels == 4


def test_no_bodypart_in_common_is_refused(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", bodyparts=("wing",))
    ours = project_with_labels(tmp_path / "ours")
    with pytest.raises(AlPoseError, match=r"wing.*the project has nose, ear"):
        finish(import_labels(theirs, ours))


def test_bodyparts_in_other_letters_are_taken_for_ours_and_told(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", bodyparts=("NOSE", "ear"))
    ours = project_with_labels(tmp_path / "ours", frames=())
    done = finish(import_labels(theirs, ours))
    assert done.points == 2
    assert "Bodyparts are named as in the project: NOSE is nose." in done.notices


def test_shares_of_the_image_are_not_taken_for_pixels(tmp_path):
    shown = {"id": 1, "file_name": "cam/img001.png", "width": 96, "height": 64}
    kind = {"id": 1, "name": "mouse", "keypoints": ["a", "b", "c", "d"]}
    points = [0.5, 0.25, 2, 0.1, 0.9, 2, 1.0, 0.0, 2, 0.75, 0.5, 2]
    one = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": points}
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"images": [shown], "annotations": [one], "categories": [kind]}))
    with pytest.raises(AlPoseError, match=r"All points of .*labels\.json lie between 0 and 1.*pixels"):
        finish(import_labels(path, tmp_path / "made"))
    points[0] = 1.5
    path.write_text(json.dumps({"images": [shown], "annotations": [one], "categories": [kind]}))
    assert finish(import_labels(path, tmp_path / "made")).points == 4


def test_not_visible_stays_not_visible(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=(1, 2))
    with open_project(theirs) as project:
        project.labels.mark_not_visible(FrameKey("cam", 1), "ear")
        finish(export_labels(project, format_named("sleap"), tmp_path / "a.slp"))
    finish(import_labels(tmp_path / "a.slp", tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        states = project.labels.annotation(FrameKey("cam", 1)).states.tolist()
        assert states == [KeypointState.PLACED, KeypointState.NOT_VISIBLE]


# ---- what goes wrong ------------------------------------------------------------------------------


def test_a_cancelled_import_leaves_nothing(data_dir, tmp_path):
    work = import_labels(data_dir / "mpii" / "test_mpii.json", tmp_path / "made")
    for _ in range(4):
        next(work)
    assert list(tmp_path.iterdir())
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_import_into_a_project_takes_its_images_back(data_dir, tmp_path, monkeypatch):
    # Progress is told after each image, however fast they are copied.
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)
    ours = project_with_labels(tmp_path / "ours", bodyparts=("right knee",), frames=(1,))
    before = {path for path in ours.parent.rglob("*") if path.parent.name != "al-pose"}
    with open_project(ours) as project:
        work = import_labels(data_dir / "mpii" / "test_mpii.json", project)
        while not (ours.parent / "labeled-data" / "test_mpii").is_dir():
            assert next(work).stage != "Storing labels"
        monkeypatch.undo()
        with pytest.raises(CancelledError):
            work.throw(CancelledError())
        assert len(project.labels.labelled_keys()) == 1
    assert {path for path in ours.parent.rglob("*") if path.parent.name != "al-pose"} == before


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_an_end_after_the_last_label_was_stored_leaves_labels_their_images(data_dir, tmp_path, end):
    ours = project_with_labels(tmp_path / "ours", bodyparts=("right knee",), frames=(1,))
    with open_project(ours) as project:
        work = import_labels(data_dir / "mpii" / "test_mpii.json", project)
        while next(work).stage != "Storing labels":
            pass
        storing = next(thread for thread in threading.enumerate() if thread.name == "Storing labels")
        storing.join(30)
        if end == "close":
            work.close()
        else:
            assert isinstance(work.throw(CancelledError()), Committed)
            assert finish(work).points == 5
        taken = [key for key in project.labels.labelled_keys() if key.video == "test_mpii"]
        assert len(taken) == 5
        folder = ours.parent / "labeled-data" / "test_mpii"
        assert {key.frame for key in taken} == {int(image.stem) for image in folder.glob("*.jpg")}


def test_what_a_killed_import_left_goes_with_the_next_one(data_dir, tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from napari_al_pose.exchange import import_labels\n"
        "work = import_labels(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "for _ in range(4): next(work)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    source = data_dir / "mpii" / "test_mpii.json"
    subprocess.run([sys.executable, "-c", code, source, tmp_path / "made"], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".new-project-")
    running = tmp_path / left.name.replace(left.name.split("-")[3], str(os.getpid()))
    running.mkdir()  # of an import that is going on
    finish(import_labels(source, tmp_path / "made"))
    assert {path.name for path in tmp_path.iterdir()} == {"made", running.name}


def test_a_folder_with_other_things_is_left_alone(data_dir, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.txt").write_text("mine")
    with pytest.raises(AlPoseError, match="made exists already and is not a project"):
        finish(import_labels(data_dir / "sleap" / "small_robot_minimal.slp", tmp_path / "made"))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["thesis.txt"]


def test_an_image_that_is_none_is_named(data_dir, tmp_path):
    shutil.copytree(data_dir / "mpii", tmp_path / "mpii")
    broken = next((tmp_path / "mpii").glob("*.jpg"))
    broken.chmod(0o644)
    broken.write_bytes(b"no image")
    done = finish(import_labels(tmp_path / "mpii" / "test_mpii.json", tmp_path / "made"))
    assert any(broken.name in notice for notice in done.notices)
    assert done.frames == 5


def test_a_project_that_is_open_elsewhere_is_refused(data_dir, tmp_path):
    ours = project_with_labels(tmp_path / "ours")
    with open_project(ours), pytest.raises(AlPoseError, match="can't be written"):
        finish(import_labels(data_dir / "sleap" / "small_robot_minimal.slp", ours))


def test_images_of_other_sizes_and_grey_ones(tmp_path):
    """A set of images need not be of one size."""
    (tmp_path / "set" / "images").mkdir(parents=True)
    for number, size in ((1, (30, 20)), (2, (50, 60))):
        Image.new("L", size).save(tmp_path / "set" / "images" / f"{number}.png")
    entries = [
        {"image": f"{number}.png", "joints": [[5, 5]] * 16, "joints_vis": [1] * 16, "center": [5, 5], "scale": 1}
        for number in (1, 2)
    ]
    path = Path(tmp_path / "set" / "people.json")
    path.write_text(str(entries).replace("'", '"'))
    finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert project.video("people").open().shape == (2, 60, 50, 3)


def test_hold_out_frames_of_a_project_stay_hold_out(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=(1, 2))
    with open_project(theirs) as project:
        project.labels.roles.set(FrameKey("cam", 2), FrameRole.HOLDOUT)
    finish(import_labels(theirs, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert project.labels.roles.holdout_keys() == [FrameKey("cam", 2)]


def test_bodyparts_that_belong_to_no_individual_come_along(tmp_path):
    columns = [("Ada", who, part, axis) for who in ("ann", "bob") for part in ("nose",) for axis in "xy"]
    columns += [("Ada", "single", "corner", axis) for axis in "xy"]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    rows = pd.MultiIndex.from_tuples([("labeled-data", "cam", f"img{i}.png") for i in range(2)])
    table = pd.DataFrame(np.ones((2, 6)), index=rows, columns=pd.MultiIndex.from_tuples(columns, names=names))
    table.to_csv(tmp_path / "CollectedData_Ada.csv")
    done = finish(import_labels(tmp_path / "CollectedData_Ada.csv", tmp_path / "made"))
    assert done.points == 6
    with open_project(tmp_path / "made") as project:
        assert project.skeleton == Skeleton(("nose",), (), ("ann", "bob"), ("corner",))
        assert len(project.labels.complete_keys()) == 2
        assert project.labels.annotation(FrameKey("cam", 1), "single").xy.tolist() == [[1, 1]]
        slp = finish(export_labels(project, format_named("sleap"), tmp_path / "a.slp"))
        assert any("2 points of 'corner' left out" in notice for notice in slp.notices)
        again = finish(export_labels(project, format_named("deeplabcut"), tmp_path / "again"))
        assert again.points == 6
        assert not any("corner" in notice for notice in again.notices)
    with open_project(tmp_path / "again") as project:
        assert project.labels.annotation(FrameKey("cam", 1), "single").xy.tolist() == [[1, 1]]
    ours = project_with_labels(tmp_path / "ours", bodyparts=("nose",), individuals=("ann", "bob"), frames=())
    done = finish(import_labels(tmp_path / "CollectedData_Ada.csv", ours))
    assert any("no unique bodypart 'corner'; 2 points left out" in notice for notice in done.notices)
    assert done.points == 4


def test_a_track_called_single_is_no_unique_bodypart(tmp_path):
    skeleton, tracks = sio.Skeleton(["nose"]), [sio.Track("single"), sio.Track("x")]
    video = sio.Video.from_filename(str(make_video(tmp_path / "cam.mp4")))
    instances = [sio.Instance.from_numpy(np.ones((1, 2)), skeleton=skeleton, track=track) for track in tracks]
    frame = sio.LabeledFrame(video=video, frame_idx=0, instances=instances)
    sio.save_slp(sio.Labels([frame]), str(tmp_path / "a.slp"), embed=False, verbose=False)
    done = finish(import_labels(tmp_path / "a.slp", tmp_path / "made"))
    assert any("single animal" in notice for notice in done.notices)
    with open_project(tmp_path / "made") as project:
        assert project.skeleton.individuals == ("single animal", "x")


def test_nothing_heavy_is_loaded_before_it_is_needed():
    """The window imports this; SLEAP's and SciPy's readers come with the first file, torch never."""
    heavy = ("torch", "sleap_io", "h5py", "scipy.io", "pandas", "tables")
    code = f"import sys, napari_al_pose.exchange.form_rules; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("separator", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")], ids=["plain", "Excel", "Unicode"]
)
def test_a_table_under_another_name_is_known_by_its_header_however_a_spreadsheet_saved_it(
    tmp_path, separator, encoding
):
    several = "scorer,,,Ada\nindividuals,,,Tom\nbodyparts,,,ä\ncoords,,,x\n"
    shown = "scorer,Ada,Ada\nbodyparts,nose,nose\ncoords,x,visible\n"
    for text, name in ((several, "deeplabcut"), (shown, "lightning-pose")):
        path = tmp_path / "mice.csv"
        path.write_bytes(text.replace(",", separator).encode(encoding))
        assert detect_format(path).name == name
