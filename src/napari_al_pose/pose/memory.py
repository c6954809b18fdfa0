"""How much memory is free, and which errors mean that it was too little."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import psutil  # type: ignore[import-untyped]  # it has no stubs
import torch

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.container_memory import free_in_container

log = logging.getLogger(__name__)

T = TypeVar("T")

USABLE = 0.5
"""Share of the free memory that one network may take; frames, decoders and the window need some as well."""


def usable_bytes(device: str) -> int:
    """Return how many bytes a network on ``device`` may take now."""
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        held = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # torch keeps these and uses them again
        return int(USABLE * (free + held))
    return int(USABLE * min(psutil.virtual_memory().available, free_in_container()))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch reports that memory ran out."""
    # A GPU raises OutOfMemoryError, a subclass; the CPU's allocator says it in words.
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def give_back() -> None:
    """Return GPU memory that torch keeps for later to the system."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def with_what_there_is(work: Callable[[int], T], at_once: int) -> tuple[T, int]:
    """Call ``work`` with ``at_once`` frames and halve that number while memory runs out.

    Return the result and the number.

    Raises
    ------
    AlPoseError
        If there is too little memory for a single frame.
    """
    while True:
        try:
            return work(at_once), at_once
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if at_once == 1:
                raise AlPoseError(
                    "There is too little memory to predict a frame.",
                    "Close other programs, or choose a smaller network input in the settings and train again.",
                ) from error
        at_once //= 2
        log.warning("out of memory: continuing with %s frames at once", at_once)
        give_back()
