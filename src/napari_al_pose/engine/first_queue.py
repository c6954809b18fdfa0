"""The first frames to label, within seconds: a coarse pool that `engine.ranking` refines once torch is there.

A project without a model and without a queue has nothing to show until image features of hundreds of frames are
computed. So some dozens of frames near keyframes, which decode quickly, are told apart as small grey pictures, as
DeepLabCut's own extraction of frames does (Nath et al., "Using DeepLabCut for 3D markerless pose estimation", Nature
Protocols 2019). Nothing here imports torch or scikit-learn: that takes longer than the work.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import round_robin
from napari_al_pose.acquisition.duplicate_frames import drop_duplicate_frames, small_picture
from napari_al_pose.acquisition.ordering import video_order
from napari_al_pose.acquisition.pool import is_blank, near_keyframes
from napari_al_pose.acquisition.quotas import allocate
from napari_al_pose.acquisition.spacing import Spacing, take_spaced
from napari_al_pose.acquisition.strategies.kcenter import farthest_first
from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource, Suggestion
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.engine.messages import Progress, Ranked
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.sources import CACHE_BYTES, read_batches
from napari_al_pose.project import Project
from napari_al_pose.project.region import in_region, region_of

log = logging.getLogger(__name__)

FRAMES = 60
"""Frames looked at."""
VIDEOS = 12
"""Videos they are taken from, at most: opening one takes a tenth of a second and more."""
DECODED_PIXELS = 160 * 10**6
"""Pixels decoded in all, about: 520 frames of 640 x 480, a second and a half on one core."""
STAGE = "Looking through the videos"
DIVERSE = "diverse"
SENTENCE = "Chosen from a first look at the videos; no model needed."
_COARSE = 6
"""Cells of a small picture that are put together: an animal more is seen than the noise of each."""


def needs_first_queue(project: Project) -> bool:
    """Whether there is nothing yet that could be shown while the queue is ranked."""
    return not project.models.versions() and not project.queue.load().suggestions


def first_queue(project: Project, job: int) -> Generator[Progress | Ranked, None, None]:
    """Choose frames that look different from each other, the most typical one first.

    Yields
    ------
    Progress or Ranked
        No `Ranked` where there is nothing to suggest. It is not stored: `engine.ranking` puts another in its place.
    """
    yield Progress(job, STAGE, 0, FRAMES, -1.0)
    labelled = project.labels.labelled_keys()
    names = video_order((video.name for video in project.videos), len(labelled))[:VIDEOS]
    keys: list[FrameKey] = []
    pictures: list[NDArray[np.uint8]] = []
    fps: dict[str, float] = {}
    reporter = ProgressReporter(job, STAGE, FRAMES)
    for source, share in _opened(project, names):
        fps[source.name] = source.fps
        for key, picture in _looked_at(source, share, {key.frame for key in labelled if key.video == source.name}):
            keys.append(key)
            pictures.append(picture)
            yield from reporter.report(min(len(keys), FRAMES - 1))
    rows = choose_by_pictures(keys, pictures, project.settings, fps=fps, labelled=labelled)
    log.info("first queue: %s of %s frames of %s videos", len(rows), len(keys), len(fps))
    yield Progress(job, "Loading the network", 0, 1, -1.0)  # what the caller does next
    if rows:
        suggestions = (Suggestion(keys[row], math.nan, DIVERSE, sentence=SENTENCE) for row in rows)
        yield Ranked(job, project.settings.strategy, 0, tuple(suggestions), ())


def choose_by_pictures(
    keys: Sequence[FrameKey],
    pictures: Sequence[NDArray[np.uint8]],
    settings: LoopSettings,
    *,
    fps: dict[str, float],
    labelled: Sequence[FrameKey],
) -> list[int]:
    """Return the rows of a first queue, in the order in which to label them.

    Of each video the most usual picture, then always the one that is least like those before it; videos take turns.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The frames looked at.
    pictures : sequence of uint8 array, (HEIGHT, WIDTH)
        `small_picture` of each.
    settings : LoopSettings
        Say how many.
    fps : dict of str to float
        Frames per second of each video.
    labelled : sequence of FrameKey
        Frames not to come near to in time.
    """
    if not keys:
        return []
    kept = drop_duplicate_frames(keys, np.stack(pictures))
    cells = _cells(np.stack(pictures))
    chosen: list[int] = []
    video_of = np.zeros(len(keys), np.int64)
    for number, name in enumerate(fps):
        own = np.array([row for row in kept.tolist() if keys[row].video == name], np.int64)
        if not len(own):
            continue
        usual = np.linalg.norm(cells[own] - np.median(cells[own], axis=0), axis=1)
        start = int(np.argmin(usual))
        apart = np.linalg.norm(cells[own] - cells[own[start]], axis=1)
        apart[start] = np.inf
        order = own[farthest_first(cells[own], apart, len(own))[0]].tolist()
        chosen += take_spaced(keys, order, settings.batch_size, spacing=Spacing(labelled, fps), others=order)
        video_of[own] = number
    return round_robin(chosen, video_of)[: settings.batch_size]


def _cells(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return coarse grey pictures as rows, each without its mean brightness."""
    n, height, width = pictures.shape
    cells = pictures.reshape(n, height // _COARSE, _COARSE, width // _COARSE, _COARSE).mean(axis=(2, 4))
    rows = cells.reshape(n, -1)
    return rows - np.median(rows, axis=1, keepdims=True)


def _opened(project: Project, names: Sequence[str]) -> Iterator[tuple[FrameSource, int]]:
    """Open one video after the other, and say how many of its frames to look at; those that don't open are left out."""
    videos = {video.name: video for video in project.videos}
    shares = allocate(FRAMES, [1.0] * len(names), [FRAMES] * len(names)).tolist()
    for name, share in zip(names, shares, strict=True):
        try:
            source = videos[name].open(cache_bytes=CACHE_BYTES)
        except AlPoseError as error:
            log.warning("%s", error)  # the ranking says so
            continue
        try:
            yield in_region(source, region_of(project, videos[name], source)), share
        finally:
            source.close()


def _looked_at(source: FrameSource, share: int, taken: set[int]) -> Iterator[tuple[FrameKey, NDArray[np.uint8]]]:
    """Yield frames near keyframes with their small pictures, without those that show nothing."""
    pixels = source.shape[1] * source.shape[2] * FRAMES / share
    positions = near_keyframes(source, share, decoded=max(share, int(DECODED_PIXELS / pixels)))
    keys = [FrameKey(source.name, source.number(position)) for position in positions]
    keys = [key for key in keys if key.frame not in taken]
    for batch in read_batches(keys, {source.name: source}, batch_size=8):
        for index, frame, is_whole in zip(batch.indices, batch.frames, batch.whole, strict=True):
            if is_whole and not is_blank(frame[::2, ::2]):
                yield keys[index], small_picture(frame)
