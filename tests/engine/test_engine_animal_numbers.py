"""Animals in unusual numbers, through the engine: forty, none, two labels of one, half of one, more than are named."""

from __future__ import annotations

import json

import av
import numpy as np
import pandas as pd
import pytest
from test_engine_animals import command, finish

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained
from napari_al_pose.project import create_project, open_project

PARTS = ("head", "middle", "tail")
COLOURS = ((250, 40, 40), (40, 220, 40), (40, 40, 250))
LENGTH, SIDE = 24.0, 44
HEIGHT, WIDTH = 5 * SIDE, 8 * SIDE
N_FRAMES = 12
SETTINGS = TrainSettings(device="cpu", steps=12, batch_size=4)


def worms(n: int, seed: int) -> np.ndarray:
    """Return heads, middles and tails of worms that swim in places of their own, (N_FRAMES, n, 3, 2)."""
    rng = np.random.default_rng(seed)
    places = np.array([[SIDE * (x + 0.5), SIDE * (y + 0.5)] for x in range(8) for y in range(5)])
    middles = rng.permutation(places)[:n] + rng.uniform(-6, 6, (N_FRAMES, n, 2))
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.3, (N_FRAMES, n)), axis=0)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * LENGTH / 2
    return np.stack([middles + along, middles, middles - along], axis=2)


def film(path, poses):
    """Write a video of worms."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in poses:
            image = rng.integers(80, 110, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            for worm in frame:
                for (x, y), colour in zip(worm, COLOURS, strict=True):
                    image[np.hypot(columns - x, rows - y) < 4] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def new_project(folder, poses, individuals):
    """Make a project of a video that shows these poses."""
    film(folder / "dish.mp4", poses)
    config = create_project(
        folder, task="worms", scorer="Ada", bodyparts=PARTS, individuals=individuals, videos=[folder / "dish.mp4"]
    )
    project = open_project(config)
    project.save_settings(LoopSettings(train=SETTINGS, pool_size=10, batch_size=3))
    return project


def label(project, poses, frames):
    """Label the animals that are named, as far as the poses go."""
    for frame in frames:
        for who, worm in zip(project.skeleton.individuals, poses[frame], strict=False):
            points = dict(zip(PARTS, worm.tolist(), strict=True))
            project.labels.place_many(FrameKey("dish", frame), points, individual=who)


def nothing_in(project, frames):
    for frame in frames:
        for who in project.skeleton.individuals:
            for part in PARTS:
                project.labels.mark_not_visible(FrameKey("dish", frame), part, individual=who)


def train(project):
    """Return the loop with its first model, the round, and what was told of it."""
    loop = ActiveLearningLoop(project.root, device="cpu")
    (trained,) = [reply for reply in loop.train(project) if isinstance(reply, Trained)]
    return loop, trained.round, trained.notice


def test_forty_animals_are_learnt_ranked_guessed_and_written(tmp_path):
    names = tuple(f"worm{i}" for i in range(40))
    poses = worms(40, 1)
    with new_project(tmp_path, poses, names) as project:
        label(project, poses, range(0, N_FRAMES, 2))
        loop, learnt, _ = train(project)
        assert learnt.n_train == N_FRAMES // 2
        ranked, _ = finish(loop.rank(project, strategy="mpe"))
        assert len(ranked.suggestions) == 3
        assert len(loop.look(FrameKey("dish", 1)).animals) == 40
        options = ExportOptions(formats=("deeplabcut", "table", "sleap"), folder=str(tmp_path), labelled_video=True)
        finish(loop.export(project, ["dish"], options))
        run = project.video_predictions.find(1, "dish")
        assert run.rows(0, N_FRAMES).shape == (N_FRAMES, 40 * 3, 3)
        loop.close()
    table = pd.read_hdf(next(tmp_path.glob("*_el.h5")))
    assert tuple(table.columns.get_level_values("individuals").unique()) == names
    assert list(tmp_path.glob("*_labeled.mp4"))


def test_more_animals_than_are_named_give_as_many_poses_as_are_named(tmp_path):
    poses = worms(6, 2)
    with new_project(tmp_path, poses, ("a", "b")) as project:
        label(project, poses, range(0, N_FRAMES, 2))
        loop, _, _ = train(project)
        assert len(loop.look(FrameKey("dish", 1)).animals) == 2
        finish(loop.export(project, ["dish"], ExportOptions(formats=("table",), folder=str(tmp_path))))
        loop.close()
    table = pd.read_csv(next(tmp_path.glob("*.poses.csv")))
    assert set(table.individual) == {"a", "b"}


def test_two_labels_of_one_animal_teach_once_and_the_round_says_so(tmp_path):
    poses = worms(2, 3)
    poses[2, 1] = poses[2, 0] + 0.5
    with new_project(tmp_path, poses, ("a", "b")) as project:
        label(project, poses, range(0, N_FRAMES, 2))
        loop, learnt, notice = train(project)
        loop.close()
        assert learnt.n_train == N_FRAMES // 2
        assert "In 1 frame an animal is labelled twice" in notice
        kept = project.labels.annotation(FrameKey("dish", 2), "b")
        assert np.isfinite(kept.xy).all()


def test_labels_beyond_the_edge_teach_what_is_in_the_picture(tmp_path):
    poses = worms(2, 4)
    poses[:, 0] += np.array([-SIDE * 4, 0]) * (poses[:, 0, 1, 0] > SIDE * 4)[:, None, None]
    poses[0, 0] += np.array([3.0, 0]) - poses[0, 0, 1] * [1, 0]  # half out: its middle is at the edge
    assert (poses[0, 0, :, 0] < 0).any()
    assert (poses[0, 0, :, 0] > 0).any()
    with new_project(tmp_path, poses, ("a", "b")) as project:
        label(project, poses, range(0, N_FRAMES, 2))
        loop, learnt, _ = train(project)
        assert learnt.n_train == N_FRAMES // 2
        looked = loop.look(FrameKey("dish", 0))
        assert all(np.isfinite(xy).all() for xy in looked.prediction.animals_xy)
        loop.close()


def test_no_animal_at_all_is_a_message_and_none_in_the_test_frames_too(tmp_path, capsys):
    poses = worms(2, 5)
    with new_project(tmp_path, poses, ("a", "b")) as project:
        nothing_in(project, range(4))
        with pytest.raises(AlPoseError, match="got 0"):
            train(project)
        label(project, poses, range(4, 8))
        nothing_in(project, range(8, N_FRAMES))
        loop, learnt, _ = train(project)
        loop.close()
        assert learnt.n_train == N_FRAMES
        root = project.root
    seed = next(s for s in range(200) if set(np.random.default_rng(s).permutation(N_FRAMES)[:8]) >= set(range(4, 8)))
    assert command("evaluate", root, "--train-frames", 8, "--seed", seed) == 2
    assert "None of the 4 test frames shows a labelled animal" in capsys.readouterr().err


def test_a_model_that_finds_none_is_measured_and_said(tmp_path, capsys):
    """The first steps of a training find nothing where animals come and go."""
    poses = worms(2, 6)
    with new_project(tmp_path, poses, ("a", "b")) as project:
        few = SETTINGS.model_copy(update={"steps": 1, "animal_count": "up to"})
        project.save_settings(LoopSettings(train=few))
        label(project, poses, range(6))
        root = project.root
    assert command("evaluate", root, "--train-frames", 3, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["missed"] == 1
    assert said["mean_error_px"] is None
    assert command("evaluate", root, "--train-frames", 3) == 0
    assert "mean error unknown px" in capsys.readouterr().out
