"""The labels as DeepLabCut has them: merged from and written to ``labeled-data/<video>/CollectedData``."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, Annotation, FrameSource, Skeleton
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut import (
    AnnotationTable,
    frame_number,
    image_files,
    image_name,
    is_annotation_file,
    read_annotations,
    write_annotations,
)
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.project.label_exchange import ExchangeState
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.merge import SAME_PX, MergePlan, keypoints_of, plan_merge
from napari_al_pose.project.videos import ProjectVideo

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CollectedData:
    """The DeepLabCut labels of one video, and how they relate to the store.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``; its name is the video's.
    video : ProjectVideo or None
        None if neither video nor images are there.
    scorer : str
    skeleton : Skeleton
    """

    folder: Path
    video: ProjectVideo | None
    scorer: str
    skeleton: Skeleton

    @property
    def name(self) -> str:
        """The video's name."""
        return self.folder.name

    @property
    def offset(self) -> tuple[float, float]:
        """What to add to coordinates in the files to have those of the source, in pixels."""
        if self.video is None:
            return (0.0, 0.0)
        image, shown = self.video.image_origin(), self.video.shown_origin()
        return (image[0] - shown[0], image[1] - shown[1])

    def read(self) -> AnnotationTable:
        """Read the files; AlPoseError if there are some and none can be read."""
        return read_annotations(self.folder, scorer=self.scorer, individuals=self.skeleton.individuals)

    def differs_from(self, store: LabelStore) -> bool:
        """Return whether other programs changed something that `merge_into` would take in."""
        if self._is_known(store.exchange.state(self.name)):
            return False
        return not self._plan(self._keypoints(self.read()), store).is_empty

    def merge_into(self, store: LabelStore) -> list[str]:
        """Take in what other programs changed since the files were last written or read.

        Returns
        -------
        list of str
            What the user should know.

        Raises
        ------
        AlPoseError
            If the files cannot be read or the store cannot be written.
        """
        exchange = store.exchange
        notices = self._realign(store)
        state = exchange.state(self.name)
        if self._is_known(state):
            return notices
        files = self._files()
        table = self.read()
        theirs = self._keypoints(table)
        notices += table.notices
        with exchange.exclusive():
            plan = self._plan(theirs, store)
            exchange.merge(
                self.name,
                theirs.items(),
                {"import": plan.new, "merge": plan.changed, "conflict": plan.conflicts},
                source=str(table.path or self.folder),
                # Files with something to tell the user are read, and told of, each time.
                state=ExchangeState(self._settings(), "" if table.notices else files),
            )
        if plan.changed:
            notices.append(f"{table.path}: another program changed {_labels(plan.changed)}; the changes were taken in.")
        if plan.conflicts:
            notices.append(
                f"{table.path}: {_labels(plan.conflicts)} changed both here and in another program. "
                "Your labels were kept; the others are noted in al-pose/labels.sqlite."
            )
        return notices

    def export(self, store: LabelStore, source: FrameSource | None = None) -> list[str]:
        """Write the complete frames of the video and extract their images.

        Frames that other programs labelled and frames that are not complete stay in the files as they are; a frame
        whose labels were all cleared here goes.

        Parameters
        ----------
        store : LabelStore
            Is merged into first, so that nothing another program changed is written over.
        source : FrameSource, optional
            Where images come from; the video is opened if one is missing and this is not given.

        Returns
        -------
        list of str
            What the user should know.

        Raises
        ------
        AlPoseError
            If a file cannot be read or written.
        """
        if not is_safe_name(self.name):
            raise AlPoseError(f"{self.name!r} cannot be a folder name.", "Rename the video.")
        exchange = store.exchange
        notices = self.merge_into(store)
        revision = store.revision
        pending = self._pending(store)
        if pending is not None and not pending:
            return notices
        table = self.read()
        present = table.frames(self.name)
        wanted = self._complete_frames(store.annotations(self.name, pending))
        changed = self._differing(wanted, table, present)
        with closing(_Images(self, source, [image for _, image in table.rows])) as images:
            names = {n: images.extract(n, present[n][0] if n in present else None) for n in wanted}
        cleared = {n for n in exchange.cleared_frames(self.name) if n in present and (pending is None or n in pending)}
        of_another_scorer = table.path is not None and not (self.folder / f"CollectedData_{self.scorer}.h5").is_file()
        told = bool(table.notices)
        if changed or cleared or of_another_scorer:
            table = write_annotations(
                self.folder,
                scorer=self.scorer,
                bodyparts=self.skeleton.bodyparts,
                individuals=self.skeleton.individuals,
                frames={names[number]: points for number, points in changed.items()},
                remove=[present[number][0] for number in cleared],
            )
        state = ExchangeState(self._settings(), "" if told else self._files(), revision)
        exchange.remember(self.name, {*changed, *cleared}, self._keypoints(table, changed).items(), state)
        return [*notices, *images.notices()]

    def _differing(
        self, wanted: Mapping[int, Points], table: AnnotationTable, present: Mapping[int, tuple[str, Points]]
    ) -> dict[int, Points]:
        """Return those of the frames that the file does not have, or has otherwise."""
        columns = [(i, b) for i in self.skeleton.individuals for b in self.skeleton.bodyparts]
        if any(column not in table.columns for column in columns):
            return dict(wanted)
        order = [table.columns.index(column) for column in columns]
        return {
            number: points
            for number, points in wanted.items()
            if number not in present or not _same_points(points.reshape(-1, 2), present[number][1][order])
        }

    def _pending(self, store: LabelStore) -> set[int] | None:
        """Return the frames edited since the last export; None for all, if the files changed their meaning."""
        state = store.exchange.state(self.name)
        if state.settings != self._settings() or not state.action:
            return None
        return store.exchange.edited_frames(self.name, since=state.action)

    def _is_known(self, state: ExchangeState) -> bool:
        """Whether the files are as they were last read or written, and mean the same."""
        return bool(state.settings) and state.settings == self._settings() and state.files == self._files()

    def _settings(self) -> str:
        """All that the meaning of the files depends on; a video that was missing may give images now."""
        has_video = self.video is not None and self.video.has_video
        return json.dumps([self.scorer, self.skeleton.bodyparts, self.skeleton.individuals, self.offset, has_video])

    def _files(self) -> str:
        """The files of labels with size and time; they change when another program writes one."""
        if not self.folder.is_dir():
            return "[]"
        files = sorted(path for path in self.folder.iterdir() if is_annotation_file(path))
        stats = [path.stat() for path in files]
        return json.dumps([[p.name, s.st_size, s.st_mtime_ns] for p, s in zip(files, stats, strict=True)])

    def _keypoints(self, table: AnnotationTable, frames: Collection[int] | None = None) -> dict[KeypointKey, Keypoint]:
        return keypoints_of(table, self.name, self.skeleton, self.offset, frames)

    def _plan(self, theirs: dict[KeypointKey, Keypoint], store: LabelStore) -> MergePlan:
        exchange = store.exchange
        return plan_merge(
            theirs,
            base=exchange.exported(self.name),
            ours=exchange.labels(self.name),
            edited=exchange.edited_keys(self.name),
        )

    def _realign(self, store: LabelStore) -> list[str]:
        """Keep labels on the same spot of the animal when a cropped video comes or goes."""
        if self.video is None:
            return []
        before, now = store.exchange.origin(self.name), self.video.shown_origin()
        if before == now:
            return []
        store.exchange.realign(self.name, now)
        if before is None:
            return []
        return [f"The labels of {self.name} were shifted: its images are crops, and the video itself came or went."]

    def _complete_frames(self, annotations: Iterable[Annotation]) -> dict[int, Points]:
        """Return ``{frame: (individuals, bodyparts, 2)}`` of complete frames, in pixels of the extracted image."""
        by_frame: dict[int, list[Annotation]] = {}
        for annotation in annotations:
            by_frame.setdefault(annotation.key.frame, []).append(annotation)
        complete: dict[int, Points] = {}
        for frame, of_frame in sorted(by_frame.items()):
            if all(annotation.is_complete for annotation in of_frame):
                points = np.full((len(self.skeleton.individuals), self.skeleton.n_bodyparts, 2), np.nan)
                for annotation in of_frame:
                    points[self.skeleton.individuals.index(annotation.individual)] = annotation.xy - self.offset
                complete[frame] = points
        return complete


