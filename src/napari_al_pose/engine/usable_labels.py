"""Finds which labels have a picture to learn from, and why others have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from napari_al_pose.domain import Annotation, FrameKey, FrameSource
from napari_al_pose.domain.excluded_labels import ExcludedLabels
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.image_placement import Place
from napari_al_pose.engine.sources import available
from napari_al_pose.formats.deeplabcut import image_names
from napari_al_pose.project import Project, ProjectVideo


@dataclass(frozen=True, slots=True)
class ImageOfFrame:
    """The image of a labelled frame that is in no source.

    Parameters
    ----------
    path : Path
    place : Place
        Where it lies in the pixel coordinates of its labels.
    """

    path: Path
    place: Place


@dataclass(frozen=True, slots=True)
class UsableLabels:
    """Labels with a picture.

    Parameters
    ----------
    annotations : tuple of Annotation
        In the given order.
    images : mapping of FrameKey to ImageOfFrame
        For frames that are in no source: a video that was shortened or can't be opened keeps its images.
    left_out : tuple of ExcludedLabels
        The others.
    """

    annotations: tuple[Annotation, ...]
    images: Mapping[FrameKey, ImageOfFrame]
    left_out: tuple[ExcludedLabels, ...]


def usable_labels(
    project: Project, annotations: Sequence[Annotation], sources: Mapping[str, FrameSource]
) -> UsableLabels:
    """Find the picture of each labelled frame: in an open source, otherwise as an extracted image."""
    readable = set(available([a.key for a in annotations], sources))
    videos = {video.name: video for video in project.videos}

    @cache
    def images_of(name: str) -> dict[int, str]:
        folder = videos[name].images if name in videos else None
        return {} if folder is None else numbered_images(image_names(folder))[0]

    images: dict[FrameKey, ImageOfFrame] = {}
    missing: dict[FrameKey, str] = {}
    for key in sorted({a.key for a in annotations} - readable):
        video, name = videos.get(key.video), images_of(key.video).get(key.frame)
        if video is not None and video.images is not None and name is not None:
            place = video.pictures.place(name) if video.has_video else Place()
            images[key] = ImageOfFrame(video.images / name, place)
        else:
            missing[key] = _why(key, video, sources)
    usable = tuple(a for a in annotations if a.key not in missing)
    counts = Counter(missing.values())
    return UsableLabels(usable, images, tuple(ExcludedLabels(reason, frames) for reason, frames in counts.items()))


def _why(key: FrameKey, video: ProjectVideo | None, sources: Mapping[str, FrameSource]) -> str:
    if video is None:
        return f"of {key.video}, whose video and images are missing"
    if not video.has_video:
        return f"of {key.video}, whose images are missing"
    if key.video not in sources:
        return f"of {key.video}, whose video can't be opened"
    return f"of {key.video}, which has only {len(sources[key.video]):,} frames"
