"""Labels travel to CollectedData and back, and other programs' changes are taken in."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from project_tools import BODYPARTS, collected, make_video, save_images, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState
from napari_al_pose.formats.deeplabcut import read_annotations
from napari_al_pose.project import backups, label_folder, open_project

XY = np.array([[[1.0, 2], [3, 4], [5, 6]], [[7, 8], [np.nan, np.nan], [9, 10]]])
KEY = FrameKey("mouse", 5)


def read_h5(root, video="mouse") -> pd.DataFrame:
    return pd.read_hdf(root / "labeled-data" / video / "CollectedData_Me.h5", "df_with_missing")


def complete(project, key, x=1.0):
    project.labels.place_many(key, {"nose": (x, 2), "ear": (3, 4)})
    project.labels.mark_not_visible(key, "tail")


def test_only_complete_frames_are_written_with_their_images(project_root):
    make_video(project_root / "videos" / "mouse.mp4", n=40)
    with open_project(project_root) as project:
        complete(project, FrameKey("mouse", 7))
        complete(project, FrameKey("mouse", 30))
        project.labels.roles.set(FrameKey("mouse", 30), FrameRole.HOLDOUT)
        project.labels.place(FrameKey("mouse", 8), "nose", 1, 1)
        project.export_labels()
        assert project.notices == ()
    folder = project_root / "labeled-data" / "mouse"
    table = read_h5(project_root)
    assert [row[2] for row in table.index] == ["img07.png", "img30.png"]
    assert table.iloc[0].tolist()[:4] == [1, 2, 3, 4]
    assert table.iloc[0].isna().tolist() == [False] * 4 + [True] * 2
    assert sorted(path.name for path in folder.glob("*.png")) == ["img07.png", "img30.png"]
    for frame in (7, 30):
        pixels = np.asarray(Image.open(folder / f"img{frame:02d}.png"))
        assert pixels.shape == (48, 64, 3)
        assert abs(pixels[:, 40:].mean() - 5 * frame) < 6, "it is that frame and no other"


def test_open_source_is_used_and_left_open(project_root):
    make_video(project_root / "videos" / "mouse.mp4")
    with open_project(project_root) as project:
        complete(project, KEY)
        source = project.video("mouse").open()
        project.export_labels(["mouse"], sources={"mouse": source})
        assert source[0].shape == (48, 64, 3)
        source.close()
    assert (project_root / "labeled-data" / "mouse" / "img05.png").is_file()


def test_images_keep_the_digits_they_have(project_root):
    make_video(project_root / "videos" / "mouse.mp4")
    save_labels(project_root, XY, [5, 12])
    save_images(project_root, [5, 12])
    with open_project(project_root) as project:
        complete(project, FrameKey("mouse", 20))
        project.export_labels()
    assert [row[2] for row in read_h5(project_root).index] == ["img005.png", "img012.png", "img020.png"]


def test_export_without_changes_writes_nothing(project_root):
    path = save_labels(project_root, XY, [5, 12])
    stamp = path.stat().st_mtime_ns
    with open_project(project_root) as project:
        project.export_labels()
        assert path.stat().st_mtime_ns == stamp
        project.labels.place(KEY, "nose", 50, 60)
        project.export_labels()
        assert path.stat().st_mtime_ns != stamp
        assert read_h5(project_root).iloc[0].tolist()[:2] == [50, 60]


def test_change_by_another_program_is_taken_in_and_can_be_undone(project_root):
    save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    theirs = XY.copy()
    theirs[0, 0] = [70, 80]
    save_labels(project_root, theirs, [5, 12])
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [70, 80]
        assert any("another program changed 1 label (frame 5)" in notice for notice in project.notices)
        assert project.labels.undo() == KEY
        assert project.labels.annotation(KEY).xy[0].tolist() == [1, 2]
        project.export_labels()
        assert read_h5(project_root).iloc[0].tolist()[:2] == [1, 2]
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [1, 2]
        assert project.notices == ()


def test_both_changed_keeps_ours_names_the_frame_and_logs_theirs(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.place(KEY, "nose", 50, 60)
    theirs = XY.copy()
    theirs[0, 0] = [70, 80]
    save_labels(project_root, theirs, [5, 12])
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [50, 60]
        assert any("frame 5" in notice and "Your labels were kept" in notice for notice in project.notices)
    with open_project(project_root) as project:
        assert project.notices == (), "said once"
        project.export_labels()
    assert read_h5(project_root).iloc[0].tolist()[:2] == [50, 60]
    with sqlite3.connect(project_root / "al-pose" / "labels.sqlite") as connection:
        query = "SELECT x, y FROM edits JOIN actions ON actions.id = edits.action WHERE kind = 'conflict'"
        assert connection.execute(query).fetchall() == [(70, 80)]
    connection.close()


def save_csv(root, xy, video="mouse") -> None:
    """Write the csv of frames 5 and 12 and leave the h5 as it is."""
    path = root / "labeled-data" / video / "CollectedData_Me.csv"
    collected(xy, ["img005.png", "img012.png"], video=video).to_csv(path)


def changed(frame: int, bodypart: int, xy: list[float]) -> np.ndarray:
    made = XY.copy()
    made[frame, bodypart] = xy
    return made


def test_conflict_waits_until_somebody_decides(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.place_many(KEY, {"nose": (50, 60), "ear": (51, 61), "tail": (52, 62)})
    theirs = changed(0, 0, [70, 80])
    theirs[0, 1] = [71, 81]
    save_labels(project_root, theirs, [5, 12])
    with open_project(project_root) as project:
        assert project.labels.conflicts.frames() == [KEY]
        nose, ear = project.labels.conflicts.all()
        assert (nose.key.bodypart, nose.ours.x, nose.theirs.x) == ("nose", 50, 70)
        assert nose.source.endswith("CollectedData_Me.h5")
        project.export_labels()
    with open_project(project_root) as project:
        found = project.labels.conflicts.all()
        assert found == [nose, ear], "they wait through export, closing and opening"
        project.labels.conflicts.decide(found, theirs=[ear])
        assert project.labels.annotation(KEY).xy.tolist() == [[50, 60], [71, 81], [52, 62]]
        assert project.labels.conflicts.all() == []
        assert project.labels.undo() == KEY
        assert project.labels.annotation(KEY).xy.tolist() == [[50, 60], [51, 61], [52, 62]]
        project.export_labels()
    with open_project(project_root, read_only=True) as project:
        assert project.labels.conflicts.all() == []
        with pytest.raises(AlPoseError, match="reading only"):
            project.labels.conflicts.decide([nose], theirs=[])


def test_csv_edited_alone_is_taken_in(project_root):
    save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    save_csv(project_root, changed(0, 0, [70, 80]))
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [70, 80]
        assert any("1 label (frame 5)" in notice for notice in project.notices)
        project.labels.undo()
        assert project.labels.annotation(KEY).xy[0].tolist() == [1, 2]


def test_csv_edited_alone_stays_taken_in_when_the_h5_changes_elsewhere(project_root):
    save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    save_csv(project_root, changed(0, 0, [70, 80]))
    open_project(project_root).close()
    h5 = save_labels(project_root, changed(1, 2, [90, 91]), [5, 12])
    save_csv(project_root, changed(0, 0, [70, 80]))
    assert pd.read_hdf(h5).iloc[0, 0] == 1, "it has the old label of frame 5"
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [70, 80]
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[2].tolist() == [90, 91]
        assert project.labels.conflicts.all() == []


def test_csv_that_was_not_written_again_is_stale(project_root):
    save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    save_labels(project_root, changed(0, 0, [70, 80]), [5, 12])
    save_csv(project_root, XY)
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [70, 80]
        assert project.labels.conflicts.all() == []


@pytest.mark.parametrize("opened_before", [False, True])
def test_h5_and_csv_that_disagree_are_both_kept(project_root, opened_before):
    save_labels(project_root, XY, [5, 12])
    if opened_before:
        open_project(project_root).close()
    save_labels(project_root, changed(0, 0, [70, 80]), [5, 12])
    save_csv(project_root, changed(0, 0, [71, 81]))
    with open_project(project_root) as project:
        assert any("disagree on 1 label (frame 5)" in notice for notice in project.notices)
        assert project.labels.annotation(KEY).xy[0].tolist() == [70, 80]
        project.labels.place(FrameKey("mouse", 12), "nose", 9, 9)
        project.export_labels()
    with open_project(project_root) as project:
        (conflict,) = project.labels.conflicts.all()
        assert (conflict.theirs.x, conflict.theirs.y) == (71, 81)
        assert conflict.source.endswith(".csv")
        project.labels.conflicts.decide([conflict], theirs=[conflict])
        assert project.labels.annotation(KEY).xy[0].tolist() == [71, 81]


def test_damaged_csv_beside_a_good_h5_is_named(project_root):
    path = save_labels(project_root, XY, [5, 12]).with_suffix(".csv")
    path.write_text("not,a,table\n")
    with open_project(project_root) as project:
        assert any(str(path) in notice for notice in project.notices)
        complete(project, KEY, x=30)
        project.export_labels()
    assert pd.read_csv(path, header=[0, 1, 2], index_col=[0, 1, 2]).iloc[0, 0] == 30


def test_the_last_versions_of_the_files_are_kept(project_root, monkeypatch):
    path = save_labels(project_root, XY, [5, 12])
    theirs = path.read_bytes()
    monkeypatch.setattr(backups, "OWN_EVERY", timedelta())
    with open_project(project_root) as project:
        for n in range(backups.KEPT + 4):
            complete(project, KEY, x=n)
            project.export_labels()
            if n == 0:
                first = project.label_versions("mouse")[0]
                assert (first.folder / path.name).read_bytes() == theirs
        versions = project.label_versions("mouse")
        assert len(versions) == backups.KEPT
        assert [version.number for version in versions] == list(range(5, 15))
        project.restore_labels("mouse", versions[0].number)
        assert project.labels.annotation(KEY).xy[0].tolist() == [3, 2]
        assert read_h5(project_root).iloc[0, 0] == 3
        project.labels.undo()
        assert project.labels.annotation(KEY).xy[0].tolist() == [13, 2]
        with pytest.raises(AlPoseError, match="no version 1 "):
            project.restore_labels("mouse", 1)


def test_own_writing_keeps_one_version_a_minute_whatever_the_clock_says(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        for n in range(5):
            complete(project, KEY, x=n)
            project.export_labels()
        (version,) = project.label_versions("mouse")
        version.folder.rename(version.folder.with_name("00001_29990101T000000Z"))
        complete(project, KEY, x=9)
        project.export_labels()
        assert [version.number for version in project.label_versions("mouse")] == [1, 2]


def test_rows_taken_away_by_another_program_stay_here_and_come_back(project_root):
    save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    save_labels(project_root, XY[:1], [5])
    with open_project(project_root) as project:
        assert len(project.labels.complete_keys()) == 2
        project.export_labels()
    assert len(read_h5(project_root)) == 2


def test_change_by_another_program_while_open_is_not_written_over(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        complete(project, FrameKey("mouse", 20))
        theirs = XY.copy()
        theirs[1, 0] = [70, 80]
        save_labels(project_root, theirs, [5, 12])
        project.export_labels()
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[0].tolist() == [70, 80]
    table = read_h5(project_root)
    assert len(table) == 3
    assert table.iloc[1].tolist()[:2] == [70, 80]


def test_a_cleared_frame_goes_and_a_cleared_point_too(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.clear_frame(KEY)
        project.labels.clear(FrameKey("mouse", 12), "nose")
        project.export_labels()
        table = read_h5(project_root)
        assert [row[2] for row in table.index] == ["img012.png"]
        assert np.isnan(table.iloc[0].tolist()[:2]).all()
        np.testing.assert_array_equal(table.iloc[0].tolist()[2:], XY[1].ravel()[2:])
        with open_project(project_root, read_only=True) as reader:
            assert reader.labels.annotation(FrameKey("mouse", 12)).states[0] == KeypointState.UNSEEN
        project.export_labels()  # and stays so
        assert project.labels.annotation(FrameKey("mouse", 12)).states[0] == KeypointState.UNSEEN
        assert not project.labels.conflicts.all()
        project.labels.undo()
        project.labels.undo()
        project.export_labels()
    np.testing.assert_array_equal(read_h5(project_root).to_numpy().reshape(2, 3, 2), XY)
    with open_project(project_root) as project:
        assert project.notices == ()
        assert len(project.labels.complete_keys()) == 2


def test_frames_not_visible_at_all_survive(project_root):
    make_video(project_root / "videos" / "mouse.mp4")
    with open_project(project_root) as project:
        for part in BODYPARTS:
            project.labels.mark_not_visible(KEY, part)
        project.export_labels()
    assert read_h5(project_root).isna().all(axis=None)
    with open_project(project_root) as project:
        assert project.labels.annotation(KEY).states.tolist() == [KeypointState.NOT_VISIBLE] * 3
        assert project.notices == ()


def test_new_bodypart_does_not_take_finished_frames_from_deeplabcut(project_root):
    path = save_labels(project_root, XY, [5, 12])
    open_project(project_root).close()
    before = path.read_bytes()
    write_config(project_root, bodyparts=(*BODYPARTS, "paw"))
    with open_project(project_root) as project:
        assert project.labels.complete_keys() == []
        project.export_labels()
        assert path.read_bytes() == before
        project.labels.place(KEY, "paw", 30, 40)
        project.export_labels()
    table = read_h5(project_root)
    assert table.iloc[0].tolist() == [1, 2, 3, 4, 5, 6, 30, 40]
    assert table.iloc[1].isna().tolist() == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 2


def test_files_that_did_not_change_are_not_read_again(project_root, monkeypatch):
    path = save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.labels.place(KEY, "nose", 50, 60)
        project.export_labels()
    reads = []

    def counted(folder, **options):
        reads.append(folder.name)
        return read_annotations(folder, **options)

    monkeypatch.setattr(label_folder, "read_annotations", counted)
    with open_project(project_root) as project:
        assert reads == []
        project.export_labels()
        assert reads == []
        project.labels.place(KEY, "nose", 51, 61)
        project.export_labels()
    del reads[:]
    theirs = read_h5(project_root)
    theirs.iloc[1, 0] = 77
    theirs.to_hdf(path, key="df_with_missing", mode="w")
    with open_project(project_root) as project:
        assert reads == ["mouse"]
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[0, 0] == 77


def test_images_follow_when_the_video_turns_up(project_root):
    with open_project(project_root) as project:
        complete(project, KEY)
        complete(project, FrameKey("mouse", 6))
        project.export_labels()
        assert [notice for notice in project.notices if "no video has frames 5, 6" in notice]
    make_video(project_root / "videos" / "mouse.mp4")
    with open_project(project_root) as project:
        project.export_labels()
        assert project.notices == ()
    folder = project_root / "labeled-data" / "mouse"
    assert {row[2] for row in read_h5(project_root).index} == {path.name for path in folder.glob("*.png")}


def test_editing_goes_on_while_files_are_written(project_root):
    save_labels(project_root, XY, [5, 12])
    failures = []
    edited = threading.Event()

    def export(project):
        try:
            while not edited.is_set():
                project.export_labels()
        except Exception as error:  # noqa: BLE001  # whatever it is, the test shows it
            failures.append(error)

    with open_project(project_root) as project:
        threads = [threading.Thread(target=export, args=(project,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for n in range(60):
            complete(project, FrameKey("mouse", 100 + n % 50), x=n)
        edited.set()
        for thread in threads:
            thread.join()
        assert failures == []
        project.export_labels()
        table = read_h5(project_root)
        expected = {a.key.frame: a.xy for a in project.labels.annotations() if a.is_complete}
        assert {int(row[2][3:6]): values for row, values in zip(table.index, table.to_numpy()[:, 0], strict=True)} == {
            frame: xy[0, 0] for frame, xy in expected.items()
        }
        assert project.labels.undo() is not None


@pytest.fixture
def cropped_root(tmp_path):
    """Return a project whose images are the crop (20, 10) to (52, 40) of the video."""
    root = tmp_path / "cropped"
    write_config(root, video_sets="  /gone/mouse.mp4:\n    crop: 20, 52, 10, 40\n")
    save_labels(root, XY, [5, 12])
    save_images(root, [5, 12], size=(32, 30))
    return root


def test_labels_of_cropped_images_lie_right_on_the_video(cropped_root):
    make_video(cropped_root / "videos" / "mouse.mp4")
    with open_project(cropped_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [21, 12]
        complete(project, FrameKey("mouse", 20), x=25)
        project.export_labels()
        assert project.notices == ()
    assert read_h5(cropped_root).iloc[2].tolist()[:4] == [5, -8, -17, -6]
    with Image.open(cropped_root / "labeled-data" / "mouse" / "img020.png") as image:
        assert image.size == (32, 30)
        pixels = np.asarray(image)
        assert pixels[:, :8].mean() > 200
        assert abs(pixels[:, 20:].mean() - 100) < 6
    with open_project(cropped_root) as project:
        assert project.notices == ()
        assert project.labels.annotation(FrameKey("mouse", 20)).xy[0].tolist() == [25, 2]


def test_labels_of_cropped_images_follow_when_the_video_comes_and_goes(cropped_root):
    with open_project(cropped_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [1, 2]
        project.labels.place(KEY, "nose", 2, 3)
    video = make_video(cropped_root / "videos" / "mouse.mp4")
    with open_project(cropped_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [22, 13]
        assert any("shifted" in notice for notice in project.notices)
        assert not project.labels.can_undo
        project.export_labels()
    assert read_h5(cropped_root).iloc[0].tolist()[:2] == [2, 3]
    video.unlink()
    with open_project(cropped_root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [2, 3]


def test_crop_of_the_full_images_moves_nothing(tmp_path):
    root = tmp_path / "full"
    write_config(root, video_sets="  /gone/mouse.mp4:\n    crop: 20, 52, 10, 40\n")
    save_labels(root, XY, [5, 12])
    save_images(root, [5, 12], size=(64, 48))
    make_video(root / "videos" / "mouse.mp4")
    with open_project(root) as project:
        assert project.labels.annotation(KEY).xy[0].tolist() == [1, 2]


points = st.one_of(st.none(), st.tuples(st.floats(-100, 5000), st.floats(-100, 5000)))
poses = st.tuples(points, points, points).filter(any)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.dictionaries(st.integers(0, 99_999), poses, min_size=1, max_size=6))
def test_round_trip_through_deeplabcut(tmp_path_factory, labels):
    root = tmp_path_factory.mktemp("trip") / "p"
    write_config(root)
    with open_project(root) as project:
        for frame, pose in labels.items():
            key = FrameKey("mouse", frame)
            placed = {part: point for part, point in zip(BODYPARTS, pose, strict=True) if point is not None}
            project.labels.place_many(key, placed)
            for part in set(BODYPARTS) - set(placed):
                project.labels.mark_not_visible(key, part)
        project.export_labels()
        before = [(a.key, a.states.tolist(), np.nan_to_num(a.xy).tolist()) for a in project.labels.annotations()]
    (root / "al-pose" / "labels.sqlite").unlink()
    with open_project(root) as project:
        after = [(a.key, a.states.tolist(), np.nan_to_num(a.xy).tolist()) for a in project.labels.annotations()]
    assert after == before