class _Images:
    """Extracts images of labelled frames beside their labels, as DeepLabCut names and crops them."""

    def __init__(self, data: CollectedData, source: FrameSource | None, rows: Sequence[str]) -> None:
        self._data = data
        self._rows = rows
        self._source = source
        self._opened: FrameSource | None = None
        self._present = {frame_number(path.name): path.name for path in reversed(image_files(data.folder))}
        self._missing: list[int] = []

    def notices(self) -> list[str]:
        """Return what the user should know of the images that could not be made."""
        if not self._missing:
            return []
        frames = _shown_frames(self._missing)
        return [f"{self._data.folder}: no video has {frames}; their labels were written without images."]

    def close(self) -> None:
        """Close the video if it was opened here."""
        if self._opened is not None:
            self._opened.close()

    def extract(self, number: int, name: str | None) -> str:
        """Return the image name of a frame, ``name`` if given; make the image if it is not there and can be made."""
        folder = self._data.folder
        if name is not None and (folder / name).is_file():
            return name
        if name is None and number in self._present:
            return self._present[number]
        source = self._open()
        name = name or image_name(folder, number, len(source) if source is not None else number + 1, rows=self._rows)
        try:
            if source is None:
                raise KeyError(number)
            self._write(source[source.position(number)], folder / name)
        except KeyError:
            self._missing.append(number)
        return name

    def _open(self) -> FrameSource | None:
        video = self._data.video
        if self._source is None and video is not None and video.has_video:
            self._source = self._opened = video.open()
        return self._source

    def _write(self, pixels: NDArray[np.uint8], path: Path) -> None:
        from PIL import Image

        video = self._data.video
        if video is not None and video.crop is not None and video.image_origin() != (0.0, 0.0):
            x1, x2, y1, y2 = video.crop
            pixels = pixels[y1:y2, x1:x2]
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, format="PNG")


def _same_points(a: Points, b: Points) -> bool:
    return bool(((np.abs(a - b) <= SAME_PX) | (np.isnan(a) & np.isnan(b))).all())


def _labels(changes: Sequence[tuple[KeypointKey, object]]) -> str:
    count = len(changes)
    return f"{count} label{'s' if count > 1 else ''} ({_shown_frames({key.frame for key, _ in changes})})"


def _shown_frames(frames: Collection[int]) -> str:
    first = ", ".join(str(frame) for frame in sorted(frames)[:5])
    return f"frame{'s' if len(frames) > 1 else ''} {first}" + (
        f" and {len(frames) - 5} more" if len(frames) > 5 else ""
    )
