"""One writer a project; the dead do not count."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from napari_al_pose.project import lock as lock_module
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


def test_lock_left_by_another_computer_is_mentioned(tmp_path):
    note = {"who": "ana@lab", "host": "lab", "pid": 1, "since": "2024-05-01T10:00:00+00:00"}
    (tmp_path / "lock.json").write_text(json.dumps(note))
    taken = ProjectLock.acquire(tmp_path)
    assert isinstance(taken, ProjectLock)
    assert "ana@lab" in str(taken.left_behind)
    taken.release()


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
