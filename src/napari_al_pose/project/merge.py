"""Merges what other programs wrote into CollectedData, by key; what they left out never counts as a deletion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from napari_al_pose.domain import KeypointState, Skeleton
from napari_al_pose.domain.image_placement import WHOLE, Place
from napari_al_pose.formats.deeplabcut import AnnotationTable
from napari_al_pose.project.label_log import Keypoint, KeypointKey

SAME_PX = 1e-6
"""Coordinates closer than this are equal: shifting by the crop and back leaves such differences."""

CSV_SAME_PX = 0.01
"""The same for an ``.h5`` and the ``.csv`` beside it: spreadsheets round."""

State = Mapping[KeypointKey, Keypoint]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """The outcome of a merge.

    Parameters
    ----------
    new : list of (KeypointKey, Keypoint)
        Keypoints never edited here.
    changed : list of (KeypointKey, Keypoint)
        Keypoints that only others changed since the file was last written or read.
    conflicts : list of (KeypointKey, Keypoint)
        Keypoints changed on both sides, with the others' value; ours stays.
    """

    new: list[tuple[KeypointKey, Keypoint]]
    changed: list[tuple[KeypointKey, Keypoint]]
    conflicts: list[tuple[KeypointKey, Keypoint]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.new or self.changed or self.conflicts)


def keypoints_of(
    table: AnnotationTable,
    video: str,
    skeleton: Skeleton,
    place: Callable[[str], Place],
    frames: Collection[int] | None = None,
    *,
    images: Collection[str] = (),
) -> dict[KeypointKey, Keypoint]:
    """Return a file's value of each keypoint of the skeleton, in source pixels.

    A missing point in a row that has others was looked for and not seen. A row without any point was extracted and not
    labelled, so it says nothing.

    Parameters
    ----------
    table : AnnotationTable
        As read from ``labeled-data/<video>``.
    video : str
        The video's name.
    skeleton : Skeleton
        Of the project; everything else is left out.
    place : callable
        Returns where an extracted image, given by name, lies in the source.
    frames : collection of int, optional
        Only these.
    images : collection of str
        Names of the images in the folder; see `AnnotationTable.frames`.
    """
    ours = set(skeleton.keypoints)
    known = [(index, *column) for index, column in enumerate(table.columns) if column in ours]
    found: dict[KeypointKey, Keypoint] = {}
    for frame, (image, in_image) in table.frames(video, images, frames).items():
        where = place(image)
        points = in_image if where == WHOLE else where.to_frame(in_image)
        labelled = {individual for index, individual, _ in known if np.isfinite(points[index]).all()}
        for index, individual, bodypart in known:
            if individual not in labelled:
                continue
            x, y = points[index]
            key = KeypointKey(video, frame, individual, bodypart)
            if np.isfinite(x) and np.isfinite(y):
                found[key] = Keypoint(KeypointState.PLACED, float(x), float(y))
            else:
                found[key] = Keypoint(KeypointState.NOT_VISIBLE)
    return found


def join_files(h5: State, csv: State, base: State) -> tuple[dict[KeypointKey, Keypoint], dict[KeypointKey, Keypoint]]:
    """Combine what an ``.h5`` and the ``.csv`` beside it say.

    Two programs may have written them, though one should repeat the other. Where they differ, the one that differs from
    what both said last is newer. If both differ, or that is unknown, the ``.h5`` counts, as in DeepLabCut.

    Parameters
    ----------
    h5, csv : mapping
        What each says now.
    base : mapping
        What they said when we last wrote or read them.

    Returns
    -------
    dict
        What to take as their common value.
    dict
        Where the ``.csv`` says something else, for somebody to decide.
    """
    joined, otherwise = dict(h5), {}
    for key, by_csv in csv.items():
        by_h5, before = h5.get(key), base.get(key)
        is_stale = before is not None and same_keypoint(by_csv, before, CSV_SAME_PX)
        if is_stale or (by_h5 is not None and same_keypoint(by_csv, by_h5, CSV_SAME_PX)):
            continue
        if by_h5 is None or (before is not None and same_keypoint(by_h5, before)):
            joined[key] = by_csv
        else:
            otherwise[key] = by_csv
    return joined, otherwise


def plan_merge(
    theirs: State,
    *,
    base: State,
    ours: State,
    edited: Set[KeypointKey],
    since: Mapping[KeypointKey, Collection[Keypoint]] = MappingProxyType({}),
) -> MergePlan:
    """Compare three ways: what the file says now, what it said before, and what we have.

    Parameters
    ----------
    theirs : mapping
        What the file says now; what it lacks is left alone.
    base : mapping
        What it said when we last wrote or read it.
    ours : mapping
        The labels now.
    edited : set of KeypointKey
        Every keypoint in the log, cleared ones too.
    since : mapping of KeypointKey to collection of Keypoint
        Each keypoint's values here since the file was last known to be written. If the file has one of these values, we
        wrote it and were killed before we could record that.
    """
    plan = MergePlan([], [], [])
    for key, their in theirs.items():
        mine = ours.get(key, Keypoint())
        before = base.get(key)
        known = (mine, *since.get(key, ()), *(() if before is None else (before,)))
        if any(same_keypoint(their, value) for value in known):
            continue
        if key not in edited:
            plan.new.append((key, their))
        elif same_keypoint(mine, before or Keypoint()):
            plan.changed.append((key, their))
        else:
            plan.conflicts.append((key, their))
    return plan


def same_keypoint(a: Keypoint, b: Keypoint, tolerance: float = SAME_PX) -> bool:
    if a.state != b.state or a.x is None or a.y is None or b.x is None or b.y is None:
        return a.state == b.state
    return abs(a.x - b.x) <= tolerance and abs(a.y - b.y) <= tolerance
