"""Nothing is learnt from damaged frames, none is asked about, and the command line names them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_al_pose import headless
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.sources import read_batches
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.project import create_project, open_project

sys.path.append(str(Path(__file__).parents[1] / "video"))
from muxings import damage
from numbered_videos import Recipe, write_video

BAD = range(30, 36)
"""Frames that the damaged packet spoils: up to the next keyframe."""


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "cage1.mp4"
    write_video(path, Recipe("cage1.mp4", "libx264", {"bf": "0"}, n_frames=60))
    damage(path, (BAD.start,))
    root = create_project(tmp_path, task="t", scorer="me", bodyparts=["snout"], videos=[path])
    with open_project(root) as project:
        for frame in (3, 20, 32, 34, 50):
            project.labels.place(FrameKey("cage1", frame), "snout", 10.0 + frame, 20.0)
        project.save_settings(LoopSettings(train=TrainSettings(device="cpu", steps=1, batch_size=2, long_side=64)))
        yield project


def test_damaged_frames_are_read_as_such(project):
    with project.videos[0].open() as source:
        keys = [FrameKey("cage1", frame) for frame in range(60)]
        whole = {
            int(index): bool(is_whole)
            for batch in read_batches(keys, {"cage1": source})
            for index, is_whole in zip(batch.indices, batch.whole, strict=True)
        }
    assert [frame for frame, is_whole in whole.items() if not is_whole] == list(BAD)


def test_nothing_is_learnt_from_damaged_frames(project):
    with project.videos[0].open() as source:
        labelled = finish(load_labelled(tuple(project.labels.annotations()), {"cage1": source}, 0))
    assert [round(float(frame.xy[0, 0])) for frame in labelled] == [13, 30, 60]


def test_the_command_line_names_damaged_frames(project, capsys):
    project.close()
    headless.train(project.root)
    assert "5 frames come from damaged data: 31 to 35" in capsys.readouterr().err
    ranked = headless.rank(project.root, strategy="random", top=20)
    assert "5 frames come from damaged data: 31 to 35" in capsys.readouterr().err
    assert ranked
    assert not {row["frame"] for row in ranked} & set(BAD)
    headless.predict(project.root, ["cage1"], ExportOptions(formats=("table",), folder=str(project.root)))
    assert "5 frames come from damaged data: 31 to 35" in capsys.readouterr().err
