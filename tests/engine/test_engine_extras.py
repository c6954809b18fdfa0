"""What strategies ask of torch, on real frames and a real network; every strategy that asks scores a real pool."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from napari_al_pose.acquisition import Extra, installed_strategies, traits
from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine import scoring
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.pool import build_pool, predict_frames
from napari_al_pose.engine.ranking_input import ProjectLabels, RankingInput
from napari_al_pose.pose import PoseModel, auxiliary
from napari_al_pose.pose.auxiliary import descriptors, heads
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

BY_ENGINE = sorted(
    name for name, strategy in installed_strategies().items() if traits(strategy).needs or traits(strategy).wants
)
OF_SEVERAL = {"animal_count", "identity"}
NEEDS_THE_NET = {"influence_alexnet", "influence_dinov2", "dissimilar"}


@pytest.fixture(scope="module")
def inputs(sample_project, tmp_path_factory):
    """A sample with ten labelled frames, a network that knows ImageNet only, and a small pool."""
    folder = tmp_path_factory.mktemp("extras") / "project"
    shutil.copytree(sample_project.parent, folder)
    truth = ground_truth(folder)
    with open_project(folder) as project:
        settings = LoopSettings(pool_size=10, batch_size=6)
        project.save_settings(settings)
        for i in range(10):
            video = project.videos[i % 2].name
            key = FrameKey(video, 4 + 9 * i)
            xy, visible = truth[video]
            for part, name in enumerate(project.skeleton.bodyparts):
                if visible[key.frame][part]:
                    project.labels.place(key, name, *xy[key.frame][part])
                else:
                    project.labels.mark_not_visible(key, name)
        torch.manual_seed(0)
        network = PoseNetwork(settings.train.backbone, project.skeleton.n_bodyparts, pretrained=True).eval()
        torch.nn.init.normal_(network.scoremaps.weight, std=0.5)
        names = project.skeleton.bodyparts
        model = PoseModel(network, bodyparts=names, settings=settings.train, long_side=128)
        with project.models.new_folder() as made:
            model.save(made / model.file_name)
        loop = ActiveLearningLoop(folder, device="cpu")
        loop.refresh(project)
        sources = loop._sources.refresh(project)
        pool = finish(build_pool(project, sources, loop._features, 0))
        yield RankingInput(pool, sources, ProjectLabels(project), loop._model, loop.version)
        loop.close()


@pytest.fixture(scope="module")
def cache():
    return ExtraCache(device="cpu")


OFFLINE = [name for name in Extra if not name.startswith(("alexnet", "dinov2", "animal"))]


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Auxiliary networks that learn for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "STEPS", 12)
        yield


@pytest.fixture(scope="module")
def arrays(inputs, cache, quick):
    found = finish(cache.fetch([name for name in OFFLINE if name != Extra.ENSEMBLE_XY], inputs))
    assert not found.missing
    return found.arrays


def test_shapes_are_as_promised(inputs, arrays):
    n, m, k = len(inputs.pool.keys), len(inputs.pool.labelled), inputs.labels.project.skeleton.n_bodyparts
    links = len(inputs.labels.project.skeleton.links)
    expected = {
        Extra.NEIGHBOUR_XY: (n, 2, k, 2),
        Extra.SCOREMAP_CHANGE: (n, 2, k),
        Extra.EMBEDDING: (n, 64),
        Extra.EMBEDDING_LABELLED: (m, 64),
        Extra.KEYPOINT_FEATURES: (n, k, 64),
        Extra.KEYPOINT_FEATURES_LABELLED: (m, k, 64),
        Extra.DROPOUT_XY: (n, auxiliary.DROPOUT_PASSES, k, 2),
        Extra.TURNED_XY: (n, 5, k, 2),
        Extra.PREDICTED_LOSS: (n,),
        Extra.PREDICTED_LOSS_PP: (n,),
        Extra.LOG_VARIANCE: (n, k),
        Extra.LINK_LENGTHS: (n, links, 2),
        Extra.GRADIENT_LENGTHS: (n, m),
        Extra.FULL_GRADIENT_LENGTHS: (n, m),
        Extra.BODYPART_QUALITY: (k,),
        Extra.ERRORS_LABELLED: (m,),
        Extra.THUMBNAILS: (n, 64, 64, 3),
        Extra.MOTION_ENERGY: (n,),
    }
    assert {name: array.shape for name, array in arrays.items()} == expected
    assert np.isnan(arrays[Extra.ERRORS_LABELLED]).all()  # no model had predicted a frame before it was labelled
    for name, array in arrays.items():
        assert np.isfinite(array).any() or name == Extra.ERRORS_LABELLED, name


def test_asking_again_costs_no_look(inputs, arrays, cache, monkeypatch):
    def refuse(*_args):
        raise AssertionError("looked again")

    monkeypatch.setattr(inputs.model, "predict", refuse)
    monkeypatch.setattr(auxiliary.ActivationProbe, "look", refuse)
    again = finish(cache.fetch([Extra.NEIGHBOUR_XY, Extra.EMBEDDING, Extra.PREDICTED_LOSS], inputs)).arrays
    np.testing.assert_array_equal(again[Extra.NEIGHBOUR_XY], arrays[Extra.NEIGHBOUR_XY])
    np.testing.assert_array_equal(again[Extra.PREDICTED_LOSS], arrays[Extra.PREDICTED_LOSS])


def test_neighbours_are_the_frames_beside(inputs, arrays):
    """A keyframe's past lies in another group of pictures and is left alone; its future is one frame on."""
    keys, sources = inputs.pool.keys, inputs.sources
    for row in range(0, len(keys), 5):
        source = sources[keys[row].video]
        position = source.position(keys[row].frame)
        after = inputs.model.predict(source[position + 1][None], with_scoremaps=False).xy[0]
        np.testing.assert_allclose(arrays[Extra.NEIGHBOUR_XY][row, 1], after, atol=1e-3)
        before = arrays[Extra.NEIGHBOUR_XY][row, 0]
        assert np.isnan(before).all() == (position in set(source.keyframes.tolist()))


