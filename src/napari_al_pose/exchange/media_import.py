"""Brings videos and images of labels into a project."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.exchange.image_files import CopiedImage, copy_image, image_file_name, save_image
from napari_al_pose.exchange.media import MediaFinder
from napari_al_pose.formats.deeplabcut import frame_number, image_names
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet
from napari_al_pose.formats.names import video_stem
from napari_al_pose.project import Project
from napari_al_pose.project.extracted_images import ExtractedImages
from napari_al_pose.project.videos import label_folder

Work = Generator[Progress, None, None]


class MediaImport:
    """Brings videos and images into a project, and removes them if the rest fails.

    Parameters
    ----------
    project : Project
    file : Path
        The label file.
    labels : LabelSet
        Its labels, as they go into the project.
    """

    def __init__(self, project: Project, file: Path, labels: LabelSet) -> None:
        self._project = project
        self._labels = labels
        self._find = MediaFinder(file, labels)
        self._made: list[Path] = []
        self._unreadable: list[str] = []
        self._without_video: list[tuple[str, str]] = []
        self._without_image = 0
        self._turned: list[CopiedImage] = []
        self._reach: dict[FrameKey, tuple[float, float]] = {}
        for annotation in labels.annotations:
            placed = annotation.xy[annotation.states == KeypointState.PLACED]
            if len(placed):
                x, y = np.maximum(placed.max(axis=0), self._reach.get(annotation.key, (0.0, 0.0))).tolist()
                self._reach[annotation.key] = (x, y)

    def bring(self) -> Work:
        """Link the videos and copy the images."""
        present = {video.name for video in self._project.videos if video.has_video}
        for video in self._labels.videos:
            found = video.name in present or self._bring_video(video)
            yield from self._bring_images(video, has_video=found)
        present = {video.name for video in self._project.videos}
        self._project.add_image_folders(
            name for name in sorted({p.parent.name for p in self._made}) if name not in present
        )

    def extract(self, keys: Collection[FrameKey]) -> Work:
        """Extract the images of labelled frames from their videos, by far the longest part."""
        for video in self._project.videos:
            folder = label_folder(self._project.root, video.name)
            there = {frame_number(image) for image in image_names(folder)}
            numbers = sorted({key.frame for key in keys if key.video == video.name} - there)
            if not video.has_video or not numbers:
                continue
            reporter = ProgressReporter(0, f"Extracting images of {video.name}", len(numbers))
            with closing(ExtractedImages(folder, video, None, ())) as images:
                for done, number in enumerate(numbers):
                    yield from reporter.report(done)
                    path = folder / images.extract(number, None)
                    if path.is_file():
                        self._made.append(path)

    def take_back(self) -> None:
        """Remove the copied images; a linked video does no harm."""
        for path in self._made:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in self._made}:
            if not any(folder.iterdir()):
                folder.rmdir()

    def notices(self) -> list[str]:
        """Return messages for the user."""
        notices = []
        notices += self._find.notices
        if self._without_video:
            several = len(self._without_video) > 1
            kept_as = [name for path, name in self._without_video if video_stem(path) != name]
            paths = first_few([path for path, _ in self._without_video])
            notices.append(
                f"The video{'s' if several else ''} {paths} of these labels "
                f"could not be found. The labels are kept; copy the video{'s' if several else ''} into "
                f"{self._project.root / 'videos'}" + (f" under the name {first_few(kept_as)}." if kept_as else ".")
            )
        if self._without_image:
            notices.append(f"{self._without_image:,} images of these labels could not be found. Their labels are kept.")
        if self._unreadable:
            notices.append(f"Images that cannot be read were left out: {first_few(self._unreadable)}.")
        for count, how in (
            (sum(not image.guessed for image in self._turned), "as the labels lie on it"),
            (
                sum(image.guessed for image in self._turned),
                "and taken as shown, as most programs do. Check that the labels fit",
            ),
        ):
            if count:
                notices.append(f"{counted(count, 'image')} with a rotation in EXIF: the picture was written {how}.")
        return notices

    def _bring_video(self, video: LabelledVideo) -> bool:
        path = self._find.video(video)
        if path is None:
            if video.path:
                self._without_video.append((video.path, video.name))
            return False
        try:
            self._project.add_videos([path], name=video.name)
        except AlPoseError as error:
            self._unreadable.append(f"{path} ({error.message})")
            return False
        return True

    def _bring_images(self, video: LabelledVideo, *, has_video: bool) -> Work:
        folder = label_folder(self._project.root, video.name)
        there = {frame_number(image) for image in image_names(folder)}
        labelled = {a.key.frame for a in self._labels.annotations if a.key.video == video.name}
        numbers = sorted((set(video.pictures) if video.pixels is None else labelled) - there)
        reporter = ProgressReporter(0, f"Copying images of {video.name}", len(numbers))
        for done, number in enumerate(numbers):
            yield from reporter.report(done)
            picture = video.pictures.get(number)
            target = folder / image_file_name(picture, number)
            if video.pixels is not None:
                save_image(video.pixels(number), target)
                self._made.append(target)
            elif picture is None or (path := self._find.picture(picture)) is None:
                self._without_image += not has_video
            else:
                reach = self._reach.get(FrameKey(video.name, number))
                copied = copy_image(path, target, size=picture.size, reach=reach)
                if copied is None:
                    self._unreadable.append(str(path))
                    continue
                self._made.append(copied.path)
                if copied.turned is not None:
                    self._turned.append(copied)
