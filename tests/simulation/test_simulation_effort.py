"""Workflows from beginning to end on small pictures, and the seconds they took, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from simulation_blobs import make_blobs, write_coco_blobs

from napari_al_pose.cli import main
from napari_al_pose.domain import KeypointState
from napari_al_pose.simulation.dataset import Labels
from napari_al_pose.simulation.effort import seconds_to_reach, summarise_effort
from napari_al_pose.simulation.learner import moved_with
from napari_al_pose.simulation.play import FoldJob, play
from napari_al_pose.simulation.preparing import open_prepared, prepare
from napari_al_pose.simulation.protocol import Protocol
from napari_al_pose.simulation.round_files import RoundFiles, as_table, read_rounds
from napari_al_pose.simulation.running import Run, simulate
from napari_al_pose.simulation.workflows import Costs

ARMS = ("from-scratch", "prefilled", "prefilled-mended", "points50-mended-whole20-sure90", "shipped")
PROTOCOL = Protocol(arms=ARMS, budgets=(3, 5, 8), steps=6, batch_size=2, views=2, folds=2, test_size=10)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    raw = make_blobs(videos=2, frames=14, bodyparts=3)
    return prepare(raw, PROTOCOL, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def played(prepared, tmp_path_factory):
    files = RoundFiles(tmp_path_factory.mktemp("played") / "rounds", PROTOCOL.setting())
    assert play(FoldJob(prepared, "blobs", 0, 0), PROTOCOL, files, out_of_time=never)
    return read_rounds(files.folder)


def of(rows, arm):
    return sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["budget"])


def test_all_begin_with_the_same_frames_from_scratch(played):
    first = [of(played, arm)[0] for arm in ARMS]
    assert len({json.dumps(row["work"]["labels"]) for row in first}) == 1
    assert len({row["error"] for row in first}) == 1
    assert all(row["work"]["placed"] == row["work"]["clicks"] == 9 for row in first)


def test_every_round_takes_the_time_of_its_budget(played):
    scratch = [row["work"]["seconds"] for row in of(played, "from-scratch")]
    assert scratch == pytest.approx([budget * (2 + 3 * 2.5) for budget in PROTOCOL.budgets])
    assert [row["n_labelled"] for row in of(played, "from-scratch")] == [3, 5, 8]
    longest = 2 + 3 * 3.3 + 0.7 * 4
    for arm in ARMS[1:]:
        for row, seconds in zip(of(played, arm), scratch, strict=True):
            used_up = row["n_labelled"] == 14
            assert row["work"]["seconds"] <= seconds + longest
            assert used_up or row["work"]["seconds"] >= seconds - longest


def test_labels_are_what_the_annotator_said(played, prepared):
    dataset = open_prepared(prepared).dataset
    for arm in ("prefilled", "prefilled-mended"):
        for row, states, taken, flat in of(played, arm)[-1]["work"]["labels"]:
            off = np.hypot(*(np.array(flat).reshape(-1, 2) - dataset.xy[row]).T) / dataset.reference[row]
            assert (off <= 0.06).all()  # the tolerance, or a jittered click
            assert states == [1, 1, 1]
            assert taken == []  # only of a workflow that gives them less weight
    assert any(taken for _, _, taken, _ in of(played, "shipped")[-1]["work"]["labels"])
    points = [states for _, states, _, _ in of(played, ARMS[3])[-1]["work"]["labels"]]
    assert any(KeypointState.UNSEEN in states for states in points)
    assert of(played, ARMS[3])[-1]["keypoints"] == sum(state == 1 for states in points for state in states)


def test_a_run_that_was_ended_goes_on_to_the_same_results(played, prepared, tmp_path):
    calls = 0

    def soon() -> bool:
        nonlocal calls
        calls += 1
        return calls > 7

    files = RoundFiles(tmp_path / "rounds", PROTOCOL.setting())
    job = FoldJob(prepared, "blobs", 0, 0)
    assert not play(job, PROTOCOL, files, out_of_time=soon)
    assert 0 < len(read_rounds(files.folder)) < len(played)
    assert play(job, PROTOCOL, files, out_of_time=never)
    for a, b in zip(played, read_rounds(files.folder), strict=True):
        assert a["picks"] == b["picks"]
        assert a["work"] == b["work"]
        assert a["error"] == pytest.approx(b["error"], abs=1e-9)


def test_the_table_has_the_work(played):
    table = as_table(played)
    assert (table["seconds"] > 0).all()
    assert {"clicks", "noc", "noc_mended"} <= set(table.columns)
    assert (table["noc"] >= 0).all()


def test_labels_move_with_their_views():
    rng = np.random.default_rng(0)
    known = rng.uniform(0, 100, (4, 2))
    turn = 1.3 * np.exp(0.7j)
    view = turn * (known @ np.array([1, 1j])) + (5 - 3j)
    uv = np.stack([view.real, view.imag], axis=1).astype(np.float32)
    said = known + rng.normal(0, 2, known.shape)
    expected = turn * (said @ np.array([1, 1j])) + (5 - 3j)
    found = moved_with(uv, known, said)
    assert found[:, 0] + 1j * found[:, 1] == pytest.approx(expected, abs=1e-3)
    known[1:], uv[1:] = np.nan, np.nan
    assert moved_with(uv, known, known)[0] == pytest.approx(uv[0])
    assert np.isnan(moved_with(np.full_like(uv, np.nan), np.full_like(known, np.nan), said)).all()


def test_labels_begin_as_not_looked_at(prepared):
    dataset = open_prepared(prepared).dataset
    labels = Labels.none(dataset)
    assert not labels.states.any()
    assert np.isnan(labels.xy).all()


# ---- what it took ---------------------------------------------------------------------------------


def rounds(arm: str, errors: list[float], seconds: list[float], *, seed: int = 0) -> list[dict]:
    """Rounds in which every second is a look of two."""
    work = dict.fromkeys(("points", "placed", "dragged", "accepted"), 0)
    return [
        {
            "arm": arm,
            "fold": 0,
            "seed": seed,
            "budget": budget,
            "error": error,
            "n_labelled": budget,
            "work": {**work, "looks": took / 2, "clicks": 1, "noc": 2.0, "noc_mended": 1.5},
        }
        for budget, error, took in zip((10, 20, 40), errors, seconds, strict=True)
    ]


def test_seconds_to_the_target_are_interpolated_on_log2():
    x, y = np.array([100.0, 200, 400]), np.array([0.3, 0.2, 0.1])
    assert seconds_to_reach(x, y, 0.15) == pytest.approx(200 * 2**0.5)
    assert seconds_to_reach(x, y, 0.3) == 100
    assert seconds_to_reach(x, y, 0.5) == 100
    assert seconds_to_reach(x, y, 0.05) == math.inf


def test_the_ratio_is_to_from_scratch_at_the_target():
    played = rounds("from-scratch", [0.3, 0.2, 0.1], [100, 200, 400]) + rounds(
        "fast", [0.3, 0.1, 0.05], [100, 200, 400]
    )
    played += rounds("lost", [0.4, 0.35, 0.3], [100, 200, 400])
    found = summarise_effort(played, budgets=(10, 20, 40), target=None, costs=Costs())
    assert found["from-scratch"].ratio == 1.0
    assert found["from-scratch"].seconds_to_target == 400
    assert found["fast"].seconds_to_target == 200
    assert found["fast"].ratio == 0.5
    assert found["fast"].interval == (0.5, 0.5)
    assert found["lost"].ratio == math.inf
    assert found["fast"].aulc_seconds == pytest.approx((0.2 + 0.075) / 2)
    assert found["fast"].sensitivity["look x 2"] == 0.5
    assert found["fast"].noc == (2.0, 2.0, 2.0)


def test_only_replicates_that_all_have_finished_count():
    played = rounds("from-scratch", [0.3, 0.2, 0.1], [100, 200, 400]) + rounds(
        "fast", [0.3, 0.1, 0.05], [100, 200, 400]
    )
    more = rounds("from-scratch", [0.9, 0.9, 0.9], [100, 200, 400], seed=1)
    found = summarise_effort(played + more, budgets=(10, 20, 40), target=40, costs=Costs())
    assert found["from-scratch"].n_replicates == 1
    assert found["fast"].ratio == 0.5
    assert not summarise_effort(rounds("fast", [1, 1, 1], [1, 2, 3]), budgets=(10, 20, 40), target=40, costs=Costs())


def test_the_command_prints_the_effort(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = write_coco_blobs(tmp_path, make_blobs(videos=2, frames=12, bodyparts=3))
    command = ["simulate", str(labels), "--workflows", "from-scratch,prefilled,shipped", "--json", "--seeds", "1"]
    command += ["--budgets", "3,5,8", "--steps", "4", "--batch-size", "2", "--folds", "2", "--jobs", "1"]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["effort"]) == ["from-scratch", "prefilled", "shipped"]
    assert document["effort"]["from-scratch"]["ratio"] == 1.0
    for one in document["effort"].values():
        assert one["seconds_to_target"] is None or one["seconds_to_target"] > 0
        assert len(one["interval"]) == 2
        assert list(one) == ["seconds_to_target", "ratio", "interval"]
    assert document["results"][0]["effort"]["shipped"]["clicks"][0] > 0
    assert document["results"][0]["baseline"] == "from-scratch"
    (output,) = (tmp_path / "al-pose-simulation").iterdir()
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "seconds to the target" in page
    assert "drag × 2" in page


def test_a_simulation_of_both_kinds_of_arms_is_reported(tmp_path):
    raw = make_blobs(videos=2, frames=12, bodyparts=3)
    protocol = Protocol(arms=("uniform", "prefilled", "from-scratch"), budgets=(3, 5), steps=4, batch_size=2, folds=2)
    run = Run(output=tmp_path / "out", cache=tmp_path / "cache", seeds=(0,), folds=(0,))
    assert simulate([raw], protocol, run)["missing"] == 0
    rows = read_rounds(tmp_path / "out" / "rounds")
    assert len(rows) == 6
    assert as_table(rows)["seconds"].isna().sum() == 2
