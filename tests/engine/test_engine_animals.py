"""Several animals through the engine: learnt, guessed, ranked, checked, followed, written and measured."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_al_pose.acquisition import Requires
from napari_al_pose.cli import main
from napari_al_pose.domain import FrameKey, FrameRole, KeypointState, steps
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.track_edits import TrackAct, TrackEdit, TrackEdits
from napari_al_pose.engine import label_checks, tracks, whole_videos
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained
from napari_al_pose.engine.progress import FollowedVideosProgress
from napari_al_pose.engine.tracks import track_run
from napari_al_pose.engine.training import load_labelled, split_labels
from napari_al_pose.pose.animals import Animals
from napari_al_pose.project import open_project
from napari_al_pose.project.video_predictions import tracking_path
from napari_al_pose.samples import INDIVIDUALS, make_pair, pair_truth

VIDEO = "two-black-mice"
N_FRAMES = 60
SETTINGS = TrainSettings(device="cpu", steps=60, batch_size=8)


def finish(work):
    """Run a generator to its end; return what it returns and what it told on the way."""
    told = []
    return steps.finish(work, told.append), told


def command(*arguments):
    """Run a verb; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def label(project, truth, frame, *, individuals=INDIVIDUALS):
    """Label a frame as a person who knows where everything is."""
    for who in individuals:
        for part, point in zip(project.skeleton.bodyparts, truth[frame, INDIVIDUALS.index(who)], strict=True):
            key = FrameKey(VIDEO, frame)
            if np.isfinite(point).all():
                project.labels.place(key, part, *point.tolist(), individual=who)
            else:
                project.labels.mark_not_visible(key, part, individual=who)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """The ``config.yaml`` of the sample of two with labels and the model they taught."""
    config = make_pair(tmp_path_factory.mktemp("pair"), n_frames=N_FRAMES)
    truth = pair_truth(config)[VIDEO]
    with open_project(config) as project:
        project.save_settings(LoopSettings(train=SETTINGS, pool_size=20, batch_size=6))
        for frame in range(0, N_FRAMES, 5):
            label(project, truth, frame)
        loop = ActiveLearningLoop(project.root, device="cpu")
        (trained,) = [reply for reply in loop.train(project) if isinstance(reply, Trained)]
        assert trained.round.n_train == 12
        loop.close()
    return config


@pytest.fixture
def config(learnt, tmp_path):
    shutil.copytree(learnt.parent, tmp_path / "pair")
    return tmp_path / "pair" / learnt.name


@pytest.fixture
def project(config):
    with open_project(config) as project:
        yield project


@pytest.fixture
def loop(project):
    loop = ActiveLearningLoop(project.root, device="cpu")
    assert not loop.refresh(project)
    yield loop
    loop.close()


def test_labels_of_all_animals_reach_the_training(project, loop):
    split = split_labels(project, loop.sources(project))
    frames, _ = finish(load_labelled(split.train, loop.sources(project), 0, n_animals=2))
    assert len(frames) == 12
    assert all(len(frame.animals) == 2 and frame.every_animal for frame in frames)
    truth = pair_truth(project.root)[VIDEO]
    np.testing.assert_allclose(frames[1].each[1].xy, truth[5, 1], atol=1e-3)
    assert loop._model.animals == Animals(2, always=True)


def test_an_animal_nobody_labelled_and_a_frame_without_animals_are_different_things(project, loop):
    truth = pair_truth(project.root)[VIDEO]
    label(project, truth, 33, individuals=("mouse2",))
    for who in INDIVIDUALS:
        for part in project.skeleton.bodyparts:
            project.labels.mark_not_visible(FrameKey(VIDEO, 34), part, individual=who)
    split = split_labels(project, loop.sources(project))
    frames, _ = finish(load_labelled(split.train, loop.sources(project), 0, n_animals=2))
    partly, empty = frames[7], frames[8]
    assert len(partly.animals) == 1
    assert not partly.every_animal
    assert not empty.animals
    assert empty.every_animal
    # To measure on, a frame must be labelled to its end.
    project.labels.roles.set(FrameKey(VIDEO, 34), FrameRole.HOLDOUT)
    assert FrameKey(VIDEO, 34) in {a.key for a in split_labels(project, loop.sources(project)).holdout}


