"""The window says where extracted images are no frames of the video, and shows what was labelled."""

from __future__ import annotations

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey
from napari_al_pose.gui import picture_check
from napari_al_pose.gui.picture_check import PictureCheck

SIZE = (96, 128)


def frame(number: int) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    x, y = 8 + number * 2 % 110, 20 + (number * 5) % 60
    image[y : y + 10, x : x + 10] = 240
    return image


@pytest.fixture
def trimmed(tmp_path):
    """A project whose video lost its first nine frames after the images were taken."""
    root = tmp_path / "trimmed"
    folder = root / "labeled-data" / "cam1"
    folder.mkdir(parents=True)
    (root / "videos").mkdir()
    (root / "config.yaml").write_text("Task: t\nscorer: Me\ndate: May1\nbodyparts: [nose]\nvideo_sets: {}\n")
    numbers = range(12, 40, 3)
    for number in numbers:
        Image.fromarray(frame(number)).save(folder / f"img{number}.png")
    rows = pd.MultiIndex.from_tuples([("labeled-data", "cam1", f"img{number}.png") for number in numbers])
    columns = pd.MultiIndex.from_product([["Me"], ["nose"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    pd.DataFrame(np.full((len(rows), 2), 30.0), rows, columns).to_hdf(
        folder / "CollectedData_Me.h5", key="df_with_missing", mode="w"
    )
    with av.open(str(root / "videos" / "cam1.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIZE[1], SIZE[0], "yuv420p", 4_000_000
        for number in range(9, 60):
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame(number), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return root


def test_a_trimmed_video_is_told_in_the_window(session, trimmed, qtbot, monkeypatch):
    monkeypatch.setattr(picture_check, "DELAY_MS", 1)
    told = []
    session.notices.raised.connect(lambda message, *_rest: told.append(message))
    check = PictureCheck(session.projects, session.navigator)
    session.projects.open_project(trimmed)
    qtbot.waitUntil(lambda: any("9 frames earlier" in message for message in told), timeout=TIMEOUT)
    session.navigator.go_to(FrameKey("cam1", 12))

    def shows_what_was_labelled():
        source = session.frame.source
        return source is not None and np.array_equal(source[12], frame(12))

    qtbot.waitUntil(shows_what_was_labelled, timeout=TIMEOUT)
    assert sum("9 frames earlier" in message for message in told) == 1
    check.work.close()


def test_nothing_is_compared_once_the_project_is_closed(session, trimmed, qtbot, monkeypatch):
    monkeypatch.setattr(picture_check, "DELAY_MS", 10_000)
    check = PictureCheck(session.projects, session.navigator)
    session.projects.open_project(trimmed)
    qtbot.waitUntil(lambda: session.projects.project is not None, timeout=TIMEOUT)
    assert check.work.is_waiting
    session.projects.close_project()
    qtbot.waitUntil(lambda: not check.work.is_waiting, timeout=TIMEOUT)
