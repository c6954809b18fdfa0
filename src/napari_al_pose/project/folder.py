"""A project folder: its videos, settings and animals, and what the user should know about it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, AlPoseError, FrameKey, Prediction, Skeleton
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.formats.deeplabcut import (
    Crop,
    DeepLabCutConfig,
    add_individual,
    add_video_set,
    read_config,
)
from napari_al_pose.formats.names import is_safe_name, plain
from napari_al_pose.project.create import place_video
from napari_al_pose.project.identity import is_same_video
from napari_al_pose.project.known_videos import KnownVideos
from napari_al_pose.project.label_checks import CheckStore
from napari_al_pose.project.label_files import LabelFiles, Writer
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.lock import ProjectLock
from napari_al_pose.project.models import ModelStore, PoolPredictions, QueueStore, RoundStore
from napari_al_pose.project.picture_check import Compared, is_to_compare
from napari_al_pose.project.pictures import Noted, PictureNotes, frame_size, look_at_pictures
from napari_al_pose.project.video_predictions import VideoPredictions
from napari_al_pose.project.videos import ProjectVideo, find_videos, image_size

logger = logging.getLogger(__name__)


class ProjectFolder:
    """The lowest layer of a `Project`; see there."""

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
        self.unseen = PoolPredictions(folder / "unseen")
        self.checks = CheckStore(folder / "checks.json")
        self.video_predictions = VideoPredictions(folder / "predictions")
        self.rounds = RoundStore(folder / "rounds.json")
        self.queue = QueueStore(folder / "queue.json")
        self._lock = lock
        if lock is not None:
            labels.ask_before_writing(lock.refuse_if_taken)
        self._notices: list[str] = []
        self._exporting = threading.Lock()
        self.writer: Writer = LabelFiles()
        self._known_videos = KnownVideos(folder / "videos.json")
        self._picture_notes = PictureNotes(folder / "pictures.json")
        self._videos: list[ProjectVideo] = []
        self._find_videos()
        self._settings_path = folder / "settings.json"
        self._settings = self._load_settings()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the label store and release the lock."""
        self.labels.close()
        if self._lock is not None:
            self._lock.release()

    # ---- what it is -------------------------------------------------------------------------------

    @property
    def scorer(self) -> str:
        """The annotator, as in the names of DeepLabCut's files."""
        return self.config.scorer

    @property
    def read_only(self) -> bool:
        """Whether labels, settings and ``config.yaml`` must not be changed."""
        return self._lock is None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about the project, in the order it was noticed."""
        return tuple(self._notices)

    def notice(self, *sentences: str) -> None:
        """Add messages to `notices`, each only once."""
        for sentence in sentences:
            if sentence not in self._notices:
                logger.info("%s", sentence)
                self._notices.append(sentence)

    @property
    def videos(self) -> tuple[ProjectVideo, ...]:
        """The videos that can be opened. Labels of a missing video stay in `labels`."""
        return tuple(self._videos)

    def video(self, name: str) -> ProjectVideo:
        """Return a video by name; raise AlPoseError if the project has no such video."""
        for video in self._videos:
            if video.name == plain(name):
                return video
        raise AlPoseError(
            f"The project {self.root} has no video {name!r}.", "Copy it into the project's 'videos' folder."
        )

    # ---- settings and videos ----------------------------------------------------------------------

    @property
    def settings(self) -> LoopSettings:
        """The settings of the loop."""
        return self._settings

    def save_settings(self, settings: LoopSettings) -> None:
        """Store settings with the project.

        Raises
        ------
        AlPoseError
            If the project is read-only or the file can't be written.
        """
        self._refuse_if_read_only()
        write_text(self._settings_path, settings.model_dump_json(indent=1))
        self._settings = settings

    def add_videos(self, paths: Sequence[Path], copy: bool = False, *, name: str = "") -> None:
        """Add videos: link (or copy) them into ``videos/`` and list them in ``config.yaml``.

        ``name`` is the name of a single video in the project, by default its own.

        Raises
        ------
        AlPoseError
            If the project is read-only, a file is not a video, or a name is taken. Videos before it are added.
        """
        self._refuse_if_read_only()
        for path in paths:
            taken = [video.name for video in self._videos if video.has_video]
            entry = place_video(Path(path), self.root / "videos", taken=taken, copy=copy, name=name)
            same = next((v.name for v in self._videos if v.path is not None and is_same_video(v.path, Path(path))), "")
            self._add_video_set(entry.path, entry.crop)
            if same:
                self.notice(f"{path} is the same video as {same}, which the project has already: label one of the two.")

    def add_image_folders(self, names: Iterable[str]) -> None:
        """List image sets in ``labeled-data/<name>`` in ``config.yaml``: DeepLabCut ignores all others.

        Raises
        ------
        AlPoseError
            If the project is read-only or ``config.yaml`` can't be written.
        """
        self._refuse_if_read_only()
        for name in names:
            width, height = image_size(self.root / "labeled-data" / name) or (0, 0)
            self._add_video_set(str(self.root / "labeled-data" / name), (0, width, 0, height))

    def _add_video_set(self, path: str, crop: Crop | None) -> None:
        add_video_set(self.config_path, path, crop)
        self.config = read_config(self.config_path)
        self._find_videos()

    def _find_videos(self) -> None:
        found, notices = find_videos(self.root, self.config.video_sets, self._known_videos)
        self.notice(*notices)
        self._videos = [self._with_pictures(video) for video in found]
        files = {video.name: video.path for video in self._videos if video.path is not None}
        for name in self._known_videos.replaced(files):
            self._take_note_of_replaced(name, files[name])
        if not self.read_only:
            self._known_videos.remember(files)

    def videos_to_compare(self) -> list[ProjectVideo]:
        """Return the videos of which too few extracted images were compared with their frames."""
        return [video for video in self._videos if is_to_compare(video, self.noted_of(video))]

    def noted_of(self, video: ProjectVideo) -> Noted:
        """Return what is known of a video's extracted images."""
        return self._picture_notes.of(video.name)

    def take_compared(self, compared: Compared) -> None:
        """Store the results of comparing images with frames, and show differing images instead of frames."""
        self._picture_notes.note(compared.video, compared.noted, keep=not self.read_only)
        self._videos = [self._with_pictures(v) if v.name == compared.video else v for v in self._videos]

    def _with_pictures(self, video: ProjectVideo) -> ProjectVideo:
        """Return a video with the placement of its extracted images."""
        if video.images is None:
            return video
        noted = self._picture_notes.of(video.name)
        if video.path is not None and (noted.frame_size is None or noted.footage != video.footage):
            noted = Noted(footage=video.footage, frame_size=frame_size(video.path))
            self._picture_notes.note(video.name, noted, keep=not self.read_only)
        pictures, told = look_at_pictures(
            video.images,
            frame_size=noted.frame_size,
            crop=video.crop,
            differing=noted.differing(video.images),
            shift=noted.shift,
        )
        if video.has_video:
            self.notice(*told)
        return replace(video, pictures=pictures)

    def _take_note_of_replaced(self, name: str, path: Path) -> None:
        """Drop predictions for another file that had this name before."""
        self.notice(
            f"{path} is not the file it was when this project was last open: it was recorded, encoded or cut again, "
            "or it is another video. Guesses for the old file are dropped; check whether its labels still fit."
        )
        if not self.read_only:
            for stored in (self.predictions, self.unseen):
                stored.forget(name)
            saved = self.queue.load()
            kept = [suggestion for suggestion in saved.suggestions if suggestion.key.video != name]
            if len(kept) < len(saved.suggestions):
                self.queue.save(saved.strategy, saved.model_version, kept)

    def stored_pose(self, version: int, key: FrameKey) -> Prediction | None:
        """Return the pose that model ``version`` (0: another program) stored for a frame of a whole video.

        None if there is none, or it is of other bodyparts or of another file than the project's video of that name.
        """
        footage = next((video.footage for video in self.videos if video.name == key.video), "")
        run = self.video_predictions.find(version, key.video, footage=footage)
        if run is None or run.header.bodyparts != self.skeleton.bodyparts:
            return None
        return run.prediction(key.frame)

    # ---- individuals ------------------------------------------------------------------------------

    @property
    def individuals(self) -> tuple[str, ...]:
        """The animals of a frame; ``(SINGLE_INDIVIDUAL,)`` in a project of a single animal."""
        return self.skeleton.individuals

    def add_individual(self, name: str) -> None:
        """Add an animal to a project of several.

        Raises
        ------
        AlPoseError
            If the project is read-only or of a single animal, the name is taken or not valid, or ``config.yaml`` can't
            be written.
        """
        self._refuse_if_read_only()
        name = name.strip()
        if not is_safe_name(name) or name in (*self.individuals, UNIQUE_INDIVIDUAL):
            raise AlPoseError(f"{name!r} cannot be the name of another individual.", "Choose another name.")
        add_individual(self.config_path, name)
        self.config = read_config(self.config_path)
        self._take_skeleton(replace(self.skeleton, individuals=self.config.individuals))

    def _take_skeleton(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.labels.set_skeleton(skeleton)

    # ---- inside -----------------------------------------------------------------------------------

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
        if self._lock is not None:
            self._lock.refuse_if_taken()
