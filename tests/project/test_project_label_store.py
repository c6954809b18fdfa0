"""The label store: three states, one action one undo step, everything still there after a restart."""

from __future__ import annotations

import sqlite3
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState, Skeleton
from napari_al_pose.project import LabelStore

SKELETON = Skeleton(("nose", "ear", "tail"))
KEY = FrameKey("mouse", 7)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.sqlite"


def snapshot(store: LabelStore) -> list:
    return [
        (a.key, a.individual, a.role, a.states.tolist(), np.nan_to_num(a.xy, nan=-1).tolist())
        for a in store.annotations()
    ]


def test_three_states(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1.5, 2.5)
    store.mark_not_visible(KEY, "tail")
    found = store.annotation(KEY)
    assert found.states.tolist() == [KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.NOT_VISIBLE]
    assert found.xy[0].tolist() == [1.5, 2.5]
    assert np.isnan(found.xy[1:]).all()
    assert store.complete_keys() == []
    assert store.labelled_keys() == [KEY]
    store.mark_not_visible(KEY, "ear")
    assert store.complete_keys() == [KEY]
    store.clear(KEY, "nose")
    assert store.complete_keys() == []
    store.clear_frame(KEY)
    assert store.labelled_keys() == []
    assert store.annotations() == []


def test_one_action_is_one_undo_step(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 1)
    store.place_many(KEY, {"nose": (5, 5), "ear": (6, 6), "tail": (7, 7)})
    assert store.undo() == KEY
    assert store.annotation(KEY).states.tolist() == [1, 0, 0]
    assert store.annotation(KEY).xy[0].tolist() == [1, 1]
    assert store.redo() == KEY
    assert store.complete_keys() == [KEY]


def test_an_edit_that_changes_nothing_is_no_step(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 1)
    revision = store.revision
    store.place(KEY, "nose", 1, 1)
    store.clear(KEY, "ear")
    store.roles.set(KEY, FrameRole.TRAIN)
    assert store.revision == revision


def test_new_edit_cuts_off_redo(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 1)
    store.undo()
    assert store.can_redo
    store.place(KEY, "ear", 2, 2)
    assert not store.can_redo
    assert store.redo() is None


def test_undo_and_redo_survive_a_restart(path):
    store = LabelStore.open(path, SKELETON)
    for x in range(4):
        store.place(KEY, "nose", x, 0)
    store.undo()
    store.close()
    store = LabelStore.open(path, SKELETON)
    assert store.annotation(KEY).xy[0, 0] == 2
    store.undo()
    assert store.annotation(KEY).xy[0, 0] == 1
    store.redo()
    store.redo()
    assert store.annotation(KEY).xy[0, 0] == 3
    assert not store.can_redo
    for _ in range(4):
        store.undo()
    assert not store.can_undo
    assert store.undo() is None


def test_roles_are_not_undone_and_holdout_cannot_be_lost_by_accident(path):
    store = LabelStore.open(path, SKELETON)
    store.roles.set(KEY, FrameRole.HOLDOUT, provenance="random")
    store.place(KEY, "nose", 1, 1)
    store.undo()
    assert store.roles.of(KEY) is FrameRole.HOLDOUT
    store.roles.set(KEY, FrameRole.TRAIN, provenance="mpe")
    assert store.roles.of(KEY) is FrameRole.HOLDOUT
    assert store.roles.holdout_keys() == [KEY]
    store.redo()
    assert store.annotations()[0].role is FrameRole.HOLDOUT
    store.close()
    store = LabelStore.open(path, SKELETON)
    assert store.roles.of(KEY) is FrameRole.HOLDOUT
    assert store.roles.provenance(KEY) == "mpe"
    store.roles.set(KEY, FrameRole.TRAIN, release_holdout=True)
    assert store.roles.of(KEY) is FrameRole.TRAIN
    assert store.roles.provenance(KEY) == "mpe"


def test_log_is_append_only_and_says_who_and_when(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 1)
    store.place(KEY, "nose", 2, 2)
    store.undo()
    store.close()
    with sqlite3.connect(path) as connection:
        edits = connection.execute("SELECT old_x, x FROM edits ORDER BY id").fetchall()
        actions = connection.execute("SELECT kind, target, time, session, who FROM actions ORDER BY id").fetchall()
    assert edits == [(None, 1), (1, 2), (2, 1)]
    assert [action[:2] for action in actions] == [("edit", None), ("edit", None), ("undo", 2)]
    assert all(all(action[2:]) for action in actions)


