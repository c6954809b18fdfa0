"""A round of training as the engine makes it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained
from napari_al_pose.pose import trunks, trunks_torchvision
from napari_al_pose.pose.window import Window
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

QUICK = TrainSettings(device="cpu", steps=1, batch_size=2, long_side=96)


@pytest.fixture
def labelled(sample_copy):
    """A project with four labelled frames, to be trained on in no time."""
    with open_project(sample_copy) as project:
        video = project.videos[0].name
        xy, visible = ground_truth(sample_copy.parent)[video]
        for frame in (3, 40, 70, 110):
            for part, name in enumerate(project.skeleton.bodyparts):
                if visible[frame, part]:
                    project.labels.place(FrameKey(video, frame), name, *xy[frame, part].tolist())
        project.save_settings(LoopSettings(train=QUICK))
        yield project


def learn(project):
    loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
    (trained,) = [reply for reply in loop.train(project) if isinstance(reply, Trained)]
    model, _ = loop._chosen_model(project, 0)
    loop.close()
    return trained, model


def run(generator):
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


def test_weights_out_of_reach_give_the_default_and_a_message(labelled, monkeypatch):
    def offline(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(trunks_torchvision.models.ResNet18_Weights, "get_state_dict", offline)
    labelled.save_settings(LoopSettings(train=QUICK.model_copy(update={"trunk": "resnet18"})))
    trained, model = learn(labelled)
    assert "no route to host" in trained.notice
    assert "Learnt with efficientnet_lite0 instead" in trained.notice
    assert model.settings.trunk == "efficientnet_lite0"


def test_a_round_reads_the_pretrained_weights_once(labelled, monkeypatch):
    usual, calls = trunks.load_efficientnet_lite0, []
    monkeypatch.setattr(trunks, "load_efficientnet_lite0", lambda: calls.append(1) or usual())
    trained, _ = learn(labelled)
    assert trained.notice == ""
    assert len(calls) == 1


def test_a_round_that_ran_out_of_memory_says_so(labelled, monkeypatch):
    from napari_al_pose.pose.network import PoseNetwork

    usual = PoseNetwork.forward

    def small(self, images):
        if self.training and len(images) > 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return usual(self, images)

    monkeypatch.setattr(PoseNetwork, "forward", small)
    trained, _ = learn(labelled)
    assert trained.notice == "Memory ran out; training went on with batches of 1."


def test_a_round_says_what_the_network_looks_at(labelled):
    train = QUICK.model_copy(update={"follow_animal": "on", "long_side": 640})
    labelled.save_settings(LoopSettings(train=train))
    trained, model = learn(labelled)
    assert trained.round.window == model.window_in(480, 640) == model.window.side
    assert trained.round.scale == 1
    assert labelled.rounds.all()[-1] == trained.round


@pytest.mark.parametrize("strategy", ["mpe", "vl4pose_static", "thc"])
def test_what_follows_the_animal_is_ranked_in_pixels_of_the_video(labelled, add_model, strategy):
    """The peaks that made a score lie where the scoremap of that frame, in a window of its own, is as high."""
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=12, batch_size=6, holdout_share=0.0))
    add_model(labelled, long_side=640, window=Window(160, 256))
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    loop.refresh(labelled)
    ranked = run(loop.rank(labelled, strategy=strategy))
    looked = {suggestion.key: loop.look(suggestion.key).scoremaps for suggestion in ranked.suggestions}
    loop.close()
    assert ranked.notice == ""
    assert len({maps.grid for maps in looked.values()}) > 3
    compared = 0
    for suggestion in ranked.suggestions:
        assert suggestion.strategy == strategy
        maps = looked[suggestion.key]
        for k, reason in enumerate(suggestion.reasons):
            for x, y, height in reason.peaks:
                column, row = maps.grid.to_cells(np.array([x, y]))
                assert (column, row) == (pytest.approx(round(column)), pytest.approx(round(row)))
                assert maps.maps[k, round(row), round(column)] == pytest.approx(height, abs=0.01)
                compared += 1
    assert compared > 0 or strategy == "thc"
