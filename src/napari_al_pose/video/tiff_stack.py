"""A multi-page TIFF as a video."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.pixels import placeholder
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES
from napari_al_pose.video.stills import StillFrames

logger = logging.getLogger(__name__)

EXTENSIONS = frozenset({".tif", ".tiff", ".btf"})

_SAMPLED = 16
"""Pages looked at to find out how much of their range the values use."""
_UNREADABLE = (OSError, ValueError, IndexError, KeyError, TypeError, RuntimeError, SyntaxError, zlib.error)
"""What tifffile and Pillow raise for damaged pages."""


class TiffStack(StillFrames):
    """The pages of one TIFF file, read when asked for: grey, RGB or palette, of any depth.

    Values beyond 8 bits are scaled alike in all pages: whole numbers by the bits that a sample of the pages uses
    (a 12-bit camera's pictures are not dark), others by the sample's range. Whatever axes the file has before rows
    and columns count as one.

    Parameters
    ----------
    path : Path
    name : str, optional
        The video's name in the project; the file name without its extension by default.
    cache_bytes : int
        Bytes of frames to keep.

    Raises
    ------
    AlPoseError
        No such file, no TIFF, or no page that can be read.
    """

    def __init__(self, path: Path, *, name: str | None = None, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.path = Path(path).absolute()
        self._file_lock = threading.Lock()
        self._unreadable: dict[int, str] = {}
        self._pages = _Pages(self.path)
        try:
            self._low, self._high = self._value_range()
        except BaseException:
            self._pages.close()
            raise
        shape = (len(self._pages), self._pages.height, self._pages.width, 3)
        super().__init__(name or self.path.stem, shape, cache_bytes=cache_bytes)

    @property
    def notice(self) -> str:
        """Which pages are passed over or can't be read, for the user; "" if none is known to be."""
        found = []
        if self._pages.n_passed_over:
            found.append(
                f"{self.path.name}: {self._pages.n_passed_over} pages of another size or kind than the first are "
                "passed over"
            )
        if self._unreadable:
            first = min(self._unreadable)
            found.append(
                f"{self.path.name}: {len(self._unreadable)} of the pages read so far can't be read, the first is page "
                f"{first} ({self._unreadable[first]}); they are shown striped"
            )
        return "; ".join(found)

    def number(self, position: int) -> int:
        """Return the frame number at ``position``: the same."""
        return self._checked(position)

    def position(self, number: int) -> int:
        """Return where frame ``number`` is: the same; KeyError if the stack is shorter."""
        if not 0 <= number < len(self):
            raise KeyError(number)
        return number

    def __dask_tokenize__(self) -> tuple[str, str, int, int]:
        status = self.path.stat()
        return type(self).__name__, str(self.path), status.st_size, status.st_mtime_ns

    def _value_range(self) -> tuple[float, float]:
        """Return the values that become black and white."""
        spread = np.linspace(0, len(self._pages) - 1, min(_SAMPLED, len(self._pages))).astype(int)
        samples = [page for i in dict.fromkeys(spread.tolist()) if (page := self._page(i)) is not None]
        if not samples:
            raise AlPoseError(
                f"Expected pictures in {self.path}, got pages that can't be read ({self._unreadable[0]}).",
                "Copy the file again, or save it without compression.",
            )
        kind = samples[0].dtype
        if kind.kind == "b":
            return 0.0, 1.0
        highest = max(float(np.nanmax(sample)) for sample in samples)
        if kind.kind == "u":
            return 0.0, float(2 ** max(8, int(highest).bit_length()) - 1)
        lowest = min(float(np.nanmin(sample)) for sample in samples)
        return lowest, highest if highest > lowest else lowest + 1

    def _page(self, position: int) -> NDArray[Any] | None:
        """Return a page as it is stored; None, with a note, if it can't be read."""
        try:
            with self._file_lock:
                return self._pages.read(position)
        except _UNREADABLE as error:
            logger.warning("page %s of %s can't be read: %s", position, self.path, error)
            self._unreadable[position] = str(error)
            return None

    def _load(self, position: int, superseded: Callable[[], bool] | None) -> NDArray[np.uint8]:
        page = self._page(position)
        frame = placeholder(*self._shape[1:3]) if page is None else _to_rgb(page, self._low, self._high)
        self._cache.put(position, frame)
        return frame

    def _release(self) -> None:
        with self._file_lock:
            self._pages.close()


class _Pages:
    """Pictures ``(height, width)`` or ``(height, width, n)`` of a TIFF file, as stored; for one thread at a time.

    tifffile knows how the file is laid out and reads plain and deflated pages; what it has no codec for (LZW, JPEG)
    Pillow decodes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pillow: Image.Image | None = None
        self._mapped: NDArray[Any] | None = None
        self._pages: Sequence[Any] = ()
        self.n_passed_over = 0
        if not path.exists():
            raise AlPoseError(f"Expected a TIFF file at {path}, got no such file.", "Check the path.")
        try:
            self._file = tifffile.TiffFile(path)
        except (tifffile.TiffFileError, OSError, ValueError) as error:
            raise AlPoseError(f"{path} can't be read as a TIFF file ({error}).", "Copy the file again.") from error
        try:
            self._describe()
        except _UNREADABLE as error:
            self.close()
            raise AlPoseError(f"{path} can't be read as a TIFF file ({error}).", "Copy the file again.") from error

    def __len__(self) -> int:
        return self._n_frames

    def close(self) -> None:
        self._mapped = None
        self._file.close()
        if self._pillow is not None:
            self._pillow.close()
            self._pillow = None

    def read(self, position: int) -> NDArray[Any]:
        if self._mapped is not None:
            return np.array(self._mapped[position])
        page = self._pages[position]
        if page is None:
            raise ValueError("it is missing")
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            values = self._read_by_pillow(page.index)
        else:
            values = np.moveaxis(values, 0, -1) if self._is_planar else values
        if values.shape[:2] != (self.height, self.width):
            raise ValueError(f"its size is {values.shape[1]} x {values.shape[0]}, not {self.width} x {self.height}")
        return self._coloured(values)

    def _describe(self) -> None:
        series = self._file.series[0]
        first = series.keyframe
        self.height, self.width = first.imagelength, first.imagewidth
        n_samples = first.samplesperpixel
        self._is_planar = n_samples > 1 and first.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        palette = first.photometric == tifffile.PHOTOMETRIC.PALETTE
        self._palette = (np.asarray(first.colormap).T >> 8).astype(np.uint8) if palette else None
        self._is_inverted = first.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        self._n_frames = int(np.prod(series.shape, dtype=np.int64)) // (self.height * self.width * n_samples)
        if len(self._file.series) > 1:
            # Written page by page without saying that they belong together.
            alike = [page for page in self._file.pages if page.shape == first.shape and page.dtype == first.dtype]
            self.n_passed_over = len(self._file.pages) - len(alike)
            self._pages, self._n_frames = alike, len(alike)
        elif series.dataoffset is not None and n_samples == 1 and self._palette is None and not self._is_inverted:
            # One block of plain values, as ImageJ writes: it may have a single page that stands for all.
            shape = (self._n_frames, self.height, self.width)
            dtype = self._file.byteorder + series.dtype.char
            self._mapped = np.memmap(self._path, dtype, mode="r", offset=series.dataoffset, shape=shape)
        else:
            self._pages = series.pages
            if len(self._pages) != self._n_frames:
                raise ValueError(f"{len(self._pages)} pages hold {self._n_frames} pictures")

    def _read_by_pillow(self, index: int) -> NDArray[Any]:
        if self._pillow is None:
            self._pillow = Image.open(self._path)
        self._pillow.seek(index)
        return np.asarray(self._pillow)

    def _coloured(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._palette is not None:
            return self._palette[values]
        if self._is_inverted and values.dtype.kind == "u":
            return np.asarray(np.iinfo(values.dtype).max - values)
        return values


def _to_rgb(page: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Scale values to 8 bits and give every pixel three of them; an alpha channel is left out."""
    if page.dtype == np.uint8 and (low, high) == (0, 255):
        scaled = page
    else:
        scale = np.float32(255 / (high - low))
        values = (page.astype(np.float32) - np.float32(low)) * scale
        scaled = np.nan_to_num(values, nan=0).clip(0, 255).round().astype(np.uint8)
    if scaled.ndim == 3 and scaled.shape[2] >= 3:
        return np.ascontiguousarray(scaled[..., :3])
    grey = scaled if scaled.ndim == 2 else scaled[..., 0]
    return np.repeat(grey[..., None], 3, axis=-1)
