"""Whether extracted images show the frames of the video that their names say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameSource
from napari_al_pose.domain.file_names import STACK_SUFFIXES, numbered_images
from napari_al_pose.domain.image_placement import Place
from napari_al_pose.project.pictures import Noted, stamp
from napari_al_pose.project.videos import ProjectVideo

logger = logging.getLogger(__name__)

SAMPLED = 8
"""Images of a video that are compared when a project opens; all are where one of them shows something else."""
NEAR = 300
"""Frames before and after its own among which the one that an image shows is looked for, in long videos."""
SHORT = 3_000
"""Videos with so many frames are looked through from end to end."""
_SHIFTED = 5
"""Images that say by how much they are shifted."""
_FITS = 4.0
_CLEARLY_BETTER = 3.0
_AROUND = (-1, 1, -2, 2, -3, 3)

Steps = Generator[tuple[str, int, int], None, "Compared"]
"""Yields what is being done, how much is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of comparing a video's images with its frames.

    Parameters
    ----------
    video : str
    noted : Noted
        To be stored by `ProjectFolder.take_compared`.
    differing : int
        Images that show something other than the frame of their number.
    compared : int
        Images that were compared.
    """

    video: str
    noted: Noted
    differing: int
    compared: int


def is_to_compare(video: ProjectVideo, noted: Noted) -> bool:
    """Return whether too few of a video's images were compared with it so far."""
    if video.path is None or video.images is None or video.path.suffix.lower() in STACK_SUFFIXES:
        return False
    return _n_known(video, noted) < min(SAMPLED, len(_images(video)))


def compare_video(
    video: ProjectVideo,
    noted: Noted,
    *,
    every: bool = False,
    whole_video: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Steps:
    """Compare a video's extracted images with its frames, by content.

    Parameters
    ----------
    video : ProjectVideo
        With a file and with images.
    noted : Noted
        What is known of them.
    every : bool
        Compare all images, not just some.
    whole_video : bool
        If images are shifted, search for their frames through a long video too.
    cancelled : callable
        Called now and then.

    Raises
    ------
    AlPoseError
        If the video can't be opened.
    """
    from napari_al_pose.video import open_source

    images = _images(video)
    known = dict(noted.compared)
    with closing(open_source(video.file, name=video.name)) as source:
        there = {number: path for number, path in images.items() if number < len(source)}
        sample = sorted(there) if every else _spread(sorted(there), SAMPLED)
        compared = yield from _compare(video, source, there, sample, known, cancelled)
        if not every and any(compared.values()):
            compared = yield from _compare(video, source, there, sorted(there), known, cancelled)
        shifted = [number for number, differs in compared.items() if differs]
        shift = None
        if shifted and not cancelled():
            shift = yield from _find_shift(
                video, source, {n: there[n] for n in _spread(shifted, _SHIFTED)}, whole_video, cancelled
            )
    noted = noted.model_copy(update={"compared": known, "shift": shift})
    return Compared(video.name, noted, len(shifted), len(compared))


def _images(video: ProjectVideo) -> dict[int, Path]:
    """Return the images that are of the size of their part of the frame: others are known to differ."""
    from napari_al_pose.formats.deeplabcut import image_names

    if video.images is None:
        return {}
    numbers = numbered_images(image_names(video.images))[0]
    of_size = {number: name for number, name in numbers.items() if video.pictures.place(name).scale == 1.0}
    return {number: video.images / name for number, name in of_size.items()}


def _n_known(video: ProjectVideo, noted: Noted) -> int:
    return sum(stamp(path) in noted.compared for path in _images(video).values())


def _compare(
    video: ProjectVideo,
    source: FrameSource,
    images: Mapping[int, Path],
    numbers: Sequence[int],
    known: dict[str, bool],
    cancelled: Callable[[], bool],
) -> Generator[tuple[str, int, int], None, dict[int, bool]]:
    """Compare some images that were not compared yet, and record the results in ``known``."""
    from napari_al_pose.video.comparing import is_other_picture

    found: dict[int, bool] = {}
    for done, number in enumerate(numbers):
        if cancelled():
            break
        path = images[number]
        if (mark := stamp(path)) not in known:
            yield f"Comparing images of {video.name}", done, len(numbers)
            image = _read(path)
            if image is None:
                continue
            place = video.pictures.place(path.name)
            frame = _cut(source[source.position(number)], image, place)
            if image.shape != frame.shape:
                continue  # of another size: shown instead of the frame anyway
            around = (number + step for step in _AROUND if 0 <= number + step < len(source))
            known[mark] = is_other_picture(image, frame, (_cut(source[at], image, place) for at in around))
        found[number] = known[mark]
    return found


def _find_shift(
    video: ProjectVideo,
    source: FrameSource,
    images: Mapping[int, Path],
    whole_video: bool,
    cancelled: Callable[[], bool],
) -> Generator[tuple[str, int, int], None, int | None]:
    """Return by how many frames images are shifted from the frames they show; None if nothing fits."""
    from napari_al_pose.video.comparing import difference_of_reduced, reduced

    n_frames = len(source)
    reach = n_frames if whole_video or n_frames <= SHORT else NEAR
    read = {number: image for number, path in images.items() if (image := _read(path)) is not None}
    small = {number: reduced(image) for number, image in read.items()}
    wanted = sorted({at for n in small for at in range(max(0, n - reach), min(n_frames, n + reach + 1))})
    apart: dict[int, dict[int, float]] = {number: {} for number in small}
    for done, at in enumerate(wanted):
        if cancelled():
            return None
        yield f"Looking for the frames that images of {video.name} show", done, len(wanted)
        frame = source[at]
        for number, of_image in small.items():
            if abs(at - number) <= reach:
                cut = _cut(frame, read[number], video.pictures.place(images[number].name))
                apart[number][at - number] = difference_of_reduced(of_image, reduced(cut))
    shifts = set[int]().union(*(by_shift for by_shift in apart.values()))
    enough = max(1, (len(small) + 1) // 2)
    means = {
        shift: float(np.mean(values))
        for shift in shifts
        if len(values := [by[shift] for by in apart.values() if shift in by]) >= enough
    }
    best = min(means, key=means.__getitem__, default=0)
    fits = best != 0 and means[best] <= _FITS and means[best] * _CLEARLY_BETTER < means.get(0, np.inf)
    return best if fits else None


def _cut(frame: NDArray[np.uint8], image: NDArray[np.uint8], place: Place) -> NDArray[np.uint8]:
    x, y = int(place.x), int(place.y)
    return frame[y : y + image.shape[0], x : x + image.shape[1]]


def _read(path: Path) -> NDArray[np.uint8] | None:
    from napari_al_pose.video.image_folder import read_image

    try:
        return read_image(path)
    except AlPoseError as error:
        logger.warning("%s", error)
        return None


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """Return ``count`` of the numbers, spread over all of them."""
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [numbers[i] for i in dict.fromkeys(places.tolist())]
