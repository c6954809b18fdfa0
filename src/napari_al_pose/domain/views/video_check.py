"""Texts about videos whose seeks are not exact, in the window and on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_al_pose.domain.views.formatting import time_left

DAMAGE_HINT = "All frames that can be decoded are shown. If the file should be complete, copy it again."


@dataclass(frozen=True, slots=True)
class VideoCheckView:
    """The bar above the panels.

    Parameters
    ----------
    message : str
        Empty while there is nothing to say; the bar is hidden then.
    offers : bool
        Whether the ways out can be chosen now.
    percent : int
        How much of the copy is written; -1 while none is.
    """

    message: str = ""
    offers: bool = False
    percent: int = -1


def inexact_view(video: str, frame: int) -> VideoCheckView:
    """Return the message about a video whose ``frame`` looks different after a jump."""
    return VideoCheckView(
        f"{video}: frame {frame} looks different when jumped to than when played to, so labels could land on the "
        "wrong picture. Have an exact copy made (the original stays as it is), or decode forwards from the first "
        "frame, which is exact too but makes jumps slow.",
        offers=True,
    )


def renumbered_notice(video: str, frame: int) -> tuple[str, str]:
    """Return what happened, and what to do, where frames from ``frame`` on had a wrong number."""
    message = (
        f"{video}: the times in the file do not describe the order of its frames, so frames from {frame} on had a "
        "wrong number. They are renumbered, as OpenCV and DeepLabCut number them."
    )
    return message, f"Check the labels that you made from frame {frame} on before this message."


def forwards_sentence(video: str, frame: int) -> str:
    """Return what the command line says of a video whose ``frame`` looks different after a jump."""
    return (
        f"{video}: frame {frame} looks different when jumped to than when played to. The video is decoded from its "
        "first frame on, which is exact but slow; the window can make an exact copy that is fast."
    )


def unchecked_sentence(videos: Sequence[str], seconds: float) -> str:
    """Return what the command line says of videos whose check would have taken more than some seconds."""
    several = f"{videos[0]} was" if len(videos) == 1 else f"{len(videos)} videos ({', '.join(videos)}) were"
    return (
        f"{several} not checked for damage and wrong jumps, as that takes more than {seconds / 60:.0f} minutes: "
        "napari-al-pose check does it once for all commands."
    )


def copying_view(video: str, done: int, total: int, seconds: float) -> VideoCheckView:
    """Return what to say while a copy is written.

    Parameters
    ----------
    video : str
        Its name.
    done, total : int
        Frames.
    seconds : float
        Since it began.
    """
    left = f", {time_left(seconds / done * (total - done))}" if done and seconds > 1 else ""
    share = done / total if total else 0.0
    return VideoCheckView(f"Copying {video} exactly: {share:.0%}{left}", percent=int(100 * share))
