"""The history of a frame is there, and any state of it comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from project_tools import make_video, save_images, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState, Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.project import LabelStore, label_log, open_project

SKELETON = Skeleton(("nose", "ear"), individuals=("a", "b"))
KEY = FrameKey("mouse", 5)
XY = np.array([[[1.0, 2], [3, 4], [5, 6]]])


def states(version) -> list:
    return [
        (annotation.states.tolist(), np.nan_to_num(annotation.xy, nan=-1).tolist())
        for annotation in version.annotations
    ]


def test_every_state_is_listed_with_who_and_when(tmp_path):
    path = tmp_path / "labels.sqlite"
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 2, individual="a")
    store.place(FrameKey("mouse", 6), "nose", 9, 9, individual="a")
    store.close()
    store = LabelStore.open(path, SKELETON)
    store.place_many(KEY, {"nose": (3, 4), "ear": (5, 6)}, individual="b")
    store.mark_not_visible(KEY, "ear", individual="a")
    store.undo()
    versions = store.history.of(KEY)
    store.close()
    assert [version.kind for version in versions] == ["edit", "edit", "edit", "undo"]
    assert [version.changed for version in versions] == [("nose",), ("nose", "ear"), ("ear",), ("ear",)]
    assert len({version.session for version in versions}) == 2
    assert all(version.who and abs(version.time - datetime.now(UTC)) < timedelta(hours=1) for version in versions)
    a, b = versions[2].annotations
    assert (a.individual, b.individual) == ("a", "b")
    assert a.states.tolist() == [KeypointState.PLACED, KeypointState.NOT_VISIBLE]
    assert b.xy.tolist() == [[3, 4], [5, 6]]
    assert states(versions[3]) == states(versions[1])


def test_any_state_comes_back_and_that_can_be_undone(tmp_path):
    with_labels = LabelStore.open(tmp_path / "labels.sqlite", Skeleton(("nose", "ear")))
    with_labels.place(KEY, "nose", 1, 2)
    with_labels.place(KEY, "ear", 3, 4)
    with_labels.clear_frame(KEY)
    first, second, cleared = with_labels.history.of(KEY)
    with_labels.history.bring_back(KEY, second.action)
    assert with_labels.annotation(KEY).xy.tolist() == [[1, 2], [3, 4]]
    with_labels.history.bring_back(KEY, first.action)
    assert with_labels.annotation(KEY).states.tolist() == [KeypointState.PLACED, KeypointState.UNSEEN]
    assert with_labels.undo() == KEY
    assert with_labels.annotation(KEY).xy.tolist() == [[1, 2], [3, 4]]
    with_labels.history.bring_back(KEY, cleared.action)
    assert with_labels.annotation(KEY).is_empty
    with pytest.raises(ValueError, match="action"):
        with_labels.history.bring_back(KEY, 999)
    with_labels.close()
    reader = LabelStore.open(tmp_path / "labels.sqlite", Skeleton(("nose", "ear")), read_only=True)
    assert len(reader.history.of(KEY)) == 7
    with pytest.raises(AlPoseError, match="reading only"):
        reader.history.bring_back(KEY, first.action)
    reader.close()


def test_history_reaches_across_programs_renames_and_shifts(tmp_path):
    root = tmp_path / "cropped"
    write_config(root, video_sets="  /gone/mouse.mp4:\n    crop: 20, 52, 10, 40\n")
    save_labels(root, XY, [5])
    save_images(root, [5], size=(32, 30))
    with open_project(root) as project:
        project.labels.place(KEY, "nose", 7, 8)
        project.edit_skeleton(SkeletonEdit(("snout", "ear", "tail"), renamed=(("nose", "snout"),)))
        (imported, _) = project.labels.history.of(KEY)
        assert imported.kind == "import"
        assert imported.source.endswith("CollectedData_Me.h5")
        assert imported.annotations[0].xy[0].tolist() == [1, 2]
    make_video(root / "videos" / "mouse.mp4")
    with open_project(root) as project:
        imported, edited, shifted = project.labels.history.of(KEY)
        assert shifted.kind == "realign"
        assert imported.annotations[0].xy[0].tolist() == [21, 12], "where it lies in the video there is now"
        project.labels.history.bring_back(KEY, imported.action)
        assert project.labels.annotation(KEY).xy.tolist() == [[21, 12], [23, 14], [25, 16]]
        assert edited.annotations[0].xy[0].tolist() == [27, 18]


def test_clock_that_goes_back_changes_no_order(tmp_path, monkeypatch):
    class Clock(datetime):
        now_is = datetime(2024, 5, 1, tzinfo=UTC)

        @classmethod
        def now(cls, tz=None):
            cls.now_is -= timedelta(days=1)
            return cls.now_is

    monkeypatch.setattr(label_log, "datetime", Clock)
    path = tmp_path / "labels.sqlite"
    store = LabelStore.open(path, Skeleton(("nose", "ear")))
    for n in range(3):
        store.place(KEY, "nose", n, n)
    store.close()
    store = LabelStore.open(path, Skeleton(("nose", "ear")))
    versions = store.history.of(KEY)
    assert [version.annotations[0].xy[0, 0] for version in versions] == [0, 1, 2]
    assert versions[0].time > versions[2].time
    assert store.annotation(KEY).xy[0].tolist() == [2, 2]
    assert store.undo() == KEY
    assert store.annotation(KEY).xy[0].tolist() == [1, 1]
    store.close()


edits = st.tuples(st.sampled_from(["place", "hide", "clear", "undo"]), st.integers(0, 1), st.integers(0, 9))


@settings(max_examples=25, deadline=None)
@given(st.lists(edits, min_size=1, max_size=12))
def test_history_is_what_was_seen(tmp_path_factory, script):
    store = LabelStore.open(tmp_path_factory.mktemp("h") / "labels.sqlite", Skeleton(("nose", "ear")))
    seen = []
    for what, part, value in script:
        name, before = ("nose", "ear")[part], store.revision
        if what == "undo":
            store.undo()
        elif what == "place":
            store.place(KEY, name, value, value)
        else:
            (store.mark_not_visible if what == "hide" else store.clear)(KEY, name)
        if store.revision != before:
            annotation = store.annotation(KEY)
            seen.append([(annotation.states.tolist(), np.nan_to_num(annotation.xy, nan=-1).tolist())])
    versions = store.history.of(KEY)
    assert [states(version) for version in versions] == seen
    for version, state in zip(versions, seen, strict=True):
        store.history.bring_back(KEY, version.action)
        assert states(store.history.of(KEY)[-1]) == state
    store.close()
