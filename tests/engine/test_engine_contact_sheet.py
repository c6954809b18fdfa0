"""Contact sheets: the frames a strategy puts first and last, as one picture."""

from __future__ import annotations

import numpy as np
from PIL import Image

from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.contact_sheet import write_contact_sheet
from napari_al_pose.project import open_project


def test_the_best_come_first_and_the_worst_last(sample_project, tmp_path):
    with open_project(sample_project, read_only=True) as project:
        video = project.videos[0]
        source = video.open()
        keys = [FrameKey(video.name, 10 * i) for i in range(6)]
        scores = np.array([0.1, 0.9, np.nan, 0.5, 0.4, 0.2])
        write_contact_sheet(tmp_path / "sheet.png", "MPE", keys, scores, {video.name: source}, n=2)
        shown = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
        best = Image.fromarray(source[10])
        source.close()
    best.thumbnail((200, 200))
    first = np.asarray(best)
    height, width = first.shape[:2]
    places = [
        (y, x)
        for y in range(shown.shape[0] - height)
        for x in (10, 220)
        if (shown[y : y + height, x : x + width] == first).all()
    ]
    assert [x for _, x in places] == [10]  # the best is the first picture of the first row
    assert places[0][0] < shown.shape[0] / 3


def test_a_pool_without_scores_gives_an_empty_sheet(tmp_path):
    write_contact_sheet(tmp_path / "sheet.png", "uniform", [FrameKey("v", 0)], np.array([np.nan]), {})
    assert Image.open(tmp_path / "sheet.png").width > 1000
