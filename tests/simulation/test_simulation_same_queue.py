"""The arm that is reported is the code that ships: the engine and the simulation play one round of one project."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from simulation_blobs import make_blobs

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.project import open_project
from napari_al_pose.simulation.choosing import choose
from napari_al_pose.simulation.learner import make_learner
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.preparing import open_prepared, prepare
from napari_al_pose.simulation.protocol import Arm, Protocol
from napari_al_pose.simulation.sources import open_source_of_labels

pytestmark = pytest.mark.slow

SIZE, SEED, BATCH = 128, 3, 5
APART = 1000
"""Frames between two pictures: as far as the simulation puts pictures whose times nobody knows."""

PROTOCOL = Protocol(
    arms=("uniform", "hybrid"), budgets=(6, 11), steps=6, batch_size=2, learning="all", long_side=SIZE, folds=2
)
FIRST = tuple(FrameKey(f"v{v}", APART * i) for v in range(2) for i in (1, 6, 9))
STRATEGIES = ("random", "uniform", "hybrid", "mpe", "least_confidence", "kcenter", "badge", "mc_dropout", "influence")


def make_project(folder, raw):
    """Write a project of extracted images without videos; return its ``config.yaml``."""
    folder.mkdir()
    for key, image in zip(raw.keys, raw.read(range(len(raw.keys))), strict=True):
        images = folder / "labeled-data" / key.video
        images.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(images / f"img{100 * key.frame:05d}.png")
    config = folder / "config.yaml"
    config.write_text(
        "Task: dots\nscorer: Me\ndate: May1\nmultianimalproject: false\nvideo_sets:\n"
        + "".join(f"  {video}.mp4:\n    crop: 0, {SIZE}, 0, {SIZE}\n" for video in ("v0", "v1"))
        + "bodyparts: [red, green]\nskeleton: [[red, green]]\n"
    )
    return config


def label(config, raw, keys):
    """Label frames of the project as they are labelled in ``raw``."""
    with open_project(config) as project:
        for key, points in zip(raw.keys, raw.xy, strict=True):
            key = FrameKey(key.video, 100 * key.frame)
            if keys is None or key in keys:
                for name, (x, y) in zip(raw.skeleton.bodyparts, points.tolist(), strict=True):
                    project.labels.place(key, name, x, y)


@pytest.fixture(scope="module")
def situation(tmp_path_factory):
    """The same project twice: all labelled for the simulation; with a first round's labels and model for the engine."""
    folder = tmp_path_factory.mktemp("same")
    raw = make_blobs(videos=2, frames=14)
    config = make_project(folder / "whole", raw)
    shutil.copytree(config.parent, folder / "begun")
    label(config, raw, None)
    begun = folder / "begun" / "config.yaml"
    label(begun, raw, FIRST)

    known = open_source_of_labels(str(config), rotation_degrees=180.0)
    prepared = open_prepared(prepare(known, PROTOCOL, folder / "cache"))
    dataset = prepared.dataset
    assert dataset.images.shape == (28, SIZE, SIZE, 3)
    labelled = [dataset.keys.index(key) for key in FIRST]
    model = make_learner(dataset, PROTOCOL, prepared.maps).train(labelled, seed=SEED)
    with open_project(begun) as project:
        project.save_settings(LoopSettings(pool_size=1000, holdout_share=0.0, train=TrainSettings(seed=SEED)))
        with project.models.new_folder() as made:
            model.pose_model().save(made / "model.pt")
    return begun, Situation(prepared, model, range(28), labelled, 0.0, SEED)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_round_by_the_engine_and_one_by_the_simulation_have_the_same_queue(name, situation):
    config, simulated = situation
    with open_project(config) as project:
        loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
        loop.refresh(project)
        ranked = finish(loop.rank(project, strategy=name, size=BATCH))
        loop.close()
    arm = Arm.parse(name)
    choice = choose(Arm(arm.strategy, deduplicate=True), BATCH, simulated)
    keys = simulated.prepared.dataset.keys
    assert [suggestion.key for suggestion in ranked.suggestions] == [keys[pick.row] for pick in choice.picks]
    assert len(ranked.suggestions) == BATCH
    if name != "hybrid":  # the engine counts neighbouring frames as a signal, even where there are none
        scores = [suggestion.score for suggestion in ranked.suggestions]
        np.testing.assert_allclose(scores, [pick.score for pick in choice.picks], rtol=1e-4)
