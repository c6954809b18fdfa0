"""Projects with labels in every form met in the wild: each is read right, or refused with the row named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_tools import BODYPARTS, collected, make_video, save_images, save_labels

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.project import open_project

XY = np.array([[[1.0, 2], [3, 4], [5, 6]], [[7, 8], [np.nan, np.nan], [9, 10]]])
IMAGES = ["img005.png", "img012.png"]


def table(xy=XY) -> pd.DataFrame:
    return collected(xy, IMAGES, video="mouse")


def save(root: Path, made: pd.DataFrame, *, h5=True, csv=True, key="df_with_missing") -> Path:
    path = root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    if h5:
        made.to_hdf(path, key=key, mode="w")
    if csv:
        made.to_csv(path.with_suffix(".csv"))
    return path


def one_column(separator: str) -> pd.DataFrame:
    made = table()
    made.index = [separator.join(row) for row in made.index]
    return made


def with_likelihood() -> pd.DataFrame:
    made = table()
    for part in BODYPARTS:
        made[("Me", part, "likelihood")] = 0.5
    return made[[("Me", part, axis) for part in BODYPARTS for axis in ("x", "y", "likelihood")]]


def two_keys(root: Path) -> None:
    path = save(root, table())
    table(XY + 50).to_hdf(path, key="machinelabels", mode="a")


def machine_labels_beside(root: Path) -> None:
    save(root, table())
    table(XY + 50).to_hdf(root / "labeled-data" / "mouse" / "machinelabels-iter0.h5", key="df_with_missing", mode="w")


FORMS: dict[str, Callable[[Path], object]] = {
    "three-column index": lambda root: save(root, table()),
    "one-column index": lambda root: save(root, one_column("/")),
    "backslashes": lambda root: save(root, one_column("\\")),
    "only h5": lambda root: save(root, table(), csv=False),
    "only csv": lambda root: save(root, table(), h5=False),
    "only csv with a one-column index": lambda root: save(root, one_column("\\"), h5=False),
    "likelihoods": lambda root: save(root, with_likelihood()),
    "likelihoods, only csv": lambda root: save(root, with_likelihood(), h5=False),
    "bodyparts in another order": lambda root: save(
        root, table()[[("Me", part, axis) for part in reversed(BODYPARTS) for axis in "xy"]]
    ),
    "rows in another order": lambda root: save(root, table().iloc[::-1]),
    "the same rows twice": lambda root: save(root, pd.concat([table(), table()])),
    "another key": lambda root: save(root, table(), key="keypoints"),
    "two keys": two_keys,
    "machinelabels beside": machine_labels_beside,
    "labels of whole pixels": lambda root: save(root, table().fillna(0).astype(int).where(table().notna())),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_right_and_written_as_deeplabcut_expects(project_root, form):
    save_images(project_root, [5, 12])
    FORMS[form](project_root)
    with open_project(project_root) as project:
        first, second = (project.labels.annotation(FrameKey("mouse", frame)) for frame in (5, 12))
        np.testing.assert_array_equal(np.stack([first.xy, second.xy]), XY)
        assert second.states.tolist() == [KeypointState.PLACED, KeypointState.NOT_VISIBLE, KeypointState.PLACED]
        assert ["further tables" in notice for notice in project.notices] == ([True] if form == "two keys" else [])
        assert project.labels.conflicts.all() == []
        project.labels.place(FrameKey("mouse", 5), "nose", 11, 12)
        project.export_labels()
    written = pd.read_hdf(project_root / "labeled-data" / "mouse" / "CollectedData_Me.h5", "df_with_missing")
    assert list(written.columns) == list(table().columns), "the order of config.yaml and no likelihood"
    assert [*written.index] == [("labeled-data", "mouse", image) for image in IMAGES]
    assert written.dtypes.unique() == [np.dtype(np.float64)]
    np.testing.assert_array_equal(written.to_numpy()[:, 2:].ravel(), table().to_numpy()[:, 2:].ravel())


def test_whole_numbers_only(project_root):
    save_images(project_root, [5, 12])
    save(project_root, table(np.arange(12).reshape(2, 3, 2)).astype(int))
    with open_project(project_root) as project:
        assert project.labels.annotation(FrameKey("mouse", 12)).xy.tolist() == [[6, 7], [8, 9], [10, 11]]
        assert project.notices == ()


def test_rows_that_contradict_each_other_are_named(project_root):
    save(project_root, pd.concat([table(), table(XY + 1)]))
    with open_project(project_root) as project:
        assert any("mouse/img005.png" in notice and "two different rows" in notice for notice in project.notices)
        assert project.labels.annotation(FrameKey("mouse", 5)).xy[0].tolist() == [1, 2]


@pytest.mark.parametrize("place", [[-5, 20], [20, -3], [64, 20], [20, 900]])
def test_points_outside_the_image_are_shown_and_their_row_is_named(project_root, place):
    save_images(project_root, [5, 12], size=(64, 48))
    xy = XY.copy()
    xy[1, 2] = place
    save(project_root, table(xy))
    with open_project(project_root) as project:
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[2].tolist() == place
        (notice,) = [notice for notice in project.notices if "outside" in notice]
        assert "'tail'" in notice
        assert "mouse/img012.png" in notice
        assert "64 x 48" in notice


@pytest.mark.filterwarnings("ignore:.*PyTables will pickle")
@pytest.mark.parametrize("only", ["csv", "h5"])
def test_what_is_no_number_is_named_with_its_row(project_root, only):
    path = save_labels(project_root, XY, [5, 12])
    made = table().astype(object)
    made.iloc[1, 0] = "seven"
    save(project_root, made, h5=only == "h5", csv=True)
    if only == "csv":
        path.unlink()
    before = path.with_suffix(".csv").read_bytes()
    with open_project(project_root) as project:
        (notice,) = project.notices
        assert "img012" in notice
        assert "'seven'" in notice or only == "h5"
        assert project.labels.labelled_keys() == []
    assert path.with_suffix(".csv").read_bytes() == before


SAID: dict[str, tuple[Callable[[Path], object], str]] = {
    "bodyparts that became numbers": (
        lambda root: save(root, collected(XY, IMAGES, video="mouse", bodyparts=("0", "1", "2"))),
        r"labels of '0', '1', '2', .* kept there and not shown\. Rename them there if they are 'nose', 'ear', 'tail'\.",
    ),
    "bodyparts in capital letters": (
        lambda root: save(root, collected(XY, IMAGES, video="mouse", bodyparts=("Nose", "ear", "tail"))),
        r"labels of 'Nose', .* Rename them there if they are 'nose'\.",
    ),
    "another scorer inside": (
        lambda root: save(root, collected(XY, IMAGES, video="mouse", scorer="You")),
        "names the scorer You inside; its labels were read, and belong to Me now",
    ),
    "zeros for what is not there": (
        lambda root: save(root, table(np.where(np.isnan(XY), 0, XY))),
        r"1 point lies at exactly \(0, 0\), such as 'ear' in the row mouse/img012\.png",
    ),
    "a point outside an image of unknown size": (
        lambda root: (
            make_video(root / "videos" / "mouse.mp4"),
            save(root, table(XY - [2, 0])),
        ),
        r"'nose' at \(-1, 2\) in the row mouse/img005\.png lies outside its image\.",
    ),
    "a folder that differs from the video in capital letters": (
        lambda root: (
            make_video(root / "videos" / "Mouse.mp4"),
            save_images(root, [5, 12]),
            save(root, table()),
        ),
        "Mouse and mouse in .* differ in capital letters alone and count as 2 videos",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_was_guessed_or_left_out_is_said_once(project_root, case):
    make, said = SAID[case]
    make(project_root)
    with open_project(project_root) as project:
        assert len([notice for notice in project.notices if re.search(said, notice)]) == 1


@pytest.mark.parametrize("read_only", [False, True])
def test_labels_in_files_of_other_names_are_told(project_root, read_only):
    path = save(project_root, table())
    path.with_suffix(".csv").rename(path.with_name("labels of May.csv"))
    table().to_csv(path.with_name("CollectedData_Anna.csv"))
    table().to_csv(path.with_name("machinelabels-iter0.csv"))
    (path.parent / "weights.csv").write_text("frame,weight\n1,2\n")
    with open_project(project_root, read_only=read_only) as project:
        (told,) = [notice for notice in project.notices if "not read" in notice]
    assert "2 files look like labels and are not read (mouse/CollectedData_Anna.csv, mouse/labels of May.csv" in told


def test_a_folder_that_can_have_no_video_s_name_is_told(project_root):
    folder = project_root / "labeled-data" / "mouse "
    folder.mkdir(parents=True)
    with open_project(project_root) as project:
        (told,) = [notice for notice in project.notices if "left out" in notice]
    assert repr(str(folder)) in told