def test_several_individuals(path):
    store = LabelStore.open(path, Skeleton(("nose", "tail"), individuals=("a", "b")))
    store.place_many(KEY, {"nose": (1, 1), "tail": (2, 2)}, individual="b")
    assert store.complete_keys() == [KEY]
    store.place(KEY, "nose", 3, 3, individual="a")
    assert store.complete_keys() == []
    assert [a.individual for a in store.annotations()] == ["a", "b"]
    store.undo()
    assert store.complete_keys() == [KEY]
    with pytest.raises(ValueError, match="individual"):
        store.place(KEY, "nose", 1, 1)


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: s.place(KEY, "wing", 1, 1),
        lambda s: s.place(KEY, "nose", float("nan"), 1),
        lambda s: s.place(KEY, "nose", 1, float("inf")),
        lambda s: s.place(FrameKey("mouse", -1), "nose", 1, 1),
        lambda s: s.place(FrameKey("", 1), "nose", 1, 1),
    ],
)
def test_impossible_edits_are_refused(path, edit):
    store = LabelStore.open(path, SKELETON)
    with pytest.raises(ValueError, match="Expected"):
        edit(store)
    assert store.revision == 0


def test_some_annotations_are_spread_over_all_that_are_labelled(path):
    store = LabelStore.open(path, SKELETON)
    assert store.spread_annotations(5) == []
    for video, n in (("a", 30), ("b", 10)):
        for frame in range(n):
            store.place(FrameKey(video, frame), SKELETON.bodyparts[0], frame, 1)
    found = [annotation.key for annotation in store.spread_annotations(8)]
    assert found == [*(FrameKey("a", frame) for frame in range(0, 30, 5)), FrameKey("b", 0), FrameKey("b", 5)]
    assert len(store.spread_annotations(100)) == 40
    store.close()


def test_labels_follow_the_name_of_the_bodypart(path):
    store = LabelStore.open(path, SKELETON)
    store.place_many(KEY, {"nose": (1, 1), "ear": (2, 2), "tail": (3, 3)})
    store.close()
    store = LabelStore.open(path, Skeleton(("tail", "nose", "paw")))
    assert store.unknown_bodyparts() == {"ear": 1}
    assert store.unlabelled_bodyparts() == ["paw"]
    found = store.annotation(KEY)
    assert found.states.tolist() == [1, 1, 0]
    assert found.xy[:2, 0].tolist() == [3, 1]
    assert store.complete_keys() == []
    store.place(KEY, "paw", 4, 4)
    store.close()
    back = LabelStore.open(path, SKELETON)
    assert back.annotation(KEY).xy[:, 0].tolist() == [1, 2, 3]


def test_reader_follows_the_writer(path):
    writer = LabelStore.open(path, SKELETON)
    reader = LabelStore.open(path, SKELETON, read_only=True)
    writer.place_many(KEY, {"nose": (1, 1), "ear": (2, 2), "tail": (3, 3)})
    assert reader.complete_keys() == [KEY]
    assert reader.revision == writer.revision
    assert not reader.can_undo
    for edit in (
        lambda: reader.place(KEY, "nose", 9, 9),
        reader.undo,
        lambda: reader.roles.set(KEY, FrameRole.HOLDOUT),
    ):
        with pytest.raises(AlPoseError, match="reading only"):
            edit()
    writer.undo()
    assert reader.complete_keys() == []


def test_reading_where_there_is_nothing_makes_nothing(path):
    store = LabelStore.open(path, SKELETON, read_only=True)
    assert store.in_memory
    assert store.annotations() == []
    assert not path.exists()


def test_damaged_file_is_named_and_left_alone(path):
    store = LabelStore.open(path, SKELETON)
    for frame in range(200):
        store.place_many(FrameKey("mouse", frame), {"nose": (frame, 1), "ear": (1, 1)})
        if path.stat().st_size > 40_000:
            break
    store.close()
    content = bytearray(path.read_bytes())
    content[8192 : len(content) - 4096] = b"\xff" * (len(content) - 12288)
    path.write_bytes(content)
    with pytest.raises(AlPoseError, match="damaged") as caught:
        LabelStore.open(path, SKELETON)
    assert str(path) in caught.value.message
    assert "CollectedData" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 5000])
