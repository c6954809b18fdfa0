"""One writer a project; the dead do not count."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from project_tools import write_config

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.project import lock as lock_module
from napari_al_pose.project import open_project
from napari_al_pose.project.lock import LockHolder, ProjectLock

HOLDER = """
import sys, time
from pathlib import Path
from napari_al_pose.project.lock import ProjectLock
lock = ProjectLock.acquire(Path(sys.argv[1]))
print(type(lock).__name__, flush=True)
time.sleep(60)
"""


def test_second_is_told_who_has_it(tmp_path):
    first = ProjectLock.acquire(tmp_path)
    assert isinstance(first, ProjectLock)
    second = ProjectLock.acquire(tmp_path)
    assert isinstance(second, LockHolder)
    assert second.pid == os.getpid()
    assert str(os.getpid()) in str(second)
    first.release()
    first.release()
    third = ProjectLock.acquire(tmp_path)
    assert isinstance(third, ProjectLock)
    assert third.left_behind is None
    third.release()
    assert not (tmp_path / "lock.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_lock_of_a_killed_process_is_stale(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ProjectLock"
        held = ProjectLock.acquire(tmp_path)
        assert isinstance(held, LockHolder)
        assert held.pid == process.pid
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "lock.json").exists()
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock)
    assert taken.left_behind is None
    taken.release()


ELSEWHERE = {"who": "ana@lab", "host": "lab", "pid": 1, "since": "2024-05-01T10:00:00+00:00"}


def grow_old(note, seconds: float) -> None:
    """Make a note look as if nobody had touched it for so long."""
    then = time.time() - seconds
    os.utime(note, (then, then))


def test_lock_of_another_computer_counts_while_it_gives_signs_of_life(tmp_path):
    """Network shares may keep one computer's locks from another: then the system would give it to both."""
    (tmp_path / "lock.json").write_text(json.dumps(ELSEWHERE))
    grow_old(tmp_path / "lock.json", lock_module.STALE_SECONDS / 2)
    held = ProjectLock.acquire(tmp_path)
    assert isinstance(held, LockHolder)
    assert "ana@lab" in str(held)
    assert json.loads((tmp_path / "lock.json").read_text()) == ELSEWHERE
    assert not list(tmp_path.glob(".lock*")), "nothing is left of looking at the time"


def test_lock_left_by_another_computer_is_mentioned(tmp_path):
    (tmp_path / "lock.json").write_text(json.dumps(ELSEWHERE))
    grow_old(tmp_path / "lock.json", lock_module.STALE_SECONDS * 2)
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock)
    assert "ana@lab" in str(taken.left_behind)
    taken.release()


def test_holder_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "HEARTBEAT_SECONDS", 0.01)
    taken = ProjectLock.acquire(tmp_path)
    grow_old(tmp_path / "lock.json", 1000)
    deadline = time.monotonic() + 20
    while time.time() - (tmp_path / "lock.json").stat().st_mtime > 500:
        assert time.monotonic() < deadline, "the note was never touched"
        time.sleep(0.01)
    taken.release()
    assert not (tmp_path / "lock.json").exists()


def test_window_that_slept_while_another_took_over_writes_no_more(tmp_path):
    write_config(tmp_path)
    with open_project(tmp_path) as project:
        project.labels.place(FrameKey("mouse", 1), "nose", 1, 2)
        note = tmp_path / "al-pose" / "lock.json"
        note.write_text(json.dumps(ELSEWHERE))
        project._lock.show_life()
        with pytest.raises(AlPoseError, match="has taken over"):
            project.labels.place(FrameKey("mouse", 1), "nose", 5, 6)
        with pytest.raises(AlPoseError, match="taken over"):
            project.export_labels()
        assert project.labels.annotation(FrameKey("mouse", 1)).xy[0].tolist() == [1, 2]
    assert json.loads(note.read_text()) == ELSEWHERE, "it is the other's note"


@pytest.mark.parametrize("note", ["", "[]", '{"who": 1}', "{", "\x00"])
def test_unreadable_note_does_not_matter(tmp_path, note):
    (tmp_path / "lock.json").write_text(note)
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock)
    taken.release()


@pytest.mark.skipif(os.name == "nt", reason="process ids are looked up differently there")
def test_without_file_locks_the_note_decides(tmp_path, monkeypatch):
    def no_locks(stream):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock_module, "_lock", no_locks)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        note = {"who": "ana@here", "host": lock_module.socket.gethostname(), "pid": other.pid, "since": "2024-05-01"}
        (tmp_path / "lock.json").write_text(json.dumps(note))
        assert isinstance(ProjectLock.acquire(tmp_path), LockHolder)
        other.communicate(b"\n")
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock)
    taken.release()
    (tmp_path / "lock.json").write_text(json.dumps({**note, "host": "elsewhere"}))
    assert isinstance(ProjectLock.acquire(tmp_path), LockHolder)
    grow_old(tmp_path / "lock.json", lock_module.STALE_SECONDS * 2)
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock), "a process id of this computer may be another program's by now"
    taken.release()
