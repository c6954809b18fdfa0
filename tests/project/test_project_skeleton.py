"""Bodyparts are renamed, reordered, added and removed, and labels, config.yaml and CollectedData follow together."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

import numpy as np
import pandas as pd
import pytest
from project_tools import save_images, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState, Prediction, Skeleton, Suggestion
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, edited_skeleton
from napari_al_pose.domain.suggestion import BodypartReason
from napari_al_pose.formats import annotation_writing
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.project import open_project, project, skeleton_change

XY = np.array([[[1.0, 2], [3, 4], [5, 6]], [[7, 8], [np.nan, np.nan], [9, 10]]])
KEY = FrameKey("mouse", 5)
COMMENTED = """\
# a comment on top
Task: reach
scorer: Me
date: May1
multianimalproject:
video_sets:
  C:\\gone\\mouse.mp4:
    crop: 0, 64, 0, 48
bodyparts:
- nose  # the very tip
- ear
- tail  # its base

# Fraction of the video
start: 0
skeleton:
- - nose
  - ear

# Colours
skeleton_color: black
"""


@pytest.fixture
def root(project_root):
    (project_root / "config.yaml").write_text(COMMENTED)
    save_labels(project_root, XY, [5, 12])
    save_images(project_root, [5, 12])
    return project_root


def read_h5(root) -> pd.DataFrame:
    return pd.read_hdf(root / "labeled-data" / "mouse" / "CollectedData_Me.h5", "df_with_missing")


def points(root) -> dict[str, list[float]]:
    """Return the first row of the h5 by bodypart, and check that the csv says the same."""
    table = read_h5(root)
    csv = pd.read_csv(root / "labeled-data" / "mouse" / "CollectedData_Me.csv", header=[0, 1, 2], index_col=[0, 1, 2])
    np.testing.assert_array_equal(csv.to_numpy(float), table.to_numpy())
    assert list(csv.columns) == list(table.columns)
    return {name: table.iloc[0]["Me"][name].tolist() for name in dict.fromkeys(table.columns.get_level_values(1))}


def labelled(project, key=KEY) -> dict[str, list[float]]:
    return dict(zip(project.skeleton.bodyparts, project.labels.annotation(key).xy.tolist(), strict=True))


def test_rename_and_reorder_carry_labels_files_and_comments(root):
    with open_project(root) as project:
        back = project.edit_skeleton(
            SkeletonEdit(("tail", "snout", "ear"), (("snout", "tail"),), renamed=(("nose", "snout"),))
        )
        assert labelled(project) == {"tail": [5, 6], "snout": [1, 2], "ear": [3, 4]}
        assert project.labels.complete_keys() == [KEY, FrameKey("mouse", 12)]
        assert list(points(root).items()) == [("tail", [5, 6]), ("snout", [1, 2]), ("ear", [3, 4])]
        text = " ".join((root / "config.yaml").read_text().split())
        for kept in ("# a comment on top", "- snout # the very tip", "- tail # its base", "# Fraction", "# Colours"):
            assert kept in text
        assert read_config(root / "config.yaml").skeleton == (("snout", "tail"),)
        project.edit_skeleton(back)
    assert (root / "config.yaml").read_text() == COMMENTED
    assert list(points(root).items()) == [("nose", [1, 2]), ("ear", [3, 4]), ("tail", [5, 6])]
    with open_project(root) as project:
        assert ["is missing" in notice for notice in project.notices] == [True], "only the video that is not there"
        assert labelled(project) == {"nose": [1, 2], "ear": [3, 4], "tail": [5, 6]}


def test_two_bodyparts_swap_names(root):
    with open_project(root) as project:
        project.edit_skeleton(SkeletonEdit(("nose", "ear", "tail"), renamed=(("nose", "ear"), ("ear", "nose"))))
        assert labelled(project) == {"nose": [3, 4], "ear": [1, 2], "tail": [5, 6]}
    assert points(root) == {"nose": [3, 4], "ear": [1, 2], "tail": [5, 6]}
    with open_project(root) as project:
        assert ["is missing" in notice for notice in project.notices] == [True], "only the video that is not there"
        assert labelled(project) == {"nose": [3, 4], "ear": [1, 2], "tail": [5, 6]}


def test_removed_bodypart_is_archived_and_comes_back(root):
    with open_project(root) as project:
        project.labels.place_many(FrameKey("mouse", 20), {"nose": (1, 1), "tail": (2, 2)})
        project.edit_skeleton(SkeletonEdit(("nose", "tail")))
        assert project.labels.annotation(KEY).xy.tolist() == [[1, 2], [5, 6]]
        assert len(project.labels.complete_keys()) == 3, "nothing is left to look at in frame 20"
        assert set(points(root)) == {"nose", "tail"}
        assert len(read_h5(root)) == 3
    with open_project(root) as project:
        assert "no longer lists 'ear' (2 labels)" in project.notices[-1]
        back = project.edit_skeleton(SkeletonEdit(("nose", "ear", "tail")))
        assert labelled(project)["ear"] == [3, 4]
        assert points(root)["ear"] == [3, 4]
        assert back.bodyparts == ("nose", "tail")
    archived = [version for version in _versions(root) if version.for_good]
    assert len(archived) == 1
    table = pd.read_hdf(archived[0].folder / "CollectedData_Me.h5", "df_with_missing")
    assert table["Me"]["ear"].iloc[0].tolist() == [3, 4]


def _versions(root):
    with open_project(root, read_only=True) as project:
        return project._collected_data("mouse").folder.backups.versions()


def test_all_bodyparts_replaced(root):
    with open_project(root) as project:
        project.edit_skeleton(SkeletonEdit(("hip",)))
        assert project.labels.labelled_keys() == []
        assert not list((root / "labeled-data" / "mouse").glob("Collected*")), "DeepLabCut would stumble over it"
        project.edit_skeleton(SkeletonEdit(("nose", "ear", "tail")))
    assert points(root) == {"nose": [1, 2], "ear": [3, 4], "tail": [5, 6]}


def test_new_bodypart_is_to_be_looked_at(root):
    with open_project(root) as project:
        project.edit_skeleton(SkeletonEdit(("nose", "paw", "ear", "tail")))
        annotation = project.labels.annotation(KEY)
        assert annotation.states[1] == KeypointState.UNSEEN
        assert project.labels.complete_keys() == []
        assert set(points(root)) == {"nose", "ear", "tail"}, "frames labelled before stay DeepLabCut's"
        project.labels.place(KEY, "paw", 30, 31)
        project.export_labels()
        assert list(points(root)) == ["nose", "paw", "ear", "tail"]
    with open_project(root) as project:
        assert labelled(project)["paw"] == [30, 31]


def test_undo_and_redo_reach_back_across_a_rename(root):
    with open_project(root) as project:
        project.labels.place(KEY, "nose", 50, 60)
        project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert project.labels.undo() == KEY
        assert labelled(project)["snout"] == [1, 2]
        assert project.labels.redo() == KEY
        assert labelled(project)["snout"] == [50, 60]
        project.edit_skeleton(
            SkeletonEdit(("nose", "beak", "ear", "tail"), renamed=(("snout", "beak"),))  # another nose
        )
        project.labels.place(KEY, "nose", 9, 9)
        project.labels.undo()
        project.labels.undo()
        assert labelled(project)["beak"] == [1, 2]
        assert np.isnan(labelled(project)["nose"]).all()
    with open_project(root) as project:
        assert labelled(project)["beak"] == [1, 2]


def test_change_by_another_program_after_a_rename_is_taken_in(root):
    with open_project(root) as project:
        project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
    table = read_h5(root)
    table.iloc[0, 0] = 77
    table.to_hdf(root / "labeled-data" / "mouse" / "CollectedData_Me.h5", key="df_with_missing", mode="w")
    with open_project(root) as project:
        assert labelled(project)["snout"] == [77, 2]
        assert project.labels.undo() == KEY, "it was known here, so it is a change and no first import"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (SkeletonEdit(()), "at least one"),
        (SkeletonEdit(("nose", "nose")), "unique"),
        (SkeletonEdit(("nose", " ear")), "cannot be the name"),
        (SkeletonEdit(("nose",), (("nose", "hip"),)), "unknown bodypart 'hip'"),
        (SkeletonEdit(("nose", "ear"), renamed=(("nose", "ear"),)), "removed bodypart 'ear'"),
        (SkeletonEdit(("nose", "paw"), renamed=(("hip", "paw"),)), "to rename"),
        (SkeletonEdit(("paw",), renamed=(("nose", "paw"), ("ear", "paw"))), "both"),
        (SkeletonEdit(("paw",), renamed=(("nose", "foot"),)), "foot"),
        (SkeletonEdit(("nose", "gone"), renamed=(("ear", "gone"),)), "removed bodypart 'gone'"),
    ],
)
def test_impossible_edits_change_nothing(root, edit, message):
    with pytest.raises(AlPoseError, match=message):
        edited_skeleton(Skeleton(("nose", "ear", "tail")), edit, archived=["gone"])
    before = (root / "config.yaml").read_bytes()
    with open_project(root) as project:
        if "gone" not in message:
            with pytest.raises(AlPoseError, match=message):
                project.edit_skeleton(edit)
        assert project.skeleton.bodyparts == ("nose", "ear", "tail")
    assert (root / "config.yaml").read_bytes() == before


def test_guesses_of_older_models_go_and_reasons_follow(root):
    with open_project(root) as project:
        for store in (project.predictions, project.unseen):
            store.save(1, [KEY], np.ones((1, 3, 2)), np.ones((1, 3)))
        reasons = tuple(BodypartReason(name, 1.0) for name in ("nose", "ear"))
        project.queue.save("mpe", 1, [Suggestion(KEY, 1.0, "mpe", reasons=reasons)])
        assert isinstance(project.predictions.load(1)[KEY], Prediction)
        project.edit_skeleton(SkeletonEdit(("snout", "tail"), renamed=(("nose", "snout"),)))
        assert project.predictions.load(1) == project.unseen.load(1) == {}
        assert [reason.bodypart for reason in project.queue.load().suggestions[0].reasons] == ["snout"]


STEPS = ("write_config", "write_files", "drop_predictions")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "edit",
    [
        SkeletonEdit(("nose", "ear", "tail"), renamed=(("nose", "ear"), ("ear", "nose"))),
        SkeletonEdit(("tail", "snout"), renamed=(("nose", "snout"),)),
    ],
    ids=["swap", "rename and remove"],
)
def test_cut_short_anywhere_it_is_brought_to_its_end_on_opening(root, monkeypatch, step, edit):
    """What is raised here is nothing the program knows how to treat, as if it were killed at that point."""
    opened = open_project(root)
    with monkeypatch.context() as patch:
        patch.setattr(project, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            opened.edit_skeleton(edit)
    opened.close()
    with open_project(root, read_only=True) as reader:
        assert reader.skeleton.bodyparts == edit.bodyparts, "a reader understands the labels meanwhile"
    with open_project(root) as again:
        assert again.skeleton.bodyparts == edit.bodyparts
        assert labelled(again)[edit.new_name("nose")] == [1, 2]
        assert labelled(again)["tail"] == [5, 6]
        assert points(root)[edit.new_name("nose")] == [1, 2]
        assert again.labels.skeletons.unfinished() is None
        assert again.labels.undo() is None, "nothing was taken for another program's change"
    assert read_config(root / "config.yaml").bodyparts == edit.bodyparts


def _killed(*_arguments, **_options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("which", [".csv", ".h5"])
def test_cut_short_between_the_two_files(root, monkeypatch, which):
    edit = SkeletonEdit(("nose", "ear", "tail"), renamed=(("nose", "ear"), ("ear", "nose")))
    real = annotation_writing.replacing

    @contextmanager
    def replacing(path):
        with real(path) as temporary:
            yield temporary
        if path.suffix == which:
            raise KeyboardInterrupt

    opened = open_project(root)
    with monkeypatch.context() as patch:
        patch.setattr(annotation_writing, "replacing", replacing)
        with pytest.raises(KeyboardInterrupt):
            opened.edit_skeleton(edit)
    opened.close()
    with open_project(root) as again:
        assert labelled(again) == {"nose": [3, 4], "ear": [1, 2], "tail": [5, 6]}
        assert points(root) == labelled(again)


def test_config_that_cannot_be_written_changes_nothing(root, monkeypatch):
    def no(*_arguments, **_options):
        raise AlPoseError("config.yaml could not be written.")

    with open_project(root) as opened:
        with monkeypatch.context() as patch:
            patch.setattr(project, "write_config", no)
            with pytest.raises(AlPoseError):
                opened.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert labelled(opened) == {"nose": [1, 2], "ear": [3, 4], "tail": [5, 6]}
        assert opened.labels.skeletons.unfinished() is None
    assert (root / "config.yaml").read_text() == COMMENTED


def test_files_that_cannot_be_written_follow_later(root, monkeypatch):
    def no(*_arguments, **_options):
        raise AlPoseError("CollectedData could not be written.")

    edit = SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),))
    with open_project(root) as opened:
        with monkeypatch.context() as patch:
            patch.setattr(project, "write_files", no)
            opened.edit_skeleton(edit)
        assert "follow when they can" in opened.notices[-1]
        opened.export_labels()
        assert set(points(root)) == {"snout", "ear", "tail"}


def test_bodyparts_written_into_config_by_hand_meanwhile_win(root, monkeypatch):
    opened = open_project(root)
    with monkeypatch.context() as patch:
        patch.setattr(skeleton_change, "change_bodyparts", _killed)
        with pytest.raises(KeyboardInterrupt):
            opened.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
    opened.close()
    write_config(root, bodyparts=("nose", "tail"))
    with open_project(root) as again:
        assert again.skeleton.bodyparts == ("nose", "tail")
        assert again.labels.skeletons.unfinished() is None
        assert labelled(again)["tail"] == [5, 6]


def test_file_of_the_first_version_is_brought_up_to_date(root):
    with open_project(root) as opened:
        opened.labels.place(KEY, "nose", 50, 60)
    database = root / "al-pose" / "labels.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "DROP TABLE skeletons; DROP TABLE conflicts; ALTER TABLE origins DROP COLUMN shown;PRAGMA user_version = 1;"
        )
    with open_project(root, read_only=True) as reader:
        assert labelled(reader)["nose"] == [50, 60]
    with open_project(root) as opened:
        assert opened.labels.undo() == KEY
        opened.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        assert labelled(opened)["snout"] == [1, 2]
