"""A comparison from beginning to end on small pictures: paired, resumable, logged, reported."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulation_blobs import make_blobs, write_coco_blobs

from napari_al_pose.cli import main
from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose import train as real_train
from napari_al_pose.simulation import learner as learner_module
from napari_al_pose.simulation import play as play_module
from napari_al_pose.simulation.folds import make_folds
from napari_al_pose.simulation.measures import measure
from napari_al_pose.simulation.play import FoldJob, play
from napari_al_pose.simulation.preparing import open_prepared, prepare
from napari_al_pose.simulation.protocol import SANITY, Arm, Protocol
from napari_al_pose.simulation.report import write_report
from napari_al_pose.simulation.round_files import RoundFiles, _meaning, code_version, read_rounds, write_tables
from napari_al_pose.simulation.running import Run, simulate

PROTOCOL = Protocol(
    arms=("uniform", "hybrid", *SANITY), budgets=(3, 5, 8), steps=6, batch_size=2, views=2, folds=2, test_size=10
)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One job played whole; returns its files, rows and prepared data."""
    folder = tmp_path_factory.mktemp("played")
    raw = make_blobs(videos=2, frames=14)
    prepared = prepare(raw, PROTOCOL, folder / "cache")
    files = RoundFiles(folder / "rounds", PROTOCOL.setting())
    assert play(FoldJob(prepared, raw.name, 0, 0), PROTOCOL, files, out_of_time=never)
    (folder / "protocol.json").write_text(json.dumps(PROTOCOL.to_json() | {"setting": PROTOCOL.setting()}))
    return folder, read_rounds(files.folder)


def of(rows, arm):
    return sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["budget"])


def frames(rows):
    return [(video, frame) for row in rows for video, frame, _, _ in row["picks"]]


def test_every_arm_starts_with_the_same_frames_and_the_same_error(played):
    _, rows = played
    first = [of(rows, arm.name)[0] for arm in PROTOCOL.parsed_arms()]
    assert len(first) == 5
    assert len({json.dumps(row["picks"]) for row in first}) == 1
    assert len({row["error"] for row in first}) == 1


def test_budgets_are_met_with_new_frames_of_the_pool_only(played):
    folder, rows = played
    prepared = open_prepared(next((folder / "cache").iterdir()))
    fold = make_folds(prepared.dataset, 2, test_size=10)[0]
    test = {(prepared.dataset.keys[i].video, prepared.dataset.keys[i].frame) for i in fold.test}
    for arm in PROTOCOL.parsed_arms():
        labelled = frames(of(rows, arm.name))
        assert len(labelled) == len(set(labelled)) == 8
        assert not {video for video, _ in labelled} & {video for video, _ in test}
        assert [row["keypoints"] for row in of(rows, arm.name)] == [6, 10, 16]


def test_the_best_of_several_batches_is_chosen_on_frames_that_results_are_not_told_of(played, tmp_path):
    folder, _ = played
    protocol = replace(PROTOCOL, arms=("uniform", "best"), candidates=3)
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    job = FoldJob(next((folder / "cache").iterdir()), "blobs", 0, 0)
    assert play(job, protocol, files, out_of_time=never)
    rows = read_rounds(files.folder)
    assert {row["n_test"] for row in rows} == {5}
    assert len(set(frames(of(rows, "best")))) == 8
    assert 0 <= of(rows, "best")[-1]["lost"] <= 1
    with pytest.raises(AlPoseError, match="the number is missing"):
        replace(protocol, candidates=0)


def test_lost_frames_count_as_much_in_rare_behaviours(played):
    folder, _ = played
    dataset = open_prepared(next((folder / "cache").iterdir())).dataset
    named = replace(dataset, behaviours=("walk",) * 27 + ("jump",))
    xy = dataset.xy.copy()
    xy[-1, 0] += 10 * dataset.reference[-1]
    found = measure(named, np.arange(28), xy)
    assert found.lost_of == {"walk": 0.0, "jump": 1.0}
    assert found.lost == 0.5
    assert measure(dataset, np.arange(28), xy).lost == pytest.approx(1 / 28)
    assert found.worst_decile == pytest.approx(0.5 / 3)  # one of two keypoints, capped, in one of three frames


def test_scores_are_logged(played):
    _, rows = played
    for row in of(rows, "hybrid")[1:]:
        assert row["score_low"] < row["score_high"]
        assert sum(row["picks_per_video"].values()) == len(row["picks"])
        assert row["top"]
        assert row["top"] != row["bottom"]
    assert all(score is None for row in of(rows, "hybrid")[:1] for _, _, score, _ in row["picks"])


