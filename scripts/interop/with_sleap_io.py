"""sleap-io reads our labels: its own format, DeepLabCut's and COCO's."""

from __future__ import annotations

from pathlib import Path

import sleap_io as sio
from checks import Points, expected, frame_of, main, placed, same, two_animals


def single(folder: Path) -> str:
    """load_slp of one animal, and a frame of its video"""
    labels = sio.load_slp(str(folder / "single-sleap.slp"))
    assert labels.videos[0][3].shape[:2] == (120, 160)
    assert labels.skeletons[0].edge_names == [("snout", "tail base")]
    return same(points(labels), expected(folder, "single"))


def multi(folder: Path) -> str:
    """load_slp of two animals as tracks"""
    labels = sio.load_slp(str(folder / "multi-sleap.slp"))
    assert [track.name for track in labels.tracks] == ["ann", "bob"]
    return same(points(labels), expected(folder, "multi"))


def predicted(folder: Path) -> str:
    """load_slp of predictions"""
    labels = sio.load_slp(str(folder / "predicted.slp"))
    assert len(labels) == 30
    return f"{len(labels)} predicted frames"


def predicted_two(folder: Path) -> str:
    """load_slp of predictions of two animals as tracks"""
    labels = sio.load_slp(str(folder / "predicted-two.slp"))
    assert [track.name for track in labels.tracks] == ["ann", "bob"]
    return same(points(labels), two_animals(folder))


def deeplabcut_single(folder: Path) -> str:
    """load_dlc of CollectedData_Ada.csv"""
    return same(points(load_dlc(folder, "single"), by_image=True), expected(folder, "single"))


def deeplabcut_multi(folder: Path) -> str:
    """load_dlc of a multi-animal CollectedData_Ada.csv"""
    return same(points(load_dlc(folder, "multi"), by_image=True), expected(folder, "multi"))


def coco(folder: Path) -> str:
    """load_coco of annotations.json (in single precision)"""
    labels = sio.load_coco(str(folder / "single-coco" / "annotations.json"))
    return same(points(labels, by_image=True), expected(folder, "single"), tolerance=1e-4)


def coco_two(folder: Path) -> str:
    """load_coco of two animals (in single precision; it has no names for animals)"""
    labels = sio.load_coco(str(folder / "multi-coco" / "annotations.json"))
    found: Points = {}
    for frame in labels:
        for animal, instance in zip(("ann", "bob"), frame.instances, strict=True):
            for node, (x, y) in zip(labels.skeletons[0].node_names, instance.numpy(), strict=True):
                found[frame_of(frame.video.filename[frame.frame_idx]), animal, node] = (x, y)
    return same(placed(found), expected(folder, "multi"), tolerance=1e-4)


def load_dlc(folder: Path, name: str) -> sio.Labels:
    return sio.load_dlc(str(folder / name / "labeled-data" / f"{name}-mouse" / "CollectedData_Ada.csv"))


def points(labels: sio.Labels, *, by_image: bool = False) -> Points:
    found: Points = {}
    for frame in labels:
        number = frame_of(frame.video.filename[frame.frame_idx]) if by_image else frame.frame_idx
        for instance in frame.instances:
            who = instance.track.name if instance.track is not None else ""
            for node, (x, y) in zip(labels.skeletons[0].node_names, instance.numpy(), strict=True):
                found[int(number), who, node] = (x, y)
    return placed(found)


if __name__ == "__main__":
    main("sleap-io", [single, multi, predicted, predicted_two, deeplabcut_single, deeplabcut_multi, coco, coco_two])
