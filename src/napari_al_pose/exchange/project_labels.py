"""The labels of a project as the value that every format is written from."""

from __future__ import annotations

import dataclasses

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.image_placement import WHOLE
from napari_al_pose.formats.deeplabcut import image_names
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture
from napari_al_pose.formats.names import video_stem
from napari_al_pose.project import Project, ProjectVideo


def labels_of(project: Project) -> LabelSet:
    """Return all labels of an open project, with its videos and existing images.

    Images that are crops of an available video are left out: labels are in pixels of the video.
    """
    annotations = tuple(project.labels.annotations(unique=True))
    videos = {video.name: _video(video) for video in project.videos}
    written = {video_stem(entry.path): entry.path for entry in project.config.video_sets}
    for annotation in annotations:
        name = annotation.key.video
        videos.setdefault(name, LabelledVideo(name, written.get(name, "")))
    return LabelSet(project.skeleton, tuple(videos.values()), annotations, (), project.scorer)


def without_frames(labels: LabelSet, keys: set[FrameKey]) -> LabelSet:
    """Return labels without those of the given frames."""
    return dataclasses.replace(labels, annotations=tuple(a for a in labels.annotations if a.key not in keys))


def _video(video: ProjectVideo) -> LabelledVideo:
    pictures: dict[int, Picture] = {}
    stills = dict(video.pictures.stills)
    if video.images is not None:
        for number, image in numbered_images(image_names(video.images))[0].items():
            if video.has_video and (video.pictures.place(image) != WHOLE or number in stills):
                continue  # labels are in pixels of the video, as it is shown
            pictures[number] = Picture(str(video.images / image))
    return LabelledVideo(video.name, str(video.path) if video.path is not None else "", pictures)
