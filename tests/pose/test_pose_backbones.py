"""The published weights sit where they belong: seen by what the network says about real photographs."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.backbones import BACKBONE_WORDS
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import FeatureExtractor, PoseModel
from napari_al_pose.pose.backbone import WeightsMissingError
from napari_al_pose.pose.backbones import (
    BACKBONES,
    get_backbone,
    load_by_order,
    load_efficientnet_lite0,
    read_tensors,
)
from napari_al_pose.pose.efficientnet import MEAN, STD, EfficientNetLite0, SamePadConv2d
from napari_al_pose.pose.geometry import InputGeometry, resize_frames

BELL_COTE, DAISY = 442, 985


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return load_efficientnet_lite0().eval()


@pytest.mark.parametrize(("name", "label"), [("china.jpg", BELL_COTE), ("flower.jpg", DAISY)])
def test_photographs_get_their_imagenet_class(network, name, label):
    image = load_sample_image(name)
    pixels = resize_frames(image[None], InputGeometry(image.shape[:2], (224, 336))).float()
    with torch.inference_mode():
        assert int(network((pixels - MEAN) / STD).argmax()) == label


def test_shuffled_weights_lose_the_class(network):
    """The test above can fail: two tensors of the same shape exchanged are enough."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    names = [
        name for name, tensor in state.items() if tensor.shape == state["pyramid.stages.4.1.layers.0.weight"].shape
    ]
    assert len(names) > 1
    state[names[0]], state[names[1]] = state[names[1]], state[names[0]]
    wrong = EfficientNetLite0().eval()
    wrong.load_state_dict(state)
    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(wrong(pixels), network(pixels), atol=1e-2)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(32, 48), (31, 48), (32, 47)])
def test_padding_by_the_kernel_gives_the_same_sums(kernel, size):
    conv = SamePadConv2d(6, 6, kernel, stride=2, groups=6)
    x = torch.rand(2, 6, *size)
    learning = conv(x)
    with torch.inference_mode():
        torch.testing.assert_close(conv(x), learning.detach())
    assert learning.shape[-2:] == (16, 24)


@pytest.mark.parametrize("size", [(97, 122), (96, 128)])
def test_logits_and_pyramid_equal_timm(network, size):
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_lite0").eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), network.state_dict().values(), strict=True)))
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network(pixels), theirs(pixels), rtol=1e-4, atol=1e-4)
        their_maps = theirs.forward_intermediates(pixels, indices=[1, 2, 3, 4], intermediates_only=True)
        for ours, their in zip(network.pyramid(pixels), their_maps, strict=True):
            torch.testing.assert_close(ours, their, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_every_backbone_gives_the_pyramid_it_promises(name):
    pyramid = get_backbone(name).pyramid().eval()
    with torch.inference_mode():
        maps = pyramid(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(pyramid.channels, (4, 8, 16, 32), strict=True)
    ]
    assert all(isinstance(layer, torch.nn.Module) for layer in pyramid.early_layers())


def test_the_settings_know_every_backbone():
    assert list(BACKBONES) == list(BACKBONE_WORDS)


@pytest.mark.parametrize("name", ["resnet18", "timm_resnet18"])
def test_weights_out_of_reach_are_told_at_once(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def offline(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr(socket, "create_connection", offline)
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("napari_al_pose.pose.backbones_timm.getproxies", dict)
    with pytest.raises(WeightsMissingError, match=r"no route to host.*efficientnet_lite0"):
        get_backbone(name).pretrained_pyramid()


@pytest.mark.parametrize("name", ["resnet18", "timm_resnet18"])
def test_colours_reach_an_imagenet_network_as_it_wants_them(name):
    """A frame of ImageNet's mean colour arrives as zeros, one deviation brighter as ones."""
    colours = get_backbone(name).pyramid().colours
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    pixels = torch.from_numpy(np.stack([mean, mean + std])).float()[:, :, None, None]
    seen = colours((pixels - MEAN) / STD)[:, :, 0, 0].numpy()
    np.testing.assert_allclose(seen, [[0] * 3, [1] * 3], atol=1e-4)


def test_unknown_backbone_names_the_known_ones():
    with pytest.raises(AlPoseError, match="efficientnet_lite0"):
        get_backbone("resnet_9000")


@pytest.mark.parametrize("change", ["one fewer", "other shape"])
def test_weights_that_do_not_fit_are_refused(network, change):
    weights = dict(network.state_dict())
    last = list(weights)[-1]
    if change == "one fewer":
        del weights[last]
    else:
        weights[last] = torch.zeros(7)
    with pytest.raises(AlPoseError, match=r"some\.pth"):
        load_by_order(EfficientNetLite0(), weights, Path("some.pth"))


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [b"", b"not a weights file", {"a": 1}, [1, 2], Evil()])
def test_weights_files_that_are_not_tensors_are_refused(tmp_path, content, capsys):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(AlPoseError, match="weights"):
        read_tensors(path)
    assert capsys.readouterr().out == ""


def test_missing_weights_file_is_named(tmp_path):
    with pytest.raises(AlPoseError, match=r"gone\.pth"):
        read_tensors(tmp_path / "gone.pth")


def test_features_do_not_depend_on_the_batch_and_tell_images_apart():
    china, flower = (load_sample_image(name)[:200, :300] for name in ("china.jpg", "flower.jpg"))
    extractor = FeatureExtractor("cpu")
    both = extractor.extract(np.stack([china, flower, china]))
    assert both.shape == (3, 1280)
    assert both.dtype == np.float32
    np.testing.assert_allclose(both[0], both[2], atol=1e-4)
    np.testing.assert_allclose(both[1], extractor.extract(flower[None])[0], atol=1e-3)
    cosine = both[0] @ both[1] / np.linalg.norm(both[0]) / np.linalg.norm(both[1])
    assert cosine < 0.6
    assert extractor.extract(np.empty((0, 40, 60, 3), np.uint8)).shape == (0, 1280)


def test_models_and_settings_from_before_the_backbone_had_its_name_are_read(learnt, tmp_path):
    _, model = learnt
    model.save(tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    settings = {"trunk" if name == "backbone" else name: value for name, value in content["settings"].items()}
    state = {name.replace("backbone.", "trunk.", 1): tensor for name, tensor in content["state"].items()}
    torch.save(content | {"format_version": 1, "settings": settings, "state": state}, tmp_path / "old.pt")
    old = PoseModel.load(tmp_path / "old.pt", device="cpu")
    assert old.settings == model.settings
    for name, tensor in model.network.state_dict().items():
        torch.testing.assert_close(old.network.state_dict()[name], tensor)
    assert TrainSettings.model_validate({"trunk": "resnet18"}).backbone == "resnet18"
