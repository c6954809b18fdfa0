"""Skeletons to begin with, for animals that are often filmed."""

from __future__ import annotations

import itertools

from napari_al_pose.domain.skeleton import Skeleton

_FINGERS = ("thumb", "index", "middle", "ring", "little")
_HAND = tuple(f"{finger} {joint}" for finger in _FINGERS for joint in (1, 2, 3, 4))
_LEGS = tuple(f"{side} {leg} leg tip" for leg in ("front", "middle", "hind") for side in ("left", "right"))


def _chain(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(itertools.pairwise(names))


TEMPLATES: dict[str, Skeleton] = {
    "Mouse or rat, from above": Skeleton(
        ("snout", "left ear", "right ear", "neck", "body centre", "tail base", "tail middle", "tail tip"),
        (
            *_chain("snout", "left ear", "neck"),
            *_chain("snout", "right ear", "neck"),
            *_chain("neck", "body centre", "tail base", "tail middle", "tail tip"),
        ),
    ),
    "Mouse or rat, from the side": Skeleton(
        ("snout", "eye", "ear", "forepaw", "iliac crest", "hip", "knee", "ankle", "hindpaw", "tail base"),
        (*_chain("snout", "eye", "ear"), *_chain("iliac crest", "hip", "knee", "ankle", "hindpaw")),
    ),
    "Fly, from above": Skeleton(
        ("head", "thorax", "abdomen", "left wing tip", "right wing tip", *_LEGS),
        (
            *_chain("head", "thorax", "abdomen"),
            ("thorax", "left wing tip"),
            ("thorax", "right wing tip"),
            *(("thorax", leg) for leg in _LEGS),
        ),
    ),
    "Fish, from above": Skeleton(
        ("snout", "left eye", "right eye", "swim bladder", "tail base", "tail middle", "tail tip"),
        (
            *_chain("left eye", "snout", "right eye"),
            *_chain("snout", "swim bladder", "tail base", "tail middle", "tail tip"),
        ),
    ),
    "Hand": Skeleton(
        ("wrist", *_HAND),
        tuple(link for i in range(5) for link in _chain("wrist", *_HAND[4 * i : 4 * i + 4])),
    ),
    "Person": Skeleton(
        (
            "nose",
            *(f"{side} {part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist") for side in ("left", "right")),
            *(f"{side} {part}" for part in ("hip", "knee", "ankle") for side in ("left", "right")),
        ),
        (
            *(
                link
                for side in ("left", "right")
                for link in (
                    *_chain("nose", f"{side} eye", f"{side} ear"),
                    *_chain(f"{side} shoulder", f"{side} elbow", f"{side} wrist"),
                    *_chain(f"{side} shoulder", f"{side} hip", f"{side} knee", f"{side} ankle"),
                )
            ),
            ("left shoulder", "right shoulder"),
            ("left hip", "right hip"),
        ),
    ),
}
"""By title. Sides are the animal's own; names with left and right are found as pairs that a mirror swaps."""
