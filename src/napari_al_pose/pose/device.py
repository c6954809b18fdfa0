"""Where the network runs."""

from __future__ import annotations

import torch

from napari_al_pose.domain import AlPoseError

_NAMES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str = "auto") -> str:
    """Return "cpu", "cuda" or "mps"; "auto" takes CUDA, then MPS, then the CPU.

    Raises
    ------
    AlPoseError
        If the name is unknown, or if torch can't use the GPU.
    """
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if usable[device])
    if name not in usable:
        raise AlPoseError(f"Expected one of {', '.join(_NAMES)} as device, got {name!r}.", "Choose one of them.")
    if not usable[name]:
        raise AlPoseError(f"torch can't use {name!r} on this computer.", "Choose the device 'auto' or 'cpu'.")
    return name
