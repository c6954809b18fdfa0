"""The window's texts about labels that are carried along in time."""

from __future__ import annotations

from napari_al_pose.domain.wording import counted


def carrying_line(done: int, total: int) -> str:
    """Return the line while labels are carried: "Carrying labels on: 40 of 500 frames"."""
    return f"Carrying labels on: {done} of {counted(total, 'frame')}" if total else "Carrying labels on"


def carried_sentence(
    n_frames: int, n_points: int, last: int | None, *, wanted: int | None, stopped: bool
) -> tuple[str, str]:
    """Return what came of it, and what to do now.

    Parameters
    ----------
    n_frames, n_points : int
        Frames that were reached, and points left in the last of them.
    last : int or None
        Number of that frame; None if none was reached.
    wanted : int or None
        The frame that was to be reached, if there was one.
    stopped : bool
        Whether the user ended it.
    """
    if last is None:
        return "The labels could not be carried on: the track is lost in the next frame.", "Label that frame as well."
    message = f"Carried {counted(n_points, 'point')} through {counted(n_frames, 'frame')}, to frame {last}"
    if wanted is not None and last != wanted:
        return f"{message}; they are lost before frame {wanted}.", "Label a frame closer to it."
    hint = "They are guesses: correct what is wrong, then accept the rest."
    return (f"{message}, where you ended it." if stopped else f"{message}."), hint
