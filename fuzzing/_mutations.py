"""Ways to change a file or a document at random, and what has to hold of labels that were read all the same."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.formats.label_set import LabelSet
from napari_al_pose.formats.names import is_safe_name

STRANGE = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e9, 1e308, "", " ", "nan", "x", "ü", "a\x00b",
    "../../x", "C:\\x\\y.png", "/etc/passwd", "a/b/c.png", "0", "1e999", "=1+1", "\u202e", "x" * 5000,
    [], {}, [None], [[]], {"a": {}},
)  # fmt: skip
"""What may stand in a file in place of what should."""


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with a few places changed, cut, repeated or put in."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        how = rng.randrange(6)
        if how == 0:
            changed[at] = rng.randrange(256)
        elif how == 1:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 2:
            del changed[at : at + rng.choice((1, 4, 100))]
        elif how == 3:
            changed[at:at] = rng.randbytes(rng.choice((1, 4, 16)))
        elif how == 4:
            changed[at:at] = changed[at : at + rng.choice((1, 20, 200))]
        else:
            del changed[at:]
    return bytes(changed)


def mutate_document(rng: random.Random, document: Any) -> Any:
    """Return a document of lists, dictionaries and values with a few of its parts changed."""
    document = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = rng.choice(places)
        how = rng.randrange(5)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif how == 2 and isinstance(holder[key], (int, float)):
            holder[key] *= rng.choice((-1, 0, 2, 0.5, 10**6, 10**12))
        elif how == 3:
            other, place = rng.choice(places)
            holder[key] = copy.deepcopy(other[place])
        else:
            holder[key] = copy.deepcopy(rng.choice(STRANGE))
    return document


def _places(document: Any) -> Any:
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(entries):
        yield document, key
        if isinstance(value, (dict, list)) and value:
            yield from _places(value)


def check_labels(labels: LabelSet) -> None:
    """Assert what every reader promises of its labels, whatever the file was."""
    skeleton = labels.skeleton
    names = [video.name for video in labels.videos]
    assert len(set(names)) == len(names), "videos of one name"
    assert all(is_safe_name(name) for name in names), "a name that cannot be a folder"
    seen = set()
    for annotation in (*labels.annotations, *labels.duplicates):
        assert annotation.key.video in names, "labels of a video that is not listed"
        assert annotation.key.frame >= 0, "a frame before the first"
        assert annotation.individual in skeleton.individuals, "labels of nobody"
        assert annotation.xy.shape == (skeleton.n_bodyparts, 2)
        placed = annotation.states == KeypointState.PLACED
        assert np.isfinite(annotation.xy[placed]).all(), "a point without a place"
        assert np.isnan(annotation.xy[~placed]).all(), "a place without a point"
    for annotation in labels.annotations:
        place = annotation.key, annotation.individual
        assert place not in seen, "two annotations of one animal in a frame"
        seen.add(place)
    for duplicate in labels.duplicates:
        assert (duplicate.key, duplicate.individual) in seen, "a duplicate of nothing"
    assert not labels.duplicates or any("more than once" in notice for notice in labels.notices), "not told"


def check_message(error: AlPoseError, path: Path, *, is_whole: bool) -> None:
    """Assert that a message names the file and says what to do, and that the file was not whole."""
    assert not is_whole, f"refused: {error.message}"
    assert str(path) in str(error.message), f"the message does not name the file: {error.message}"
    assert error.hint, f"no remedy: {error.message}"
