"""Top-down networks: what is cut out for them, how the box is found without a detector, and SuperAnimal weights.

That DeepLabCut itself says the same about the same snapshots and boxes is checked by ``make interop``.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pretrained import BIRD, PRETRAINED, QUADRUPED, TOP_VIEW_MOUSE
from napari_al_pose.pose.foreign.deeplabcut_config import CONFIG_NAME, Crop, parse_config
from napari_al_pose.pose.foreign.deeplabcut_decoding import Decoded, decode_output
from napari_al_pose.pose.foreign.deeplabcut_model import describe_snapshot, network_of, read_snapshot
from napari_al_pose.pose.foreign.superanimal import recognise, snapshot_of
from napari_al_pose.pose.foreign.top_down import TopDownSearch, cut_out
from napari_al_pose.pose.predictor import load_predictor

pytest.importorskip("timm")

CROP = Crop(width=64, height=64)
PARTS = ("snout", "ear", "tail")


def rtmpose(n_parts=3):
    """What DeepLabCut 3.0 writes for a small RTMPose network, as far as it is about the network."""
    return {
        "net_type": "rtmpose_s",
        "method": "td",
        "metadata": {"bodyparts": [f"part{i}" for i in range(n_parts)], "individuals": ["a", "b"]},
        "data": {"inference": {"normalize_images": True, "top_down_crop": {"width": 64, "height": 64}}},
        "model": {
            "backbone": {"type": "CSPNeXt", "model_name": "cspnext_s", "deepen_factor": 0.33, "widen_factor": 0.125},
            "heads": {
                "bodypart": {
                    "type": "RTMCCHead",
                    "input_size": [64, 64],
                    "in_channels": 128,
                    "out_channels": n_parts,
                    "in_featuremap_size": [2, 2],
                    "simcc_split_ratio": 2.0,
                    "final_layer_kernel_size": 7,
                    "gau_cfg": {"hidden_dims": 32, "s": 16, "expansion_factor": 2, "act_fn": "SiLU"},
                    "predictor": {"simcc_split_ratio": 2.0, "sigma": [5.66, 5.66], "decode_beta": 150.0},
                }
            },
        },
    }


def hrnet(n_parts=3):
    """The same for a top-down HRNet."""
    final = {"channels": [18], "kernel_size": [], "strides": []}
    return {
        "net_type": "top_down_hrnet_w18",
        "method": "td",
        "metadata": {"bodyparts": list(PARTS[:n_parts]), "individuals": ["single"]},
        "data": {"inference": {"normalize_images": True, "top_down_crop": {"width": 64, "height": 96}}},
        "model": {
            "backbone": {"type": "HRNet", "model_name": "hrnet_w18"},
            "heads": {
                "bodypart": {
                    "type": "HeatmapHead",
                    "heatmap_config": final | {"final_conv": {"out_channels": n_parts, "kernel_size": 1}},
                    "locref_config": final | {"final_conv": {"out_channels": 2 * n_parts, "kernel_size": 1}},
                    "predictor": {"apply_sigmoid": False, "clip_scores": True, "location_refinement": True},
                }
            },
        },
    }


def write(folder, content, network):
    with (folder / CONFIG_NAME).open("w") as file:
        YAML().dump(content, file)
    torch.save({"model": network.state_dict()}, folder / "snapshot-001.pt")
    return folder / "snapshot-001.pt"


# ---- the cut-out ----------------------------------------------------------------------------------


def test_a_box_grows_to_the_proportions_of_the_input_and_is_black_beyond_the_frame():
    frame = np.full((100, 200, 3), 50, np.uint8)
    image, corner, scale = cut_out(frame, np.array([10.0, 20.0, 40.0, 80.0]), Crop(width=128, height=64))
    # 40 x 80 becomes 160 x 80 around (30, 60): from x = -50 to 110 and y = 20 to 100.
    assert corner == (-50, 20)
    assert scale == (160 / 128, 80 / 64)
    assert image.shape == (64, 128, 3)
    assert not image[:, :39].any()
    assert (image[:, 41:] == 50).all()


def test_a_margin_is_added_before_and_a_box_beside_the_frame_is_black():
    frame = np.full((100, 200, 3), 50, np.uint8)
    image, corner, scale = cut_out(frame, np.array([300.0, 0.0, 20.0, 20.0]), Crop(width=64, height=64, margin=6))
    assert (corner, scale) == ((294, -6), (0.5, 0.5))
    assert not image.any()


def test_a_point_of_the_cut_out_is_found_in_the_frame():
    rng = np.random.default_rng(0)
    for _ in range(20):
        frame = np.zeros((240, 320, 3), np.uint8)
        x, y = rng.integers(40, 280), rng.integers(40, 200)
        frame[y - 3 : y + 4, x - 3 : x + 4] = 255
        box = np.array([x - 30 - rng.uniform(0, 20), y - 30 - rng.uniform(0, 20), 80, 70])
        image, corner, scale = cut_out(frame, box, CROP)
        rows, columns = np.nonzero(image[..., 0] > 127)
        middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) * scale + corner
        np.testing.assert_allclose(middle, [x + 0.5, y + 0.5], atol=1.0)


# ---- where the animal is --------------------------------------------------------------------------


def dots(height, width, middle, size):
    """A dark frame with an animal: a red, a green and a blue dot in a row, ``size`` px long in all."""
    frame = np.zeros((height, width, 3), np.uint8)
    places = [(middle[0] + size * step, middle[1]) for step in (-0.4, 0.0, 0.4)]
    for channel, (x, y) in enumerate(places):
        colour = [0, 0, 0]
        colour[channel] = 255
        cv2.circle(frame, (round(x), round(y)), max(1, round(size / 8)), colour, -1)
    return frame, np.array(places)


def eye(best_px):
    """Return a network that is sure of dots as far as the row of them is about ``best_px`` pixels long, and of nothing
    else; like a real one, it is unsure where the animal is far smaller or larger than those it was trained on."""

    def decode(images):
        n, height, width, _ = images.shape
        xy, likelihood = np.zeros((n, 3, 2), np.float32), np.zeros((n, 3), np.float32)
        for i, image in enumerate(images):
            for k in range(3):
                rows, columns = np.nonzero(image[..., k] > 100)
                if len(rows):
                    diameter = 2 * np.sqrt(len(rows) / np.pi)
                    xy[i, k] = columns.mean() + 0.5, rows.mean() + 0.5
                    likelihood[i, k] = np.exp(-(np.log(max(diameter * 4, 1) / best_px) ** 2))
        maps = np.zeros((n, 3, height // 4, width // 4), np.float32)
        return Decoded(xy, likelihood, maps)

    return decode


@pytest.mark.parametrize(
    ("size", "middle"), [(400, (320, 240)), (160, (150, 300)), (60, (560, 60)), (70, (90, 420)), (80, (590, 30))]
)
def test_an_animal_is_found_from_one_that_fills_the_frame_to_one_that_is_small_in_a_corner(size, middle):
    frame, places = dots(480, 640, middle, size)
    looks = TopDownSearch(eye(45), CROP).find(frame[None])
    shown = size / looks.scale[0, 0]  # its length in the cut-out, px
    assert 28 < shown < 64
    assert looks.likelihood.min() > 0.7
    np.testing.assert_allclose(looks.xy[0], places + 0.5, atol=2)


def test_frames_are_looked_at_on_their_own_and_an_empty_one_as_a_whole():
    one, _ = dots(480, 640, (150, 300), 160)
    other, _ = dots(480, 640, (500, 100), 40)
    empty = np.zeros_like(one)
    search = TopDownSearch(eye(45), CROP)
    together = search.find(np.stack([one, empty, other]))
    for i, frame in enumerate((one, empty, other)):
        alone = search.find(frame[None])
        np.testing.assert_array_equal(together.xy[i], alone.xy[0])
        np.testing.assert_array_equal(together.offset[i], alone.offset[0])
    assert not together.likelihood[1].any()


def test_a_look_that_is_less_sure_does_not_count():
    """The network knows large animals only, and this one fills the frame: closer looks see less."""
    frame, places = dots(480, 640, (320, 240), 600)
    looks = TopDownSearch(eye(30), CROP).find(frame[None])
    assert looks.sureness[0] >= TopDownSearch(eye(30), CROP).look(frame[None], np.array([[0, 0, 640, 480.0]])).sureness
    np.testing.assert_allclose(looks.xy[0], places + 0.5, atol=10)


def test_keypoints_far_outside_of_the_frame_lead_nowhere():
    def wild(images):
        n, height, width, _ = images.shape
        xy = np.full((n, 3, 2), 1e9, np.float32)
        xy[:, 1], xy[:, 2] = -1e9, np.nan
        return Decoded(xy, np.ones((n, 3), np.float32), np.zeros((n, 3, height // 4, width // 4), np.float32))

    looks = TopDownSearch(wild, CROP).find(np.zeros((1, 480, 640, 3), np.uint8))
    assert looks.box[0, 2] <= 640 * 1.4


# ---- snapshots ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["hrnet", "rtmpose"])
def trained(request, tmp_path_factory):
    """The path of a top-down snapshot, and its bodyparts."""
    content = hrnet() if request.param == "hrnet" else rtmpose()
    folder = tmp_path_factory.mktemp(request.param)
    snapshot = parse_config(content, folder)
    torch.manual_seed(1)
    network = network_of(snapshot)
    with torch.no_grad():  # the batch norms have to see an image: without that the maps explode
        for norm in (module for module in network.train().modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.momentum = None
        network(torch.rand(4, 3, snapshot.crop.height, snapshot.crop.width) * 255)
    return write(folder, content, network.eval()), snapshot, network


def test_a_top_down_snapshot_says_of_the_frame_what_its_network_says_of_the_cut_out(trained):
    path, snapshot, network = trained
    model = read_snapshot(path, snapshot.bodyparts, device="cpu")
    frames = np.random.default_rng(0).integers(0, 255, (2, 90, 120, 3), np.uint8)
    looks = model.search.find(frames)
    said = model.predict(frames)
    np.testing.assert_array_equal(said.xy, looks.xy)
    for i, frame in enumerate(frames):
        image, corner, scale = cut_out(frame, looks.box[i], snapshot.crop)
        inputs = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32))
        with torch.inference_mode():
            one = decode_output(network(inputs), snapshot)
        # Random weights put points far outside of the frame, where float32 rounds a batch unlike a single image.
        np.testing.assert_allclose(said.xy[i], one.xy[0] * scale + corner, atol=1e-3, rtol=1e-5)
        np.testing.assert_allclose(said.likelihood[i], one.likelihood[0], atol=1e-4)
        # The highest cell of each scoremap lies where the pose is, as far as cells and refinements go.
        for k in range(len(snapshot.bodyparts)):
            cell = np.array(np.unravel_index(said.scoremaps[i, k].argmax(), said.scoremaps.shape[2:]))[::-1]
            there = said.grids[i].to_source(cell.astype(float))
            inside = (there - corner) / scale / snapshot.stride
            assert np.allclose(inside - 0.5, cell)
    assert said.scoremaps.max() <= 1


def test_bins_decode_as_softmax_along_each_axis():
    """By hand, one bodypart at a time: the likeliest half pixel, and the lower of both probabilities."""
    snapshot = parse_config(rtmpose(2), "")
    torch.manual_seed(0)
    x, y = torch.randn(1, 2, 128) / 300, torch.randn(1, 2, 128) / 300
    said = decode_output((x, y), snapshot)
    for k in range(2):
        probabilities = []
        for axis, row in enumerate((x[0, k].numpy(), y[0, k].numpy())):
            assert said.xy[0, k, axis] == row.argmax() / 2
            powers = np.exp((row - row.max()) * 5.66 * 150)
            probabilities.append(powers.max() / powers.sum())
        np.testing.assert_allclose(said.likelihood[0, k], min(probabilities), rtol=1e-4)
        np.testing.assert_allclose(said.maps[0, k].max(), said.likelihood[0, k], rtol=1e-5)
        row, column = np.unravel_index(said.maps[0, k].argmax(), said.maps.shape[2:])
        assert (column, row) == (said.xy[0, k, 0] // 4, said.xy[0, k, 1] // 4)


def test_a_copy_of_a_top_down_network_in_the_project_says_the_same(trained, tmp_path):
    path, snapshot, _ = trained
    model = read_snapshot(path, snapshot.bodyparts[1:], device="cpu")
    model.save(tmp_path / model.file_name)
    again = load_predictor(tmp_path / model.file_name, "cpu")
    image = np.random.default_rng(0).integers(0, 255, (1, 80, 60, 3), np.uint8)
    np.testing.assert_array_equal(again.predict(image).xy, model.predict(image).xy)
    assert again.network_name == snapshot.net_type
    assert again.predict(np.empty((0, 64, 96, 3), np.uint8)).xy.shape == (0, 2, 2)


def test_nothing_is_said_of_bodyparts_that_the_network_does_not_know(trained, tmp_path):
    path, snapshot, _ = trained
    known = snapshot.bodyparts
    image = np.random.default_rng(0).integers(0, 255, (1, 80, 60, 3), np.uint8)
    with pytest.raises(AlPoseError, match="does not know wing"):
        read_snapshot(path, ("wing", known[2]), device="cpu")
    model = read_snapshot(path, ("wing", known[2], known[0]), device="cpu", partial=True, chosen={known[0]: ""})
    model.save(tmp_path / model.file_name)
    whole = read_snapshot(path, known, device="cpu").predict(image)
    for said in (model.predict(image), load_predictor(tmp_path / model.file_name, "cpu").predict(image)):
        assert np.isnan(said.xy[0, [0, 2]]).all()
        assert not said.likelihood[0, [0, 2]].any()
        assert not said.scoremaps[0, [0, 2]].any()
        np.testing.assert_array_equal(said.xy[0, 1], whole.xy[0, 2])
        np.testing.assert_array_equal(said.scoremaps[0, 1], whole.scoremaps[0, 2])
    with pytest.raises(AlPoseError, match="does not know wing"):  # nothing of it is theirs
        read_snapshot(path, ("wing",), device="cpu", partial=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["data"]["inference"]["top_down_crop"].update(width=10**6), "unknown kind"),
        (lambda c: c["data"]["inference"]["top_down_crop"].update(crop_with_context=False), "unknown kind"),
        (lambda c: c["data"]["inference"]["top_down_crop"].update(width=96), "does not fit"),
        (lambda c: c["model"]["heads"]["bodypart"].update(out_channels=4), "does not fit"),
        (lambda c: c["model"]["heads"]["bodypart"].update(in_channels=64), "do not fit"),
        (lambda c: c["model"]["heads"]["bodypart"]["gau_cfg"].update(use_rel_bias=True), "unknown kind"),
        (lambda c: c["model"]["heads"]["bodypart"].update(in_featuremap_size=[10**5, 10**5]), "does not fit"),
        (lambda c: c["model"]["backbone"].update(type="HRNet", model_name="hrnet_w18"), "unknown kind"),
        (lambda c: c["model"]["backbone"].update(widen_factor=100), "unknown kind"),
        (lambda c: c.update(method="bu"), "several animals"),
    ],
)
def test_top_down_networks_that_can_not_be_used_are_named(tmp_path, change, says):
    content = rtmpose()
    network = network_of(parse_config(content, tmp_path))
    change(content)
    path = write(tmp_path, content, network)
    with pytest.raises(AlPoseError, match=says):
        read_snapshot(path, ("part0",))


# ---- SuperAnimal ----------------------------------------------------------------------------------

LAYERS = {
    ("superanimal_topviewmouse", "hrnet_w32"): "753fc0d13e804396c59bd3aa48794e9444d151e8d9936e5e144413a6aaf94f0e",
    ("superanimal_bird", "resnet_50"): "b0d1012507ec06ecb548543063b7cf04d64a32400e53ed2e91b87b83aefdf93d",
    ("superanimal_quadruped", "rtmpose_s"): "1ec8e82fb097c66f47908f35a4396ad943a7f692cefe4fd0186c25799092b2f6",
}
"""Digests of the names and shapes of all layers, sorted, in DeepLabCut 3.0.2's networks of that name."""


