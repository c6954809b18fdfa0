"""Groups of frames that look alike, found before anything is labelled."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.frames import FrameKey


@dataclass(frozen=True, slots=True)
class FrameGroup:
    """Frames that look alike: a behaviour, a place, a light.

    Parameters
    ----------
    share : float
        Of all frames of the project's videos, estimated from the candidate frames, in [0, 1].
    n_labelled : int
        Labelled frames that look like this.
    typical : tuple of FrameKey
        Some of its unlabelled frames, the most typical first, apart in time.
    """

    share: float
    n_labelled: int
    typical: tuple[FrameKey, ...]
