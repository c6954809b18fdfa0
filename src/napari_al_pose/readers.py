"""The readers behind ``File > Open`` and drag and drop: DeepLabCut projects and labels, videos, stacks, image folders.

Each ``get_*_reader`` only looks at names (and a yaml's first lines), and returns None for files that are not ours.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.file_names import is_config, is_video
from napari_al_pose.domain.views.colours import bodypart_colours
from napari_al_pose.formats.deeplabcut import frame_number, image_files, is_annotation_file, read_annotation_points

LayerTuple = tuple[Any, dict[str, Any], str]
Reader = Callable[[str], list[LayerTuple]]

_CONFIG_KEYS = ("Task", "scorer", "multianimalproject", "video_sets", "bodyparts", "TrainingFraction")
_CONFIG_BYTES = 1 << 16


def get_project_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of a DeepLabCut ``config.yaml``; None for any other yaml file."""
    return read_project if isinstance(path, str) and _is_deeplabcut_config(Path(path)) else None


def get_labels_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of DeepLabCut's ``CollectedData_<scorer>.h5`` and ``.csv``; None for any other file."""
    return read_labels if isinstance(path, str) and is_annotation_file(path) else None


def get_video_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of videos and TIFF stacks; None for any other file."""
    return read_video if isinstance(path, str) and is_video(Path(path)) else None


def get_folder_reader(path: str | list[str]) -> Reader | None:
    """Return the reader of folders whose images are named by frame number; None for any other folder."""
    if not isinstance(path, str) or not Path(path).is_dir():
        return None
    return read_video if any(frame_number(image.name) is not None for image in image_files(Path(path))) else None


def read_video(path: str) -> list[LayerTuple]:
    """Return a video, a TIFF stack or a folder of images as one lazy image layer.

    Raises
    ------
    AlPoseError
        If it is none of them, or none of its frames can be decoded.
    """
    from napari_al_pose.video import open_source

    return [video_layer(open_source(Path(path)))]


def read_labels(path: str) -> list[LayerTuple]:
    """Return the labels of one file as points, over the images beside it if they exist.

    The time axis holds the images in their order or, without images, the frame numbers.

    Raises
    ------
    AlPoseError
        If it is not a readable DeepLabCut table.
    """
    from napari_al_pose.video import open_source

    folder = Path(path).parent
    table = read_annotation_points(Path(path))
    source = open_source(folder) if image_files(folder) else None
    rows: list[tuple[int, str, str, float, float]] = []
    # A renamed folder's labels name the old one.
    for video in sorted({video for video, _ in table.rows}):
        for number, (_, points) in sorted(table.frames(video).items()):
            position = _position(source, number)
            if position is not None:
                rows += [
                    (position, individual, bodypart, x, y)
                    for (individual, bodypart), (x, y) in zip(table.columns, points, strict=True)
                ]
    bodyparts = list(dict.fromkeys(bodypart for _, bodypart in table.columns))
    layers = [] if source is None else [video_layer(source)]
    return [*layers, points_layer(f"labels {folder.name}", rows, bodyparts)]


def read_project(path: str) -> list[LayerTuple]:
    """Return the first labelled video of a project (otherwise the first), lazily, and its labels as points.

    Raises
    ------
    AlPoseError
        If the project or its video can't be read.
    """
    from napari_al_pose.project import open_project

    with open_project(path, read_only=True) as project:
        skeleton = project.skeleton
        annotations = project.labels.annotations()
        if not project.videos:
            return [points_layer("labels", [], skeleton.bodyparts)]
        labelled = {annotation.key.video for annotation in annotations}
        video = next((video for video in project.videos if video.name in labelled), project.videos[0])
        source = video.open()
    rows = [
        (position, annotation.individual, bodypart, x, y)
        for annotation in annotations
        if annotation.key.video == video.name and (position := _position(source, annotation.key.frame)) is not None
        for bodypart, (x, y) in zip(skeleton.bodyparts, annotation.xy, strict=True)
    ]
    return [video_layer(source), points_layer(f"labels {video.name}", rows, skeleton.bodyparts)]


def video_layer(source: FrameSource) -> LayerTuple:
    """Return ``source`` as a lazy RGB image layer, which an open window shows without waiting for frames."""
    from napari_al_pose.video import LazyFrames

    _watch_window()
    return (LazyFrames(source), {"name": source.name, "rgb": True, "cache": False}, "image")


def _watch_window() -> None:
    if "napari._qt.qt_main_window" not in sys.modules:
        return  # without a window, nobody is kept waiting
    import napari

    if (viewer := napari.current_viewer()) is not None:
        from napari_al_pose.gui.plain_layers import watch

        watch(viewer)


def points_layer(name: str, rows: Iterable[tuple[int, str, str, float, float]], bodyparts: Iterable[str]) -> LayerTuple:
    """Return keypoints as one points layer, coloured by bodypart.

    Parameters
    ----------
    name : str
        Of the layer.
    rows : iterable of (position, individual, bodypart, x, y)
        Source pixels; rows with a NaN are left out, because napari can't show them.
    bodyparts : iterable of str
        In labelling order; they determine the colours.
    """
    order = list(bodyparts)
    colours = dict(zip(order, bodypart_colours(len(order)), strict=True))
    kept = [row for row in rows if not np.isnan(row[3:]).any()]
    return (
        np.array([(position, y, x) for position, _, _, x, y in kept], float).reshape(-1, 3),
        {
            "name": name,
            "ndim": 3,
            "features": {"bodypart": [row[2] for row in kept], "individual": [row[1] for row in kept]},
            "face_color": [colours[row[2]] for row in kept] or "white",
            "border_color": "black",
            "size": 8,
        },
        "points",
    )


def _position(source: FrameSource | None, number: int) -> int | None:
    """Return the position of frame ``number`` on the time axis; None if the source lacks it."""
    if source is None:
        return number
    try:
        return source.position(number)
    except KeyError:
        return None


def _is_deeplabcut_config(path: Path) -> bool:
    """Return whether the first lines look like DeepLabCut's; a damaged config is still ours, and gets our message."""
    if not is_config(path):
        return False
    try:
        with path.open("rb") as file:
            text = file.read(_CONFIG_BYTES).decode("utf-8", "replace")
    except OSError:
        return False
    return sum(re.search(rf"^{key}\s*:", text, re.MULTILINE) is not None for key in _CONFIG_KEYS) >= 3
