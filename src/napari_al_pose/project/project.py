"""A project folder: a DeepLabCut project with one extra folder, ``al-pose/``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from pydantic import ValidationError

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, FrameSource, Skeleton
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, edited_skeleton, inverse_edit
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.formats.deeplabcut import (
    UNIQUE_INDIVIDUAL,
    Crop,
    DeepLabCutConfig,
    add_individual,
    add_video_set,
    read_config,
)
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.project.backups import LabelVersion
from napari_al_pose.project.collected_data import CollectedData
from napari_al_pose.project.create import place_video
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.lock import ProjectLock
from napari_al_pose.project.models import ModelStore, PoolPredictions, QueueStore, RoundStore
from napari_al_pose.project.skeleton_change import drop_predictions, is_due, write_config, write_files
from napari_al_pose.project.video_predictions import VideoPredictions
from napari_al_pose.project.videos import ProjectVideo, find_videos, image_size

logger = logging.getLogger(__name__)

LARGEST_HOLDOUT = 30
FEWEST_FOR_HOLDOUT = 20


class Project:
    """An open project. Made by `open_project`; close it, or use it as a context manager.

    One process at a time has it open for writing (labels, settings, ``config.yaml``). Models, predictions, rounds
    and the queue are written by the engine on behalf of whoever holds the lock, and do not ask for it.

    Attributes
    ----------
    root, config_path : Path
        The folder and its ``config.yaml``.
    config : DeepLabCutConfig
    skeleton : Skeleton
    labels : LabelStore
    models : ModelStore
    predictions : PoolPredictions
    video_predictions : VideoPredictions
    rounds : RoundStore
    queue : QueueStore
    lock_holder : str
        Who else has it open for writing; "" if nobody.
    """

    def __init__(
        self,
        config: DeepLabCutConfig,
        skeleton: Skeleton,
        labels: LabelStore,
        *,
        lock: ProjectLock | None,
        lock_holder: str = "",
    ) -> None:
        self.root = config.path.parent
        self.config_path = config.path
        self.config = config
        self.skeleton = skeleton
        self.labels = labels
        self.lock_holder = lock_holder
        folder = self.root / "al-pose"
        self.models = ModelStore(folder / "models")
        self.predictions = PoolPredictions(folder / "predictions")
        self.video_predictions = VideoPredictions(folder / "predictions")
        self.rounds = RoundStore(folder / "rounds.json")
        self.queue = QueueStore(folder / "queue.json")
        self._lock = lock
        self._notices: list[str] = []
        self._exporting = threading.Lock()
        self._videos, missing = find_videos(self.root, config.video_sets)
        self._settings_path = folder / "settings.json"
        self.notice(*missing)
        self._settings = self._load_settings()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the label store and give back the lock."""
        self.labels.close()
        if self._lock is not None:
            self._lock.release()

    # ---- what it is -------------------------------------------------------------------------------

    @property
    def scorer(self) -> str:
        """Who labels, as in the names of DeepLabCut's files."""
        return self.config.scorer

    @property
    def read_only(self) -> bool:
        """Whether labels, settings and ``config.yaml`` may not be changed."""
        return self._lock is None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about the project, in the order it was noticed."""
        return tuple(self._notices)

    def notice(self, *sentences: str) -> None:
        """Add to `notices` what is not there yet."""
        for sentence in sentences:
            if sentence not in self._notices:
                logger.info("%s", sentence)
                self._notices.append(sentence)

    @property
    def videos(self) -> tuple[ProjectVideo, ...]:
        """The videos that can be opened. Labels of a missing video stay in `labels`."""
        return tuple(self._videos)

    def video(self, name: str) -> ProjectVideo:
        """Return a video by name; AlPoseError if the project has no such video."""
        for video in self._videos:
            if video.name == name:
                return video
        raise AlPoseError(
            f"The project {self.root} has no video {name!r}.", "Copy it into the project's 'videos' folder."
        )

    # ---- settings and videos ----------------------------------------------------------------------

    @property
    def settings(self) -> LoopSettings:
        """How the loop chooses frames and when it learns."""
        return self._settings

    def save_settings(self, settings: LoopSettings) -> None:
        """Keep settings with the project.

        Raises
        ------
        AlPoseError
            If the project is read-only or the file cannot be written.
        """
        self._refuse_if_read_only()
        write_text(self._settings_path, settings.model_dump_json(indent=1))
        self._settings = settings

    def add_videos(self, paths: Sequence[Path], copy: bool = False, *, name: str = "") -> None:
        """Add videos: link (or copy) them into ``videos/`` and name them in ``config.yaml``.

        ``name`` is what a single video is called in the project, its own name by default.

        Raises
        ------
        AlPoseError
            If the project is read-only, a file is no video, or a name is taken. Videos before that one are added.
        """
        self._refuse_if_read_only()
        for path in paths:
            taken = [video.name for video in self._videos if video.has_video]
            entry = place_video(Path(path), self.root / "videos", taken=taken, copy=copy, name=name)
            self._add_video_set(entry.path, entry.crop)

    def add_image_folders(self, names: Iterable[str]) -> None:
        """Name sets of images in ``labeled-data/<name>`` in ``config.yaml``: DeepLabCut passes over all others.

        Raises
        ------
        AlPoseError
            If the project is read-only or ``config.yaml`` cannot be written.
        """
        self._refuse_if_read_only()
        for name in names:
            width, height = image_size(self.root / "labeled-data" / name) or (0, 0)
            self._add_video_set(str(self.root / "labeled-data" / name), (0, width, 0, height))

    def _add_video_set(self, path: str, crop: Crop | None) -> None:
        add_video_set(self.config_path, path, crop)
        self.config = read_config(self.config_path)
        self._videos, missing = find_videos(self.root, self.config.video_sets)
        self.notice(*missing)

    # ---- bodyparts and individuals ----------------------------------------------------------------

    @property
    def individuals(self) -> tuple[str, ...]:
        """The animals of a frame; ``(SINGLE_INDIVIDUAL,)`` in a project of a single animal."""
        return self.skeleton.individuals

    def edit_skeleton(self, edit: SkeletonEdit) -> SkeletonEdit:
        """Rename, add, reorder or remove bodyparts, and change the lines between them.

        Labels stay: those of a renamed bodypart go on under its new name, those of a removed one are kept out of
        sight until one of that name is added again. The labels, ``config.yaml`` and the columns of CollectedData
        change together; if the program is cut short in between, opening the project brings the change to its end.
        Guesses of older models are dropped. Slow: it reads and writes all files of labels.

        Parameters
        ----------
        edit : SkeletonEdit
            All bodyparts and lines as they shall be.

        Returns
        -------
        SkeletonEdit
            What takes this back.

        Raises
        ------
        AlPoseError
            If the project is read-only, the edit is impossible, or a file cannot be read or written; nothing was
            changed then.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._finish_skeleton_change()
            before = self.skeleton
            after = edited_skeleton(before, edit, archived=self.labels.unknown_bodyparts())
            if after != before or any(old != new for old, new in edit.renamed):
                self.merge_labels()
                self._export(self._videos_with_labels(), {})
                self._begin_skeleton_change(before, edit)
                try:
                    self._finish_skeleton_change()
                    self._export(self._videos_with_labels(), {})
                except AlPoseError as error:
                    self.notice(f"{error} The bodyparts are changed; the files of labels follow when they can.")
        return inverse_edit(before, edit)

    def add_individual(self, name: str) -> None:
        """Add an animal to a project of several.

        Raises
        ------
        AlPoseError
            If the project is read-only or of a single animal, the name is taken or will not do, or ``config.yaml``
            cannot be written.
        """
        self._refuse_if_read_only()
        name = name.strip()
        if not is_safe_name(name) or name in (*self.individuals, UNIQUE_INDIVIDUAL):
            raise AlPoseError(f"{name!r} cannot be the name of another individual.", "Choose a name of its own.")
        add_individual(self.config_path, name)
        self.config = read_config(self.config_path)
        self._take_skeleton(replace(self.skeleton, individuals=self.config.individuals))

    def take_up_skeleton_change(self) -> None:
        """Bring a change of the bodyparts to its end that was cut short; nothing if there is none.

        Raises
        ------
        AlPoseError
            If a file cannot be read or written.
        """
        change = self.labels.skeletons.unfinished()
        if change is None:
            return
        if not is_due(change, self.config):
            if not self.read_only:
                self.labels.skeletons.finish(change)  # somebody wrote other bodyparts into config.yaml since
            return
        if not self.read_only:
            write_config(self.config_path, change)
            self.config = read_config(self.config_path)
        self._take_skeleton(Skeleton(change.edit.bodyparts, change.edit.links, self.individuals))
        if not self.read_only:
            self._finish_skeleton_change()

    def _begin_skeleton_change(self, before: Skeleton, edit: SkeletonEdit) -> None:
        skeletons = self.labels.skeletons
        files = {name: self._collected_data(name).h5_state() for name in self._labelled_folders()}
        with self.labels.exchange.exclusive():
            change = skeletons.begin(before, edit, files)
            try:
                write_config(self.config_path, change)
            except AlPoseError:
                skeletons.abandon(change)
                raise
            self.config = read_config(self.config_path)
            self._take_skeleton(Skeleton(edit.bodyparts, edit.links, before.individuals))

    def _finish_skeleton_change(self) -> None:
        change = self.labels.skeletons.unfinished()
        if change is not None:
            write_files(change, map(self._collected_data, self._labelled_folders()), self.labels)
            drop_predictions(change, self.predictions, self.queue)
            self.labels.skeletons.finish(change)

    def _take_skeleton(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.labels.set_skeleton(skeleton)

    # ---- labels -----------------------------------------------------------------------------------

    def merge_labels(self) -> None:
        """Take in what other programs changed in CollectedData since it was last read or written.

        Raises
        ------
        AlPoseError
            If a file cannot be read; the message names it.
        """
        for name in self._labelled_folders():
            self.notice(*self._collected_data(name).merge_into(self.labels))

    def check_labels(self) -> None:
        """Add a notice for each video whose CollectedData holds changes that a read-only project cannot take in."""
        for name in self._labelled_folders():
            data = self._collected_data(name)
            if data.differs_from(self.labels):
                self.notice(
                    f"{data.folder} holds labels by another program that are not shown: the folder is read-only."
                )

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
            If the project is read-only, or a file cannot be read or written.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._finish_skeleton_change()
            self._export(self._videos_with_labels() if videos is None else set(videos), sources or {})

    def label_versions(self, video: str) -> list[LabelVersion]:
        """Return the earlier versions of the DeepLabCut files of a video that are kept, oldest first."""
        return self._collected_data(video).backups.versions()

    def restore_labels(self, video: str, number: int) -> None:
        """Bring the labels of an earlier version of the files back, as one action that can be undone.

        Labels that version does not have stay as they are.

        Raises
        ------
        AlPoseError
            If the project is read-only, there is no such version, or a file cannot be read or written.
        """
        self._refuse_if_read_only()
        with self._exporting:
            self._collected_data(video).restore(number, self.labels)
            self._export([video], {})

    def ensure_holdout(self, share: float, seed: int) -> int:
        """Set aside complete frames to measure on, if none are yet and there are at least 20.

        Parameters
        ----------
        share : float
            Part of the complete frames, at most 30 frames.
        seed : int
            The same labels and seed give the same frames.

        Returns
        -------
        int
            How many were marked now. A frame is never un-marked.
        """
        complete = self.labels.complete_keys()
        if self.labels.holdout_keys() or len(complete) < FEWEST_FOR_HOLDOUT:
            return 0
        count = min(round(share * len(complete)), LARGEST_HOLDOUT)
        chosen = _stratified(complete, count, np.random.default_rng(seed))
        self.labels.set_roles(dict.fromkeys(chosen, FrameRole.HOLDOUT), provenance="random")
        return len(chosen)

    # ---- inside -----------------------------------------------------------------------------------

    def _export(self, videos: Iterable[str], sources: Mapping[str, FrameSource]) -> None:
        for name in sorted(videos):
            self.notice(*self._collected_data(name).export(self.labels, sources.get(name)))

    def _videos_with_labels(self) -> set[str]:
        return {*self._labelled_folders(), *self.labels.exchange.videos()}

    def _collected_data(self, name: str) -> CollectedData:
        video = next((video for video in self._videos if video.name == name), None)
        folder = self.root / "labeled-data" / name
        return CollectedData(folder, video, self.scorer, self.skeleton, self.config.unique_bodyparts)

    def _labelled_folders(self) -> list[str]:
        folder = self.root / "labeled-data"
        if not folder.is_dir():
            return []
        with_labels = (path for path in folder.iterdir() if any(path.glob("CollectedData_*.*")))
        return sorted(path.name for path in with_labels if is_safe_name(path.name) and not path.name.startswith("."))

    def _load_settings(self) -> LoopSettings:
        try:
            return LoopSettings.model_validate_json(self._settings_path.read_bytes())
        except FileNotFoundError:
            return LoopSettings.model_validate({})
        except (OSError, ValidationError):
            self.notice(f"{self._settings_path} could not be read; the default settings are used.")
            return LoopSettings.model_validate({})

    def _refuse_if_read_only(self) -> None:
        if self.read_only:
            why = f"it is open in another window: {self.lock_holder}" if self.lock_holder else "it is open read-only"
            raise AlPoseError(
                f"The project {self.root} cannot be changed: {why}.",
                "Close the other window, or copy the project to a folder you may write to, and open it again.",
            )


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
