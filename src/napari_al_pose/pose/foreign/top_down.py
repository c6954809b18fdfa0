"""Finds the box that a top-down network wants to look at, with no detector: the network's own keypoints say where.

DeepLabCut cuts out the box that a detector found, grown to the input's proportions, and scales it to the input. Here

1. the first look is at the whole frame;
2. where it finds fewer than three keypoints, four overlapping quarters of the frame are looked at as well, for an
   animal that is small in the frame;
3. then the network looks twice more, each time at the box around the keypoints that it is surest of, a fifth wider at
   each side. A look counts only if its keypoints are at least as sure, on average, as those of the look before.

One animal is found in a frame: the one with the surest keypoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.foreign.deeplabcut_config import Crop
from napari_al_pose.pose.foreign.deeplabcut_decoding import Decoded

_FOUND, _FEWEST = 0.3, 3
"""Likelihood at which a keypoint counts as found, and how many of them find an animal."""

_LEAST, _SHARE = 0.1, 0.5
"""A box encloses the keypoints with at least this likelihood, and at least this share of the highest."""

_MARGIN = 0.2
_CLOSER_LOOKS = 2
_SAME = 0.85
"""Overlap (intersection over union) of boxes at which another look would show the same."""

_QUARTER = 0.625


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """A network's predictions for one box in each of N frames.

    Parameters
    ----------
    xy : float32 array, (N, K, 2)
        Source pixels.
    likelihood : float32 array, (N, K)
    maps : float32 array, (N, K, h, w)
    offset, scale : float64 array, (N, 2)
        Where the cut-out's pixels lie: source = offset + scale * pixel, x and y.
    box : float64 array, (N, 4)
        What was asked for: left, top, width, height.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    maps: NDArray[np.float32]
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    box: NDArray[np.float64]

    @property
    def sureness(self) -> NDArray[np.float32]:
        """The mean likelihood of each look, (N,)."""
        mean: NDArray[np.float32] = self.likelihood.mean(axis=1)
        return mean

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether each look found enough keypoints to be an animal, (N,)."""
        enough: NDArray[np.bool_] = (self.likelihood >= _FOUND).sum(axis=1) >= min(_FEWEST, self.likelihood.shape[1])
        return enough

    def take(self, rows: NDArray[np.intp], other: Looks) -> None:
        """Replace ``rows`` by those looks of ``other``, one for each of them, that are at least as sure."""
        better = other.sureness >= self.sureness[rows]
        for mine, theirs in (
            (self.xy, other.xy),
            (self.likelihood, other.likelihood),
            (self.maps, other.maps),
            (self.offset, other.offset),
            (self.scale, other.scale),
            (self.box, other.box),
        ):
            mine[rows[better]] = theirs[better]


class TopDownSearch:
    """Looks for one animal in each frame.

    Parameters
    ----------
    decode : callable
        Returns the poses in cut-outs, uint8 (N, h, w, 3), in pixels of the cut-outs.
    crop : Crop
        Size of the cut-outs.
    """

    def __init__(self, decode: Callable[[NDArray[np.uint8]], Decoded], crop: Crop) -> None:
        self._decode, self._crop = decode, crop

    def find(self, frames: NDArray[np.uint8]) -> Looks:
        """Return the surest look at each frame, (N, H, W, 3) RGB, with N at least 1."""
        height, width = frames.shape[1:3]
        everything = np.arange(len(frames))
        best = self.look(frames, np.tile([0.0, 0.0, width, height], (len(frames), 1)))
        lost = everything[~best.found]
        for box in _quarters(height, width) if len(lost) else ():
            best.take(lost, self.look(frames[lost], np.tile(box, (len(lost), 1))))
        open_ = everything
        for _ in range(_CLOSER_LOOKS):
            boxes = _boxes_around(best.xy[open_], best.likelihood[open_], best.box[open_], (width, height))
            moved = _overlap(boxes, best.box[open_]) < _SAME
            open_ = open_[moved]
            if not len(open_):
                break
            best.take(open_, self.look(frames[open_], boxes[moved]))
        return best

    def look(self, frames: NDArray[np.uint8], boxes: NDArray[np.float64]) -> Looks:
        """Return the network's predictions for one box, (left, top, width, height), in each frame."""
        cuts = [cut_out(frame, box, self._crop) for frame, box in zip(frames, boxes, strict=True)]
        decoded = self._decode(np.stack([image for image, _, _ in cuts]))
        offset, scale = (np.array([cut[i] for cut in cuts], np.float64) for i in (1, 2))
        xy = decoded.xy * scale[:, None] + offset[:, None]
        return Looks(xy.astype(np.float32), decoded.likelihood, decoded.maps, offset, scale, boxes.astype(np.float64))


