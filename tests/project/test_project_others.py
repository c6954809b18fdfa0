"""What other programs do to a project that is open here is merged, and said; never written over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from project_tools import BODYPARTS, collected, make_video, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.project import open_project

XY = np.arange(12, dtype=float).reshape(2, 3, 2) + 1
KEY = FrameKey("mouse", 5)


def table(root):
    return pd.read_hdf(root / "labeled-data" / "mouse" / "CollectedData_Me.h5")


def test_a_bodypart_added_outside_survives_a_rename_here(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        write_config(project_root, bodyparts=(*BODYPARTS, "paw"), skeleton="[[nose, paw]]", extra="# theirs\n")
        project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert project.skeleton.bodyparts == ("snout", "ear", "tail", "paw")
        assert project.skeleton.links == (("snout", "paw"),)
        assert any("'paw'" in notice and "another program" in notice for notice in project.notices)
        project.labels.place(KEY, "paw", 3.0, 4.0)
        project.export_labels()
    written = read_config(project_root / "config.yaml")
    assert written.bodyparts == ("snout", "ear", "tail", "paw")
    assert written.skeleton == (("snout", "paw"),)
    assert "# theirs" in (project_root / "config.yaml").read_text()
    assert set(table(project_root).columns.get_level_values("bodyparts")) == {"snout", "ear", "tail", "paw"}
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[[0, 3]].tolist() == [[1, 2], [3, 4]]


def test_a_bodypart_taken_away_outside_is_not_brought_back_by_a_rename_here(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        write_config(project_root, bodyparts=("nose", "ear"))
        before = (project_root / "config.yaml").read_text()
        with pytest.raises(AlPoseError, match="no longer lists 'tail'"):
            project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert (project_root / "config.yaml").read_text() == before
        assert project.skeleton.bodyparts == BODYPARTS


def test_a_video_added_outside_stays_when_one_is_added_here(project_root):
    with open_project(project_root) as project:
        write_config(project_root, video_sets="  /theirs/other.mp4:\n    crop: 0, 64, 0, 48\n")
        project.add_videos([make_video(project_root.parent / "cam1.mp4", n=4)])
    listed = [entry.path for entry in read_config(project_root / "config.yaml").video_sets]
    assert listed == ["/theirs/other.mp4", str(project_root / "videos" / "cam1.mp4")]


@pytest.mark.parametrize("all_rows", [False, True])
def test_a_row_dropped_elsewhere_that_comes_back_says_so(project_root, all_rows):
    path = save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.place(KEY, "nose", 8.0, 9.0)
        project.export_labels()
        if all_rows:
            path.unlink()
            path.with_suffix(".csv").unlink()
        else:
            left = collected(XY[1:], ["img012.png"], video="mouse")
            left.to_hdf(path, key="df_with_missing", mode="w")
            left.to_csv(path.with_suffix(".csv"))
        project.export_labels()
        (notice,) = [notice for notice in project.notices if "another program removed" in notice]
        assert ("frames 5, 12" if all_rows else "the row of frame 5") in notice
        assert len(table(project_root)) == 2
        project.export_labels()
        assert sum("another program removed" in notice for notice in project.notices) == 1


def test_a_row_that_was_cleared_here_too_is_no_news(project_root):
    path = save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.clear_frame(KEY)
        left = collected(XY[1:], ["img012.png"], video="mouse")
        left.to_hdf(path, key="df_with_missing", mode="w")
        left.to_csv(path.with_suffix(".csv"))
        project.export_labels()
        assert not any("another program removed" in notice for notice in project.notices)
        assert len(table(project_root)) == 1


def test_a_cleared_point_stays_cleared_when_the_project_is_opened_again(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.clear(KEY, "nose")
        project.export_labels()
        assert np.isnan(table(project_root).iloc[0].tolist()[:2]).all()
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).states.tolist() == [KeypointState.UNSEEN, *[KeypointState.PLACED] * 2]
        assert not project.labels.conflicts.all()
        project.labels.undo()
        project.export_labels()
    np.testing.assert_array_equal(table(project_root).to_numpy().reshape(2, 3, 2), XY)


def test_a_cleared_point_takes_no_value_of_another_program_with_it(project_root):
    path = save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.clear(KEY, "nose")
        changed = XY.copy()
        changed[0, 1] = 33  # theirs, of the same row
        theirs = collected(changed, ["img005.png", "img012.png"], video="mouse")
        theirs.to_hdf(path, key="df_with_missing", mode="w")
        theirs.to_csv(path.with_suffix(".csv"))
        project.export_labels()
        assert project.labels.annotation(KEY).xy[1].tolist() == [33, 33]
    row = table(project_root).iloc[0].tolist()
    assert np.isnan(row[:2]).all()
    assert row[2:4] == [33, 33]


def test_rows_that_name_only_their_images_are_labels_and_get_their_folder_once_edited(project_root):
    path = save_labels(project_root, XY, [5, 12])
    made = table(project_root)
    made.index = [row[-1] for row in made.index]
    made.to_hdf(path, key="df_with_missing", mode="w")
    made.to_csv(path.with_suffix(".csv"))
    before = path.read_bytes()
    with open_project(project_root) as project:
        assert any("names 2 images without a folder" in notice for notice in project.notices)
        np.testing.assert_array_equal(project.labels.annotation(KEY).xy, XY[0])
        project.export_labels()
        assert path.read_bytes() == before  # opening is no reason to touch another program's file
        project.labels.place(KEY, "nose", 8.0, 9.0)
        project.export_labels()
    written = table(project_root)
    assert list(written.index) == [("labeled-data", "mouse", f"img{frame:03d}.png") for frame in (5, 12)]
    np.testing.assert_array_equal(written.to_numpy()[0], [8, 9, *XY[0, 1:].ravel()])
    np.testing.assert_array_equal(written.to_numpy()[1], XY[1].ravel())
    (kept,) = (project_root / "al-pose" / "backups" / "mouse").glob("*for-good*/*.h5")
    assert kept.read_bytes() == before
    with open_project(project_root) as project:
        assert not any("without a folder" in notice for notice in project.notices)
        assert len(project.labels.labelled_keys()) == 2
