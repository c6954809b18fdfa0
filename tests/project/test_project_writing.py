"""Files of labels written by another process, or while another program writes them."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest
from project_tools import make_video, save_images, save_labels

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.project import label_exchange, label_files, label_folder, open_project
from napari_al_pose.project.label_files import LabelFiles
from napari_al_pose.project.writing_process import WritingProcess

XY = np.array([[[1.0, 2], [3, 4], [5, 6]], [[7, 8], [np.nan, np.nan], [9, 10]]])


def complete(project, number, x=1.0):
    key = FrameKey("mouse", number)
    project.labels.place_many(key, {"nose": (x, 2), "ear": (3, 4)})
    project.labels.mark_not_visible(key, "tail")


def nose_by_frame(root) -> dict[int, float]:
    """Read with pandas what both files say, which must be the same."""
    path = root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    table = pd.read_hdf(path, "df_with_missing")
    beside = pd.read_csv(path.with_suffix(".csv"), header=[0, 1, 2], index_col=[0, 1, 2])
    assert np.array_equal(table.to_numpy(), beside.to_numpy(float), equal_nan=True)
    return {int(row[2][3:-4]): values[0] for row, values in zip(table.index, table.to_numpy(), strict=True)}


def change_by_another(root, frame: int, nose: float) -> None:
    path = root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    theirs = pd.read_hdf(path, "df_with_missing")
    theirs.loc[[row for row in theirs.index if int(row[2][3:-4]) == frame], theirs.columns[0]] = nose
    theirs.to_hdf(path, key="df_with_missing", mode="w")
    theirs.to_csv(path.with_suffix(".csv"))


@pytest.fixture
def process():
    process = WritingProcess()
    yield process
    process.close()


def test_another_process_writes_as_this_one_does(project_root, process):
    make_video(project_root / "videos" / "mouse.mp4")
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.writer = process
        complete(project, 20)
        project.export_labels()
        child = process.pid
        assert child not in (None, os.getpid())
        assert nose_by_frame(project_root) == {5: 1, 12: 7, 20: 1}
        images = {path.name for path in (project_root / "labeled-data" / "mouse").glob("*.png")}
        assert images == {"img005.png", "img012.png", "img020.png"}

        change_by_another(project_root, 12, 70)
        complete(project, 20, x=2)
        project.labels.clear_frame(FrameKey("mouse", 5))
        project.export_labels()
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[0, 0] == 70
        assert nose_by_frame(project_root) == {12: 70, 20: 2}
        assert process.pid == child

        (project_root / "labeled-data" / "mouse" / "CollectedData_Me.csv").unlink()
        (project_root / "labeled-data" / "mouse" / "CollectedData_Me.h5").write_bytes(b"not a table")
        complete(project, 20, x=3)
        with pytest.raises(AlPoseError, match=r"CollectedData_Me\.h5 is not an HDF5 file"):
            project.export_labels()


def test_writer_that_was_prepared_reads_no_file_again(project_root, monkeypatch):
    save_labels(project_root, XY, [5, 12])
    reads = []
    read = label_folder.read_annotations
    monkeypatch.setattr(label_folder, "read_annotations", lambda *args, **kw: reads.append(args) or read(*args, **kw))
    with open_project(project_root) as project:
        project.let_write(LabelFiles())
        reads.clear()
        complete(project, 20)
        project.export_labels()
        assert nose_by_frame(project_root) == {5: 1, 12: 7, 20: 1}
        assert not reads
        change_by_another(project_root, 12, 70)
        complete(project, 20, x=2)
        project.export_labels()
        assert nose_by_frame(project_root) == {5: 1, 12: 70, 20: 2}
        assert reads


def test_process_is_prepared_for_files_that_cannot_be_read(project_root, process):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        own = project_root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
        good = own.read_bytes()
        own.write_bytes(b"not a table")
        own.with_suffix(".csv").unlink()
        project.let_write(process)
        complete(project, 20)
        with pytest.raises(AlPoseError, match=r"CollectedData_Me\.h5 is not an HDF5 file"):
            project.export_labels()
        own.write_bytes(good)
        project.export_labels()
        assert process.pid not in (None, os.getpid())
    assert nose_by_frame(project_root) == {5: 1, 12: 7, 20: 1}


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_labels_are_written_though_the_process_was_killed(project_root, process):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.writer = process
        complete(project, 20)
        project.export_labels()
        killed = process.pid
        os.kill(killed, signal.SIGKILL)
        complete(project, 21)
        project.export_labels()
        assert nose_by_frame(project_root) == {5: 1, 12: 7, 20: 1, 21: 1}
        complete(project, 22)
        project.export_labels()
        assert process.pid not in (None, killed)
        assert sorted(nose_by_frame(project_root)) == [5, 12, 20, 21, 22]


def test_refusal_in_the_process_is_told_and_written_later(project_root, process):
    with open_project(project_root) as project:
        project.writer = process
        folder = project_root / "labeled-data" / "mouse"
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("a file where the folder should be")
        complete(project, 20)
        with pytest.raises(AlPoseError, match="mouse could not be written"):
            project.export_labels(["mouse"])
        folder.unlink()
        project.export_labels(["mouse"])
    assert nose_by_frame(project_root) == {20: 1}


class Late(LabelFiles):
    """Writes after another program did, as a process that has just been started would."""

    def __init__(self, root, times: int) -> None:
        super().__init__()
        self._root, self._left = root, times

    def write(self, job):
        if self._left:
            self._left -= 1
            change_by_another(self._root, 12, 70 + self._left)
        return super().write(job)


def test_change_between_merging_and_writing_is_taken_in(project_root):
    save_labels(project_root, XY, [5, 12])
    with open_project(project_root) as project:
        project.writer = Late(project_root, 2)
        complete(project, 20)
        project.export_labels()
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[0, 0] == 70
        assert nose_by_frame(project_root) == {5: 1, 12: 70, 20: 1}
        project.writer = Late(project_root, 99)
        complete(project, 20, x=2)
        with pytest.raises(AlPoseError, match="keep changing"):
            project.export_labels()
        project.writer = LabelFiles()
        project.export_labels()
        assert nose_by_frame(project_root)[20] == 2


@pytest.mark.parametrize(
    ("where", "name"), [(label_folder.LabelFolder, "keep_version"), (label_files, "write_annotations")]
)
def test_change_while_the_files_are_written_is_taken_in(project_root, monkeypatch, where, name):
    """The first comes after the files were read, the second after they were replaced."""
    save_labels(project_root, XY, [5, 12])
    usual, changes = getattr(where, name), [70.0]

    def and_then(*arguments, **options):
        found = usual(*arguments, **options)
        if changes:
            change_by_another(project_root, 12, changes.pop())
        return found

    with open_project(project_root) as project:
        monkeypatch.setattr(where, name, and_then)
        complete(project, 20)
        project.export_labels()
        assert not changes
        complete(project, 21)
        project.export_labels()
        assert project.labels.annotation(FrameKey("mouse", 12)).xy[0, 0] == 70
    assert nose_by_frame(project_root) == {5: 1, 12: 70, 20: 1, 21: 1}


def test_first_writing_after_another_program_finds_every_frame_the_files_lack(project_root, monkeypatch):
    monkeypatch.setattr(label_exchange, "_AT_A_TIME", 4)
    save_images(project_root, list(range(0, 40, 3)))
    with open_project(project_root) as project:
        for number in range(0, 40, 3):
            complete(project, number, x=number)
        project.export_labels()
        expected = nose_by_frame(project_root)
        complete(project, 27, x=500)
        project.labels.clear_frame(FrameKey("mouse", 30))
        project.labels.place(FrameKey("mouse", 33), "nose", 600, 1)
    some = [number for number in range(0, 40, 3) if number not in (6, 39)]
    xy = np.array([[[number, 2], [3, 4], [np.nan, np.nan]] for number in some])
    save_labels(project_root, xy, some)
    with open_project(project_root) as project:
        assert project.labels.exchange.differing_frames("mouse") == {6, 27, 30, 33, 39}
        project.export_labels()
    assert nose_by_frame(project_root) == {n: x for n, x in (expected | {27: 500, 33: 600}).items() if n != 30}
