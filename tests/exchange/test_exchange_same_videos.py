"""Labels of a video of the same name that is another video, or of the same video under another name."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from exchange_tools import project_with_labels
from PIL import Image

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.steps import finish
from napari_al_pose.exchange import export_labels, format_named, import_labels
from napari_al_pose.project import open_project


def test_another_video_of_that_name_gets_a_name_of_its_own(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", n=25, frames=(1, 2), shift=9)
    done = finish(import_labels(theirs, ours))
    assert done.frames == 2
    assert any(
        "The labels' cam is not the project's video of that name; it is called cam-2 here" in n for n in done.notices
    )
    with open_project(ours) as project:
        assert [video.name for video in project.videos] == ["cam", "cam-2"]
        assert project.labels.labelled_keys() == [FrameKey("cam", 1), FrameKey("cam-2", 1), FrameKey("cam-2", 2)]
        with closing(project.video("cam-2").open()) as source:
            assert len(source) == 25
        assert not project.labels.conflicts.all()
        assert len(list((project.root / "labeled-data" / "cam-2").glob("*.png"))) == 2
        assert len(list((project.root / "labeled-data" / "cam").glob("*.png"))) == 1


def test_the_same_video_under_another_name_takes_the_projects(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", frames=(2,))
    with open_project(theirs) as project:
        finish(export_labels(project, format_named("sleap"), tmp_path / "other.slp"))
    # The project calls it otherwise.
    with open_project(ours) as project:
        project.add_videos([_copy(tmp_path / "theirs" / "footage" / "cam.mp4", tmp_path / "walk.mp4", change=True)])
    theirs2 = project_with_labels(tmp_path / "theirs2", frames=(3,))
    shutil.copy(tmp_path / "walk.mp4", next((theirs2.parent / "videos").glob("cam.mp4")).resolve())
    done = finish(import_labels(theirs2, ours))
    assert any("The labels' video cam is the project's walk" in notice for notice in done.notices)
    done = finish(import_labels(tmp_path / "other.slp", ours))
    assert not any("is not the project's video" in notice or "by name alone" in notice for notice in done.notices)
    with open_project(ours) as project:
        assert project.labels.labelled_keys() == [FrameKey("cam", 1), FrameKey("cam", 2), FrameKey("walk", 3)]


def _copy(source: Path, target: Path, *, change: bool) -> Path:
    shutil.copy(source, target)
    if change:
        with target.open("ab") as file:
            file.write(bytes(16))
    return target


@pytest.mark.parametrize("same", [True, False])
def test_where_the_video_is_missing_the_pictures_decide(tmp_path, same):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", frames=(12, 13))
    root = theirs.parent
    (root / "videos" / "cam.mp4").unlink()
    shutil.rmtree(tmp_path / "theirs" / "footage")
    if not same:
        for image in (root / "labeled-data" / "cam").glob("*.png"):
            Image.new("RGB", (96, 64), (200, 20, 20)).save(image)
    done = finish(import_labels(root, ours))
    assert any("is not the project's video" in notice for notice in done.notices) is not same
    with open_project(ours) as project:
        name = "cam" if same else "cam-2"
        assert [k for k in project.labels.labelled_keys() if k.frame > 1] == [FrameKey(name, 12), FrameKey(name, 13)]
        if not same:
            with closing(project.video(name).open()) as source:
                assert np.median(source[0][..., 0]) == 200


def test_a_name_alone_is_said_to_be_one(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", frames=(2,))
    root = theirs.parent
    shutil.rmtree(tmp_path / "theirs" / "footage")
    for image in (root / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    done = finish(import_labels(root, ours))
    assert any("by name alone" in notice and "cam" in notice for notice in done.notices)


def test_importing_twice_brings_nothing_new(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    theirs = project_with_labels(tmp_path / "theirs", n=25, frames=(2,))
    assert finish(import_labels(theirs, ours)).points == 2
    again = finish(import_labels(theirs, ours))
    assert again.points == 0
    with open_project(ours) as project:
        assert [video.name for video in project.videos] == ["cam", "cam-2"]
