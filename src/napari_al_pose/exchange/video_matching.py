"""Matches the videos of a label file with those of the project, by content instead of by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, FrameSource
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.exchange.media import MediaFinder
from napari_al_pose.formats.deeplabcut import image_names
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture
from napari_al_pose.formats.names import plain
from napari_al_pose.project import Project, ProjectVideo
from napari_al_pose.project.identity import is_same_video
from napari_al_pose.project.videos import label_folder

_COMPARED = 8
"""Number of frames, with a picture on both sides, that are compared."""


def match_videos(
    project: Project, labels: LabelSet, find: MediaFinder
) -> Generator[Progress, None, tuple[LabelSet, list[str]]]:
    """Give videos of a file the names that the project has for them, and other videos free names.

    A video is the project's if its file has the same content, whatever the names. If a file is missing, videos of the
    same name are compared by the pictures that both have. A different video gets another name.

    Parameters
    ----------
    project : Project
        Only read.
    labels : LabelSet
        As read.
    find : MediaFinder
        Finds its videos and pictures.

    Yields
    ------
    Progress

    Returns
    -------
    LabelSet
        With the names they will have in the project.
    list of str
        Messages for the user: which names changed, and which videos were matched by name alone.
    """
    names: dict[str, str] = {}
    paths: dict[str, str] = {}
    by_name_alone: list[str] = []
    notices: list[str] = []
    taken = {video.name for video in project.videos} | set(project.labels.exchange.videos())
    reporter = ProgressReporter(0, "Comparing the videos", len(labels.videos))
    for done, video in enumerate(labels.videos):
        yield from reporter.report(done)
        name, theirs = plain(video.name), find.video(video)
        same = None if theirs is None else _same_content(project, theirs)
        if same is not None:
            names[video.name] = same.name
            if same.name != name:
                notices.append(f"The labels' video {name} is the project's {same.name}: the content is the same.")
        elif name not in taken:
            names[video.name] = name
        else:
            verdict = _is_same(project, video, theirs, find)
            if verdict is False:
                others = {*taken, *names.values(), *(plain(other.name) for other in labels.videos)}
                names[video.name] = _free_name(name, others)
                paths[video.name] = "" if theirs is None else str(theirs)
                new = names[video.name]
                notices.append(f"The labels' {name} is not the project's video of that name; it is called {new} here.")
            else:
                names[video.name] = name
                by_name_alone += [name] if verdict is None else []
    if by_name_alone:
        notices.append(
            "Matched to the project's videos by name alone, as there was nothing to compare: "
            f"{first_few(by_name_alone)}. Undo the import if they are different videos."
        )
    return _renamed(labels, names, paths, notices), notices


def _same_content(project: Project, path: Path) -> ProjectVideo | None:
    return next((v for v in project.videos if v.path is not None and is_same_video(v.path, path)), None)


def _is_same(project: Project, video: LabelledVideo, theirs: Path | None, find: MediaFinder) -> bool | None:
    """Return whether a video is the project's video of that name; None if there is nothing to compare."""
    ours = next((v for v in project.videos if v.name == plain(video.name)), None)
    if theirs is not None and ours is not None and ours.has_video:
        return False  # of other content
    with ExitStack() as stack:
        of_theirs = _Pictures(video, theirs, find, stack)
        of_ours = _Pictures(_as_labelled(project, plain(video.name)), ours.path if ours else None, None, stack)
        return _look_alike(of_ours, of_theirs)


def _as_labelled(project: Project, name: str) -> LabelledVideo:
    folder = label_folder(project.root, name)
    images = numbered_images(image_names(folder))[0]
    return LabelledVideo(name, pictures={number: Picture(str(folder / image)) for number, image in images.items()})


def _look_alike(ours: _Pictures, theirs: _Pictures) -> bool | None:
    from napari_al_pose.video.comparing import OTHER_PICTURE, difference

    verdict: bool | None = None
    compared = 0
    for number in _spread(theirs.numbers or ours.numbers):
        a = ours.read(number)
        b = theirs.read(number) if a is not None else None
        if a is None or b is None:
            continue
        if difference(a, b) > OTHER_PICTURE:
            return False
        verdict, compared = True, compared + 1
        if compared == _COMPARED:
            break
    return verdict


class _Pictures:
    """The pictures of a video, wherever some can be found."""

    def __init__(self, video: LabelledVideo, path: Path | None, find: MediaFinder | None, stack: ExitStack) -> None:
        self._video = video
        self._path = path
        self._find = find
        self._stack = stack
        self._source: FrameSource | None = None
        self.numbers = sorted(video.pictures)

    def read(self, number: int) -> NDArray[np.uint8] | None:
        from napari_al_pose.video.image_folder import read_image

        picture = self._video.pictures.get(number)
        if self._video.pixels is not None and picture is not None:
            pixels = self._video.pixels(number)
            return np.broadcast_to(pixels.reshape(*pixels.shape[:2], -1), (*pixels.shape[:2], 3))
        file = None if picture is None else self._find.picture(picture) if self._find else Path(picture.path)
        try:
            return read_image(file) if file is not None else self._frame(number)
        except (AlPoseError, OSError):
            return None

    def _frame(self, number: int) -> NDArray[np.uint8] | None:
        from napari_al_pose.video import open_source

        if self._source is None:
            if self._path is None:
                return None
            self._source = self._stack.enter_context(closing(open_source(self._path)))
        try:
            return self._source[self._source.position(number)]
        except KeyError:
            return None


def _spread(numbers: Sequence[int]) -> list[int]:
    """Return all numbers, in an order whose first few lie far apart."""
    step = max(1, len(numbers) // _COMPARED)
    first = list(numbers[::step])
    return [*first, *(number for number in numbers if number not in set(first))][: 10 * _COMPARED]


def _free_name(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _renamed(labels: LabelSet, names: dict[str, str], paths: dict[str, str], notices: list[str]) -> LabelSet:
    """Return labels with other names for videos; merge two that are the same video."""
    videos: dict[str, LabelledVideo] = {}
    for video in labels.videos:
        new = names[video.name]
        before = videos.get(new)
        path = paths.get(video.name) or video.path
        made = dataclasses.replace(video, name=new, path=path)
        if before is not None:
            made = dataclasses.replace(before, pictures={**made.pictures, **before.pictures})
        videos[new] = made
    kept: dict[tuple[FrameKey, str], Annotation] = {}
    twice: list[Annotation] = []
    for annotation in (*labels.annotations, *labels.duplicates):
        key = FrameKey(names.get(annotation.key.video, plain(annotation.key.video)), annotation.key.frame)
        moved = dataclasses.replace(annotation, key=key)
        first = kept.setdefault((key, annotation.individual), moved)
        if first is not moved and not np.array_equal(first.xy, moved.xy, equal_nan=True):
            twice.append(moved)
    if len(twice) > len(labels.duplicates):
        more = counted(len(twice) - len(labels.duplicates), "frame")
        notices.append(f"{more} labelled twice, in two entries of one video; both are kept, for you to decide.")
    return dataclasses.replace(
        labels, videos=tuple(videos.values()), annotations=tuple(kept.values()), duplicates=tuple(twice)
    )
