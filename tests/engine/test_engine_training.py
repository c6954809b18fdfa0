"""A round of training as the engine makes it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
import tifffile
import torch
import torchvision

from napari_al_pose.acquisition import Batching
from napari_al_pose.acquisition.strategies.hybrid import Hybrid
from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine import label_checks, ranking
from napari_al_pose.engine import training as engine_training
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Trained, TrainStep, TrialStep
from napari_al_pose.engine.ranked_pool import RankedPool, RankedPools
from napari_al_pose.pose import PoseModel, backbones, batch_sampler, training, training_start
from napari_al_pose.pose.mean_teacher import UNLABELLED_FRAMES
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.window import Window
from napari_al_pose.project import create_project, open_project
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

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", offline)
    labelled.save_settings(LoopSettings(train=QUICK.model_copy(update={"backbone": "resnet18"})))
    trained, model = learn(labelled)
    assert "no route to host" in trained.notice
    assert "Trained with efficientnet_lite0 instead" in trained.notice
    assert model.settings.backbone == "efficientnet_lite0"


def test_a_round_reads_the_pretrained_weights_once(labelled, monkeypatch):
    usual, calls = backbones.load_efficientnet_lite0, []
    monkeypatch.setattr(backbones, "load_efficientnet_lite0", lambda: calls.append(1) or usual())
    trained, _ = learn(labelled)
    assert trained.notice == ""
    assert len(calls) == 1


def test_labels_are_checked_with_the_backbone_the_model_has(labelled, monkeypatch):
    """The one in the settings is still out of reach after the round that fell back."""

    def offline(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", offline)
    monkeypatch.setattr(label_checks, "MIN_FRAMES", 4)
    labelled.save_settings(LoopSettings(train=QUICK.model_copy(update={"backbone": "resnet18"})))
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    finish(loop.train(labelled))
    finish(loop.check_labels(labelled))
    loop.close()
    assert len(labelled.unseen.load(1)) == 4


def test_a_trial_of_where_to_begin_is_told_as_progress(labelled, monkeypatch):
    monkeypatch.setattr(training_start, "USABLE", -1.0)
    monkeypatch.setattr(training_start, "SURE", 2.0)
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    finish(loop.train(labelled))
    video = labelled.videos[0].name
    for frame in (20, 90):
        labelled.labels.place(FrameKey(video, frame), labelled.skeleton.bodyparts[0], 200, 150)
    told = list(loop.train(labelled))
    loop.close()
    trial = [(reply.step, reply.steps) for reply in told if isinstance(reply, TrialStep)]
    assert trial == [(1, 2), (2, 2)]
    first_step = next(i for i, reply in enumerate(told) if isinstance(reply, TrainStep) and reply.step)
    assert not any(isinstance(reply, TrialStep) for reply in told[first_step:])


def test_frames_without_labels_are_read_if_the_settings_say_so(labelled, monkeypatch):
    given = []

    def train(*arguments, unlabelled, **options):
        given.append(list(unlabelled))
        return training.train(*arguments, **options)

    monkeypatch.setattr(engine_training, "train", train)
    learn(labelled)
    labelled.save_settings(LoopSettings(train=QUICK.model_copy(update={"unlabelled": "on"})))
    learn(labelled)
    assert given[0] == []
    assert 30 < len(given[1]) <= UNLABELLED_FRAMES
    source = labelled.videos[0].open()
    known = [source[frame] for frame in (3, 40, 70, 110)]
    source.close()
    assert not any(np.array_equal(image, one) for image in given[1] for one in known)


def test_a_loss_that_is_no_number_leaves_the_last_good_model_in_place(labelled, monkeypatch):
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    finish(loop.train(labelled))
    key = FrameKey(labelled.videos[0].name, 50)
    before = loop.look(key).prediction
    monkeypatch.setattr(batch_sampler, "scoremap_loss", lambda logits, _targets, _weights: logits.sum() * float("nan"))
    with pytest.raises(AlPoseError, match="loss is not a number") as error:
        finish(loop.train(labelled))
    assert "The previous model is still in use" in error.value.hint
    after = loop.look(key).prediction
    loop.close()
    assert labelled.models.versions() == [1]
    assert [done.number for done in labelled.rounds.all()] == [1]
    assert after.model_version == 1
    np.testing.assert_array_equal(after.xy, before.xy)


@pytest.mark.parametrize(
    ("newest", "says"),
    [
        ("cut", "is damaged, or not a model"),
        ("pickle", "is damaged, or not a model"),
        ("of another project", r"Model 2 knows other bodyparts \(hoof\)"),
    ],
)
def test_a_newest_model_that_cannot_be_used_is_named_and_the_last_good_one_taken(labelled, add_model, newest, says):
    add_model(labelled)
    good = labelled.models.checkpoint(1)
    with labelled.models.new_folder() as folder:
        if newest == "cut":
            (folder / "model.pt").write_bytes(good.read_bytes()[:-1000])
        elif newest == "pickle":
            torch.save({"format": "napari-al-pose model", "state": print}, folder / "model.pt")
        else:
            PoseModel(
                PoseNetwork("efficientnet_lite0", 1, pretrained=False),
                bodyparts=("hoof",),
                settings=QUICK,
                long_side=64,
            ).save(folder / "model.pt")
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    problem = loop.refresh(labelled)
    looked = loop.look(FrameKey(labelled.videos[0].name, 50))
    loop.close()
    assert re.search(says, problem)
    assert loop.version == looked.prediction.model_version == 1


@pytest.mark.parametrize("bits", [8, 16])
def test_pictures_of_one_channel_are_learnt_from_and_predicted(tmp_path, bits):
    rng = np.random.default_rng(0)
    pictures = rng.integers(90, 110, (12, 64, 96)).astype(np.uint16)
    xy = rng.uniform(12, 50, (12, 2))
    rows, columns = np.mgrid[:64, :96]
    for picture, (x, y) in zip(pictures, xy, strict=True):
        picture[np.hypot(columns - x, rows - y) < 6] = 250
    pictures = pictures * 257 if bits == 16 else pictures.astype(np.uint8)
    tifffile.imwrite(tmp_path / "cage.tif", pictures)
    config = create_project(tmp_path, task="t", scorer="me", bodyparts=["dot"], videos=[tmp_path / "cage.tif"])
    with open_project(config) as project:
        for frame in range(8):
            project.labels.place(FrameKey("cage", frame), "dot", *xy[frame].tolist())
        project.save_settings(LoopSettings(train=QUICK.model_copy(update={"steps": 30, "batch_size": 4})))
        loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
        finish(loop.train(project))
        finish(loop.export(project, ["cage"], ExportOptions(formats=())))
        loop.close()
        found = project.video_predictions.find(1, "cage").rows(0, 12)
    assert np.median(np.hypot(*(found[:, 0, :2] - xy).T)) < 6


def test_a_round_that_ran_out_of_memory_says_so(labelled, monkeypatch):
    from napari_al_pose.pose.network import PoseNetwork

    usual = PoseNetwork.forward

    def small(self, images):
        if self.training and len(images) > 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return usual(self, images)

    monkeypatch.setattr(PoseNetwork, "forward", small)
    trained, _ = learn(labelled)
    assert trained.notice == "Memory ran out; training continued with batches of 1."


def test_a_round_says_what_the_network_looks_at(labelled):
    train = QUICK.model_copy(update={"follow_animal": "on", "long_side": 640})
    labelled.save_settings(LoopSettings(train=train))
    trained, model = learn(labelled)
    assert trained.round.window == model.window_in(480, 640) == model.window.side
    assert trained.round.scale == 1
    assert labelled.rounds.all()[-1] == trained.round


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_just_ranked_is_mapped_without_scoring_it_again(labelled, add_model, monkeypatch, restarted):
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=30, batch_size=5, holdout_share=0.2))
    add_model(labelled)
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    loop.refresh(labelled)
    ranked = finish(loop.rank(labelled, strategy="mpe"))
    if restarted:
        loop.close()
        loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
        loop.refresh(labelled)
    monkeypatch.setattr(loop, "_model", None)  # without a model, nothing can be scored
    key = ranked.suggestions[0].key
    labelled.labels.place(key, labelled.skeleton.bodyparts[0], 10.0, 10.0)
    mapped = finish(loop.map_pool(labelled, strategy="mpe"))
    assert np.isfinite(mapped.scores).any()
    assert mapped.chosen == tuple(suggestion.key for suggestion in ranked.suggestions)
    assert set(mapped.chosen) <= set(mapped.keys), "test frames and drawn ones are on the map too"
    assert key in mapped.labelled
    shares = [group.share for group in mapped.groups]
    assert sum(shares) == pytest.approx(1, abs=0.05), "all frames look like something"
    assert sum(group.n_labelled for group in mapped.groups) == len(mapped.labelled)
    assert mapped.group_of.max() < len(mapped.groups)
    typical = {key for group in mapped.groups for key in group.typical}
    assert typical
    assert not typical & set(mapped.labelled)
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=20, batch_size=5, holdout_share=0.2))
    assert not np.isfinite(finish(loop.map_pool(labelled, strategy="mpe")).scores).any(), "another pool is scored anew"
    loop.close()


@pytest.mark.parametrize(
    "content", ["{", '{"state": "x", "pools": [{"asked": "mpe"}]}', '{"pools": 3, "state": ""}', "[]"]
)
def test_a_damaged_file_of_scores_is_made_again(tmp_path, content):
    path = tmp_path / "cache" / "ranked.json"
    path.parent.mkdir()
    path.write_text(content)
    pools = RankedPools(path)
    assert pools.find("mpe", "x") is None
    keys = (FrameKey("a", 3), FrameKey("b", 5))
    kept = RankedPool("mpe", "hybrid", 2, keys, keys[:1], np.array([0.25, np.nan]), keys[1:], "as told")
    pools.keep(kept, "y")
    again = RankedPools(path).find("mpe", "y")
    assert (again.scored_by, again.version, again.keys, again.labelled, again.chosen, again.notice) == (
        "hybrid",
        2,
        keys,
        keys[:1],
        keys[1:],
        "as told",
    )
    np.testing.assert_array_equal(again.scores, kept.scores)
    assert RankedPools(path).find("mpe", "x") is None


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfDrawn(Hybrid):
    """As another package's strategy may be."""

    name: str = "half_drawn"
    explores: float = 0.5
    batching: Batching = Batching.CLUSTERED