def cut_out(
    frame: NDArray[np.uint8], box: NDArray[np.floating], crop: Crop
) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[float, float]]:
    """Return a box of a frame at the network's input size, as DeepLabCut cuts it.

    Where the box is too narrow for the input's proportions, more of the frame is shown; beyond the frame it is black.

    Returns
    -------
    uint8 array, (h, w, 3)
    tuple of int
        Source pixel, x and y, at which the cut-out begins.
    tuple of float
        Source pixels for each pixel of the cut-out, along x and y.
    """
    left, top, width, height = (float(value) for value in box)
    middle_x, middle_y = left + width / 2, top + height / 2
    width, height = width + 2 * crop.margin, height + 2 * crop.margin
    ratio = crop.width / crop.height
    width, height = max(width, height * ratio), max(height, width / ratio)
    x0, x1 = round(middle_x - width / 2), round(middle_x + width / 2)
    y0, y1 = round(middle_y - height / 2), round(middle_y + height / 2)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    part = np.zeros((y1 - y0, x1 - x0, frame.shape[2]), np.uint8)
    inside_x = slice(max(x0, 0), min(x1, frame.shape[1]))
    inside_y = slice(max(y0, 0), min(y1, frame.shape[0]))
    if inside_x.start < inside_x.stop and inside_y.start < inside_y.stop:
        part[inside_y.start - y0 : inside_y.stop - y0, inside_x.start - x0 : inside_x.stop - x0] = frame[
            inside_y, inside_x
        ]
    image = np.asarray(cv2.resize(part, (crop.width, crop.height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return image, (x0, y0), ((x1 - x0) / crop.width, (y1 - y0) / crop.height)


def _quarters(height: int, width: int) -> list[list[float]]:
    """Return four boxes that cover a frame and overlap."""
    w, h = width * _QUARTER, height * _QUARTER
    return [[x, y, w, h] for y in (0.0, height - h) for x in (0.0, width - w)]


def _boxes_around(
    xy: NDArray[np.float32], likelihood: NDArray[np.float32], seen: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return a box around the surest keypoints of each look, (N, 4); what was seen where there are fewer than two.

    Keypoints beyond the frame, of width and height ``size``, count as being on its border.
    """
    least = np.maximum(_LEAST, _SHARE * likelihood.max(axis=1, keepdims=True))
    counted = (likelihood >= least) & np.isfinite(xy).all(axis=2)
    xy = np.clip(xy, 0, np.array(size, np.float32))
    low = np.where(counted[..., None], xy, np.inf).min(axis=1)
    high = np.where(counted[..., None], xy, -np.inf).max(axis=1)
    side = (high - low).max(axis=1, keepdims=True)
    usable = (counted.sum(axis=1) >= 2) & (side[:, 0] > 0)
    boxes = seen.copy()
    grown = np.concatenate([low - _MARGIN * side, high - low + 2 * _MARGIN * side], axis=1)
    boxes[usable] = grown[usable]
    return boxes


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over the union of boxes, (N,)."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    union = np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - common
    return common / np.maximum(union, 1e-9)
