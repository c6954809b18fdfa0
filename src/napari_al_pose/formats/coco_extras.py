"""Reports, in sentences, what a COCO file says beyond keypoints and a project can't hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain.wording import counted, first_few

ANIMAL = "animal"
"""The category in files written here."""

_SAME_PX = 1.0
_USED = (
    "id",
    "image_id",
    "category_id",
    "keypoints",
    "num_keypoints",
    "iscrowd",
    "individual",
    "bbox",
    "area",
    "score",
)
_READ = {
    "annotations": _USED,
    "images": ("id", "file_name", "width", "height"),
    "categories": ("id", "name", "supercategory", "keypoints", "skeleton"),
}
"""Fields of each kind of entry that are read, or that follow from what is read."""


def not_kept(document: dict[str, Any], path: Path, *, left_out: Collection[str] = ()) -> list[str]:
    """Return a sentence for each kind of thing in ``document`` that an import leaves out.

    Entries that were skipped as a whole are ignored, and those of the categories ``left_out``; the reader names them.
    """
    entries = [
        entry
        for entry in document["annotations"]
        if entry.get("keypoints") and entry.get("iscrowd") != 1 and str(entry.get("category_id")) not in left_out
    ]
    notices = []
    boxes = sum(_has_own_box(entry) for entry in entries)
    if boxes:
        notices.append(f"{path}: the boxes of {counted(boxes, 'annotation')} not kept.")
    categories = [category for category in document["categories"] if isinstance(category, dict)]
    names = {str(category.get("id")): str(category.get("name", "")) for category in categories}
    kinds = Counter(names.get(str(entry.get("category_id")), "") for entry in entries)
    if set(kinds) - {"", ANIMAL}:
        listed = first_few([f"{kind!r} ({counted(n, 'annotation')})" for kind, n in kinds.most_common()], 5)
        notices.append(f"{path}: species (categories) not kept: {listed}; all are animals of one kind here.")
    others = [
        f"{name!r} in {n:,} of the {kind}"
        for kind, read in _READ.items()
        for name, n in _others(entries if kind == "annotations" else document[kind], read).items()
    ]
    others += [repr(name) for name, value in document.items() if name not in _READ and not _is_empty(value)]
    if others:
        notices.append(f"{path}: not kept: {', '.join(others)}.")
    return notices


def _has_own_box(entry: dict[str, Any]) -> bool:
    """Return whether the box is more than what the points span, as in files written here."""
    try:
        x, y, width, height = (float(value) for value in entry.get("bbox", ()))
    except (TypeError, ValueError):
        return not _is_empty(entry.get("bbox"))
    values = [value if isinstance(value, (int, float)) else np.nan for value in entry["keypoints"]]
    if len(values) % 3:
        return False  # refused, or passed over and named
    table = np.array(values, float).reshape(-1, 3)
    placed = table[table[:, 2] > 0, :2]
    if not len(placed):
        return False  # passed over, and named as such
    span = [*placed.min(axis=0), *np.ptp(placed, axis=0)]
    return not np.allclose([x, y, width, height], span, rtol=0, atol=_SAME_PX)


def _others(entries: list[Any], read: tuple[str, ...]) -> Counter[str]:
    return Counter(
        str(name)
        for entry in entries
        if isinstance(entry, dict)
        for name, value in entry.items()
        if name not in read and not _is_empty(value)
    )


def _is_empty(value: Any) -> bool:
    return value in (None, "", [], {}, 0, False)
