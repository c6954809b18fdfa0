"""Recognises SuperAnimal weights, which come without a configuration, by their layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from napari_al_pose.domain.pretrained import SUPERANIMALS, AnimalKeypoints
from napari_al_pose.pose.foreign.deeplabcut_config import Snapshot

_HEAD = "heads.bodypart."
_BY_WIDTH = {32: "hrnet_w32", 2048: "resnet_50"}
"""The network whose map has so many channels."""

_DECODING = {"apply_sigmoid": False, "clip_scores": True, "locref_std": 7.2801}


def recognise(state: Mapping[str, Tensor]) -> Snapshot | None:
    """Return what the configuration of a SuperAnimal network would say; None if the weights are not one's.

    Whether every layer fits is checked when they are loaded.
    """
    maps, tokens = state.get(f"{_HEAD}heatmap_head.deconv_layers.0.weight"), state.get(f"{_HEAD}final_layer.weight")
    if maps is not None and maps.ndim == 4:
        network, n_parts = _BY_WIDTH.get(int(maps.shape[0]), ""), int(maps.shape[1])
    elif tokens is not None and tokens.ndim == 4:
        network, n_parts = "rtmpose_s", int(tokens.shape[0])
    else:
        return None
    animal = next((animal for animal in SUPERANIMALS if len(animal.bodyparts) == n_parts), None)
    return None if animal is None or not network else snapshot_of(animal, network)


def snapshot_of(animal: AnimalKeypoints, network: str) -> Snapshot:
    """Return what the configuration of an animal's network would say; ``network`` is one of `NETWORKS`."""
    named = {"net_type": f"{animal.name}_{network}", "bodyparts": animal.bodyparts}
    parts = NETWORKS[network](len(animal.bodyparts))
    return Snapshot.model_validate(named | parts | {"normalize": True, "crop": {}})


def _hrnet(n_parts: int) -> dict[str, Any]:
    return {
        "backbone": {"type": "HRNet", "model_name": "hrnet_w32"},
        "head": {
            "type": "HeatmapHead",
            "predictor": _DECODING | {"location_refinement": False},
            "heatmap_config": {"channels": [32, n_parts], "kernel_size": [1], "strides": [1]},
        },
        "pad_to": (32, 32),
    }


def _resnet(n_parts: int) -> dict[str, Any]:
    head = {"kernel_size": [3], "strides": [2]}
    return {
        "backbone": {"type": "ResNet", "model_name": "resnet50_gn", "output_stride": 16},
        "head": {
            "type": "HeatmapHead",
            "predictor": _DECODING | {"location_refinement": True},
            "heatmap_config": head | {"channels": [2048, n_parts]},
            "locref_config": head | {"channels": [2048, 2 * n_parts]},
        },
    }


def _rtmpose(n_parts: int) -> dict[str, Any]:
    return {
        "backbone": {"type": "CSPNeXt", "model_name": "cspnext_s", "deepen_factor": 0.33, "widen_factor": 0.5},
        "head": {
            "type": "RTMCCHead",
            "input_size": (256, 256),
            "in_channels": 512,
            "out_channels": n_parts,
            "in_featuremap_size": (8, 8),
            "gau_cfg": {},
            "predictor": {"sigma": (5.66, 5.66)},
        },
    }


NETWORKS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "hrnet_w32": _hrnet,
    "resnet_50": _resnet,
    "rtmpose_s": _rtmpose,
}
"""Backbone, and head for a number of bodyparts, by DeepLabCut's name of the network."""