def test_share_that_a_strategy_has_drawn_is_in_the_queue_with_guesses(labelled, add_model, monkeypatch):
    monkeypatch.setattr(ranking, "installed_strategies", lambda: {"half_drawn": HalfDrawn()})
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=12, batch_size=5, holdout_share=0.2))
    add_model(labelled)
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    loop.refresh(labelled)
    ranked = finish(loop.rank(labelled, strategy="half_drawn"))
    loop.close()
    assert {guess.key for guess in ranked.guesses} == {s.key for s in ranked.suggestions}
    to_learn = [s for s in ranked.suggestions if s.role is FrameRole.TRAIN]
    drawn = [s for s in to_learn if s.strategy == "random"]
    assert len(drawn) == math.ceil(len(to_learn) / 2)
    assert all(math.isnan(s.score) and "evenly" in s.sentence for s in drawn)
    assert {s.strategy for s in to_learn} == {"random", "half_drawn"}
    assert to_learn[0].strategy == "half_drawn"


def test_few_candidates_are_not_all_test_frames(labelled):
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=10, batch_size=100, holdout_share=0.2))
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    loop.refresh(labelled)
    ranked = finish(loop.rank(labelled, strategy="hybrid"))
    loop.close()
    roles = [suggestion.role for suggestion in ranked.suggestions]
    assert 0 < roles.count(FrameRole.HOLDOUT) < roles.count(FrameRole.TRAIN)


@pytest.mark.parametrize("strategy", ["mpe", "vl4pose_static", "thc"])
def test_what_follows_the_animal_is_ranked_in_pixels_of_the_video(labelled, add_model, strategy):
    """The peaks that made a score lie where the scoremap of that frame, in a window of its own, is as high."""
    labelled.save_settings(LoopSettings(train=QUICK, pool_size=12, batch_size=6, holdout_share=0.0))
    add_model(labelled, long_side=640, window=Window(160, 256))
    loop = ActiveLearningLoop(labelled.root, device="cpu", threads=1)
    loop.refresh(labelled)
    ranked = finish(loop.rank(labelled, strategy=strategy))
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
