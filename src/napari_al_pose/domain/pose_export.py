"""The options for predicting and exporting whole videos."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.errors import AlPoseError

FORMATS = {
    "deeplabcut": "DeepLabCut (.h5 and .csv)",
    "sleap": "SLEAP (.slp)",
    "lightning-pose": "Lightning Pose (.csv)",
    "table": "Plain table, a row for each keypoint (.csv)",
}
"""Formats of prediction files: name and title."""

SMOOTHINGS = {"": "None", "median": "Median of 5 frames", "kalman": "Kalman smoother"}
"""Filters: name and title."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to predict whole videos, and what to write.

    Parameters
    ----------
    version : int
        The model's number; 0 for the newest usable one.
    formats : tuple of str
        Names in `FORMATS`. Without any, no files are written and the predictions stay in the project.
    smoothing : str
        Name in `SMOOTHINGS`. Smoothed poses are written beside the raw ones: to columns of their own in the plain
        table, to files of their own in other formats.
    labelled_video : bool
        Whether to draw the poses into a copy of each video.
    cutoff : float
        Likelihood below which a keypoint is not drawn, and is ignored by the Kalman smoother.
    trail : int
        Number of frames in the trail of a drawn keypoint.
    folder : str
        Where files go; "" puts them beside each video.

    Raises
    ------
    AlPoseError
        If a name is unknown or a number is out of range.
    """

    version: int = 0
    formats: tuple[str, ...] = ("deeplabcut",)
    smoothing: str = ""
    labelled_video: bool = False
    cutoff: float = 0.6
    trail: int = 10
    folder: str = ""

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise AlPoseError(f"Unknown format {name!r}.", f"Choose from: {', '.join(FORMATS)}.")
        if self.smoothing not in SMOOTHINGS:
            known = ", ".join(name for name in SMOOTHINGS if name)
            raise AlPoseError(f"Unknown smoothing {self.smoothing!r}.", f"Choose from: {known}.")
        if not 0 <= self.cutoff <= 1:
            raise AlPoseError(f"Expected a likelihood cutoff from 0 to 1, got {self.cutoff}.", "Choose another.")
        if not 0 <= self.trail <= 1000:
            raise AlPoseError(f"Expected a trail of 0 to 1000 frames, got {self.trail}.", "Choose another.")
