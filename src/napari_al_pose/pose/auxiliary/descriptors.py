"""What other networks make of a frame: AlexNet's fc6 and DINOv2's class token.

Their weights come from the internet once, into torch's own cache (``TORCH_HOME``), where torchvision and torch.hub put
and look for the same files; nothing of them is run, they are read as tensors.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import urllib.error
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.auxiliary.dinov2 import DinoV2Small
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.trunks import read_tensors

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHORT_SIDE = 224
_WAIT_SECONDS = 0.1


class AlexNetFc6(nn.Module):
    """AlexNet up to the rectifier after ``fc6``, torchvision's ``classifier.2``: 4,096 units."""

    multiple = 1

    def __init__(self) -> None:
        from torchvision.models import alexnet

        super().__init__()
        self.network = alexnet(weights=None)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take torchvision's weights."""
        self.network.load_state_dict(weights)

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(n, 4096)`` of normalised images of any size."""
        x = torch.flatten(self.network.avgpool(self.network.features(images)), 1)
        return self.network.classifier[:3](x)


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """A network and where its weights are.

    Parameters
    ----------
    title : str
        What the user reads.
    url : str
    sha256 : str
        First characters of the file's hash; empty where the publisher gives none.
    megabytes : int
    make : callable
        Returns the network, random.
    """

    title: str
    url: str
    sha256: str
    megabytes: int
    make: Callable[[], nn.Module]

    @property
    def file(self) -> Path:
        """Where the weights lie, or will."""
        return Path(torch.hub.get_dir(), "checkpoints", self.url.rsplit("/", 1)[-1])


SOURCES = {
    "alexnet": Source(
        "AlexNet", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79", 233, AlexNetFc6
    ),
    "dinov2": Source(
        "DINOv2",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
        "",
        84,
        DinoV2Small,
    ),
}


class Descriptor:
    """Turns frames into vectors.

    Parameters
    ----------
    network : nn.Module
        With its weights.
    device : str
        "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = resolve_device(device)
        self._network = network.eval().requires_grad_(False).to(self._device)
        self._multiple: int = network.multiple  # type: ignore[assignment]  # nn.Module attributes are untyped

    @torch.inference_mode()
    def extract(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(n, d)`` of uint8 frames ``(n, H, W, 3)``, the shorter side resized to 224, nothing cut off."""
        images = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
        scale = _SHORT_SIDE / min(images.shape[2:])
        size = [max(1, round(side * scale / self._multiple)) * self._multiple for side in images.shape[2:]]
        images = F.interpolate(images.to(self._device).float(), size, mode="bilinear", antialias=True) / 255
        mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in (_MEAN, _STD))
        return self._network((images - mean) / std).float().cpu().numpy()


def descriptor_for(name: str, device: str) -> Generator[None, None, Descriptor]:
    """Return a network of `SOURCES`, its weights fetched if need be; yields while it waits for them.

    Raises
    ------
    AlPoseError
        If the weights can't be had, or are not what they should be.
    """
    source = SOURCES[name]
    if not source.file.is_file():
        yield from _download(source)
    digest = hashlib.sha256(source.file.read_bytes()).hexdigest()
    hint = f"Delete {source.file} and try again."
    if not digest.startswith(source.sha256):
        raise AlPoseError(f"The weights of {source.title} in {source.file} are damaged", hint)
    network = source.make()
    try:
        network.load(read_tensors(source.file))  # type: ignore[operator]  # nn.Module attributes are untyped
    except (RuntimeError, AlPoseError) as error:
        raise AlPoseError(f"The weights of {source.title} in {source.file} can't be used", hint) from error
    return Descriptor(network, device)


def _download(source: Source) -> Generator[None, None, None]:
    """Fetch the file on a thread, so that whoever drives this can do other things meanwhile."""
    failures: list[Exception] = []

    def fetch() -> None:
        try:
            source.file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(source.url, str(source.file), source.sha256 or None, progress=False)
        except (OSError, RuntimeError, urllib.error.URLError) as error:
            failures.append(error)

    thread = threading.Thread(target=fetch, name="al-pose-weights", daemon=True)
    thread.start()
    while thread.is_alive():
        yield
        thread.join(_WAIT_SECONDS)
    if failures:
        raise AlPoseError(
            f"the weights of {source.title} ({source.megabytes} MB) can't be fetched from {source.url}",
            f"Go online once, or put the file into {source.file.parent}.",
        ) from failures[0]
