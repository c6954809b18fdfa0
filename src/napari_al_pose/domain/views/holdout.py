"""What is asked before a frame's role is changed by hand."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.annotation import FrameRole


@dataclass(frozen=True, slots=True)
class RoleQuestion:
    """A question and the button that says yes.

    Parameters
    ----------
    action : str
        The menu's line.
    question, yes : str
        What is asked, and what the agreeing button says.
    wanted : FrameRole
        The role the frame gets then.
    """

    action: str
    question: str
    yes: str
    wanted: FrameRole


def role_question(role: FrameRole, n_rounds: int) -> RoleQuestion:
    """Return what is asked about a frame that is for ``role`` now, in a project with ``n_rounds`` models."""
    if role is FrameRole.HOLDOUT:
        return RoleQuestion(
            "Train on this frame…",
            "This is a test frame: the error is measured on it. Once a model has trained on it, it can never be a "
            "test frame again, and errors before and after can't be compared. Train on it?",
            "Train on it",
            FrameRole.TRAIN,
        )
    seen = (
        "" if n_rounds == 0 else " Earlier models may have been trained on it, so their error on it may look too low."
    )
    return RoleQuestion(
        "Make this a test frame…",
        f"No model trains on a test frame; the error is measured there.{seen} Make this a test frame?",
        "Make it a test frame",
        FrameRole.HOLDOUT,
    )