def test_hardest_scores_by_the_true_error_and_anti_takes_what_the_default_wants_least(played):
    _, rows = played
    hardest, anti, hybrid = (of(rows, arm)[1] for arm in ("hardest", "anti", "hybrid"))
    assert 0 <= hardest["score_low"] < hardest["score_high"] <= 1
    assert hardest["n_scored"] == hybrid["n_scored"]
    assert {tuple(p[:2]) for p in anti["picks"]} == {tuple(frame) for frame in hybrid["bottom"][: len(anti["picks"])]}


def test_rounds_of_the_arm_that_was_called_oracle_count_as_hardest(played, tmp_path, monkeypatch):
    folder, rows = played
    for path in (folder / "rounds").iterdir():
        old = path.read_text().replace('"arm": "hardest"', '"arm": "oracle"')
        target = tmp_path / "rounds" / path.name.replace("-hardest-", "-oracle-")
        target.parent.mkdir(exist_ok=True)
        target.write_text(old)
    assert {row["arm"] for row in read_rounds(tmp_path / "rounds")} == {row["arm"] for row in rows}
    monkeypatch.setattr(play_module, "make_learner", lambda *_: None)  # would fail at the first training
    protocol = replace(PROTOCOL, arms=tuple("oracle" if arm == "hardest" else arm for arm in PROTOCOL.arms))
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    assert play(FoldJob(next((folder / "cache").iterdir()), "blobs", 0, 0), protocol, files, out_of_time=never)
    (tmp_path / "protocol.json").write_text(json.dumps(protocol.to_json() | {"setting": protocol.setting()}))
    summary = write_report(tmp_path, cache=tmp_path / "cache", baseline="uniform", target=None)
    assert "hardest" in {arm["arm"] for arm in summary["results"][0]["arms"]}
    assert Arm.parse("oracle+nospread").name == "hardest+nospread"


def test_the_report_tells_what_goes_wrong_beside_the_mean_error(played):
    folder, rows = played
    summary = write_report(folder, cache=folder / "cache", baseline="uniform", target=None)
    by_arm = {arm["arm"]: arm["tails"] for arm in summary["results"][0]["arms"]}
    for arm, tails in by_arm.items():
        for name in ("lost", "worst_decile", "worst_videos"):
            assert tails[name]["curve"] == pytest.approx([row[name] for row in of(rows, arm)])
    assert by_arm["uniform"]["lost"]["difference"] is None
    assert by_arm["hybrid"]["lost"]["difference"]["n_pairs"] == 1
    assert by_arm["uniform"]["worst_decile"]["ratio"] is None
    last = [of(rows, arm)[-1]["worst_decile"] for arm in ("hybrid", "uniform")]
    assert by_arm["hybrid"]["worst_decile"]["ratio"] == pytest.approx([last[0] / last[1]] * 3)
    assert "What goes wrong" in (folder / "report.html").read_text()


def test_a_run_that_was_ended_goes_on_to_the_same_results(played, tmp_path):
    folder, rows = played
    calls = 0

    def soon() -> bool:
        nonlocal calls
        calls += 1
        return calls > 4

    prepared = next((folder / "cache").iterdir())
    files = RoundFiles(tmp_path / "rounds", PROTOCOL.setting())
    job = FoldJob(prepared, "blobs", 0, 0)
    assert not play(job, PROTOCOL, files, out_of_time=soon)
    assert 0 < len(read_rounds(files.folder)) < len(rows)
    assert play(job, PROTOCOL, files, out_of_time=never)
    again = read_rounds(files.folder)
    for a, b in zip(rows, again, strict=True):
        assert a["picks"] == b["picks"]
        assert a["error"] == pytest.approx(b["error"], abs=1e-9)


def test_what_is_there_is_not_played_again(played, monkeypatch):
    folder, rows = played
    monkeypatch.setattr(play_module, "make_learner", lambda *_: None)  # would fail at the first training
    files = RoundFiles(folder / "rounds", PROTOCOL.setting())
    assert play(FoldJob(next((folder / "cache").iterdir()), "blobs", 0, 0), PROTOCOL, files, out_of_time=never)
    assert read_rounds(files.folder) == rows


def test_rounds_of_other_settings_are_refused(played):
    folder, _ = played
    other = RoundFiles(folder / "rounds", replace(PROTOCOL, steps=7).setting())
    with pytest.raises(AlPoseError, match="other settings"):
        other.read("blobs", 0, 0, "hybrid", 3)


