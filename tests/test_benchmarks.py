"""What the benchmarks make of answers: no peer is run."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import pose_peers
from benchmarks.pose_peers import Ours, Task, against_curve, prescribed_seconds, reached, side_by_side

CURVE = [(60.0, 10, 90.0), (120.0, 20, 5.5), (180.0, 30, 7.0)]


def test_a_curve_is_read_at_the_first_time_it_is_good_enough() -> None:
    assert reached(CURVE, 6.0) == 120.0
    assert reached(CURVE, 5.0) is None


@pytest.mark.parametrize(
    ("seconds", "px", "share", "goal"),
    [
        (6.0, 6.0, 0.05, "<= 0.1"),
        (60.0, 6.0, 0.5, "<= 0.1"),
        (9.0, 1.0, 0.05, "<= 0.1"),  # it would have taken longer still
        (90.0, 1.0, 0.5, ""),  # nobody knows how much longer
        (math.inf, 1.0, math.inf, "<= 0.1"),
    ],
)
def test_a_goal_is_judged_only_where_the_peer_ran_long_enough(
    seconds: float, px: float, share: float, goal: str
) -> None:
    assert against_curve(seconds, CURVE, px) == (share, goal)


def test_prescribed_seconds_are_epochs_by_their_seconds() -> None:
    answer = {"seconds_per_epoch": 12.5, "steps_per_epoch": 4, "epochs": 200, "batch": 8}
    assert prescribed_seconds(answer) == 2500.0


def test_peers_that_are_not_installed_are_named_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_AL_POSE_PEERS", str(tmp_path))
    task = Task(labels=tmp_path / "labels.csv", names=["a.png"], video=tmp_path / "video.mp4", threads=1)
    figures = list(side_by_side(task, Ours(seconds_to=20.0, seconds=30.0, frames_per_second=80.0), {}))
    assert [figure.figure for figure in figures] == [
        "pose.sleap_nn_seconds_to_6px",
        "pose.deeplabcut_default_training",
        "pose.deeplabcut_seconds_to_6px",
        "pose.deeplabcut_inference",
    ]
    assert [(figure.value, figure.met) for figure in figures] == [
        (20.0, None),
        (30.0, None),
        (20.0, None),
        (80.0, None),
    ]
    assert all("python -m benchmarks.peers pose_" in figure.setting["absent"] for figure in figures)


def test_only_the_peers_asked_for_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_AL_POSE_PEERS", str(tmp_path))
    task = Task(labels=tmp_path / "labels.csv", names=["a.png"], video=tmp_path / "video.mp4", threads=1)
    ours = Ours(seconds_to=20.0, seconds=30.0, frames_per_second=80.0)
    (figure,) = side_by_side(task, ours, {pose_peers.SLEAP_NN: 0.5})
    assert figure.setting["peer_bounded_at_s"] == 30.0


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        ([(1800.0, 900, 40.0)], "not within its bound"),
        ([(700.0, 350, 40.0)], "never: it stopped of its own accord"),
        ([(90.0, 45, 5.0)], "90"),
    ],
)
def test_how_a_peer_ended_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curve: list[tuple[float, int, float]], said: str
) -> None:
    monkeypatch.setattr(pose_peers, "_ask", lambda *_, **__: {"curve": curve, "batch": 4})
    task = Task(labels=tmp_path / "labels.csv", names=["a.png"], video=tmp_path / "video.mp4", threads=1)
    ours = Ours(seconds_to=9.0, seconds=30.0, frames_per_second=80.0)
    (figure,) = side_by_side(task, ours, {pose_peers.SLEAP_NN: None})
    assert str(figure.setting["peer_s"]).startswith(said)
    assert figure.value == 9.0 / curve[-1][0]
    assert figure.met


def test_a_peer_that_made_no_step_does_not_end_the_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pose_peers, "_ask", lambda *_, **__: {"curve": [], "batch": 4})
    task = Task(labels=tmp_path / "labels.csv", names=["a.png"], video=tmp_path / "video.mp4", threads=1)
    ours = Ours(seconds_to=9.0, seconds=30.0, frames_per_second=80.0)
    (figure,) = side_by_side(task, ours, {pose_peers.SLEAP_NN: None})
    assert figure.setting["absent"] == "it ended before its first step"


def test_bounds_are_peers_with_or_without_minutes() -> None:
    assert command._bound("pose_sleap_nn=2.5") == ("pose_sleap_nn", 2.5)
    assert command._bound("pose_deeplabcut") == ("pose_deeplabcut", None)
    for word in ("nobody=3", "pose_sleap_nn=long"):
        with pytest.raises(argparse.ArgumentTypeError):
            command._bound(word)