def test_the_last_layer_s_gradients_are_autograd_s(inputs, arrays):
    """The closed form against autograd on the unfused network, for the weights and biases of the last layer alone."""
    view = auxiliary.ActivationProbe(inputs.model)
    key = inputs.pool.keys[0]
    frame = inputs.sources[key.video][inputs.sources[key.video].position(key.frame)]
    other = inputs.pool.labelled[0]
    target_frame = inputs.sources[other.video][inputs.sources[other.video].position(other.frame)]
    wanted = view.look(target_frame[None]).scoremaps[0].clone()
    seen = view.look(frame[None])
    closed = auxiliary.last_layer_gradient_lengths(seen, [[wanted]])[0][0]
    weight, bias = (p.detach().clone().requires_grad_(True) for p in (view.last.weight, view.last.bias))
    maps = torch.nn.functional.conv2d(seen.features.clone(), weight, bias).sigmoid()[0]
    gradients = torch.autograd.grad(torch.nn.functional.mse_loss(maps, wanted), (weight, bias))
    assert closed == pytest.approx(sum(float(g.square().sum()) for g in gradients), rel=1e-4)
    known = np.isfinite(arrays[Extra.GRADIENT_LENGTHS])
    assert (arrays[Extra.FULL_GRADIENT_LENGTHS][known] >= 0.99 * arrays[Extra.GRADIENT_LENGTHS][known]).all()


class Brightest:
    """Stands in for a look inside a model: finds the brightest cell."""

    network = torch.nn.Conv2d(1, 1, 1)

    def pictures(self, frames):
        geometry = InputGeometry.fit(frames.shape[1:3], 128)
        return resize_frames(frames, geometry), geometry

    def look(self, frames):
        images, geometry = self.pictures(frames)
        return self.look_at_images(images.float(), geometry)

    def look_at_images(self, images, geometry):
        maps = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True) / 255, 4)
        return auxiliary.Activations(maps, maps, decode(maps)[0], geometry)


