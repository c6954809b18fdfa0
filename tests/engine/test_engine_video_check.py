"""The command line checks videos that no window has opened, once, and says what it found."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from napari_al_pose import headless
from napari_al_pose.cli import main
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import ignore_progress
from napari_al_pose.project import create_project, open_project
from napari_al_pose.project.video_check import check_videos
from napari_al_pose.video import known_verdict, open_source, verify
from napari_al_pose.video.index_cache import load_or_build

sys.path.append(str(Path(__file__).parents[1] / "video"))
from muxings import damage
from numbered_videos import Recipe, read_number, write_video, write_with_false_keyframes

LONG_GROUPS = Recipe("", "mpeg4", n_frames=60, gop=60)
DAMAGED = "frames come from damaged data: 31 to 35"


@pytest.fixture
def folder(tmp_path):
    """A project with a damaged video of which only sound frames are labelled, and one without labels."""
    damaged, other = tmp_path / "cage1.mp4", tmp_path / "cage2.mp4"
    write_video(damaged, Recipe("", "libx264", {"bf": "0"}, n_frames=60))
    damage(damaged, (30,))
    write_video(other, Recipe("", "libx264", {"bf": "0"}, n_frames=70), first_number=1000)
    root = create_project(tmp_path, task="t", scorer="me", bodyparts=["snout"], videos=[damaged, other])
    with open_project(root) as project:
        for frame in (3, 20, 50):
            project.labels.place(FrameKey("cage1", frame), "snout", 10.0 + frame, 20.0)
        project.save_settings(LoopSettings(train=TrainSettings(device="cpu", steps=1, batch_size=2, long_side=64)))
    return root


def verdicts(folder):
    with open_project(folder, read_only=True) as project:
        return {video.name: known_verdict(video.path) for video in project.videos}


def test_training_checks_the_videos_with_labels(folder, capsys):
    headless.train(folder)
    said = capsys.readouterr().err
    assert DAMAGED in said
    assert "Checking cage1: " in said
    found = verdicts(folder)
    assert found["cage1"].exact
    assert found["cage2"] is None
    headless.rank(folder, strategy="random", top=5)
    said = capsys.readouterr().err
    assert DAMAGED in said
    assert "Checking cage2: " in said
    assert "Checking cage1: " not in said, "checked twice"
    assert verdicts(folder)["cage2"].exact


def test_predicting_checks_the_files_that_are_named(folder, tmp_path, capsys):
    headless.train(folder)
    file = write_video(tmp_path / "new.mp4", Recipe("", "libx264", {"bf": "0"}, n_frames=30))
    capsys.readouterr()
    headless.predict(folder, [str(file)], ExportOptions(formats=("table",), folder=str(tmp_path)))
    assert "Checking new: " in capsys.readouterr().err
    assert known_verdict(file).exact


def test_a_video_with_wrong_jumps_is_decoded_from_its_start(tmp_path, capsys):
    honest = write_video(tmp_path / "honest.mp4", LONG_GROUPS)
    lying = write_with_false_keyframes(tmp_path / "lying.mp4", honest)
    root = create_project(tmp_path, task="t", scorer="me", bodyparts=["snout"], videos=[lying])
    assert headless.rank(root, strategy="random", top=5)
    said = capsys.readouterr().err
    assert "looks different when jumped to than when played to" in said
    assert "decoded from its first frame on, which is exact but slow" in said
    with open_project(root, read_only=True) as project, project.videos[0].open() as video:
        assert list(video.keyframes) == [0]
        assert [read_number(video[i]) for i in (57, 31, 8)] == [57, 31, 8]


def test_what_takes_too_long_is_said(folder):
    with open_project(folder, read_only=True) as project:
        told = check_videos(project.videos, lambda _name: ignore_progress, most_seconds=0)
    (sentence,) = told
    assert sentence.startswith("2 videos (cage1, cage2) were not checked for damage and wrong jumps")
    assert sentence.endswith("napari-al-pose check does it once for all commands.")
    assert verdicts(folder) == {"cage1": None, "cage2": None}


def test_the_command_for_it_takes_its_time(folder, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["check", str(folder), "--json"])
    out, said = capsys.readouterr()
    assert json.loads(out) == []
    assert DAMAGED in said
    assert all(verdict.exact for verdict in verdicts(folder).values())


def test_how_far_the_check_is(folder):
    with open_project(folder, read_only=True) as project:
        steps = []
        told = check_videos(
            project.videos, lambda name: lambda *done: steps.append((name, *done)), most_seconds=math.inf
        )
    assert told == []
    assert {name for name, _, _ in steps} == {"cage1", "cage2"}
    of_one = [(done, total) for name, done, total in steps if name == "cage2"]
    assert of_one == sorted(of_one)
    assert of_one[-1] == (64, 70)


def test_a_video_found_inexact_is_read_from_its_start_until_somebody_chooses(tmp_path):
    honest = write_video(tmp_path / "honest.mp4", LONG_GROUPS)
    lying = write_with_false_keyframes(tmp_path / "lying.mp4", honest)
    assert verify(lying, load_or_build(lying)).differs_at > 0
    with open_source(lying, cache_bytes=0) as video:
        assert [read_number(video[i]) for i in (57, 31, 8)] == [57, 31, 8]
