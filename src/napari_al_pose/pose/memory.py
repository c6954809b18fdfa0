"""How much memory there is, and what says that it was not enough."""

from __future__ import annotations

import psutil  # type: ignore[import-untyped]  # it has no stubs
import torch

USABLE = 0.5
"""Share of what is free that one network may take: frames, decoders and a window need some as well."""


def usable_bytes(device: str) -> int:
    """Return the bytes a network on ``device`` may take now."""
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        held = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # torch's own, to be used again
        return int(USABLE * (free + held))
    return int(USABLE * psutil.virtual_memory().available)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that there is no memory left."""
    # OutOfMemoryError of a GPU is one; a processor's allocator says it in words.
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def give_back() -> None:
    """Return what torch keeps of a GPU's memory for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
