"""A frame with its labels, in the form that training needs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.oks import similarity

SAME_LABELS, LEAST_PLACED = 0.9, 2
"""Object keypoint similarity, both ways, from which on two labels are of one animal, and the keypoints it takes."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFrame:
    """A frame and its labels.

    Parameters
    ----------
    image : uint8 array, (H, W, 3)
        RGB.
    xy : float array, (K, 2)
        Source pixels, x then y, pixel centres at integers; NaN unless placed.
    states : int8 array, (K,)
        `KeypointState` values.
    video : str
        The video it comes from; "" if that doesn't matter.
    others : tuple of LabelledFrame
        The labels of further animals in the same image; each holds the same image.
    every_animal : bool
        Whether every visible animal is labelled. If not, the training learns nothing from places without labels.
    taken : bool array, (K,), optional
        Which labels are a model's guesses that somebody took as they are: they are less exact than what a person
        places. None by default.
    unique_xy, unique_states : float array, (U, 2), and int8 array, (U,), optional
        The same of unique bodyparts, which belong to no animal.
    """

    image: NDArray[np.uint8]
    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    video: str = ""
    others: tuple[LabelledFrame, ...] = ()
    every_animal: bool = True
    taken: NDArray[np.bool_] | None = None
    unique_xy: NDArray[np.float64] | None = None
    unique_states: NDArray[np.int8] | None = None

    @property
    def each(self) -> tuple[LabelledFrame, ...]:
        """The labels of each animal, as if it were alone."""
        return (replace(self, others=()), *self.others) if self.others else (self,)

    @property
    def animals(self) -> tuple[LabelledFrame, ...]:
        """Those of `each` with a placed keypoint."""
        return tuple(one for one in self.each if (one.states == KeypointState.PLACED).any())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def fingerprint(self) -> str:
        """A hash of the image, whatever is labelled in it."""
        return hashlib.blake2b(self.image.tobytes(), digest_size=12).hexdigest()


def check_frames(frames: Sequence[LabelledFrame], n_bodyparts: int) -> None:
    """Check that these frames can be trained on.

    Raises
    ------
    AlPoseError
        If an image is not 8-bit RGB, a frame does not have ``n_bodyparts`` keypoints, or no keypoint is placed at all.
    """
    for frame in (animal for picture in frames for animal in picture.each):
        if frame.image.dtype != np.uint8 or frame.image.ndim != 3 or frame.image.shape[2] != 3:
            raise AlPoseError(
                f"Expected 8-bit RGB frames, got {frame.image.dtype} of shape {frame.image.shape}.",
                "Convert the video to 8-bit colour.",
            )
        if frame.xy.shape != (n_bodyparts, 2) or frame.states.shape != (n_bodyparts,):
            raise AlPoseError(
                f"Expected {n_bodyparts} keypoints a frame, got {frame.xy.shape} with {frame.states.shape} states.",
                "Label every frame with the same bodyparts.",
            )
        if not np.isfinite(frame.xy[frame.states == KeypointState.PLACED]).all():
            raise AlPoseError("A placed keypoint has no position.", "Place it again.")
    if not any(frame.animals for frame in frames):
        raise AlPoseError("Expected at least one placed keypoint to train on, got none.", "Label some frames first.")


def once_each(frames: Sequence[LabelledFrame]) -> tuple[list[LabelledFrame], str]:
    """Return frames without second labels of an animal, and a sentence about them; empty if there are none.

    Nobody knows then whether another animal was meant, so that not every animal counts as labelled.
    """
    cleaned, n_doubled = [], 0
    for frame in frames:
        kept: list[LabelledFrame] = []
        for one in frame.each:
            if not any(_are_same(one, other) for other in kept):
                kept.append(one)
        if len(kept) < len(frame.each):
            frame = replace(frame, others=tuple(kept[1:]), every_animal=False)
            n_doubled += 1
        cleaned.append(frame)
    if not n_doubled:
        return cleaned, ""
    where = "1 frame" if n_doubled == 1 else f"{n_doubled} frames"
    return cleaned, f"In {where} an animal is labelled twice; the first of its labels is trained on. Remove the second."


def _are_same(one: LabelledFrame, other: LabelledFrame) -> bool:
    poses = [np.where((a.states == KeypointState.PLACED)[:, None], a.xy, np.nan)[None] for a in (one, other)]
    if min(int(np.isfinite(pose[..., 0]).sum()) for pose in poses) < LEAST_PLACED:
        return False
    return min(float(similarity(*pair)[0, 0]) for pair in (poses, poses[::-1])) >= SAME_LABELS
