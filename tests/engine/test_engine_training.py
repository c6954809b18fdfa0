"""A round of training as the engine makes it."""

from __future__ import annotations

import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained
from napari_al_pose.pose import trunks, trunks_torchvision
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