def test_tables_and_report(played):
    folder, rows = played
    write_tables(rows, folder)
    table = pd.read_csv(folder / "rounds.csv")
    assert len(table) == len(rows) == 5 * 3
    assert table.groupby("arm")["budget"].apply(list).map(lambda b: b == [3, 5, 8]).all()
    assert len(pd.read_csv(folder / "picks.csv")) == 5 * 8
    assert set(pd.read_csv(folder / "videos.csv")["video"]) <= {"v0", "v1"}
    summary = write_report(folder, cache=folder / "cache", baseline="uniform", target=None)
    (result,) = summary["results"]
    assert result["target"] == 5
    assert {arm["arm"] for arm in result["arms"]} == {arm.name for arm in PROTOCOL.parsed_arms()}
    page = (folder / "report.html").read_text()
    assert [page.count(f"data:image/{kind};base64,") for kind in ("png", "jpeg")] == [2, 1]
    assert "hybrid" in page
    assert all((folder / f"blobs-{name}.png").stat().st_size > 2000 for name in ("curves", "differences", "frames"))


def test_a_library_the_report_needs_is_asked_for_before_anything_is_played(tmp_path, capsys, monkeypatch):
    labels = write_coco_blobs(tmp_path, make_blobs(videos=2, frames=14))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", str(labels), "--output", str(tmp_path / "out"), "--budgets", "3,5"])
    said = capsys.readouterr().err
    assert "needs matplotlib" in said
    assert "napari-al-pose[simulate]" in said
    assert not (tmp_path / "out").exists()


def test_the_command_plays_in_processes_and_goes_on_from_what_is_there(tmp_path, capsys):
    labels = write_coco_blobs(tmp_path, make_blobs(videos=2, frames=14))
    command = ["simulate", str(labels), "--output", str(tmp_path / "out"), "--budgets", "3,5", "--folds", "2"]
    command += ["--use-folds", "0", "--seeds", "1", "--steps", "4", "--batch-size", "2", "--jobs", "1", "--json"]
    first = run_command([*command, "--no-sanity"], capsys)
    assert (first["rounds"], first["missing"]) == (4, 0)
    assert [arm["arm"] for arm in first["results"][0]["arms"]] == ["uniform", "hybrid"]
    assert json.loads((tmp_path / "out" / "protocol.json").read_text())["budgets"] == [3, 5]
    before = (tmp_path / "out" / "rounds.csv").read_bytes()
    again = run_command([*command, "--no-sanity"], capsys)
    assert again["rounds"] == 4
    assert (tmp_path / "out" / "rounds.csv").read_bytes() == before
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--steps", "5"])
    assert "steps differ" in capsys.readouterr().err


def test_a_dask_cluster_plays_the_same(played, tmp_path):
    distributed = pytest.importorskip("distributed")
    folder, rows = played
    run = Run(output=tmp_path / "out", cache=folder / "cache", seeds=(0,), folds=(0,))
    protocol = replace(PROTOCOL, arms=("uniform",))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        simulate([make_blobs(videos=2, frames=14)], protocol, replace(run, scheduler=cluster.scheduler_address))
    found = read_rounds(tmp_path / "out" / "rounds")
    assert [row["picks"] for row in found] == [row["picks"] for row in rows if row["arm"] == "uniform"]


def test_folds_are_played_in_turn():
    every = Run(output=Path("out"), cache=Path("cache"), seeds=(30, 31, 32, 33), folds=(1, 2))
    assert every.seeds_of(1) == every.seeds_of(2) == (30, 31, 32, 33)
    in_turn = replace(every, in_turn=True)
    assert in_turn.seeds_of(1) == (30, 32)
    assert in_turn.seeds_of(2) == (31, 33)