def test_turned_copies_map_back():
    frame = np.zeros((1, 192, 256, 3), np.uint8)
    rows, columns = np.mgrid[:192, :256]
    frame[0] = (255 * np.exp(-((columns - 150) ** 2 + (rows - 70) ** 2) / 200))[..., None]
    looks = auxiliary.turned_poses(Brightest(), frame)
    assert looks.shape == (1, 5, 1, 2)
    np.testing.assert_allclose(looks[0, :, 0], [[150, 70]] * 5, atol=2.5)


def test_auxiliary_training_leaves_the_model_as_it_is(inputs):
    """AL4Pose's frozen network drifts: its running averages are updated."""
    before = {name: value.clone() for name, value in inputs.model.network.state_dict().items()}
    finish(ExtraCache(device="cpu").fetch([Extra.LOG_VARIANCE], inputs))
    for name, value in inputs.model.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(p.grad is not None for p in inputs.model.network.parameters())


def test_auxiliary_training_is_the_same_every_time(inputs, arrays):
    again = finish(ExtraCache(device="cpu").fetch([Extra.PREDICTED_LOSS_PP], inputs)).arrays
    np.testing.assert_allclose(again[Extra.PREDICTED_LOSS_PP], arrays[Extra.PREDICTED_LOSS_PP], atol=1e-5)


def lesson_of(level):
    """A lesson in which brighter features mean a larger loss, error and length."""
    n = len(level)
    features = 0.3 * torch.randn(n, 64, 16, 16, generator=torch.Generator().manual_seed(n))
    features[:, :8] += 2 * level[:, None, None, None]
    return auxiliary.Lesson(
        pooled=features.half(),
        loss=3 * level + 0.1,
        squared=(0.1 * level[:, None] ** 2).repeat(1, 3),
        placed=torch.ones(n, 3),
        length=(0.2 + level[:, None]).repeat(1, 2),
        linked=torch.ones(n, 2),
    )


@pytest.mark.parametrize("kind", list(auxiliary.HeadKind))
def test_auxiliary_networks_learn_what_can_be_learnt(kind, monkeypatch):
    monkeypatch.setattr(heads, "STEPS", 80)
    level = torch.linspace(0, 1, 90)
    head = finish(auxiliary.train_head(kind, lesson_of(level)))
    new = torch.linspace(0.05, 0.95, 31)
    said = head(lesson_of(new).pooled.float())[:, 0].numpy()
    assert np.corrcoef(said, new)[0, 1] > 0.8


@pytest.fixture
def offline(monkeypatch):
    """A machine with neither weights nor a way to get them."""

    def refuse():
        raise AlPoseError("The weights could not be downloaded (no route to host).")

    monkeypatch.setattr(descriptors, "MAKERS", {"alexnet": refuse, "dinov2": refuse})


@pytest.mark.parametrize("name", BY_ENGINE)
def test_every_strategy_that_asks_the_engine_scores_a_real_pool(name, inputs, arrays, cache, offline, monkeypatch):
    monkeypatch.setattr(scoring, "_lack", lambda strategy, inputs: "")  # there are too few labels for some
    scored = finish(scoring.score_pool(installed_strategies()[name], inputs, cache, n=5, seed=0))
    if name in NEEDS_THE_NET - {"dissimilar"}:
        assert scored.scores.strategy.name == "influence"
        assert "no route to host" in scored.notice
    elif name == "ensemble":  # one version only
        assert scored.scores.strategy.name == "least_confidence"
        assert "fewer than two versions" in scored.notice
    elif name in OF_SEVERAL:  # the model is of one animal
        assert scored.scores.strategy.name == "hybrid"
        assert "the model knows one animal only" in scored.notice
    else:
        assert scored.scores.strategy.name == name
        assert scored.notice == ""
    scores = scored.scores.values
    assert scores.shape == (len(inputs.pool.keys),)
    assert np.isfinite(scores).any()
    assert scored.scores.strategy.explain(scored.scores.context, 0).sentence