def test_guesses_are_of_every_animal_where_it_is(project, loop):
    truth = pair_truth(project.root)[VIDEO]
    ranked, _ = finish(loop.rank(project, strategy="mpe"))
    assert len(ranked.suggestions) == 6
    assert all(guess.animals_xy.shape == (2, 7, 2) for guess in ranked.guesses)
    stored = project.predictions.load(loop.version)
    assert next(iter(stored.values())).animals_xy.shape == (2, 7, 2)
    looked = loop.look(FrameKey(VIDEO, 31))
    assert len(looked.animals) == 2
    centre = project.skeleton.bodyparts.index("bodycentre")
    found = looked.prediction.animals_xy[:, centre]
    gaps = np.hypot(*(found[:, None] - truth[31, :, centre][None]).transpose(2, 0, 1))
    assert gaps.min(axis=0).max() < 25
    for maps, xy in zip(looked.animals, looked.prediction.animals_xy, strict=True):
        row, column = np.unravel_index(maps.maps[centre].argmax(), maps.maps[centre].shape)
        assert np.abs(maps.grid.to_source(np.array([column, row], float)) - xy[centre]).max() <= maps.grid.stride_x


@pytest.mark.parametrize(
    "strategy",
    ["hybrid", "least_confidence", "kcenter", "dlc_jump", "thc", "dropquery", "random", "identity", "animal_count"],
)
def test_every_kind_of_strategy_ranks_frames_of_several(project, loop, strategy):
    ranked, _ = finish(loop.rank(project, strategy=strategy))
    assert len({suggestion.key for suggestion in ranked.suggestions}) == 6
    assert "nan" not in ranked.notice


def test_a_frame_scores_the_mean_of_its_animals_and_gives_the_reasons_of_the_worst(project, loop):
    from napari_al_pose.acquisition import Explanation, ScoreContext
    from napari_al_pose.engine.animal_scoring import score_animals
    from napari_al_pose.engine.pool import predict_frames

    keys = [FrameKey(VIDEO, 31), FrameKey(VIDEO, 32)]
    output, _ = finish(predict_frames(loop._model, keys, loop.sources(project), 0, with_scoremaps=True))
    only = output.animals.xy.copy()
    only[1, 1] = np.nan
    output = replace(output, animals=replace(output.animals, xy=only))

    class Westmost:
        name, title, summary, requires = "west", "West", "", Requires.PREDICTIONS

        def score(self, context):
            return -np.nanmean(context.xy[..., 0], axis=1).astype(float)

        def explain(self, context, index):
            return Explanation(sentence=f"{np.nanmean(context.xy[index, :, 0]):.3f}")

    context = ScoreContext(keys=keys, skeleton=project.skeleton, xy=output.xy, likelihood=output.likelihood)
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning):
        scored = score_animals(Westmost(), context, output)
    west = -np.nanmean(only[0, :, :, 0], axis=1)
    assert scored.values[0] == pytest.approx(west.mean())
    assert scored.values[1] == pytest.approx(-np.nanmean(only[1, 0, :, 0]))
    assert scored.strategy.explain(scored.context, 0).sentence == f"{-west.max():.3f}"


def test_an_animal_whose_label_is_far_off_is_to_be_checked(project, loop, monkeypatch):
    truth = pair_truth(project.root)[VIDEO]
    key, part = FrameKey(VIDEO, 20), "bodycentre"
    x, y = truth[20, 1, project.skeleton.bodyparts.index(part)]
    project.labels.place(key, part, float(x) + 90, float(y), individual="mouse2")
    for frame in range(0, N_FRAMES, 5):
        project.labels.roles.set(FrameKey(VIDEO, frame), FrameRole.HOLDOUT)
    monkeypatch.setattr(label_checks, "MIN_FRAMES", 1000)  # only what is held out is asked about, of the model there is
    checked, _ = finish(loop.check_labels(project))
    worst = checked.checks[0]
    assert (worst.key, worst.bodypart, worst.individual) == (key, part, "mouse2")


