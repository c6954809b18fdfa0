"""Moves a project's labels to DeepLabCut's files and back, and sets hold-out frames aside."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from napari_al_pose.domain import FrameKey, FrameRole, FrameSource
from napari_al_pose.domain.steps import OnProgress, ignore_progress
from napari_al_pose.domain.wording import first_few
from napari_al_pose.formats.deeplabcut_annotations import tables_passed_over
from napari_al_pose.formats.names import is_safe_name, plain
from napari_al_pose.project.backups import LabelVersion
from napari_al_pose.project.collected_data import CollectedData, UnreadableLabelsError
from napari_al_pose.project.folder import ProjectFolder
from napari_al_pose.project.label_files import REMEMBERED, LabelFiles, Writer
from napari_al_pose.project.label_folder import LabelFolder
from napari_al_pose.project.videos import label_folder

LARGEST_HOLDOUT = 30
FEWEST_FOR_HOLDOUT = 20


class LabelledProject(ProjectFolder):
    """The middle layer of a `Project`; see there."""

    def merge_labels(self, on_progress: OnProgress = ignore_progress) -> None:
        """Take in what other programs changed in CollectedData since it was last read or written.

        The notices name a file that can't be read; it stays as it is, and so do the labels of its video.

        Parameters
        ----------
        on_progress : callable, optional
            Called with the number of videos done and of all videos.

        Raises
        ------
        AlPoseError
            If the labels can't be written.
        """
        self.notice(*self._tables_passed_over())
        names = list(self._labelled_folders())
        for done, name in enumerate(names):
            on_progress(done, len(names))
            with self._passing_over_unreadable():
                self.notice(*self._collected_data(name).merge_into(self.labels, look_at_images=True))

    def check_labels(self) -> None:
        """Add a notice for each video whose CollectedData has changes that a read-only project can't take in."""
        self.notice(*self._tables_passed_over())
        for name in self._labelled_folders():
            data = self._collected_data(name)
            with self._passing_over_unreadable():
                if data.differs_from(self.labels):
                    self.notice(
                        f"{data.folder.path} holds labels by another program that are not shown: "
                        "the folder is read-only."
                    )

    @contextmanager
    def _passing_over_unreadable(self) -> Iterator[None]:
        try:
            yield
        except UnreadableLabelsError as error:
            self.notice(f"{error.message} What it holds is not shown, and it is left as it is. {error.hint}")

    def export_labels(
        self, videos: Iterable[str] | None = None, *, sources: Mapping[str, FrameSource] | None = None
    ) -> None:
        """Write complete frames, hold-out ones too, to CollectedData, and extract their images.

        Parameters
        ----------
        videos : iterable of str, optional
            Names; all videos with labels by default.
        sources : mapping of str to FrameSource, optional
            Open videos to take images from; others are opened where an image is missing.

        Raises
        ------
        AlPoseError
            If the project is read-only, or a file can't be read or written. An unreadable file does not prevent other
            videos from being written.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._before_export()
            self._export(self._videos_with_labels() if videos is None else set(videos), sources or {})

    def let_write(self, writer: Writer) -> None:
        """Let ``writer`` write the label files from now on, and prepare it for those that take longest to read."""
        self.writer = writer
        folders = [self._collected_data(name).folder for name in self._labelled_folders()]
        for folder in heapq.nlargest(REMEMBERED, folders, key=_bytes):
            writer.prepare(folder)

    def label_versions(self, video: str) -> list[LabelVersion]:
        """Return the kept earlier versions of a video's DeepLabCut files, oldest first."""
        return self._collected_data(video).folder.backups.versions()

    def restore_labels(self, video: str, number: int) -> None:
        """Restore the labels of an earlier version of the files, as one action that can be undone.

        Labels that the version lacks stay as they are.

        Raises
        ------
        AlPoseError
            If the project is read-only, there is no such version, or a file can't be read or written.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._collected_data(video).restore(number, self.labels)
            self._export([video], {})

    def ensure_holdout(self, share: float, seed: int) -> int:
        """Set complete frames aside to measure on, if there are none yet and at least 20 complete frames.

        Parameters
        ----------
        share : float
            Part of the complete frames, at most 30 frames.
        seed : int
            The same labels and seed give the same frames.

        Returns
        -------
        int
            How many were marked now. No frame is ever unmarked.
        """
        complete = self.labels.complete_keys()
        if self.labels.roles.holdout_keys() or len(complete) < FEWEST_FOR_HOLDOUT:
            return 0
        count = min(round(share * len(complete)), LARGEST_HOLDOUT)
        chosen = _stratified(complete, count, np.random.default_rng(seed))
        self.labels.roles.set_many(dict.fromkeys(chosen, FrameRole.HOLDOUT), provenance="random")
        return len(chosen)

    # ---- inside -----------------------------------------------------------------------------------

    def _before_export(self) -> None:
        """Complete unfinished work before files are written."""

    def _export(self, videos: Iterable[str], sources: Mapping[str, FrameSource]) -> None:
        unreadable: UnreadableLabelsError | None = None
        for name in sorted(videos):
            writer = LabelFiles(sources[name]) if name in sources else self.writer
            try:
                self.notice(*self._collected_data(name).export(self.labels, writer))
            except UnreadableLabelsError as error:
                unreadable = unreadable or error
        if unreadable is not None:  # after the other videos are written
            raise unreadable

    def _videos_with_labels(self) -> set[str]:
        return {*self._labelled_folders(), *self.labels.exchange.videos()}

    def _collected_data(self, name: str) -> CollectedData:
        video = next((video for video in self._videos if video.name == name), None)
        folder = label_folder(self.root, name)
        made_of = (folder, video, self.scorer, self.skeleton)
        if made_of not in self._data:
            self._data[made_of] = CollectedData(LabelFolder(*made_of))
        return self._data[made_of]

    @cached_property
    def _data(self) -> dict[tuple[Any, ...], CollectedData]:
        """Return what was made before: making one searches the images, of which there may be tens of thousands."""
        return {}

    def _labelled_folders(self) -> list[str]:
        folder = self.root / "labeled-data"
        if not folder.is_dir():
            return []
        with_labels = (path for path in folder.iterdir() if any(path.glob("CollectedData_*.*")))
        names = {plain(path.name) for path in with_labels if is_safe_name(path.name)}
        return sorted(name for name in names if not name.startswith("."))

    def _tables_passed_over(self) -> list[str]:
        folder = self.root / "labeled-data"
        folders = sorted(folder.glob("[!.]*/"))
        found = [path for each in folders for path in tables_passed_over(each, scorer=self.scorer)]
        if not found:
            return []
        one = len(found) == 1
        told = first_few([str(path.relative_to(folder)) for path in found])
        message = (
            f"{len(found)} {'file looks' if one else 'files look'} like labels and {'is' if one else 'are'} not read "
            f"({told} in {folder}): labels of {self.scorer} are in CollectedData_{self.scorer}.h5 or .csv. "
            "Rename what should be read, or import it."
        )
        return [message]


def _bytes(folder: LabelFolder) -> int:
    return sum(path.stat().st_size for path in folder.files if path.is_file())


def _stratified(keys: Sequence[FrameKey], count: int, random: np.random.Generator) -> list[FrameKey]:
    """Draw ``count`` keys, from each video in proportion to its frames (largest remainders first)."""
    by_video: dict[str, list[FrameKey]] = {}
    for key in keys:
        by_video.setdefault(key.video, []).append(key)
    ideal = {video: count * len(of_video) / len(keys) for video, of_video in by_video.items()}
    quota = {video: int(share) for video, share in ideal.items()}
    by_remainder = sorted(ideal, key=lambda video: quota[video] - ideal[video])
    for video in by_remainder[: count - sum(quota.values())]:
        quota[video] += 1
    drawn = (random.choice(len(of_video), quota[video], replace=False) for video, of_video in by_video.items())
    return sorted(by_video[video][i] for video, chosen in zip(by_video, drawn, strict=True) for i in chosen)
