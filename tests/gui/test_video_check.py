"""A video whose seeks lie is found out while the window is open, and read exactly from then on."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain.views.video_check import copying_view, inexact_view
from napari_al_pose.gui import video_check
from napari_al_pose.gui.panels.notice_bar import VideoCheckBar
from napari_al_pose.gui.video_check import VideoCheck
from napari_al_pose.project import create_project
from napari_al_pose.video import known_verdict

sys.path.append(str(Path(__file__).parents[1] / "video"))
from numbered_videos import Recipe, read_number, write_video, write_with_false_keyframes

pytestmark = pytest.mark.gui


@pytest.fixture
def project(tmp_path):
    honest = write_video(tmp_path / "honest.mp4", Recipe("honest.mp4", "mpeg4", n_frames=100, gop=100))
    lying = write_with_false_keyframes(tmp_path / "cage1.mp4", honest)
    return create_project(tmp_path, task="t", scorer="me", bodyparts=["snout"], videos=[lying])


@pytest.fixture
def check(session, project, qtbot, monkeypatch):
    monkeypatch.setattr(video_check, "DELAY_MS", 1)
    check = VideoCheck(session.frame, session.navigator, projects=session.projects, notices=session.notices)
    session.projects.open_project(project)
    qtbot.waitUntil(lambda: check.view.offers, timeout=TIMEOUT)
    return check


def n_wrong(source):
    wrong = 0
    for i in random.Random(0).sample(range(100), 100):
        try:
            wrong += read_number(source[i]) != i
        except ValueError:
            wrong += 1
    return wrong


def test_it_says_what_is_wrong_and_offers_ways_out(check, qtbot):
    bar = VideoCheckBar(check)
    qtbot.addWidget(bar)
    assert "cage1: frame" in bar.message.text()
    assert not bar.isHidden()
    assert not bar.copy.isHidden()
    assert bar.progress.isHidden()


def test_decoding_forwards(check, session, qtbot):
    before = session.frame.source
    check.decode_forwards()
    qtbot.waitUntil(lambda: session.frame.source not in (None, before), timeout=TIMEOUT)
    assert n_wrong(session.frame.source) == 0
    assert not check.view.message


def test_an_exact_copy(check, session, qtbot):
    before, position = session.frame.source, session.frame.key
    with qtbot.waitSignal(check.changed):
        check.make_copy()
    assert check.view.percent >= 0
    qtbot.waitUntil(lambda: session.frame.source not in (None, before), timeout=TIMEOUT)
    assert session.frame.source.path.parent.name == "exact copies"
    assert (session.frame.key, session.frame.source.name) == (position, "cage1")
    assert n_wrong(session.frame.source) == 0
    assert known_verdict(session.frame.source.original).remedy == "copy"


def test_a_cancelled_copy_is_offered_again(check, session, qtbot):
    before = session.frame.source
    check.make_copy()
    check.cancel_copy()
    qtbot.waitUntil(lambda: check.view.offers, timeout=TIMEOUT)
    assert session.frame.source is before
    assert not list(session.frame.source.original.resolve().parent.glob("exact copies/*"))


def test_an_honest_video_is_checked_without_a_word(opened, qtbot, monkeypatch):
    monkeypatch.setattr(video_check, "DELAY_MS", 1)
    check = VideoCheck(opened.frame, opened.navigator, projects=opened.projects, notices=opened.notices)
    opened.frame.sourceChanged.emit()
    qtbot.waitUntil(lambda: known_verdict(opened.frame.source.original) is not None, timeout=TIMEOUT)
    assert known_verdict(opened.frame.source.original).exact
    assert not check.view.message


def test_words():
    assert inexact_view("v", 7).offers
    view = copying_view("v", 250, 1000, 10.0)
    assert (view.percent, view.message) == (25, "Copying v exactly: 25%, 30 s left")