def predicted(project, loop, *, formats=(), **options):
    exported, _ = finish(loop.export(project, [VIDEO], ExportOptions(formats=formats, **options)))
    return exported, project.video_predictions.find(exported.model_version, VIDEO)


def test_a_video_is_followed_and_every_program_gets_its_file(project, loop, tmp_path):
    sio = pytest.importorskip("sleap_io")
    formats = ("deeplabcut", "sleap", "table", "lightning-pose")
    exported, run = predicted(
        project, loop, formats=formats, folder=str(tmp_path), smoothing="median", labelled_video=True
    )
    assert run.header.individuals == INDIVIDUALS
    rows = run.rows(0, N_FRAMES).reshape(N_FRAMES, 2, 7, 3)
    centres = rows[:, :, project.skeleton.bodyparts.index("bodycentre"), :2]
    assert np.nanmedian(np.abs(np.diff(centres, axis=0)), axis=0).max() < 15  # nobody jumps to the other's place
    paths = {path.name: path for path in map(type(tmp_path), exported.paths)}
    assert all(path.is_file() for path in paths.values())

    (h5,) = [path for name, path in paths.items() if name.endswith("_el.h5")]
    table = pd.read_hdf(h5)
    assert list(table.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    assert tuple(table.columns.get_level_values(1).unique()) == INDIVIDUALS
    np.testing.assert_allclose(table.to_numpy().reshape(N_FRAMES, 2, 7, 3), rows)
    assert any(name.endswith("_el_filtered.h5") for name in paths)

    slp = sio.load_slp(str(next(path for name, path in paths.items() if name.endswith("-1.predictions.slp"))))
    assert [track.name for track in slp.tracks] == list(INDIVIDUALS)
    assert len(slp.labeled_frames) == N_FRAMES
    for instance in slp.labeled_frames[7].instances:
        a = INDIVIDUALS.index(instance.track.name)
        np.testing.assert_allclose(instance.numpy(), rows[7, a, :, :2], atol=1e-3)

    plain = pd.read_csv(next(path for name, path in paths.items() if name.endswith("poses.csv")))
    assert list(plain.columns)[:4] == ["frame", "seconds", "individual", "bodypart"]
    own = plain[(plain.frame == 7) & (plain.individual == "mouse2")]
    np.testing.assert_allclose(own[["x", "y"]].to_numpy(), rows[7, 1, :, :2], atol=1e-3)
    assert len([name for name in paths if name.endswith("mouse2.lightning-pose.csv")]) == 2
    assert project.video_predictions.find(1, VIDEO).prediction(7).animals_xy.shape == (2, 7, 2)


def test_the_first_message_of_each_stage_is_sent_however_soon_it_comes():
    progress = FollowedVideosProgress(1, 100, to_follow=100, predicted=0, followed=0)
    stages = ["one", "one", "two", "two", "one"]
    assert [message.stage for stage in stages for message in progress.predicted(1, stage)] == ["one", "two", "one"]


def test_each_video_is_followed_as_soon_as_it_is_predicted_with_one_progress_and_one_time_left(
    project, loop, tmp_path, monkeypatch
):
    monkeypatch.setattr(whole_videos, "BATCH", 4)
    other = shutil.copy(project.video(VIDEO).path, tmp_path / "other.mp4")
    _, told = finish(loop.export(project, [VIDEO, str(other)], ExportOptions(formats=())))
    stages = [message.stage for message in told if message.stage != "Opening the videos"]
    following = [f"Following the animals of {name}" for name in (VIDEO, "other")]
    assert list(dict.fromkeys(stages)) == [
        f"Predicting {VIDEO} (1 of 2)", following[0], "Predicting other (2 of 2)", following[1]
    ]  # fmt: skip
    counts = [(message.done, message.total) for message in told if message.stage in stages]
    assert counts == sorted(counts)
    assert {total for _, total in counts} == {2 * N_FRAMES}
    assert counts[-1][0] == 2 * N_FRAMES
    # A frame that is predicted counts in part until it is followed. At most ten messages a second are sent besides the
    # first of each stage, so that may be the only one of a stage, and come when all of a short video is followed.
    assert [message for message in told if message.stage == stages[0]][-1].done < N_FRAMES
    first_followed = next(message for message in told if message.stage == following[0])
    assert first_followed.done <= N_FRAMES
    assert first_followed.seconds_left > 0  # of the second video, too
    assert told[-1].seconds_left == pytest.approx(0, abs=1e-3)
    runs = [project.video_predictions.find(1, name) for name in (VIDEO, "other")]
    assert runs[0].path.read_bytes() == runs[1].path.read_bytes()
    assert runs[0].margins_path.read_bytes() == runs[1].margins_path.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_predict_killed_while_it_predicts_and_while_it_follows_ends_in_the_same_files(config, tmp_path):
    """The real command, SIGKILL, with parts so small that the sample has several."""
    small = (
        "from napari_al_pose.engine import tracks, whole_videos; from napari_al_pose.cli import main; import sys;"
        "tracks.CHUNK = tracks.AHEAD = 8; whole_videos.SEGMENT = whole_videos.LONGEST_SEGMENT = 10; main(sys.argv[1:])"
    )
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", small, "predict", str(config), VIDEO, "--format", "table", "--output", str(out)]
    with open_project(config, read_only=True) as project:
        predictions = project.video_predictions
    folder = config.parent / "al-pose" / "predictions" / "0001"

    def followed():
        path = folder / f"{VIDEO}.tracking"
        return json.loads(path.read_text())["frames"] if path.is_file() else 0

    def predicted():
        run = predictions.find(1, VIDEO)
        return 0 if run is None else run.header.n_done

    def killed_once(reached):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while not reached():
                assert process.poll() is None
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)

    def result():
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        (table,) = out.glob("*.csv")
        return [(folder / f"{VIDEO}{suffix}").read_bytes() for suffix in (".npy", ".margins")] + [table.read_bytes()]

    expected = result()
    shutil.rmtree(folder)
    shutil.rmtree(out)
    out.mkdir()
    killed_once(lambda: predicted() >= 20)
    assert predicted() < N_FRAMES
    kept = predicted()
    killed_once(lambda: followed() >= 16)
    assert predicted() == N_FRAMES > kept
    assert 16 <= followed() < N_FRAMES
    assert not list(out.iterdir())
    assert result() == expected


