"""Our EfficientNet-Lite0 beside timm's ``features_only`` with the same weights: maps, prediction, a training step.

Needs timm (the extra ``backbones``). Times are processor time of one thread, the two networks in turn.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.report import ABSENT, Figure
from napari_al_pose.pose.backbones import BACKBONES, load_efficientnet_lite0
from napari_al_pose.pose.network import PoseNetwork

logger = logging.getLogger(__name__)

OURS, THEIRS = "efficientnet_lite0", "timm tf_efficientnet_lite0"
FRAME, VIEWS = (1, 3, 352, 448), (4, 3, 160, 160)
REPEATS = 5


def figures(_data: Path | None) -> Iterator[Figure]:
    """Measure both networks; only ours without timm."""
    torch.set_num_threads(1)
    networks = {OURS: PoseNetwork(OURS, 4, pretrained=True)}
    try:
        networks[THEIRS] = _theirs(networks[OURS])
    except ImportError:
        logger.warning("timm is not installed: nothing to compare with")
    frame, views = torch.rand(FRAME) * 255, torch.rand(VIEWS) * 255
    if THEIRS in networks:
        with torch.inference_mode():
            ours, theirs = (networks[name].eval().pyramid(frame) for name in (OURS, THEIRS))
        largest = max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(ours, theirs, strict=True))
        yield Figure("backbones.difference", largest, "of the largest value of a map", goal="<= 1e-4")
    fused = {name: network.fused().to(memory_format=torch.channels_last) for name, network in networks.items()}
    setting = {"threads": 1, "repeats": REPEATS}
    yield _compared("backbones.prediction", {n: _predicting(net, frame) for n, net in fused.items()}, setting, FRAME)
    steps = {name: _stepping(network, views) for name, network in networks.items()}
    yield _compared("backbones.training_step", steps, setting, VIEWS)


def _theirs(ours: PoseNetwork) -> PoseNetwork:
    """Return a pose network with timm's backbone and the weights of ``ours``, the frozen layers being the same."""
    import timm

    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4))
            self.channels = tuple(self.network.feature_info.channels())

        def forward(self, x: Tensor) -> list[Tensor]:
            return self.network(x)

        def early_layers(self) -> list[nn.Module]:
            early = [getattr(self.network, name) for name in ("conv_stem", "bn1")]
            blocks = list(self.network.blocks)
            depthwise = [m for m in nn.Sequential(*blocks[2:]).modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
            return [*early, *blocks[:2], *depthwise]

    whole = timm.create_model("tf_efficientnet_lite0")
    published = load_efficientnet_lite0().state_dict()
    whole.load_state_dict(dict(zip(whole.state_dict(), published.values(), strict=True)))
    features = Features()
    missing = features.network.load_state_dict(whole.state_dict(), strict=False).missing_keys
    if missing:
        raise RuntimeError(f"timm's features lack the weights {missing[:3]}")
    BACKBONES[THEIRS] = replace(BACKBONES[OURS], name=THEIRS, pretrained_pyramid=lambda: features)
    network = PoseNetwork(THEIRS, 4, pretrained=True)
    heads = {name: value for name, value in ours.state_dict().items() if not name.startswith("backbone.")}
    network.load_state_dict(heads, strict=False)
    return network


def _predicting(network: PoseNetwork, frame: Tensor) -> Callable[[], Any]:
    def work() -> None:
        with torch.inference_mode():
            network(frame)

    return work


def _stepping(network: PoseNetwork, views: Tensor) -> Callable[[], Any]:
    network.freeze_early_layers()
    network.to(memory_format=torch.channels_last).train()

    def work() -> None:
        network(views).square().mean().backward()
        network.zero_grad()

    return work


def _compared(name: str, work: dict[str, Callable[[], Any]], setting: dict[str, Any], shape: tuple[int, ...]) -> Figure:
    """Time the work of each network in turn, after one run each."""
    took: dict[str, list[float]] = {which: [] for which in work}
    for repeat in range(REPEATS + 1):
        for which, run in work.items():
            began = time.process_time()
            run()
            if repeat:
                took[which].append(1000 * (time.process_time() - began))
    medians = {which: statistics.median(times) for which, times in took.items()}
    peers = {THEIRS: medians.get(THEIRS, ABSENT)}
    return Figure(name, medians[OURS], "ms", peers=peers, setting=setting | {"input": " x ".join(map(str, shape))})
