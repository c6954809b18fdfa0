"""Which part of each video is looked at."""

from __future__ import annotations

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.project.project import Project
from napari_al_pose.project.videos import ProjectVideo
from napari_al_pose.video.region import Region, narrowed


def region_of(project: Project, video: ProjectVideo, source: FrameSource) -> Rectangle | None:
    """Return the rectangle of the video that the user chose, otherwise config.yaml's crop; None for whole frames.

    The crop does not apply to extracted images, which are cropped already, nor if the extracted images are whole
    frames.
    """
    rectangle = project.settings.regions.get(video.name, video.narrowed_to)
    return None if rectangle is None else narrowed(rectangle, *source.shape[1:3])


def in_region(source: FrameSource, rectangle: Rectangle | None) -> FrameSource:
    """Return the source, limited to the part that is looked at."""
    return source if rectangle is None else Region(source, rectangle)
