"""The folder in which DeepLabCut keeps the labels of a video."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain import Skeleton
from napari_al_pose.domain.file_names import plain
from napari_al_pose.domain.image_placement import WHOLE, Place
from napari_al_pose.formats.deeplabcut import (
    AnnotationTable,
    is_annotation_file,
    read_annotation_file,
    read_annotations,
)
from napari_al_pose.project.backups import LabelBackups
from napari_al_pose.project.videos import ProjectVideo

Signature = tuple[int, int] | None


def signature(path: Path) -> Signature:
    """Return a file's size and time, which change when another program writes it; None if it is not there."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns


def state_of(signatures: Mapping[str, Signature]) -> str:
    """Return signatures by file name as a text to compare and to store."""
    return json.dumps([[name, *found] for name, found in sorted(signatures.items()) if found is not None])


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """Where DeepLabCut keeps the labels of one video, and what its files mean.

    Parameters
    ----------
    path : Path
        ``labeled-data/<video>``; its name is the video's.
    video : ProjectVideo or None
        None if there is neither the video nor images.
    scorer : str
    skeleton : Skeleton
    """

    path: Path
    video: ProjectVideo | None
    scorer: str
    skeleton: Skeleton

    def place(self, image: str) -> Place:
        """Return where an image lies in what is shown: in the video's frame, or at the origin without a video."""
        return self.video.pictures.place(image) if self.video is not None and self.video.has_video else WHOLE

    @property
    def files(self) -> tuple[Path, Path]:
        """The scorer's ``.h5`` and ``.csv``, whether they exist or not."""
        return self.path / f"CollectedData_{self.scorer}.h5", self.path / f"CollectedData_{self.scorer}.csv"

    @property
    def name(self) -> str:
        """The video's name: the folder's, with composed accents."""
        return plain(self.path.name)

    def state(self) -> str:
        """Return the label files with size and time, which change when another program writes one.

        Files of other scorers count only if there is none of `scorer`.
        """
        # Look them up by name if possible: the folder may hold tens of thousands of images.
        names = sorted(path.name for path in self.files if path.is_file())
        if not names and self.path.is_dir():
            names = sorted(name for name in os.listdir(self.path) if is_annotation_file(name))
        return state_of({name: signature(self.path / name) for name in names})

    def read(self) -> AnnotationTable:
        """Read the files; raise AlPoseError if there are some and none can be read."""
        return read_annotations(self.path, scorer=self.scorer, individuals=self.skeleton.individuals)

    def read_file(self, path: Path) -> AnnotationTable:
        """Read one of the files; raise AlPoseError if it can't be read."""
        return read_annotation_file(path, scorer=self.scorer, individuals=self.skeleton.individuals)

    @property
    def backups(self) -> LabelBackups:
        """Earlier versions of the files."""
        return LabelBackups(self.path.parents[1] / "al-pose" / "backups" / self.path.name)

    def keep_version(self, *, ours: bool, for_good: bool = False) -> None:
        """Back up files that are about to be replaced; see `LabelBackups.keep`."""
        self.backups.keep([path for path in self.files if path.is_file()], ours=ours, for_good=for_good)
