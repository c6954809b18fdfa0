"""The images of labelled frames that lie beside their labels, named and cropped as in DeepLabCut."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameSource
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.image_placement import WHOLE
from napari_al_pose.domain.wording import first_few
from napari_al_pose.formats.atomic import make_folder, replacing
from napari_al_pose.formats.deeplabcut import image_name, image_names
from napari_al_pose.project.videos import ProjectVideo

logger = logging.getLogger(__name__)

_PNG_LEVEL = 3
"""Makes files of video frames a tenth larger than the usual level does, in half of the time."""


class ExtractedImages:
    """Extracts images of labelled frames.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``.
    video : ProjectVideo or None
        None if there is neither the video nor images.
    source : FrameSource or None
        Provides the images; if None, the video is opened when an image is missing.
    rows : sequence of str
        Image names in the table.
    present : mapping of int to str, optional
        The existing images of the frames asked for, if known already.
    images : sequence of str, optional
        All existing images, if they were listed already.
    """

    def __init__(
        self,
        folder: Path,
        video: ProjectVideo | None,
        source: FrameSource | None,
        rows: Sequence[str],
        *,
        present: Mapping[int, str] | None = None,
        images: Sequence[str] | None = None,
    ) -> None:
        self._folder = folder
        self._video = video
        self._rows = rows
        self._source = source
        self._opened: FrameSource | None = None
        self._missing: list[int] = []
        self._known, self._images = present, images

    def notices(self) -> list[str]:
        """Return messages about the images that could not be made."""
        if not self._missing:
            return []
        frames = shown_frames(self._missing)
        return [f"{self._folder}: no video has {frames}; their labels were written without images."]

    def close(self) -> None:
        """Close the video if it was opened here."""
        if self._opened is not None:
            self._opened.close()

    def extract(self, number: int, name: str | None) -> str:
        """Return the image name of a frame, ``name`` if given; make the image if it is missing and can be made."""
        folder = self._folder
        if name is not None and name in self._names:
            return name
        if name is None and number in self._present:
            return self._present[number]
        source = self._open()
        n_frames = len(source) if source is not None else number + 1
        name = name or image_name(folder, number, n_frames, rows=self._rows, images=self._images)
        pixels = self._pixels(number)
        if pixels is None:
            self._missing.append(number)
        else:
            self._write(pixels, folder / name)
        return name

    @cached_property
    def _names(self) -> frozenset[str]:
        """The folder's content, listed once: tens of thousands of images may be looked up."""
        return frozenset(os.listdir(self._folder)) if self._folder.is_dir() else frozenset()

    @cached_property
    def _present(self) -> Mapping[int, str]:
        """The existing images by frame number."""
        return self._known if self._known is not None else numbered_images(image_names(self._folder))[0]

    def _pixels(self, number: int) -> NDArray[np.uint8] | None:
        """Return a frame; None if no video has it, or it can't be read any more."""
        source = self._open()
        try:
            return None if source is None else source[source.position(number)]
        except KeyError:
            return None
        except AlPoseError as error:
            logger.warning("no image of frame %s: %s", number, error)
            return None

    def _open(self) -> FrameSource | None:
        video = self._video
        if self._source is None and video is not None and video.has_video:
            try:
                self._source = self._opened = video.open()
            except AlPoseError as error:
                logger.warning("no images of %s: %s", video.name, error)
                self._video = replace(video, path=None)
        return self._source

    def _write(self, pixels: NDArray[np.uint8], path: Path) -> None:
        from PIL import Image

        video = self._video
        if video is not None and video.crop is not None and video.pictures.default != WHOLE:
            x1, x2, y1, y2 = video.crop
            pixels = pixels[y1:y2, x1:x2]
        make_folder(path.parent)
        with replacing(path) as temporary:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, format="PNG", compress_level=_PNG_LEVEL)


def shown_frames(frames: Collection[int]) -> str:
    """Return a few frame numbers for a sentence."""
    return f"frame{'s' if len(frames) > 1 else ''} {first_few([str(frame) for frame in sorted(frames)], 5)}"
