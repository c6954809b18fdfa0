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
            "This frame was drawn to measure the error on. If a model trains on it once, it can never measure again, "
            "and errors before and after are not measured on the same frames. Train on it?",
            "Train on it",
            FrameRole.TRAIN,
        )
    seen = (
        ""
        if n_rounds == 0
        else " Models so far may have been trained on it, and would look better on it than they are."
    )
    return RoleQuestion(
        "Hold this frame out…",
        f"The model never trains on a hold-out frame; its error is measured there.{seen} Hold this frame out?",
        "Hold it out",
        FrameRole.HOLDOUT,
    )
