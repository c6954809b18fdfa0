"""Playing goes by the clock: late frames are skipped, and whoever does something else stops it."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QEventLoop, QTimer
from session_tools import of_session

from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.messages import Look, Looked, Ready
from napari_al_pose.gui import playback
from napari_al_pose.gui.playback import VideoPlayer

pytestmark = pytest.mark.gui


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(playback, "time", clock)
    return clock


class Picture:
    """A canvas that shows each frame at once, unless it ``is_late``."""

    def __init__(self, frame):
        self.is_late = False
        self._frame = frame

    @property
    def shown_position(self):
        return -1 if self.is_late else self._frame.position


@pytest.fixture
def picture(opened):
    made = Picture(opened.frame)
    opened.frame.set_picture(made)
    return made


@pytest.fixture
def player(opened, clock, picture, monkeypatch):
    opened.navigator.go_to(FrameKey(opened.frame.key.video, 10))
    monkeypatch.setattr(playback, "TICK_MS", 1_000_000)  # ticks come from the test
    return of_session(VideoPlayer, opened, parent=opened.navigator)


@pytest.fixture
def ticks(player, clock, opened):
    """Let time go by; return the positions that came."""

    def go(seconds, every=0.01):
        positions = [opened.frame.position]
        for _ in range(round(seconds / every)):
            clock.now += every
            player.tick()
            if opened.frame.position != positions[-1]:
                positions.append(opened.frame.position)
        return positions

    return go


def test_it_plays_every_frame_in_its_own_time(player, opened, ticks):
    player.toggle()
    fps = opened.frame.source.fps
    positions = ticks(10 / fps, every=0.2 / fps)
    assert positions[:10] == list(range(10, 20))
    player.toggle()
    assert not player.is_playing


def test_late_frames_are_skipped_and_the_clock_goes_on(player, opened, picture, ticks):
    player.toggle()
    fps = opened.frame.source.fps
    ticks(3 / fps)
    before = opened.frame.position
    picture.is_late = True  # still being decoded
    assert ticks(0.3) == [before]
    picture.is_late = False
    ticks(1 / fps, every=0.9 / fps)
    assert opened.frame.position >= 10 + int((0.3 + 3 / fps) * fps)
    player.stop()


def test_it_ends_with_the_video(player, opened, ticks):
    player.toggle()
    ticks(len(opened.frame.source) / opened.frame.source.fps)
    assert opened.frame.position == len(opened.frame.source) - 1
    assert not player.is_playing


@pytest.mark.parametrize(
    "action", [lambda session: session.navigator.step(5), lambda session: session.editor.place("snout", 5.0, 6.0)]
)
def test_whoever_does_something_stops_it(player, opened, action):
    player.toggle()
    action(opened)
    assert not player.is_playing


def test_the_engine_is_asked_for_the_last_frame_only(player, opened, engine, ticks):
    engine.says(Ready("cpu", 1))
    before = len(engine.asked(Look))
    player.toggle()
    ticks(0.5)
    assert len(engine.asked(Look)) == before
    player.toggle()
    # One look is under way: the newest wish follows it.
    under_way = engine.asked(Look)[-1]
    if under_way.key != opened.frame.key:
        engine.says(Looked(under_way.job, under_way.key, None, None))
    assert engine.asked(Look)[-1].key == opened.frame.key


def test_it_plays_by_itself(opened, picture, qtbot):
    opened.navigator.go_to(FrameKey(opened.frame.key.video, 0))
    player = of_session(VideoPlayer, opened, parent=opened.navigator)
    player.toggle()
    loop = QEventLoop()
    opened.frame.keyChanged.connect(lambda: loop.quit() if opened.frame.position >= 5 else None)
    QTimer.singleShot(5000, loop.quit)
    loop.exec()
    assert opened.frame.position >= 5
    player.stop()
