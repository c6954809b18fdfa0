"""The order of a model's bodyparts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from napari_al_pose.domain import AlPoseError


def in_our_words(wanted: Sequence[str], known: Sequence[str], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """Return a model's bodyparts under the project's names, as far as they are the project's.

    Parameters
    ----------
    wanted, known : sequence of str
        The project's bodyparts, and the model's.
    chosen : mapping of str to str
        By the project's name, the model's; else names are the same that differ in case and signs alone, as "Left_ear"
        and "leftear", where just one does.

    Raises
    ------
    AlPoseError
        If a chosen name is none of the project's, or of the model's, or stands for two.
    """
    for names, whose in ((wanted, chosen.keys()), (known, chosen.values())):
        unknown = sorted(set(whose) - set(names))
        if unknown:
            raise AlPoseError(
                f"There is no bodypart {', '.join(unknown)}.",
                f"Map names of the project to names of: {', '.join(known)}.",
            )
    if len(set(chosen.values())) < len(chosen):
        raise AlPoseError("Two bodyparts are mapped to the same one of the model.", "Map each to one of its own.")
    ours = {theirs: name for name, theirs in chosen.items()}
    for name in wanted:
        alike = [theirs for theirs in known if _plain(theirs) == _plain(name) and theirs not in ours]
        if name not in chosen and name not in known and len(alike) == 1:
            ours[alike[0]] = name
    # What is called like a bodypart of ours but was said to be another must not be taken for it.
    taken = set(ours.values())
    return tuple(ours.get(name, f"{name} (not ours)" if name in taken else name) for name in known)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


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
            "Choose a model that was trained on this project's bodyparts, or say which of its own are yours: "
            "napari-al-pose adopt PROJECT MODEL --map yours=its.",
        )
    return [list(known).index(name) for name in wanted]