def few_layers(animal, network):
    """Of a SuperAnimal network those layers that tell which one it is."""
    n, head = len(animal.bodyparts), "heads.bodypart."
    if network == "rtmpose_s":
        return {f"{head}final_layer.weight": torch.empty(n, 512, 7, 7)}
    width = 32 if network == "hrnet_w32" else 2048
    return {f"{head}heatmap_head.deconv_layers.0.weight": torch.empty(width, n, 1, 1)}


@pytest.mark.parametrize(
    ("animal", "network"), [(TOP_VIEW_MOUSE, "hrnet_w32"), (BIRD, "resnet_50"), (QUADRUPED, "rtmpose_s")]
)
def test_superanimal_networks_have_the_layers_of_deeplabcut(animal, network):
    snapshot = recognise(few_layers(animal, network))
    layers = sorted(f"{name} {tuple(value.shape)}" for name, value in network_of(snapshot).state_dict().items())
    assert hashlib.sha256("\n".join(layers).encode()).hexdigest() == LAYERS[animal.name, network]
    assert snapshot.net_type == f"{animal.name}_{network}"


def test_superanimal_weights_are_read_without_a_configuration(tmp_path):
    snapshot = snapshot_of(BIRD, "resnet_50")
    path = tmp_path / "whatever.pt"
    torch.manual_seed(0)
    network = network_of(snapshot).eval()
    torch.save({"model": network.state_dict()}, path)
    assert describe_snapshot(path) == ("superanimal_bird_resnet_50", BIRD.bodyparts)
    model = read_snapshot(path, ("Bill", "tail tip", "wing"), device="cpu", partial=True)
    frame = np.random.default_rng(0).integers(0, 255, (1, 120, 160, 3), np.uint8)
    looks, said = model.search.find(frame), model.predict(frame)
    at = [BIRD.bodyparts.index(name) for name in ("bill", "tail_tip")]
    np.testing.assert_array_equal(said.xy[0, :2], looks.xy[0, at])
    assert np.isnan(said.xy[0, 2]).all()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"a": torch.zeros(1)},
        {"heads.bodypart.heatmap_head.deconv_layers.0.weight": torch.zeros(32, 5, 1, 1)},  # no such animal
        {"heads.bodypart.heatmap_head.deconv_layers.0.weight": torch.zeros(7, 27, 1, 1)},  # no such network
    ],
)
def test_other_weights_without_a_configuration_say_what_is_missing(tmp_path, state):
    torch.save({"model": state}, tmp_path / "net.pt")
    with pytest.raises(AlPoseError, match=r"net\.pt.*not those of a SuperAnimal network"):
        read_snapshot(tmp_path / "net.pt", PARTS)


def test_superanimal_weights_that_are_cut_short_are_refused(tmp_path):
    few = {"heads.bodypart.heatmap_head.deconv_layers.0.weight": torch.zeros(32, 27, 1, 1)}
    torch.save({"model": few}, tmp_path / "net.pt")
    with pytest.raises(AlPoseError, match=r"net\.pt do not fit"):
        read_snapshot(tmp_path / "net.pt", ("nose",))


def test_the_list_of_downloads_is_whole():
    assert len({model.file_name for model in PRETRAINED}) == len(PRETRAINED)
    assert (len(TOP_VIEW_MOUSE.bodyparts), len(QUADRUPED.bodyparts), len(BIRD.bodyparts)) == (27, 39, 42)
    for model in PRETRAINED:
        assert len(set(model.animal.bodyparts)) == len(model.animal.bodyparts)
        assert len(model.sha256) == 64
        assert int(model.sha256, 16)
        assert model.url.startswith("https://huggingface.co/")
        assert model.url.endswith(model.file_name)
        assert model.n_bytes is None or round(model.n_bytes / 1e6) == model.megabytes
