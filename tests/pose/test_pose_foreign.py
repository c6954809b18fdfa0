"""Models of other programs: DeepLabCut 3 snapshots as it lays them out, ONNX files as onnx writes them.

That DeepLabCut itself says the same about the same snapshot is checked by ``make interop``, which trains one.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pretrained import QUADRUPED, TOP_VIEW_MOUSE
from napari_al_pose.pose.foreign.deeplabcut_config import CONFIG_NAME, parse_config
from napari_al_pose.pose.foreign.deeplabcut_model import DeepLabCutModel, read_snapshot
from napari_al_pose.pose.foreign.deeplabcut_network import DeepLabCutNetwork
from napari_al_pose.pose.foreign.onnx_model import OnnxModel, read_onnx
from napari_al_pose.pose.foreign.ordering import bodypart_order, in_our_words, suggested_mapping
from napari_al_pose.pose.predictor import load_predictor

onnx = pytest.importorskip("onnx")
pytest.importorskip("timm")

PARTS = ("snout", "ear", "tail")
LOCREF_STD = 7.2801


def configuration(backbone="resnet", *, n_parts=3):
    """What DeepLabCut 3.0 writes, as far as it is about the network."""
    resnet = backbone == "resnet"
    width = 2048 if resnet else 18
    head = {"kernel_size": [3], "strides": [2]}
    return {
        "net_type": "resnet_50" if resnet else "hrnet_w18",
        "method": "bu",
        "metadata": {"bodyparts": list(PARTS[:n_parts]), "unique_bodyparts": [], "individuals": ["individual_1"]},
        "data": {
            "inference": {
                "normalize_images": True,
                "auto_padding": None if resnet else {"pad_width_divisor": 32, "pad_height_divisor": 32},
            }
        },
        "model": {
            "backbone": {"type": "ResNet", "model_name": "resnet50_gn", "output_stride": 16}
            if resnet
            else {"type": "HRNet", "model_name": "hrnet_w18"},
            "heads": {
                "bodypart": {
                    "type": "HeatmapHead",
                    "heatmap_config": {"channels": [width, n_parts], **head},
                    "locref_config": {"channels": [width, 2 * n_parts], **head},
                    "predictor": {
                        "apply_sigmoid": False,
                        "clip_scores": True,
                        "location_refinement": True,
                        "locref_std": LOCREF_STD,
                    },
                }
            },
        },
    }


@pytest.fixture(scope="module", params=["resnet", "hrnet"])
def trained(request, tmp_path_factory):
    """A snapshot's path, and the network in it."""
    folder = tmp_path_factory.mktemp(request.param)
    content = configuration(request.param)
    torch.manual_seed(1)
    network = DeepLabCutNetwork(parse_config(content, folder)).eval()
    write(folder, content, {"model": network.state_dict(), "metadata": {"epoch": 1, "metrics": {}}})
    return folder / "snapshot-001.pt", network


def write(folder, content, snapshot):
    with (folder / CONFIG_NAME).open("w") as file:
        YAML().dump(content, file)
    torch.save(snapshot, folder / "snapshot-001.pt")


def frames(height, width):
    return np.random.default_rng(0).integers(0, 255, (1, height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(96, 128), (75, 101)])