def test_other_files_are_named_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(AlPoseError, match=r"labels\.sqlite"):
        LabelStore.open(path, SKELETON)
    assert path.read_bytes() == content


def test_foreign_and_newer_databases_are_refused(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    with pytest.raises(AlPoseError, match="another program"):
        LabelStore.open(path, SKELETON)
    path.unlink()
    LabelStore.open(path, SKELETON).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(AlPoseError, match="newer version"):
        LabelStore.open(path, SKELETON)


def test_edit_that_cannot_be_saved_is_not_applied(path):
    store = LabelStore.open(path, SKELETON)
    store.place(KEY, "nose", 1, 1)
    # As full as a disk can be: SQLite may not add a page.
    pages = store._log.rows("PRAGMA page_count")[0][0]
    store._log.rows(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for frame in range(1000):
            store.place_many(FrameKey(string.ascii_letters * 20, frame), {"nose": (1, 1), "ear": (2, 2)})

    with pytest.raises(AlPoseError, match="could not be saved"):
        fill()
    store._log.rows("PRAGMA max_page_count = 1000000")
    before = snapshot(store)
    store.place(KEY, "ear", 1, 1)
    store.undo()
    assert snapshot(store) == before
    store.close()
    assert snapshot(LabelStore.open(path, SKELETON)) == before


frames = st.builds(FrameKey, st.sampled_from(["a", "b"]), st.integers(0, 2))
points = st.tuples(st.floats(-50, 2000), st.floats(-50, 2000))
names = st.sampled_from(SKELETON.bodyparts)
actions = st.one_of(
    st.tuples(st.just("place_many"), frames, st.dictionaries(names, points, min_size=1)),
    st.tuples(st.just("mark_not_visible"), frames, names),
    st.tuples(st.just("clear"), frames, names),
    st.tuples(st.just("clear_frame"), frames),
    st.tuples(st.sampled_from(["undo", "redo", "undo", "reopen"])),
    st.tuples(st.just("hold_out"), frames),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=25))
def test_store_behaves_as_a_list_of_states(tmp_path_factory, script):
    """Against the simplest model there is: a list of whole states, and a finger on the present one."""
    path = tmp_path_factory.mktemp("store") / "labels.sqlite"

    def reopened() -> LabelStore:
        opened = LabelStore.open(path, SKELETON)
        opened._log._connection.execute("PRAGMA synchronous = OFF")  # here only restarts are tried, not power cuts
        return opened

    store = reopened()
    history: list[dict] = [{}]
    present = 0
    held_out: set[FrameKey] = set()
    for name, *arguments in script:
        state = dict(history[present])
        if name == "undo":
            store.undo()
            present = max(present - 1, 0)
        elif name == "redo":
            store.redo()
            present = min(present + 1, len(history) - 1)
        elif name == "reopen":
            store.close()
            store = reopened()
        elif name == "hold_out":
            store.roles.set(arguments[0], FrameRole.HOLDOUT)
            held_out.add(arguments[0])
        else:
            getattr(store, name)(*arguments)
            key = arguments[0]
            if name == "place_many":
                state.update({(key, part): point for part, point in arguments[1].items()})
            elif name == "mark_not_visible":
                state[key, arguments[1]] = None
            else:
                for part in SKELETON.bodyparts if name == "clear_frame" else [arguments[1]]:
                    state.pop((key, part), None)
            if state != history[present]:
                history[present + 1 :] = [state]
                present += 1
        assert (store.can_undo, store.can_redo) == (present > 0, present < len(history) - 1)
        assert as_dict(store) == history[present]
        assert store.roles.holdout_keys() == sorted(held_out)
        assert store.labelled_keys() == sorted({key for key, _ in history[present]})
        counts = {key: sum(other == key for other, _ in history[present]) for key, _ in history[present]}
        assert store.complete_keys() == sorted(key for key, count in counts.items() if count == 3)
    store.close()
    store = reopened()
    assert as_dict(store) == history[present]
    while store.can_undo:
        store.undo()
        present -= 1
        assert as_dict(store) == history[present]
    assert present == 0
    store.close()


def as_dict(store: LabelStore) -> dict:
    found = {}
    for annotation in store.annotations():
        for part, state, xy in zip(SKELETON.bodyparts, annotation.states, annotation.xy, strict=True):
            if state != KeypointState.UNSEEN:
                found[annotation.key, part] = tuple(xy.tolist()) if state == KeypointState.PLACED else None
    return found