def test_following_goes_on_where_it_was_stopped_to_the_same_end(project, loop, monkeypatch):
    _, run = predicted(project, loop)
    whole, margins = run.rows(0, N_FRAMES), np.load(run.margins_path)
    # Stopped after one stretch was written and before it was noted: in any order, it comes out the same.
    monkeypatch.setattr(tracks, "CHUNK", 16)
    tracking_path(run.path).unlink()
    poses = whole.reshape(N_FRAMES, 2, 7, 3)
    run.write(16, poses[16:, ::-1].reshape(-1, 14, 3))
    work = track_run(run)
    while not tracking_path(run.path).exists():
        next(work)
    work.close()
    assert json.loads(tracking_path(run.path).read_text())["frames"] == 16
    list(track_run(run))
    again = run.rows(0, N_FRAMES).reshape(N_FRAMES, 2, 7, 3)
    same = np.array_equal(again, poses, equal_nan=True)
    assert same or np.array_equal(again, poses[:, ::-1], equal_nan=True)
    np.testing.assert_allclose(np.load(run.margins_path), margins, rtol=1e-4)
    tracking_path(run.path).write_text("{damaged")
    list(track_run(run))
    assert json.loads(tracking_path(run.path).read_text())["frames"] == N_FRAMES


def test_tracks_and_errors_are_measured_by_the_command(config, tmp_path, capsys):
    sio = pytest.importorskip("sleap_io")
    truth = pair_truth(config)[VIDEO]
    skeleton = sio.Skeleton(nodes=["tailbase", "snout", "bodycentre"])
    names = ("snout", "leftear", "rightear", "bodycentre", "tailbase")
    order = [names.index(node) for node in ("tailbase", "snout", "bodycentre")]
    video, made = sio.Video(filename=f"/elsewhere/{VIDEO}.mp4", open_backend=False), []
    pair = [sio.Track("first"), sio.Track("second")]
    for frame in range(0, N_FRAMES, 2):
        instances = [sio.Instance.from_numpy(truth[frame, a][order], skeleton=skeleton, track=pair[a]) for a in (0, 1)]
        made.append(sio.LabeledFrame(video=video, frame_idx=frame, instances=instances))
    sio.save_slp(sio.Labels(made, videos=[video], skeletons=[skeleton], tracks=pair), str(tmp_path / "truth.slp"))
    assert command("evaluate", config.parent, "--tracks", tmp_path / "truth.slp", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n_frames"] == 30
    assert said["idf1"] > 0.8
    assert said["switches"] == 0
    assert command("evaluate", config.parent, "--train-frames", 8, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert 0 <= said["missed"] <= 1
    assert said["extra"] >= 0
    assert said["n_test"] == 4
    assert said["oks_map"] > 0.3
    assert said["oks_map"] <= said["oks_mar"] + 0.01  # what is found, whatever else is


def test_changed_tracks_reach_files_and_measures_and_a_new_prediction_forgets_them(project, loop, tmp_path):
    _, run = predicted(project, loop)
    before = run.rows(0, N_FRAMES).reshape(N_FRAMES, 2, 7, 3)
    split = TrackEdit(TrackAct.SPLIT, 30, 1, name="track 3")
    run.set_edits(TrackEdits((TrackEdit(TrackAct.SWAP, 20, 0, 1), split)))
    exported, again = predicted(
        project, loop, formats=("table", "deeplabcut", "lightning-pose"), folder=str(tmp_path), labelled_video=True
    )
    assert again.tracks == (*INDIVIDUALS, "track 3")
    np.testing.assert_array_equal(again.stored_rows(0, N_FRAMES).reshape(before.shape), before)
    paths = [type(tmp_path)(path) for path in exported.paths]
    plain = pd.read_csv(next(path for path in paths if path.name.endswith("poses.csv")))
    for frame, who, was in ((10, "mouse1", 0), (25, "mouse1", 1), (40, "mouse1", 1), (40, "track 3", 0)):
        own = plain[(plain.frame == frame) & (plain.individual == who)]
        np.testing.assert_allclose(own[["x", "y"]].to_numpy(), before[frame, was, :, :2], atol=1e-3)
    table = pd.read_hdf(next(path for path in paths if path.name.endswith("_el.h5")))
    assert tuple(table.columns.get_level_values("individuals").unique()) == again.tracks
    assert len([path for path in paths if path.name.endswith(".lightning-pose.csv")]) == 3
    header = again.header.model_copy(update={"identity": "another file", "done": ()})
    assert project.video_predictions.resume(header).tracks == INDIVIDUALS


def test_tracks_of_another_video_are_refused(config, tmp_path, capsys):
    sio = pytest.importorskip("sleap_io")
    skeleton, video = sio.Skeleton(nodes=["snout"]), sio.Video(filename="/x/horses.mp4", open_backend=False)
    instance = sio.Instance.from_numpy(np.ones((1, 2)), skeleton=skeleton, track=sio.Track("a"))
    labels = sio.Labels([sio.LabeledFrame(video=video, frame_idx=0, instances=[instance])])
    sio.save_slp(labels, str(tmp_path / "other.slp"))
    assert command("evaluate", config.parent, "--tracks", tmp_path / "other.slp") == 2
    assert "horses" in capsys.readouterr().err


def test_more_animals_than_named_are_left_out_and_fewer_rows_are_kept(project, loop):
    """The model knows as many as it was taught; the project may have named fewer since."""
    from napari_al_pose.engine.whole_videos import _individuals

    loop._model.animals = Animals(3, always=False)
    assert _individuals(project, loop._model) == (*INDIVIDUALS, "animal 3")
    annotation = project.labels.annotation(FrameKey(VIDEO, 5), "mouse1")
    assert (annotation.states != KeypointState.UNSEEN).all()
