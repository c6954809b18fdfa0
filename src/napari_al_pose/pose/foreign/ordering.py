"""The order of a model's bodyparts."""

from __future__ import annotations

from collections.abc import Sequence

from napari_al_pose.domain import AlPoseError


def bodypart_order(wanted: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the index of each of the project's bodyparts among those that a model knows.

    Raises
    ------
    AlPoseError
        If the model does not know one of them.
    """
    missing = [name for name in wanted if name not in known]
    if missing:
        raise AlPoseError(
            f"The model does not know {', '.join(missing)}: it knows {', '.join(known)}.",
            "Choose a model that was trained on this project's bodyparts.",
        )
    return [list(known).index(name) for name in wanted]
