"""Writes a copy of a video with the poses drawn in, as mp4."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.views.colours import bodypart_colours, individual_colours
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.video.pixels import fit
from napari_al_pose.video.scan import Scanner

_BATCH = 8
_LINK = (255, 255, 255, 150)
_TRAIL_ALPHA = 160


@dataclass(frozen=True, slots=True)
class LookOfPoses:
    """How poses are drawn.

    Parameters
    ----------
    links : tuple of (int, int)
        Bodyparts joined by a line, by their indices on the keypoint axis.
    cutoff : float
        Likelihood below which a keypoint is not drawn.
    trail : int
        Number of frames in its trail.
    n_animals : int
        Animals whose keypoints follow one another; if there are several, each has one colour for all its bodyparts.
    n_unique : int
        Unique bodyparts, whose keypoints follow those of the animals. They have no trail, since they hardly move.
    """

    links: tuple[tuple[int, int], ...]
    cutoff: float
    trail: int
    n_animals: int = 1
    n_unique: int = 0


class LabelledVideoWriter:
    """Draws poses frame by frame; the file appears when the block succeeds, and leaves no trace if it fails.

    Parameters
    ----------
    path : Path
        Ends in ``.mp4``.
    source : FrameSource
        The video; read on a thread of its own.
    n_bodyparts : int
        K, of all animals together, and unique ones; each has the colour it has in the window.
    look : LookOfPoses

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """

    def __init__(self, path: Path, source: FrameSource, *, n_bodyparts: int, look: LookOfPoses) -> None:
        self._path = path
        self._source = source
        self._drawer = PoseDrawer(source.shape[1:3], n_bodyparts, look)
        self._stack = ExitStack()

    def __enter__(self) -> LabelledVideoWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            self._encoder = stack.enter_context(_Encoder(temporary, self._source.shape[1:3], self._source.fps))
            scanner = stack.enter_context(Scanner(self._source, [(0, len(self._source))], batch_size=_BATCH))
            self._frames = (frame for batch in scanner for frame in batch.frames)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> bool | None:
        return self._stack.__exit__(*exception)  # type: ignore[arg-type]  # what ``with`` gives

    def draw(self, first: int, rows: NDArray[np.floating]) -> Iterator[int]:
        """Draw ``rows`` ``(n, K, 3)`` into the next frames, starting at ``first``; yield how many are drawn."""
        for i, pose in enumerate(rows):
            self._encoder.add(self._drawer.draw(next(self._frames), pose))
            yield first + i + 1


class PoseDrawer:
    """Draws poses of successive frames.

    Parameters
    ----------
    size : (int, int)
        Height and width of the frames.
    n_bodyparts : int
    look : LookOfPoses
    """

    def __init__(self, size: tuple[int, int], n_bodyparts: int, look: LookOfPoses) -> None:
        colours = _colours(n_bodyparts - look.n_unique, look)
        self._colours = [tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in colours]
        self._look = look
        self._radius = max(2.0, min(size) / 110)
        self._trail: deque[NDArray[np.floating]] = deque(maxlen=look.trail + 1)

    def draw(self, frame: NDArray[np.uint8], pose: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return ``frame`` ``(H, W, 3)`` with ``pose`` ``(K, 3)`` and the trail of those before it drawn in."""
        seen = np.isfinite(pose[:, :2]).all(axis=1) & (pose[:, 2] >= self._look.cutoff)
        xy = np.where(seen[:, None], pose[:, :2], np.nan)
        self._trail.append(xy[: len(xy) - self._look.n_unique])
        image = Image.fromarray(frame)
        brush = ImageDraw.Draw(image, "RGBA")
        self._draw_trail(brush)
        for a, b in self._look.links:
            if seen[a] and seen[b]:
                brush.line([*xy[a], *xy[b]], fill=_LINK, width=max(1, round(self._radius / 2)))
        r = self._radius
        for (x, y), colour in zip(xy[seen], (self._colours[i] for i in np.flatnonzero(seen)), strict=True):
            brush.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=(0, 0, 0, 200))
        return np.asarray(image)

    def _draw_trail(self, brush: ImageDraw.ImageDraw) -> None:
        steps = list(self._trail)
        for age, (before, after) in enumerate(itertools.pairwise(steps), 1):
            alpha = round(_TRAIL_ALPHA * age / len(steps))
            for start, end, colour in zip(before, after, self._colours[: len(after)], strict=True):
                if np.isfinite(start).all() and np.isfinite(end).all():
                    brush.line([*start, *end], fill=(*colour, alpha), width=max(1, round(self._radius / 2)))


def _colours(n_of_animals: int, look: LookOfPoses) -> tuple[str, ...]:
    """Return the colours of the keypoints of the animals, then of the unique ones, as in the window."""
    n, n_unique = look.n_animals, look.n_unique
    if n == 1:
        return (*bodypart_colours(n_of_animals), *bodypart_colours(n_unique))
    owners = individual_colours(n, n + 1)
    return (*(colour for colour in owners[:n] for _ in range(n_of_animals // n)), *(owners[n:] * n_unique))


class _Encoder:
    """One H.264 stream in an mp4 file, or MPEG-4 if FFmpeg was built without x264."""

    def __init__(self, path: Path, size: Sequence[int], fps: float) -> None:
        self._path = path
        # Colours are stored for blocks of two by two pixels.
        self._height, self._width = (side + side % 2 for side in size)
        try:
            self._container = av.open(str(path), "w")
        except (FFmpegError, OSError) as error:
            raise _cannot_write(path, error) from error
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        options = {"crf": "20", "preset": "veryfast"} if codec == "libx264" else {"qscale": "3"}
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(codec, rate=rate, options=options)
        self._stream = cast("av.VideoStream", stream)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self._width, self._height, "yuv420p"

    def __enter__(self) -> _Encoder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
        except (FFmpegError, OSError) as error:
            raise _cannot_write(self._path, error) from error
        finally:
            self._container.close()

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Append a frame."""
        fitted = np.ascontiguousarray(fit(frame, self._height, self._width))
        try:
            self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(fitted, format="rgb24")))
        except (FFmpegError, OSError) as error:
            raise _cannot_write(self._path, error) from error


def _cannot_write(path: Path, error: Exception) -> OSError:
    """Return an error that `replacing` explains to the user."""
    return OSError(getattr(error, "errno", None) or 0, getattr(error, "strerror", None) or str(error), str(path))