def test_too_few_labels_are_said(inputs, cache):
    scored = finish(scoring.score_pool(installed_strategies()["learning_loss"], inputs, cache, n=5, seed=0))
    assert scored.scores.strategy.name == "mpe"
    assert "it needs 100 complete frames and there are" in scored.notice
    assert "Multiple peak entropy (MPE) takes its place" in scored.notice


def test_a_model_without_scoremaps_is_said(inputs, cache):
    """Another program's predictions have none: what can do without them takes the place of what can't."""

    def predict(model, keys, sources, job, *, with_scoremaps):
        return predict_frames(model, keys, sources, job, with_scoremaps=False)

    poor = dataclasses.replace(inputs, predict=predict)
    scored = finish(scoring.score_pool(installed_strategies()["mpe"], poor, cache, n=5, seed=0))
    assert scored.scores.strategy.name == "hybrid"
    assert "since the model gives no scoremaps: Spread + uncertain takes its place." in scored.notice
    assert np.isfinite(scored.scores.values).any()


def test_no_model_is_no_remark(inputs, cache):
    bare = RankingInput(inputs.pool, inputs.sources, inputs.labels, None, 0)
    scored = finish(scoring.score_pool(installed_strategies()["mc_dropout"], bare, ExtraCache(), n=5, seed=0))
    assert scored.scores is None
    assert scored.notice == ""
    pictures = finish(scoring.score_pool(installed_strategies()["dlc_kmeans"], bare, ExtraCache(), n=5, seed=0))
    assert pictures.scores.strategy.name == "dlc_kmeans"


def test_alexnet_s_weights_are_loaded_and_a_missing_network_is_told(monkeypatch, tmp_path):
    from torchvision.models import AlexNet_Weights, alexnet

    def offline(*_args, **_kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(AlexNet_Weights, "get_state_dict", offline)
    with pytest.raises(AlPoseError, match=r"AlexNet \(233 MB\) could not be downloaded \(no route"):
        auxiliary.descriptor_for("alexnet", "cpu")
    torch.manual_seed(0)
    state = alexnet(weights=None).state_dict()
    monkeypatch.setattr(AlexNet_Weights, "get_state_dict", lambda *_args, **_kwargs: state)
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 120, 3), dtype=np.uint8)
    found = auxiliary.descriptor_for("alexnet", "cpu").extract(frames)
    assert found.shape == (2, 4096)
    assert (found >= 0).all()
    assert (found > 0).any()


def test_dinov2_s_class_token(monkeypatch):
    timm = pytest.importorskip("timm")
    network = timm.create_model("vit_small_patch14_dinov2.lvd142m", num_classes=0, dynamic_img_size=True)
    frames = np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    found = auxiliary.Descriptor(network, "cpu").extract(frames)
    assert found.shape == (2, 384)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("layout", ["pca", "tsne"])
def test_the_pool_on_a_plane(inputs, layout):
    loop = ActiveLearningLoop(inputs.labels.project.root, device="cpu")
    loop.refresh(inputs.labels.project)
    mapped = finish(loop.map_pool(inputs.labels.project, strategy="influence", layout=layout, size=3))
    assert mapped.points.shape == (len(mapped.keys), 2)
    assert mapped.labelled_points.shape == (len(mapped.labelled), 2)
    assert mapped.points.min() >= 0
    assert mapped.points.max() <= 1
    assert len(mapped.chosen) == 3
    assert set(mapped.chosen) <= set(mapped.keys)
    assert np.isfinite(mapped.scores).all()
    with pytest.raises(AlPoseError, match="Unknown layout 'round'"):
        finish(loop.map_pool(inputs.labels.project, strategy="influence", layout="round"))
    loop.close()
