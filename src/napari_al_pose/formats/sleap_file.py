"""Opens SLEAP's ``.slp`` with sleap-io."""

from __future__ import annotations

from collections.abc import Sequence
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
"""What h5py and sleap-io raise for files of other kinds."""


def import_sleap_io() -> Any:
    """Return sleap-io; raise AlPoseError if it is not installed."""
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


def unopened_video(sio: Any, files: str | Sequence[str], shape: Sequence[int] = ()) -> Any:
    """Return sleap-io's video for a file or a list of images, which need not exist.

    Parameters
    ----------
    sio : module
        `import_sleap_io`.
    files : str or sequence of str
        The video file, or the images in their order.
    shape : sequence of int, optional
        Frames, height, width, channels.
    """
    single = isinstance(files, str)
    about: dict[str, Any] = {
        "type": "MediaVideo" if single else "ImageVideo",
        "filename": files if single else files[0],
    }
    if not single:
        about["filenames"] = list(files)
    if shape:
        about["shape"] = list(shape)
    return sio.Video(filename=files if single else list(files), backend_metadata=about, open_backend=False)
