"""Learning to choose: heads in closed form, the gate, states on disk, and the ranker that comes of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from simulation_blobs import make_blobs, write_coco_blobs

from napari_al_pose.acquisition.boosted_trees import BoostedTrees
from napari_al_pose.acquisition.candidate_features import FEATURE_NAMES
from napari_al_pose.cli import main
from napari_al_pose.domain import AlPoseError
from napari_al_pose.simulation.closed_form import ClosedFormHeads
from napari_al_pose.simulation.folds import make_folds
from napari_al_pose.simulation.measures import measure
from napari_al_pose.simulation.policy_fitting import fit_ranker
from napari_al_pose.simulation.policy_gate import badness
from napari_al_pose.simulation.policy_learning import read_states
from napari_al_pose.simulation.policy_worlds import PolicyWorld, WorldSettings, open_worlds
from napari_al_pose.simulation.preparing import open_prepared, prepare

SETTINGS = WorldSettings(steps=4, long_side=128, pool_size=60, test_size=12, views=2)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    raw = make_blobs(videos=3, frames=20)
    return open_prepared(prepare(raw, SETTINGS.protocol(3), tmp_path_factory.mktemp("cache")))


def test_plain_trees_predict_as_scikit_learns_do():
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    rows = rng.random((600, len(FEATURE_NAMES)))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:, 6] = np.nan  # never known, as the pose of a network that is sure of nothing
    worth = np.nan_to_num(rows[:, 0]) * (rows[:, 3] > 0.4) + 0.1 * rng.random(600)
    ours = fit_ranker(rows, worth)
    again = BoostedTrees.from_json(json.loads(json.dumps(ours.to_json())), names=FEATURE_NAMES, where="it")
    theirs = HistGradientBoostingRegressor(
        learning_rate=0.06,
        max_iter=150,
        max_leaf_nodes=12,
        min_samples_leaf=30,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ).fit(np.delete(rows, 6, axis=1), worth)
    assert_allclose(again.predict(rows), theirs.predict(np.delete(rows, 6, axis=1)), atol=1e-4)
    told = ours.contributions(rows[5])
    assert set(np.argsort(-np.abs(told))[:2].tolist()) <= {0, 3}


def test_heads_in_closed_form_learn_where_things_are(prepared):
    fold = make_folds(prepared.dataset, 3, test_size=12)[0]
    heads = ClosedFormHeads(prepared.dataset, prepared.maps)

    def error(rows):
        found = heads.train(rows).predict(fold.test.tolist())
        return measure(prepared.dataset, fold.test, found).error

    few, many = error(fold.pool[:1].tolist()), error(fold.pool.tolist())
    assert many < 0.8 * few
    assert many < 0.1


def test_a_batch_is_bad_by_half_for_what_it_loses_and_by_half_for_its_error():
    assert_allclose(badness([(0.1, 0.2), (0.3, 0.1), (0.3, 0.3)]), [3 / 6, 3.5 / 6, 5.5 / 6])


def test_all_ways_to_try_a_batch_give_numbers_of_the_same_kind(prepared):
    fold = make_folds(prepared.dataset, 3, test_size=12)[0]
    world = PolicyWorld(prepared, fold, SETTINGS)
    rows = fold.pool[:8].tolist()
    for way in ("solved", "short", "whole"):
        lost, error = world.trial(rows, way, seed=0)
        assert 0 <= lost <= 1
        assert 0 < error <= 1


def test_reported_sets_are_refused(tmp_path):
    for name in ("synthetic", "synthetic:0", "longform:0"):
        with pytest.raises(AlPoseError, match="reported on"):
            open_worlds([name], SETTINGS, tmp_path)


def test_the_command_learns_a_ranker_and_goes_on_from_what_is_there(tmp_path, capsys):
    labels = write_coco_blobs(tmp_path, make_blobs(videos=4, frames=24))
    out = tmp_path / "out"
    command = ["learn-policy", str(out), "--sets", str(labels), "--steps", "2", "--long-side", "128", "--json"]
    command += ["--gate-batches", "3", "--candidates", "3", "--states", "3"]
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--gate"])
    told = json.loads(capsys.readouterr().out)
    assert set(told["gate"]["spearman"]) == {"solved", "short"}
    assert not (out / "policy.json").exists()
    with pytest.raises(SystemExit, match="0"):
        main(command)
    learned = json.loads(capsys.readouterr().out)["learned"]
    states = read_states(out)
    assert learned["states"] == len(states) == 6
    assert learned["rows"] == sum(len(state.rows) for state in states)
    first, later = states[0], states[-1]
    assert len(first.worth) == 3
    assert len(later.worth) == 4, "the policy's own batch is tried too"
    assert first.rows.shape == (len(first.batch), len(FEATURE_NAMES))
    assert len(np.unique(first.rows, axis=0)) > 10
    ranker = BoostedTrees.from_json(json.loads((out / "policy.json").read_text()), names=FEATURE_NAMES, where="it")
    assert np.isfinite(ranker.predict(first.rows)).all()
    before = {path.name: path.stat().st_mtime_ns for path in (out / "states").iterdir()}
    with pytest.raises(SystemExit, match="0"):
        main(command)
    assert {path.name: path.stat().st_mtime_ns for path in (out / "states").iterdir()} == before
