"""What is asked for when whole videos are predicted."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.errors import AlPoseError

FORMATS = {
    "deeplabcut": "DeepLabCut (.h5 and .csv)",
    "sleap": "SLEAP (.slp)",
    "lightning-pose": "Lightning Pose (.csv)",
    "table": "Plain table, a row for each keypoint (.csv)",
}
"""Formats of prediction files by name, with what they are called."""

SMOOTHINGS = {"": "None", "median": "Median of 5 frames", "kalman": "Kalman smoother"}
"""Filters by name, with what they are called."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How whole videos are predicted and what is written of them.

    Parameters
    ----------
    version : int
        The model's number; 0 takes the newest that can be used.
    formats : tuple of str
        Names in `FORMATS`; none writes no files, the predictions themselves stay in the project.
    smoothing : str
        Name in `SMOOTHINGS`; smoothed poses go beside the raw ones: to columns of their own in the plain table, else to
        files of their own.
    labelled_video : bool
        Whether to draw the poses into a copy of each video.
    cutoff : float
        Likelihood below which a keypoint is not drawn, and counts as not seen by the Kalman smoother.
    trail : int
        Frames for which a drawn keypoint leaves a trail.
    folder : str
        Where files go; "" puts them beside each video.

    Raises
    ------
    AlPoseError
        If a name is unknown or a number out of its range.
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
