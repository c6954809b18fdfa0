"""What a table has twice is kept both times, or told; never the first or the last in silence."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.formats.deeplabcut import read_annotations
from napari_al_pose.formats.deeplabcut_labels import read_collected_data
from napari_al_pose.formats.lightning_pose import read_lightning_pose
from napari_al_pose.formats.mpii import read_mpii


def table(path, columns, rows, *, index=None):
    """Write a table; columns are (scorer, bodypart, axis)."""
    made = pd.DataFrame(
        np.array(rows, float),
        index=index or [f"labeled-data/cam/img{i}.png" for i in range(len(rows))],
        columns=pd.MultiIndex.from_tuples(columns, names=["scorer", "bodyparts", "coords"]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    made.to_csv(path) if path.suffix == ".csv" else made.to_hdf(path, key="df_with_missing", mode="w")
    return path


XY = [("Ada", "a", "x"), ("Ada", "a", "y")]


@pytest.fixture(params=["csv", "h5"])
def path(request, tmp_path):
    return tmp_path / "labeled-data" / "cam" / f"CollectedData_Ada.{request.param}"


@pytest.fixture
def csv(tmp_path):
    """A table whose columns need not be unique; pandas writes no other to HDF5."""
    return tmp_path / "labeled-data" / "cam" / "CollectedData_Ada.csv"


def read_in_project(path):
    return read_annotations(path.parent, scorer="Ada", individuals=("",))


def test_two_rows_of_one_image(path):
    index = ["labeled-data/cam/img5.png", "labeled-data\\cam\\img5.png", "labeled-data/cam/img5.png"]
    table(path, XY, [[1, 2], [3, 4], [1, 2]], index=index)
    labels = read_collected_data(path)
    assert [a.xy.tolist() for a in labels.annotations] == [[[1, 2]]]
    assert [a.xy.tolist() for a in labels.duplicates] == [[[3, 4]]]
    assert any("more than once and differently" in notice for notice in labels.notices)
    assert any("two different rows" in notice and str(path) in notice for notice in read_in_project(path).notices)


def test_one_frame_under_two_image_names(path):
    table(path, XY, [[1, 2], [3, 4]], index=["labeled-data/cam/img5.png", "labeled-data/cam/img05.png"])
    labels = read_collected_data(path)
    assert len(labels.annotations) == len(labels.duplicates) == 1
    assert labels.annotations[0].key == FrameKey("cam", 5)


def test_images_of_two_cameras_and_those_without_numbers_are_frames_of_their_own(path):
    index = [f"labeled-data/cam/{name}.png" for name in ("left5", "right5", "top")]
    table(path, XY, [[1, 2], [3, 4], [5, 6]], index=index)
    labels = read_collected_data(path)
    by_image = {labels.video("cam").pictures[a.key.frame].path: a.xy[0, 0] for a in labels.annotations}
    assert by_image == {
        "labeled-data/cam/left5.png": 1,
        "labeled-data/cam/right5.png": 3,
        "labeled-data/cam/top.png": 5,
    }
    assert any("2 images without a frame number of their own" in notice for notice in labels.notices)


def test_two_columns_of_one_bodypart(csv):
    table(csv, [*XY, *XY], [[1, 2, 9, 9], [np.nan, np.nan, 3, 4]])
    for labels in (read_collected_data(csv), read_in_project(csv)):
        assert any("2 different columns for 'a'" in notice and str(csv) in notice for notice in labels.notices)
    assert [a.xy.tolist() for a in read_collected_data(csv).annotations] == [[[1, 2]], [[3, 4]]]


def test_equal_columns_of_one_bodypart_lose_nothing(csv):
    """What DeepLabCut writes where config.yaml lists a bodypart twice."""
    table(csv, [*XY, *XY], [[1, 2, 1, 2]])
    labels = read_collected_data(csv)
    assert any("2 equal columns for 'a'" in notice for notice in labels.notices)
    assert labels.annotations[0].xy.tolist() == [[1, 2]]


def test_two_scorers(path):
    table(path, [*XY, ("Bob", "a", "x"), ("Bob", "a", "y")], [[1, 2, 3, 4]])
    labels = read_collected_data(path)
    assert labels.annotations[0].xy.tolist() == [[1, 2]]
    assert any("several scorers (Ada, Bob)" in notice for notice in labels.notices)


# ---- Lightning Pose, MPII -------------------------------------------------------------------------


def test_lightning_pose_rows_columns_and_scorers(tmp_path):
    index = ["labeled-data/cam/img5.png"] * 2
    labels = read_lightning_pose(table(tmp_path / "a.csv", XY, [[1, 2], [3, 4]], index=index))
    assert [a.xy.tolist() for a in labels.annotations] == [[[1, 2]]]
    assert [a.xy.tolist() for a in labels.duplicates] == [[[3, 4]]]
    with pytest.raises(AlPoseError, match=r"b\.csv has the column x of 'a' twice"):
        read_lightning_pose(table(tmp_path / "b.csv", [*XY, *XY], [[1, 2, 3, 4]]))
    two = [*XY, ("Bob", "a", "x"), ("Bob", "a", "y"), ("Bob", "b", "x"), ("Bob", "b", "y")]
    labels = read_lightning_pose(table(tmp_path / "c.csv", two, [[1, 2, 3, 4, 5, 6]]))
    assert labels.skeleton.bodyparts == ("a",)
    assert labels.annotations[0].xy.tolist() == [[1, 2]]
    assert any("several scorers; those of Bob" in notice for notice in labels.notices)


def test_mpii_entries(tmp_path):
    person = {"image": "1.png", "joints": [[5, 5]] * 16, "joints_vis": [1] * 16, "center": [5, 5], "scale": 1}
    other = person | {"joints": [[6, 6]] * 16}
    (tmp_path / "m.json").write_text(json.dumps([person, other, person]))
    labels = read_mpii(tmp_path / "m.json")
    assert len(labels.annotations) == 2
    assert any("1 repeated entry counted once" in notice for notice in labels.notices)


def test_results_of_a_model_are_no_labels(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": 1, "keypoints": [1, 2, 3], "score": 0.9}]))
    with pytest.raises(AlPoseError, match="results of a model"):
        read_mpii(tmp_path / "r.json")
