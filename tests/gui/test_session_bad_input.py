"""Bad input in the window: one message that names the file and says what to do, the open project untouched."""

from __future__ import annotations

import os
import shutil

import pytest
from session_tools import TIMEOUT

pytestmark = pytest.mark.gui


def no_yaml(config):
    config.write_bytes(b"\x00\xff{[: no yaml")
    return config


def no_bodyparts(config):
    config.write_text("Task: t\nscorer: s\ndate: Jan1\nvideo_sets: {}\n")
    return config


@pytest.mark.parametrize("damage", [no_yaml, no_bodyparts])
def test_what_cannot_be_opened_is_named_with_a_remedy(opened, sample_project, tmp_path, qtbot, damage):
    bad = tmp_path / "bad"
    shutil.copytree(sample_project.parent, bad)
    named = damage(bad / "config.yaml")
    notices = []
    opened.notices.raised.connect(lambda message, hint, is_error: notices.append((message, hint, is_error)))
    opened.projects.open_project(bad / "config.yaml")
    qtbot.waitUntil(lambda: any(is_error for _, _, is_error in notices), timeout=TIMEOUT)
    message, hint, _ = next(notice for notice in notices if notice[2])
    assert named.stem in f"{message} {hint}"
    assert hint
    assert "Traceback" not in message


def test_a_damaged_file_of_labels_is_named_and_left_and_the_project_opens(session, sample_copy, qtbot):
    folder = sample_copy.parent / "labeled-data" / "black-mouse"
    folder.mkdir(parents=True, exist_ok=True)
    damaged = folder / "CollectedData_synthetic.h5"
    damaged.write_bytes(b"this is no hdf5 file")
    notices = []
    session.notices.raised.connect(lambda message, hint, is_error: notices.append(f"{message} {hint}"))
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: any(damaged.name in notice for notice in notices), timeout=TIMEOUT)
    (told,) = (notice for notice in notices if damaged.name in notice)
    assert "backup" in told
    assert "Traceback" not in told
    assert damaged.read_bytes() == b"this is no hdf5 file"


def test_of_a_video_cut_in_half_the_first_part_is_shown_and_the_cut_is_named(session, sample_copy, qtbot):
    for video in sample_copy.parent.glob("videos/*.mp4"):
        video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    notices = []
    session.notices.raised.connect(lambda message, hint, is_error: notices.append((message, hint)))
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    message, hint = next(notice for notice in notices if "cut off" in notice[0])
    assert "black-mouse.mp4" in message
    assert "copy it again" in hint
    assert 0 < len(session.frame.source) < 120


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_opens_for_reading(session, sample_copy, qtbot):
    folder = sample_copy.parent
    folder.chmod(0o500)
    notices = []
    session.notices.raised.connect(lambda message, hint, is_error: notices.append(message))
    try:
        session.projects.open_project(sample_copy)
        qtbot.waitUntil(lambda: session.projects.project is not None, timeout=TIMEOUT)
        assert session.projects.read_only
        assert any("reading only" in notice for notice in notices)
        session.editor.place(session.frame.bodypart, 10, 20)
        assert "can't write to its folder" in notices[-1]
    finally:
        folder.chmod(0o700)