def test_a_snapshot_decodes_as_deeplabcut_does(trained, size):
    """The highest cell, its centre in source pixels, and the refinement there: by hand, one bodypart at a time."""
    path, network = trained
    order = ("tail", "snout", "ear")
    model = read_snapshot(path, order, device="cpu")
    image = frames(*size)
    said = model.predict(image)
    stride = 8 if "resnet" in str(path) else 2
    unit = 1 if "resnet" in str(path) else 32
    bottom, right = -size[0] % unit, -size[1] % unit
    padded = np.pad(image[0], ((0, bottom), (0, right), (0, 0)), mode="reflect")
    with torch.inference_mode():
        maps, offsets = network(torch.from_numpy(padded.transpose(2, 0, 1)[None].astype(np.float32)))
    for i, name in enumerate(order):
        k = PARTS.index(name)
        row, column = np.unravel_index(int(maps[0, k].argmax()), maps.shape[2:])
        dx, dy = (float(offsets[0, 2 * k + axis, row, column]) * LOCREF_STD for axis in (0, 1))
        expected = [column * stride + stride / 2 + dx, row * stride + stride / 2 + dy]
        np.testing.assert_allclose(said.xy[0, i], expected, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(said.likelihood[0, i], np.clip(float(maps[0, k].max()), 0, 1), atol=1e-3)
        np.testing.assert_allclose(said.scoremaps[0, i], maps[0, k].clamp(0, 1), atol=1e-3)
        centre = said.grids[0].to_source(np.array([[column, row]], float))[0]
        np.testing.assert_allclose(centre, [column * stride + stride / 2, row * stride + stride / 2])


def test_a_copy_in_the_project_says_the_same(trained, tmp_path):
    path, _ = trained
    model = read_snapshot(path, PARTS, device="cpu")
    model.save(tmp_path / model.file_name)
    again = load_predictor(tmp_path / model.file_name, "cpu")
    assert isinstance(again, DeepLabCutModel)
    assert again.network_name == model.network_name
    image = frames(64, 96)
    np.testing.assert_array_equal(again.predict(image).xy, model.predict(image).xy)
    assert again.predict(np.empty((0, 64, 96, 3), np.uint8)).xy.shape == (0, 3, 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(method="ctd"), "kind"),
        (lambda c: c["metadata"].update(individuals=["a", "b"]), "several animals"),
        (lambda c: c["metadata"].update(unique_bodyparts=["box"]), "kind"),
        (lambda c: c["model"]["backbone"].update(model_name="vit_huge"), "unknown kind of network"),
        (lambda c: c["model"]["backbone"].update(model_name="hf_hub:evil/model"), "unknown kind of network"),
        (lambda c: c["model"]["heads"]["bodypart"]["heatmap_config"].update(channels=[2048, 10**9]), "does not fit"),
        (lambda c: c["model"]["heads"]["bodypart"].update(type="DLCRNetHead"), "unknown kind of network"),
        (lambda c: c["metadata"].update(bodyparts=["nose", "ear", "tail"]), "does not know snout"),
        (lambda c: c.pop("model"), "lacks"),
    ],
)
def test_networks_that_can_not_be_used_are_named(tmp_path, change, says):
    content = configuration()
    change(content)
    write(tmp_path, content, {"model": {}})
    with pytest.raises(AlPoseError, match=says):
        read_snapshot(tmp_path / "snapshot-001.pt", PARTS)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "content", [{"model": {"a": torch.zeros(1)}}, {"model": Evil()}, {"model": [1]}, {}, b"no archive"]
)
def test_files_that_are_no_snapshots_are_refused(tmp_path, content, capsys):
    write(tmp_path, configuration("hrnet"), content)
    if isinstance(content, bytes):
        (tmp_path / "snapshot-001.pt").write_bytes(content)
    with pytest.raises(AlPoseError, match=r"snapshot-001\.pt"):
        read_snapshot(tmp_path / "snapshot-001.pt", PARTS)
    assert "run" not in capsys.readouterr().out


def test_a_snapshot_of_an_early_version_with_numpy_losses_is_read(trained, tmp_path):
    path, network = trained
    if "hrnet" in str(path):
        pytest.skip("once is enough")
    write(tmp_path, configuration(), {"model": network.state_dict(), "metadata": {"losses": np.float64(0.5)}})
    assert read_snapshot(tmp_path / "snapshot-001.pt", PARTS).bodyparts == PARTS


def test_a_snapshot_without_its_configuration_says_where_it_belongs(tmp_path):
    torch.save({"model": {}}, tmp_path / "snapshot-001.pt")
    with pytest.raises(AlPoseError, match=r"pytorch_config\.yaml"):
        read_snapshot(tmp_path / "snapshot-001.pt", PARTS)


def brightness_model(path, *, layout="nchw", stride=8, size=(None, None), metadata=None, n_parts=3):
    """Write a network whose maps are the brightness of each colour, averaged over ``stride`` pixels."""
    from onnx import TensorProto, helper

    height, width = size
    image = ["n", 3, height or "h", width or "w"] if layout == "nchw" else ["n", height or "h", width or "w", 3]
    nodes, source = [], "image"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]))
        source = "turned"
    pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
    nodes.append(helper.make_node("AveragePool", [source], ["maps"], **pool))
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", n_parts, "r", "c"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)


