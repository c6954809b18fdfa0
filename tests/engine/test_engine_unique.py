"""Unique bodyparts through the engine: learnt, guessed, kept with the poses of whole videos, and written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_engine_animals import SETTINGS, VIDEO, command, finish, label

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.views.colours import individual_colours
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained
from napari_al_pose.engine.training import load_labelled, split_labels
from napari_al_pose.pose.smoothing import smoothed
from napari_al_pose.project import open_project
from napari_al_pose.samples import INDIVIDUALS, make_pair, pair_truth
from napari_al_pose.video import open_source

UNIQUE = ("door", "lamp")
PLACES = {"door": (60.0, 50.0), "lamp": (400.0, 300.0)}
N_FRAMES = 24


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The sample of two with a door and a lamp, labelled and learnt, open."""
    config = make_pair(tmp_path_factory.mktemp("unique"), n_frames=N_FRAMES)
    config.write_text(config.read_text().replace("uniquebodyparts: []", "uniquebodyparts: [door, lamp]"))
    truth = pair_truth(config)[VIDEO]
    with open_project(config) as project:
        settings = SETTINGS.model_copy(update={"steps": 40})
        project.save_settings(LoopSettings(train=settings, pool_size=12, batch_size=4))
        for frame in range(0, N_FRAMES, 3):
            label(project, truth, frame)
            project.labels.place_many(FrameKey(VIDEO, frame), PLACES, individual="single")
        yield project


@pytest.fixture(scope="module")
def loop(project):
    loop = ActiveLearningLoop(project.root, device="cpu")
    (trained,) = [reply for reply in loop.train(project) if isinstance(reply, Trained)]
    assert trained.round.n_train == N_FRAMES // 3
    yield loop
    loop.close()


def test_their_labels_reach_the_training(project, loop):
    split = split_labels(project, loop.sources(project))
    assert {a.individual for a in split.train} == set(INDIVIDUALS)
    frames, _ = finish(load_labelled(split.train, loop.sources(project), 0, n_animals=2, unique=split.unique))
    assert all(frame.unique_xy.tolist() == [list(PLACES[name]) for name in UNIQUE] for frame in frames)


def test_a_look_has_guesses_and_scoremaps_of_them(project, loop):
    looked = loop.look(FrameKey(VIDEO, 4))
    assert looked.prediction.unique.xy.shape == (2, 2)
    away = np.hypot(*(looked.prediction.unique_xy - [PLACES[name] for name in UNIQUE]).T)
    assert (away < 150).all()  # few steps: near, not exact
    assert looked.unique.maps.shape[0] == 2
    assert len(looked.animals) == 2


def test_the_pool_s_predictions_keep_them(project, loop):
    finish(loop.rank(project, strategy="mpe"))
    said = project.predictions.load(1)
    assert all(one.unique_xy.shape == (2, 2) for one in said.values())
    project.predictions.forget("no such video")
    assert project.predictions.load(1).keys() == said.keys()


def test_whole_videos_and_files_have_them_beside_the_animals(project, loop, tmp_path):
    options = ExportOptions(formats=("deeplabcut", "table", "sleap"), smoothing="median", folder=str(tmp_path))
    options = replace(options, labelled_video=True, cutoff=0.0, trail=0)
    done, _ = finish(loop.export(project, [VIDEO], options))
    assert "The unique bodyparts (door, lamp) are left out of: SLEAP (.slp)." in done.notice
    run = project.video_predictions.find(1, VIDEO)
    assert run.all_rows(0, N_FRAMES).shape == (N_FRAMES, 2 * len(project.skeleton.bodyparts) + 2, 3)
    unique = run.prediction(5).unique
    assert np.isfinite(unique.xy).all()
    (path,) = tmp_path.glob("*_el.h5")
    table = pd.read_hdf(path)
    assert tuple(table.columns.get_level_values("individuals").unique()) == (*INDIVIDUALS, "single")
    scorer = table.columns[0][0]
    np.testing.assert_allclose(table[scorer]["single"].loc[5, ("door", ["x", "y"])].to_numpy(float), unique.xy[0])
    assert list(tmp_path.glob("*_el_filtered.h5"))
    rows = pd.read_csv(next(tmp_path.glob("*.poses.csv")))
    of_unique = rows[rows.individual == "single"]
    assert set(of_unique.bodypart) == set(UNIQUE)
    assert len(of_unique) == 2 * N_FRAMES
    assert_drawn(next(tmp_path.glob("*_labeled.mp4")), project, run)


def assert_drawn(path, project, run):
    """Each unique bodypart has a dot, of a colour that no animal has."""
    muted = [int(individual_colours(2, 3)[2][i : i + 2], 16) for i in (1, 3, 5)]
    with open_source(path) as drawn:
        frame = np.array(drawn[5]).astype(int)
    _, rows = next(smoothed(run.all_rows, N_FRAMES, method="median", cutoff=0.0))
    for x, y, _likelihood in rows[5, -2:]:
        assert np.abs(frame[round(float(y)), round(float(x))] - muted).max() < 40  # as far as compression keeps it


def test_what_was_predicted_is_there_again_when_the_project_is_opened(project, loop):
    finish(loop.export(project, [VIDEO], ExportOptions(formats=())))
    with open_project(project.root, read_only=True) as again:
        run = again.video_predictions.find(1, VIDEO)
        assert run.is_complete
        assert run.unique_rows(0, 3).shape == (3, 2, 3)
        (run.path.with_suffix(".unique")).unlink()
        assert again.video_predictions.find(1, VIDEO) is None, "half of a prediction is none"


def test_evaluate_tells_how_far_they_are_off(project, tmp_path, capsys):
    assert command("evaluate", project.root, "--train-frames", 6, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["per_bodypart"]) == set(project.skeleton.bodyparts)
    assert set(result["unique"]["per_bodypart"]) == set(UNIQUE)
    assert result["unique"]["n_keypoints"] == 2 * result["n_test"]
    assert 0 < result["unique"]["mean_error_px"] < 150
