"""A multi-page TIFF as a video."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.image_folder import still_picture
from napari_al_pose.video.pixels import placeholder
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES
from napari_al_pose.video.stills import StillFrames

logger = logging.getLogger(__name__)

_MOST_CHANNELS = 4
_SAMPLED = 16
"""Number of pages examined to find out how much of their range the values use."""
_UNREADABLE = (OSError, ValueError, IndexError, KeyError, TypeError, RuntimeError, SyntaxError, ImportError, zlib.error)
"""What tifffile and imagecodecs raise for damaged pages, and for codecs that are not built in."""


class TiffStack(StillFrames):
    """The pages of one TIFF file, read on demand: grey, RGB or palette, of any depth.

    Values beyond 8 bits are scaled alike in all pages: integers by the bits that a sample of the pages uses (so
    pictures of a 12-bit camera are not dark), others by the sample's range. Channels become the colours of one frame,
    red, green and blue in this order. All other axes before rows and columns count as one.

    Parameters
    ----------
    path : Path
    name : str, optional
        The video's name in the project; the file name without its extension by default.
    cache_bytes : int
        Bytes of frames to keep.
    stills : mapping of int to Path
        Images shown instead of frames, as in `napari_al_pose.video.VideoFile`.

    Raises
    ------
    AlPoseError
        If there is no such file, it is not a TIFF, or no page can be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        stills: Mapping[int, Path] = MappingProxyType({}),
    ) -> None:
        self.path = Path(path).absolute()
        self.stills = dict(stills)
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
        """Which pages are skipped or can't be read, for the user; "" if none is known to be."""
        found = [f"{self.path.name}: {what}" for what in self._pages.notices]
        if self._unreadable:
            first = min(self._unreadable)
            found.append(
                f"{self.path.name}: {len(self._unreadable)} of the pages read so far can't be read, the first is page "
                f"{first} ({self._unreadable[first]}); they are shown as stripes"
            )
        return "; ".join(found)

    def is_damaged(self, position: int) -> bool:
        """Return whether a page was read and is unreadable."""
        return self._checked(position) in self._unreadable

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
        finite = [values for sample in samples if (values := sample[np.isfinite(sample)]).size]
        if not finite:
            return 0.0, 1.0
        highest = max(float(values.max()) for values in finite)
        if kind.kind == "u":
            return 0.0, float(2 ** max(8, int(highest).bit_length()) - 1)
        lowest = min(float(values.min()) for values in finite)
        return lowest, highest if highest > lowest else lowest + 1

    def _page(self, position: int) -> NDArray[Any] | None:
        """Return a page as it is stored; None, with a note, if it can't be read."""
        try:
            with self._file_lock:
                page = self._pages.read(position)
            if page.dtype.kind == "f" and not np.isfinite(page).any():
                raise ValueError("it holds no values")
            return page
        except _UNREADABLE as error:
            logger.warning("page %s of %s can't be read: %s", position, self.path, error)
            self._unreadable[position] = str(error)
            return None

    def _load(self, position: int, superseded: Callable[[], bool] | None) -> NDArray[np.uint8]:
        if position in self.stills:
            return self._kept(position, still_picture(self.stills[position], *self._shape[1:3]))
        page = self._page(position)
        frame = placeholder(*self._shape[1:3]) if page is None else _to_rgb(page, self._low, self._high)
        return self._kept(position, frame)

    def _release(self) -> None:
        with self._file_lock:
            self._pages.close()