def spots():
    """A frame with a red, a green and a blue square; their centres."""
    image = np.zeros((1, 120, 160, 3), np.uint8)
    centres = {0: (27.5, 43.5), 1: (99.5, 19.5), 2: (131.5, 91.5)}
    for channel, (x, y) in centres.items():
        image[0, int(y - 3.5) : int(y + 4.5), int(x - 3.5) : int(x + 4.5), channel] = 200
    return image, np.array([centres[k] for k in range(3)])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_an_onnx_model_finds_what_it_maps(tmp_path, layout):
    pytest.importorskip("onnxruntime")
    brightness_model(tmp_path / "net.onnx", layout=layout, metadata={"bodyparts": "ear, tail, snout"})
    model = read_onnx(tmp_path / "net.onnx", PARTS, overrides={"normalize": "unit"})
    image, centres = spots()
    said = model.predict(image)
    np.testing.assert_allclose(said.xy[0], centres[[2, 0, 1]], atol=0.6)
    np.testing.assert_allclose(said.likelihood, 200 / 255, atol=1e-5)
    assert said.scoremaps.shape == (1, 3, 15, 20)
    model.save(tmp_path / model.file_name)
    again = load_predictor(tmp_path / OnnxModel.file_name)
    np.testing.assert_array_equal(again.predict(image).xy, said.xy)


def test_an_onnx_model_of_fixed_size_gets_the_frame_scaled_into_it(tmp_path):
    pytest.importorskip("onnxruntime")
    brightness_model(tmp_path / "net.onnx", size=(64, 64), stride=2, metadata={"normalize": "unit"})
    model = read_onnx(tmp_path / "net.onnx", PARTS)
    assert model.input_size_for(120, 160) == (48, 64)
    image, centres = spots()
    said = model.predict(image)
    np.testing.assert_allclose(said.xy[0], centres, atol=2.5)
    assert said.scoremaps.shape == (1, 3, 24, 32)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"n_parts": 2}, "3 scoremaps"), ({"metadata": {"bodyparts": "a,b,c"}}, "does not know")],
)
def test_onnx_models_that_do_not_fit_are_refused(tmp_path, options, says):
    pytest.importorskip("onnxruntime")
    brightness_model(tmp_path / "net.onnx", **options)
    with pytest.raises(AlPoseError, match=says):
        read_onnx(tmp_path / "net.onnx", PARTS)


def test_a_file_that_is_no_onnx_model_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "net.onnx").write_bytes(b"hello")
    with pytest.raises(AlPoseError, match="ONNX"):
        read_onnx(tmp_path / "net.onnx", PARTS)


def test_bodyparts_are_the_same_by_name_or_by_choice():
    known = ("Left_Ear", "nose", "tail base", "tailbase")
    assert in_our_words(("leftear", "nose"), known, {}) == ("leftear", "nose", "tail base", "tailbase")
    assert in_our_words(("snout", "tail_base"), known, {"snout": "nose"}, partial=True)[1] == "snout"
    with pytest.raises(AlPoseError, match="does not know tail_base"):  # two are called so
        bodypart_order(("tail_base",), in_our_words(("tail_base",), known, {}))
    # Our nose is its tail base: its own nose must not be taken for it.
    turned = in_our_words(("nose",), known, {"nose": "tail base"})
    assert bodypart_order(("nose",), turned) == [2]
    for chosen, says in (({"wing": "nose"}, "wing"), ({"nose": "beak"}, "beak"), ({"a": "nose", "b": "nose"}, "Two")):
        with pytest.raises(AlPoseError, match=says):
            in_our_words(("nose", "a", "b"), known, chosen)


def test_bodyparts_that_mean_the_same_are_suggested():
    mouse = TOP_VIEW_MOUSE.bodyparts
    assert suggested_mapping(("snout", "leftear", "rightear", "tailbase"), mouse) == {
        "snout": "nose",
        "leftear": "left_ear",
        "rightear": "right_ear",
        "tailbase": "tail_base",
    }
    ours = ("Nose", "snout", "EarLeft", "r_ear", "tailtip", "bodycentre", "whisker")
    assert suggested_mapping(ours, mouse) == {
        "Nose": "nose",
        "snout": "",  # the nose is taken
        "EarLeft": "left_ear",
        "r_ear": "right_ear",
        "tailtip": "tail_end",
        "bodycentre": "mouse_center",
        "whisker": "",
    }
    paws = suggested_mapping(("left_forepaw", "LeftHindPaw", "left_fore_paw"), QUADRUPED.bodyparts)
    assert paws == {"left_forepaw": "", "LeftHindPaw": "back_left_paw", "left_fore_paw": "front_left_paw"}
