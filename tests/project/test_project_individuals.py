"""Several animals: DeepLabCut's multi-animal projects are read and written as DeepLabCut does it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from project_tools import make_video, save_images, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.project import create_project, open_project

KEY = FrameKey("mouse", 5)
CONFIG = """\
Task: t
scorer: Me
multianimalproject: true
video_sets:
  /gone/mouse.mp4:
    crop: 0, 64, 0, 48
individuals:
- a
- b
uniquebodyparts:
- corner
multianimalbodyparts:
- nose
- tail
bodyparts: MULTI!
"""


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "multi"
    save_images(root, [5, 12])
    (root / "config.yaml").write_text(CONFIG)
    return root


def read_h5(root) -> pd.DataFrame:
    return pd.read_hdf(root / "labeled-data" / "mouse" / "CollectedData_Me.h5", "df_with_missing")


def save_as_deeplabcut(root, rows: dict[str, list[float]], individuals=("a", "b")) -> None:
    """Write rows of (a nose, a tail, b nose, b tail, ..., corner), x and y each."""
    names = [(who, part) for who in individuals for part in ("nose", "tail")] + [("single", "corner")]
    columns = pd.MultiIndex.from_tuples(
        [("Me", *name, axis) for name in names for axis in "xy"], names=["scorer", "individuals", "bodyparts", "coords"]
    )
    index = pd.MultiIndex.from_tuples([("labeled-data", "mouse", image) for image in rows])
    table = pd.DataFrame(np.array(list(rows.values()), float), index=index, columns=columns)
    path = root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    table.to_hdf(path, key="df_with_missing", mode="w")
    table.to_csv(path.with_suffix(".csv"))


def test_columns_are_written_as_deeplabcut_has_them(root):
    with open_project(root) as project:
        assert project.individuals == ("a", "b")
        project.labels.place_many(KEY, {"nose": (1, 2), "tail": (3, 4)}, individual="b")
        project.export_labels()
    table = read_h5(root)
    assert list(table.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    assert [column[1:3] for column in table.columns[::2]] == [
        ("a", "nose"), ("a", "tail"), ("b", "nose"), ("b", "tail"), ("single", "corner")
    ]  # fmt: skip
    np.testing.assert_array_equal(table.iloc[0].to_numpy(), [np.nan] * 4 + [1, 2, 3, 4] + [np.nan] * 2)
    csv = pd.read_csv(
        root / "labeled-data" / "mouse" / "CollectedData_Me.csv", header=[0, 1, 2, 3], index_col=[0, 1, 2]
    )
    np.testing.assert_array_equal(csv.to_numpy(float), table.to_numpy())


def test_deeplabcuts_own_labels_are_read_and_unique_bodyparts_too(root):
    nan = np.nan
    save_as_deeplabcut(
        root, {"img005.png": [1, 2, nan, nan, nan, nan, nan, nan, 40, 41], "img012.png": [*range(8), 42, 43]}
    )
    with open_project(root) as project:
        a, b = (project.labels.annotation(KEY, who) for who in ("a", "b"))
        assert a.states.tolist() == [KeypointState.PLACED, KeypointState.NOT_VISIBLE]
        assert b.is_empty, "an animal without any point is not there, not hidden"
        assert project.labels.annotation(KEY, "single").xy.tolist() == [[40, 41]]
        assert len(project.labels.complete_keys()) == 2
        project.labels.place_many(KEY, {"nose": (7, 8), "tail": (9, 10)}, individual="b")
        project.export_labels()
    np.testing.assert_array_equal(read_h5(root).iloc[0].to_numpy(), [1, 2, nan, nan, 7, 8, 9, 10, 40, 41])
    assert read_h5(root).iloc[1].tolist() == [*range(8), 42, 43]


def test_unique_bodyparts_are_labelled_written_and_taken_back_like_all_others(root):
    with open_project(root) as project:
        labels = project.labels
        assert project.skeleton.keypoints[-1] == ("single", "corner")
        labels.place_many(KEY, {"nose": (1, 2), "tail": (3, 4)}, individual="a")
        labels.place(KEY, "corner", 50, 40, individual="single")
        labels.place(FrameKey("mouse", 12), "corner", 51, 41, individual="single")
        assert [a.individual for a in labels.annotations()] == ["a"]
        assert [a.individual for a in labels.annotations(unique=True)] == ["a", "single", "single"]
        with pytest.raises(ValueError, match="corner"):
            labels.place(KEY, "corner", 1, 1, individual="a")
        with pytest.raises(ValueError, match="nose"):
            labels.place(KEY, "nose", 1, 1, individual="single")
        project.export_labels()
        nan = np.nan
        np.testing.assert_array_equal(
            read_h5(root).to_numpy(), [[1, 2, 3, 4, nan, nan, nan, nan, 50, 40], [*[nan] * 8, 51, 41]]
        )
        labels.undo()
        project.export_labels()
        assert len(read_h5(root)) == 1, "the row of a frame without labels goes"
        labels.clear(KEY, "corner", individual="single")
        assert KEY in labels.complete_keys()
        project.export_labels()
        np.testing.assert_array_equal(read_h5(root).to_numpy()[0, -2:], [nan, nan])
        assert [a.individual for a in labels.history.of(KEY)[-1].annotations] == ["a", "b", "single"]
        labels.history.bring_back(KEY, labels.history.of(KEY)[1].action)
        assert labels.annotation(KEY, "single").xy.tolist() == [[50, 40]]


def test_unique_bodyparts_that_others_changed_are_merged_or_shown_as_conflicts(root):
    save_as_deeplabcut(root, {"img005.png": [*range(8), 40, 41], "img012.png": [*range(8), 42, 43]})
    with open_project(root) as project:
        project.labels.place(KEY, "corner", 44, 45, individual="single")
    save_as_deeplabcut(root, {"img005.png": [*range(8), 46, 47], "img012.png": [*range(8), 48, 49]})
    with open_project(root) as project:
        assert project.labels.annotation(KEY, "single").xy.tolist() == [[44, 45]]
        assert project.labels.annotation(FrameKey("mouse", 12), "single").xy.tolist() == [[48, 49]]
        (conflict,) = project.labels.conflicts.all()
        assert (conflict.key.individual, conflict.key.bodypart, conflict.theirs.x) == ("single", "corner", 46)


def test_a_frame_with_half_of_the_unique_bodyparts_is_not_complete(root):
    (root / "config.yaml").write_text(CONFIG.replace("- corner", "- corner\n- lamp"))
    with open_project(root) as project:
        project.labels.place_many(KEY, {"nose": (1, 2), "tail": (3, 4)}, individual="a")
        project.labels.place(KEY, "corner", 1, 1, individual="single")
        assert project.labels.complete_keys() == []
        project.labels.mark_not_visible(KEY, "lamp", individual="single")
        assert project.labels.complete_keys() == [KEY]


@pytest.mark.parametrize(("old", "new", "why"), [("- corner", "- nose", "'nose'"), ("- b", "- single", "'single'")])
def test_unique_bodyparts_whose_names_are_taken_are_kept_in_the_files_and_told(root, old, new, why):
    (root / "config.yaml").write_text(CONFIG.replace(old, new))
    with open_project(root) as project:
        assert project.skeleton.unique_bodyparts == ()
        assert any("cannot be labelled here" in notice and why in notice for notice in project.notices)


def test_individual_is_added_here_and_in_config(root):
    with open_project(root) as project:
        project.labels.place_many(KEY, {"nose": (1, 2), "tail": (3, 4)}, individual="a")
        project.add_individual(" c ")
        assert project.individuals == ("a", "b", "c")
        project.labels.place_many(KEY, {"nose": (5, 6), "tail": (7, 8)}, individual="c")
        project.export_labels()
        for name in ("a", "", "single", "x/y"):
            with pytest.raises(AlPoseError, match="cannot be the name"):
                project.add_individual(name)
    assert read_config(root / "config.yaml").individuals == ("a", "b", "c")
    table = read_h5(root)
    assert table["Me"]["c"].iloc[0].tolist() == [5, 6, 7, 8]
    with open_project(root) as project:
        assert project.labels.annotation(KEY, "c").xy.tolist() == [[5, 6], [7, 8]]


def test_single_animal_project_says_why_it_takes_no_other(project_root):
    write_config(project_root)
    with open_project(project_root) as project:
        assert project.individuals == ("",)
        with pytest.raises(AlPoseError, match="single animal"):
            project.add_individual("b")


def test_bodyparts_are_edited_for_every_individual(root):
    save_as_deeplabcut(root, {"img005.png": [*range(8), 40, 41]})
    with open_project(root) as project:
        project.edit_skeleton(SkeletonEdit(("tail", "snout"), renamed=(("nose", "snout"),)))
        assert project.labels.annotation(KEY, "b").xy.tolist() == [[6, 7], [4, 5]]
    config = read_config(root / "config.yaml")
    assert config.bodyparts == ("tail", "snout")
    assert "bodyparts: MULTI!" in (root / "config.yaml").read_text()
    table = read_h5(root)
    assert table["Me"]["a"].columns.get_level_values(0)[::2].tolist() == ["tail", "snout"]
    with open_project(root) as project:
        assert project.labels.annotation(KEY, "single").xy.tolist() == [[40, 41]]
        with pytest.raises(AlPoseError, match="corner"):
            project.edit_skeleton(SkeletonEdit(("tail", "corner")))
    assert table.iloc[0].tolist() == [2, 3, 0, 1, 6, 7, 4, 5, 40, 41]


def test_individual_config_does_not_list_is_kept_and_named(root):
    save_as_deeplabcut(root, {"img005.png": [*range(12), 40, 41]}, individuals=("a", "b", "stranger"))
    with open_project(root) as project:
        assert any("'stranger'" in notice and "not shown" in notice for notice in project.notices)
        project.labels.place(KEY, "nose", 50, 60, individual="a")
        project.export_labels()
    assert read_h5(root)["Me"]["stranger"].iloc[0].tolist() == [8, 9, 10, 11]


def test_new_project_of_several_animals(tmp_path):
    video = make_video(tmp_path / "mouse.mp4", n=5)
    options = {"task": "t", "scorer": "Me", "bodyparts": ("nose", "tail"), "videos": [video]}
    config = create_project(tmp_path, individuals=("a", "b"), **options)
    read = read_config(config)
    assert read.multianimal
    assert (read.individuals, read.bodyparts, read.unique_bodyparts) == (("a", "b"), ("nose", "tail"), ())
    with open_project(config) as project:
        project.labels.place_many(FrameKey("mouse", 2), {"nose": (1, 2), "tail": (3, 4)}, individual="b")
        project.export_labels()
    with pytest.raises(AlPoseError, match="single"):
        create_project(tmp_path / "..", individuals=("single",), **options)
