"""Opening SLEAP's ``.slp`` with sleap-io."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError

_LARGEST_TABLE = 2_000_000_000
DAMAGE = (
    OSError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What h5py and sleap-io raise at files that are none of theirs."""


def import_sleap_io() -> Any:
    """Return sleap-io; AlPoseError if it is not installed."""
    try:
        import sleap_io
    except ImportError as error:
        raise AlPoseError("SLEAP files need sleap-io.", 'pip install "napari-al-pose[sleap]"') from error
    return sleap_io


def refuse_bombs(path: Path) -> None:
    """Refuse a file whose tables unpack to more than any labels need, and one that is not SLEAP's."""
    import h5py

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("video") and item.nbytes > _LARGEST_TABLE:
            raise ValueError(f"its table {name!r} unpacks to {item.nbytes / 1e9:.0f} GB")

    with h5py.File(path, "r") as file:
        if "metadata" not in file:
            raise ValueError("it has no metadata of SLEAP")
        file.visititems(look)
