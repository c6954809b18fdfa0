"""Which of a model's bodyparts are the project's, and in which order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError

_SYNONYMS = {
    "snout": "nose",
    "fore": "front",
    "hind": "back",
    "rear": "back",
    "tip": "end",
    "centre": "center",
    "body": "mouse",
    "l": "left",
    "r": "right",
}

UNKNOWN = -1
"""Stands in an order for a bodypart that the model does not know."""


def in_our_words(
    wanted: Sequence[str], known: Sequence[str], chosen: Mapping[str, str], *, partial: bool = False
) -> tuple[str, ...]:
    """Return a model's bodyparts under the project's names, as far as they are the project's.

    Parameters
    ----------
    wanted, known : sequence of str
        The project's bodyparts, and the model's.
    chosen : mapping of str to str
        By the project's name, the model's, or nothing ("") where the model's guess is not wanted. Of the others, names
        are the same that differ in case and signs alone, as "Left_ear" and "leftear", where just one does.
    partial : bool
        Whether the model may lack bodyparts that are not chosen.

    Raises
    ------
    AlPoseError
        If a chosen name is none of the project's, or of the model's, or stands for two; if the model knows none of the
        project's bodyparts or, unless ``partial``, lacks one.
    """
    picked = {name: theirs for name, theirs in chosen.items() if theirs}
    for names, whose in ((wanted, chosen.keys()), (known, picked.values())):
        unknown = sorted(set(whose) - set(names))
        if unknown:
            raise AlPoseError(
                f"There is no bodypart {', '.join(unknown)}.",
                f"Map names of the project to names of: {', '.join(known)}.",
            )
    if len(set(picked.values())) < len(picked):
        raise AlPoseError("Two bodyparts are mapped to the same one of the model.", "Map each to one of its own.")
    ours = {theirs: name for name, theirs in picked.items()}
    for name in wanted:
        alike = [theirs for theirs in known if _plain(theirs) == _plain(name) and theirs not in ours]
        if name not in chosen and name not in known and len(alike) == 1:
            ours[alike[0]] = name
    # A bodypart with one of our names that the user mapped to another one, or to none, must not be matched by name.
    taken = {_plain(name) for name in (*ours.values(), *chosen)}
    words = tuple(ours.get(name, f"{name} (not ours)" if _plain(name) in taken else name) for name in known)
    missing = [name for name in wanted if name not in words and name not in chosen]
    if not set(wanted) & set(words) or (missing and not partial):
        raise _lacking(missing or wanted, known)
    return words


def _lacking(missing: Sequence[str], known: Sequence[str]) -> AlPoseError:
    named = ", ".join(missing)
    return AlPoseError(
        f"The model does not know {named}: it knows {', '.join(known)}.",
        "Choose a model that was trained on this project's bodyparts, or say which of its own are yours: "
        "napari-al-pose adopt PROJECT MODEL --map yours=its; --partial leaves out those it does not know.",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def suggested_mapping(wanted: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return which of a model's bodyparts are probably the project's, for a person to confirm.

    By the project's bodypart, the model's of the same name or, where there is none, the only one that means the same in
    other words ("ear_left" and "LeftEar", "snout" and "nose"); nothing ("") if none or several do.
    """
    found: dict[str, str] = {}
    for alike in (_is_same, _has_same_letters, _means_the_same):
        for name in wanted:
            free = [theirs for theirs in known if theirs not in found.values() and alike(name, theirs)]
            if name not in found and len(free) == 1:
                found[name] = free[0]
    return {name: found.get(name, "") for name in wanted}


def _is_same(name: str, theirs: str) -> bool:
    return name == theirs


def _has_same_letters(name: str, theirs: str) -> bool:
    return _plain(name) == _plain(theirs)


def _means_the_same(name: str, theirs: str) -> bool:
    return _words(name) == _words(theirs)


def _words(name: str) -> frozenset[str]:
    """Return the words of a bodypart's name, of two that mean the same always the same one."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", name)
    words = [
        word for part in parts for word in re.split(r"^(left|right|tail|body)|(left|right)$", part.casefold()) if word
    ]
    return frozenset(_SYNONYMS.get(word, word) for word in words)


def bodypart_order(wanted: Sequence[str], words: Sequence[str]) -> list[int]:
    """Return the index of each of the project's bodyparts among a model's ``words``; `UNKNOWN` for one it lacks."""
    places = {name: index for index, name in enumerate(words)}
    return [places.get(name, UNKNOWN) for name in wanted]


def indices(order: Sequence[int]) -> list[int]:
    """Return the order as indices of an array; what is unknown points at some bodypart, and `blank` clears it."""
    return [max(index, 0) for index in order]


def blank(
    order: Sequence[int], xy: NDArray[np.float32], likelihood: NDArray[np.float32], maps: NDArray[np.float32] | None
) -> None:
    """Say nothing of bodyparts that the model does not know: no position, likelihood 0, an empty scoremap.

    Parameters
    ----------
    order : sequence of int
        Of K bodyparts.
    xy, likelihood, maps : array, (N, K, 2), (N, K) and (N, K, h, w)
        Changed in place.
    """
    missing = [k for k, index in enumerate(order) if index == UNKNOWN]
    if missing:
        xy[:, missing], likelihood[:, missing] = np.nan, 0.0
        if maps is not None:
            maps[:, missing] = 0.0