def run_command(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(command)
    return json.loads(capsys.readouterr().out)


def test_arms_are_read_and_named():
    arm = Arm.parse("hybrid+nospread+explore25+trust50+warm")
    assert arm == Arm("hybrid", spread=False, explore=0.25, warm=True, trust=0.5)
    assert arm.name == "hybrid+nospread+explore25+trust50+warm"
    assert not Arm.parse("uniform").deduplicate
    assert Arm.parse("random+dedup").deduplicate
    assert Arm.parse("hybrid+dedup").name == "hybrid"
    with pytest.raises(AlPoseError, match="Unknown strategy"):
        Arm.parse("guess")
    with pytest.raises(AlPoseError, match="Unknown modifier"):
        Arm.parse("hybrid+quick")


def test_exploring_warm_and_own_starts_are_played(played, tmp_path):
    folder, _ = played
    protocol = replace(PROTOCOL, arms=("hybrid+explore50+warm", "uniform"), start="own", budgets=(3, 7))
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    assert play(FoldJob(next((folder / "cache").iterdir()), "blobs", 1, 0), protocol, files, out_of_time=never)
    found = read_rounds(files.folder)
    second = of(found, "hybrid+explore50+warm")[1]
    assert [source for *_, source in second["picks"]].count("random") == 2
    assert frames(of(found, "hybrid+explore50+warm")[:1]) != frames(of(found, "uniform")[:1])
    assert np.isfinite(second["error"])


def test_the_version_of_the_code_goes_by_what_it_does():
    plain = 'def f(x):\n    """Doc."""\n    return x + 1\n'
    assert _meaning(plain) == _meaning("# Note.\ndef f(x):\n\n    'Other.'\n    return (x + 1)\n")
    assert _meaning(plain) != _meaning(plain.replace("1", "2"))
    assert len(code_version()) == 12


def test_strategies_get_the_arrays_they_ask_for_or_say_that_they_fell_back(played, tmp_path):
    folder, _ = played
    arms = ("badge", "keypoint_features", "tta", "dlc_kmeans", "temporal")
    protocol = replace(PROTOCOL, arms=arms, budgets=(3, 6))
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    assert play(FoldJob(next((folder / "cache").iterdir()), "blobs", 0, 0), protocol, files, out_of_time=never)
    found = read_rounds(files.folder)
    fallbacks = {arm: of(found, arm)[1]["fallback"] for arm in arms}
    assert fallbacks.pop("temporal").endswith(" instead of temporal")  # there are no neighbouring frames
    assert set(fallbacks.values()) == {""}
    assert all(of(found, arm)[1]["score_low"] < of(found, arm)[1]["score_high"] for arm in fallbacks)


def test_the_loops_own_training_is_played_with_a_fixed_number_of_steps(tmp_path):
    protocol = replace(PROTOCOL, arms=("uniform", "hybrid+warm"), budgets=(3, 5), learning="all", steps=2)
    raw = make_blobs(videos=2, frames=8)
    prepared = prepare(raw, protocol, tmp_path / "cache")
    assert not (prepared / "maps").exists()
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    assert play(FoldJob(prepared, raw.name, 0, 0), protocol, files, out_of_time=never)
    found = read_rounds(files.folder)
    assert [row["budget"] for row in of(found, "hybrid+warm")] == [3, 5]
    assert of(found, "uniform")[0]["error"] == of(found, "hybrid+warm")[0]["error"]
    assert all(0 < row["error"] <= 1 for row in found)


def test_an_arm_learns_from_the_rest_of_the_pool_without_labels(tmp_path, monkeypatch):
    protocol = replace(PROTOCOL, arms=("uniform", "uniform+unlabelled"), budgets=(10, 12), learning="all", steps=2)
    raw = make_blobs(videos=2, frames=16)
    prepared = prepare(raw, protocol, tmp_path / "cache")
    files, given = RoundFiles(tmp_path / "rounds", protocol.setting()), []

    def train(frames, *arguments, unlabelled, plan, **options):
        given.append((len(frames), plan.n_validation, {image.tobytes() for image in unlabelled}))
        return real_train(frames, *arguments, unlabelled=unlabelled, plan=plan, **options)

    monkeypatch.setattr(learner_module, "train", train)
    assert play(FoldJob(prepared, raw.name, 0, 0), protocol, files, out_of_time=never)
    assert [(n, held, len(images)) for n, held, images in given] == [(10, 0, 0), (12, 0, 0), (10, 2, 6), (12, 2, 4)]
    dataset = open_prepared(prepared).dataset
    test = make_folds(dataset, 2, test_size=10)[0].test
    assert not {np.asarray(dataset.images[row]).tobytes() for row in test} & given[2][2]
    with pytest.raises(AlPoseError, match="learns from frames without labels"):
        replace(protocol, learning="heads")


def test_horse10s_design_begins_with_one_horse_and_ends_with_all(tmp_path):
    protocol = replace(PROTOCOL, arms=("uniform", "hybrid"), budgets=(0, 50, 100), percent=True, steps=3)
    raw = replace(make_blobs(videos=3, frames=6), splits=((("v0",), ("v1",), ("v2",)),))
    prepared = prepare(raw, protocol, tmp_path / "cache")
    files = RoundFiles(tmp_path / "rounds", protocol.setting())
    assert play(FoldJob(prepared, raw.name, 0, 0), protocol, files, out_of_time=never)
    for arm in protocol.arms:
        rows = of(read_rounds(files.folder), arm)
        assert [row["n_labelled"] for row in rows] == [6, 9, 12]
        assert {video for video, _ in frames(rows)} == {"v1"}
        assert set(rows[0]["per_video"]) == {"v2"}
    last = [of(read_rounds(files.folder), arm)[-1]["error"] for arm in protocol.arms]
    assert last[0] == pytest.approx(last[1])