class _Pages:
    """Pictures ``(height, width)`` or ``(height, width, n)`` of a TIFF file, as stored; for one thread at a time.

    tifffile knows the layout of the file, and imagecodecs decodes compressed pages.
    """

    def __init__(self, path: Path) -> None:
        import tifffile  # with its codecs slow to import, and needed for TIFF files alone

        self._path = path
        self._mapped: NDArray[Any] | None = None
        self._pages: Sequence[Any] = ()
        self.notices: list[str] = []
        """What is not shown as it is stored, for the user."""
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
        return len(self._places)

    def close(self) -> None:
        self._mapped = None
        self._file.close()

    def read(self, position: int) -> NDArray[Any]:
        pictures = [self._read_picture(int(place)) for place in self._places[position]]
        return pictures[0] if len(pictures) == 1 else np.stack(pictures, axis=-1)

    def _read_picture(self, position: int) -> NDArray[Any]:
        if self._mapped is not None:
            return np.array(self._mapped[position])
        page = self._pages[position]
        if page is None:
            raise ValueError("it is missing")
        values = page.asarray()
        if self._is_planar:
            values = np.moveaxis(values, 0, -1)
        if values.shape[:2] != (self.height, self.width):
            raise ValueError(f"its size is {values.shape[1]} x {values.shape[0]}, not {self.width} x {self.height}")
        return self._coloured(values)

    def _describe(self) -> None:
        from tifffile import PHOTOMETRIC, PLANARCONFIG

        series = self._file.series[0]
        first = series.keyframe
        self.height, self.width = first.imagelength, first.imagewidth
        n_samples = first.samplesperpixel
        self._is_planar = n_samples > 1 and first.planarconfig == PLANARCONFIG.SEPARATE
        palette = first.photometric == PHOTOMETRIC.PALETTE
        self._palette = (np.asarray(first.colormap).T >> 8).astype(np.uint8) if palette else None
        self._is_inverted = first.photometric == PHOTOMETRIC.MINISWHITE
        n_pictures = int(np.prod(series.shape, dtype=np.int64)) // (self.height * self.width * n_samples)
        self._places = self._by_channel(series, n_pictures)
        promised = self._promised_by_imagej()
        if len(promised) > n_pictures and series.dataoffset is not None and n_samples == 1:
            # The block is cut off, and so is what follows it and says that there are more pages.
            self._places, n_pictures = promised, int(promised.max()) + 1
        if len(self._file.series) > 1:
            # Written page by page, without a sign that they belong together.
            alike = [page for page in self._file.pages if page.shape == first.shape and page.dtype == first.dtype]
            if n_passed_over := len(self._file.pages) - len(alike):
                self.notices.append(f"{n_passed_over} pages of another size or kind than the first are skipped")
            self._pages, self._places = alike, np.arange(len(alike))[:, None]
        elif series.dataoffset is not None and n_samples == 1 and self._palette is None and not self._is_inverted:
            # One block of plain values, as ImageJ writes: a single page may stand for all.
            dtype = np.dtype(self._file.byteorder + series.dtype.char)
            n_there = self._n_there(series.dataoffset, n_pictures, dtype.itemsize)
            shape = (n_there, self.height, self.width)
            self._mapped = np.memmap(self._path, dtype, mode="r", offset=series.dataoffset, shape=shape)
        else:
            self._pages = series.pages
            if len(self._pages) != n_pictures:
                raise ValueError(f"{len(self._pages)} pages hold {n_pictures} pictures")
        if n_samples == 2 and tuple(first.extrasamples) == (0,):
            self.notices.append("its 2 channels are shown as red and green")

    def _promised_by_imagej(self) -> NDArray[np.int64]:
        """Return the pictures that make up each frame according to ImageJ's description in the first page."""
        known = self._file.imagej_metadata or {}
        n_pictures, n_channels = int(known.get("images", 0)), int(known.get("channels", 1))
        if not 1 < n_channels <= _MOST_CHANNELS or n_pictures % n_channels:
            return np.arange(n_pictures)[:, None]
        return np.arange(n_pictures).reshape(-1, n_channels)[:, :3]

    def _by_channel(self, series: Any, n_pictures: int) -> NDArray[np.int64]:
        """Return the pictures that make up each frame; int64 ``(n_frames, n_channels)``."""
        places = np.arange(n_pictures)
        leading = [(name, n) for name, n in zip(series.axes, series.shape, strict=True) if name not in "YXS"]
        names = "".join(name for name, _ in leading)
        if names.count("C") != 1 or int(np.prod([n for _, n in leading])) != n_pictures:
            return places[:, None]
        by_channel = np.moveaxis(places.reshape([n for _, n in leading]), names.index("C"), -1)
        n_channels = by_channel.shape[-1]
        if len(leading) == 1 and n_channels > _MOST_CHANNELS:
            return places[:, None]  # a film whose frames were saved as channels
        if n_channels > 1:
            colours = ("red and green", "red, green and blue")[n_channels > 2]
            left_out = f", {n_channels - 3} more are left out" if n_channels > 3 else ""
            self.notices.append(f"its {n_channels} channels are shown as {colours}{left_out}")
        return by_channel.reshape(-1, n_channels)[:, :3]

    def _n_there(self, offset: int, n_pictures: int, item_bytes: int) -> int:
        """Return how many pictures of a block are in the file; incomplete frames are left out with a notice."""
        n_there = (self._path.stat().st_size - offset) // (self.height * self.width * item_bytes)
        if n_there >= n_pictures:
            return n_pictures
        n_frames = len(self._places)
        self._places = self._places[(self._places < n_there).all(axis=1)]
        if not len(self._places):
            raise ValueError("it is cut off before the end of its first page")
        self.notices.append(f"the file is cut off: {len(self._places)} of {n_frames} pages are there")
        return int(n_there)

    def _coloured(self, values: NDArray[Any]) -> NDArray[Any]:
        if self._palette is not None:
            return self._palette[values]
        if self._is_inverted and values.dtype.kind == "u":
            return np.asarray(np.iinfo(values.dtype).max - values)
        return values


def _to_rgb(page: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Scale values to 8 bits and give every pixel three of them; an alpha channel is left out.

    Two channels become red and green.
    """
    if page.dtype == np.uint8 and (low, high) == (0, 255):
        scaled = page
    else:
        scale = np.float32(255 / (high - low))
        values = (page.astype(np.float32) - np.float32(low)) * scale
        scaled = np.nan_to_num(values, nan=0).clip(0, 255).round().astype(np.uint8)
    if scaled.ndim == 3 and scaled.shape[2] >= 3:
        return np.ascontiguousarray(scaled[..., :3])
    if scaled.ndim == 3 and scaled.shape[2] == 2:
        return np.ascontiguousarray(np.pad(scaled, ((0, 0), (0, 0), (0, 1))))
    grey = scaled if scaled.ndim == 2 else scaled[..., 0]
    return np.repeat(grey[..., None], 3, axis=-1)
