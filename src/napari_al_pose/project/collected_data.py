"""The labels as DeepLabCut stores them: merged from and written to ``labeled-data/<video>/CollectedData``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain import AlPoseError, Annotation
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.image_placement import WHOLE
from napari_al_pose.domain.skeleton_edit import removed_bodyparts
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.deeplabcut import (
    AnnotationTable,
    frame_number,
    image_names,
    read_annotations,
    rename_columns,
)
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.project.conflicts import UNTIL_DECIDED
from napari_al_pose.project.extracted_images import shown_frames
from napari_al_pose.project.label_exchange import AS_EXPORTED, ExchangeState
from napari_al_pose.project.label_files import Points, Writer, WritingJob
from napari_al_pose.project.label_folder import LabelFolder
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.merge import MergePlan, join_files, keypoints_of, plan_merge
from napari_al_pose.project.pictures import NO_PICTURES, image_sizes
from napari_al_pose.project.skeleton_log import SkeletonChange

_READING = 3
"""Increase this when the same files get another meaning, so that they are read again."""
_ATTEMPTS = 3
"""How often files that another program keeps writing are merged and written before we give up."""


class UnreadableLabelsError(AlPoseError):
    """A label file exists and can't be read."""


@dataclass(frozen=True, slots=True)
class CollectedData:
    """The DeepLabCut labels of one video, and how they relate to the store."""

    folder: LabelFolder

    @property
    def name(self) -> str:
        """The video's name."""
        return self.folder.name

    def read(self) -> AnnotationTable:
        """Read the files; raise UnreadableLabelsError if there are some and none can be read."""
        try:
            return self.folder.read()
        except AlPoseError as error:
            raise UnreadableLabelsError(error.message, error.hint) from error

    def differs_from(self, store: LabelStore) -> bool:
        """Return whether other programs changed something that `merge_into` would take in."""
        if self._is_known(store.exchange.state(self.name)):
            return False
        beside = self._read_csv_beside()
        csv = {} if isinstance(beside, str) else self._keypoints(beside)
        theirs, otherwise = join_files(self._keypoints(self.read()), csv, store.exchange.exported(self.name))
        return bool(otherwise) or not self._plan(theirs, store).is_empty

    def merge_into(self, store: LabelStore, *, look_at_images: bool = False) -> list[str]:
        """Take in what other programs changed since the files were last written or read.

        Parameters
        ----------
        store : LabelStore
            The project's labels.
        look_at_images : bool
            Whether to look for numbers that another image stands for by now, although the files did not change.

        Returns
        -------
        list of str
            Messages for the user.

        Raises
        ------
        UnreadableLabelsError
            If the files can't be read.
        AlPoseError
            If the store can't be written.
        """
        exchange = store.exchange
        notices = self._realign(store)
        state = exchange.state(self.name)
        if self._is_known(state) and not (look_at_images and self._shares_numbers()):
            return notices
        files = self.folder.state()
        table, beside = self.read(), self._read_csv_beside()
        shared = self._sharing(table)
        found = [*table.notices, *shared, *self._unknown(table), *self._outside(table), *_at_zero(table)]
        found += [beside] if isinstance(beside, str) else []
        csv = {} if isinstance(beside, str) else self._keypoints(beside)
        exchange.renumber(self.name, self._numbers_before(table))
        with exchange.exclusive():
            by_h5 = self._keypoints(table)
            before = exchange.exported(self.name)
            found += self._dropped(table, {key.frame for key in before}, store)
            theirs, otherwise = join_files(by_h5, csv, before)
            plan = self._plan({**theirs, **self._of_other_images(table, before)}, store)
            disagreeing = list(otherwise.items())
            exchange.merge(
                self.name,
                # Where the two files differ, the .h5 counts: otherwise the .csv would look outdated the next time.
                {**theirs, **by_h5}.items(),
                {"import": plan.new, "merge": plan.changed, "conflict": plan.conflicts},
                source=str(table.path or self.folder.path),
                # Files that need a message are read, and reported, each time. If only the .csv has something, the .h5
                # lacks it.
                state=ExchangeState(
                    self._settings(), "" if table.notices or shared else files, AS_EXPORTED if theirs == by_h5 else 0
                ),
                otherwise=(str((table.path or self.folder.path).with_suffix(".csv")), disagreeing),
            )
        notices += found
        if plan.changed:
            notices.append(f"{table.path}: another program changed {_labels(plan.changed)}; the changes were taken in.")
        if plan.conflicts:
            notices.append(
                f"{table.path}: {_labels(plan.conflicts)} changed both here and in another program. "
                f"Your labels were kept {UNTIL_DECIDED}; the others are kept beside them."
            )
        if disagreeing:
            notices.append(
                f"{table.path} and the .csv beside it disagree on {_labels(disagreeing)}. "
                f"The .h5 counts {UNTIL_DECIDED}; what the .csv says is kept beside it."
            )
        return notices

    def _read_csv_beside(self) -> AnnotationTable | str:
        """Read the ``.csv`` beside an ``.h5``; return a message if it can't be read."""
        h5, csv = self.folder.files
        if not (h5.is_file() and csv.is_file()):
            return AnnotationTable()
        try:
            return self.folder.read_file(csv)
        except AlPoseError as error:
            then = "The labels were read from the .h5 beside it; this file is replaced when labels are next written."
            return f"{error.message} {then}"

    def export(self, store: LabelStore, writer: Writer) -> list[str]:
        """Write the complete frames of the video and extract their images.

        Frames that other programs labelled and incomplete frames stay in the files as they are, except that points
        cleared here are removed. A frame whose labels were all cleared goes.

        Parameters
        ----------
        store : LabelStore
            Merged into first, so that nothing that another program changed is overwritten.
        writer : Writer
            Writes the files.

        Returns
        -------
        list of str
            Messages for the user.

        Raises
        ------
        UnreadableLabelsError
            If the files can't be read; they stay as they are.
        AlPoseError
            If a file can't be written.
        """
        if not is_safe_name(self.name):
            raise AlPoseError(f"{self.name!r} cannot be a folder name.", "Rename the video.")
        exchange = store.exchange
        notices: list[str] = []
        for _ in range(_ATTEMPTS):
            notices += self.merge_into(store)
            revision = store.revision
            job = self._job(store)
            if job is None:
                return notices
            written = writer.write(job)
            if written is not None:
                break
        else:
            raise AlPoseError(
                f"The files of labels in {self.folder.path} keep changing; they were not overwritten.",
                "Find out which other program writes them. The labels themselves are safe in al-pose/labels.sqlite.",
            )
        state = ExchangeState(self._settings(), written.files, revision)
        found = written.keypoints.items(self.name, self.folder.skeleton)
        exchange.remember(self.name, written.frames, found, state)
        return [*notices, *written.notices]

    def h5_state(self) -> str:
        """Return size and time of the ``.h5``, "" if there is none; they change when it is written."""
        h5, _ = self.folder.files
        if not h5.is_file():
            return ""
        stat = h5.stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def restore(self, number: int, store: LabelStore) -> None:
        """Restore the labels of an earlier version of the files, as one action that can be undone.

        Raises
        ------
        AlPoseError
            If there is no such version or it can't be read.
        """
        version = next((version for version in self.folder.backups.versions() if version.number == number), None)
        if version is None:
            kept = ", ".join(str(version.number) for version in self.folder.backups.versions()) or "none"
            raise AlPoseError(f"{self.folder.path} has no version {number} kept.", f"Choose one of: {kept}.")
        skeleton = self.folder.skeleton
        table = read_annotations(version.folder, scorer=self.folder.scorer, individuals=skeleton.individuals)
        store.exchange.put_back(self._keypoints(table), source=str(version.folder))

    def rename_columns(self, change: SkeletonChange, store: LabelStore) -> None:
        """Give the files the bodyparts of `skeleton`; columns of removed bodyparts are backed up for good.

        Raises
        ------
        AlPoseError
            If a file can't be read or written.
        """
        removed = removed_bodyparts(change.before, change.edit)
        self.folder.keep_version(ours=True, for_good=bool(removed))
        rename_columns(
            self.folder.path,
            scorer=self.folder.scorer,
            bodyparts=self.folder.skeleton.bodyparts,
            individuals=self.folder.skeleton.individuals,
            renamed=dict(change.edit.renamed),
            removed=removed,
        )
        # This belongs to no action. Frames that lacked a removed bodypart may be complete now, so all are checked
        # again.
        store.exchange.remember(self.name, (), (), ExchangeState(self._settings(), self.folder.state()))

    def _job(self, store: LabelStore) -> WritingJob | None:
        """Return what is to be written; None if nothing is."""
        exchange = store.exchange
        state = exchange.state(self.name)
        pending: set[int] | None = None
        with_images: set[int] = set()
        if state.action == AS_EXPORTED:
            pending, with_images = exchange.differing_frames(self.name), store.complete_frames(self.name)
        elif state.action:
            pending = exchange.edited_frames(self.name, since=state.action)
        if not (pending is None or pending or with_images):
            return None
        return WritingJob(
            self.folder,
            files=state.files,
            frames=self._complete_frames(store.annotations(self.name, pending, unique=True)),
            cleared=frozenset(exchange.cleared_frames(self.name, pending)),
            erased=frozenset(exchange.cleared_points(self.name, pending)),
            with_images=frozenset(with_images),
            ours=state.action > 0,
        )

    def _unknown(self, table: AnnotationTable) -> list[str]:
        """Report which columns of the file are not shown because ``config.yaml`` does not list them."""
        skeleton = self.folder.skeleton
        individuals = {i: None for i, _ in table.columns if i not in skeleton.owners}
        bodyparts = {b: None for i, b in table.columns if i not in individuals and b not in skeleton.bodyparts_of(i)}
        in_file = {name for column in table.columns for name in column}
        missing_bodyparts = [name for name in skeleton.bodyparts if name not in in_file]
        notices = [_unlisted(table, individuals, [name for name in skeleton.individuals if name not in in_file])]
        notices.append(_unlisted(table, bodyparts, missing_bodyparts))
        return [notice for notice in notices if notice]

    def _numbers_before(self, table: AnnotationTable) -> dict[int, int]:
        """Return present frame numbers, keyed by those of versions that read at most twelve digits."""
        numbers = self._frame_numbers(table)
        before = {number % 10**12: number for number in numbers if number >= 10**12}
        return {old: new for old, new in before.items() if old not in numbers}

    def _frame_numbers(self, table: AnnotationTable) -> set[int]:
        return {n for video, image in table.rows if video == self.name and (n := frame_number(image)) is not None}

    def _dropped(self, table: AnnotationTable, before: set[int], store: LabelStore) -> list[str]:
        """Report which rows another program removed: their labels are kept here and written again."""
        gone = (before & store.complete_frames(self.name)) - self._frame_numbers(table)
        if not gone:
            return []
        rows = f"the row{'s' if len(gone) > 1 else ''} of {shown_frames(gone)}"
        notice = f"{table.path or self.folder.path}: another program removed {rows}."
        return [f"{notice} The labels are kept here and will be written again; clear them here if you want them gone."]

    def _sharing(self, table: AnnotationTable) -> list[str]:
        """Report which rows are not shown because their frame number belongs to another image, say of a second
        camera."""
        rest = table.passed_over(self.name, image_names(self.folder.path) if len(table.rows) else ())
        if not rest:
            return []
        more = f" and {counted(len(rest) - 1, 'more row')} have" if len(rest) > 1 else " has"
        notice = f"{table.path}: {rest[0]!r}{more} the frame number of another image there; kept and not shown."
        return [f"{notice} Put the images of each camera into a folder of their own."]

    def _shares_numbers(self) -> bool:
        """Return whether several images of the folder have one frame number."""
        return any(frame_number(image) is not None for image in numbered_images(image_names(self.folder.path))[1])

    def _of_other_images(
        self, table: AnnotationTable, before: Mapping[KeypointKey, Keypoint]
    ) -> dict[KeypointKey, Keypoint]:
        """Return known labels whose number another image stands for by now: they are none of that image's.

        Their rows stay in the files.
        """
        images = image_names(self.folder.path)
        others = {frame_number(image) for image in table.passed_over(self.name, images)}
        frames = others - table.frames(self.name, images).keys() if others else set()
        return {key: Keypoint() for key in before if key.frame in frames}

    def _outside(self, table: AnnotationTable) -> list[str]:
        """Report which points lie outside their own image; DeepLabCut ignores those when it trains."""
        if self.folder.video is None or not len(table.rows):
            return []
        sizes, unknown = image_sizes(self.folder.path), self.folder.video.crop_size or (np.inf, np.inf)
        size = np.array([sizes.get(image, unknown) for _, image in table.rows], float)[:, None]
        outside = ((table.xy < -0.5) | (table.xy > size - 0.5)).any(axis=-1)
        found = np.argwhere(outside)
        if not len(found):
            return []
        (video, image), (_, bodypart) = table.rows[found[0][0]], table.columns[found[0][1]]
        x, y = table.xy[tuple(found[0])]
        more = f" and {counted(len(found) - 1, 'more point')} lie" if len(found) > 1 else " lies"
        where = f"{bodypart!r} at ({x:g}, {y:g}) in the row {video}/{image}"
        width, height = size[found[0][0], 0]
        image_words = f"the image of {width:g} x {height:g} pixels" if np.isfinite(width) else "its image"
        return [f"{table.path}: {where}{more} outside {image_words}. Shown as it is; DeepLabCut leaves it out."]

    def _is_known(self, state: ExchangeState) -> bool:
        """Return whether the files are as they were last read or written, and have the same meaning."""
        return bool(state.settings) and state.settings == self._settings() and state.files == self.folder.state()

    def _settings(self) -> str:
        """Return everything that the meaning of the files depends on; a missing video may give images now."""
        of = self.folder
        has_video = of.video is not None and of.video.has_video
        # Only where its images lie counts: otherwise the first extracted ones would be a change.
        pictures = of.video.pictures if of.video is not None and has_video else NO_PICTURES
        places = "" if pictures.all_whole else repr((pictures.default, pictures.others))
        skeleton = of.skeleton
        names = (skeleton.bodyparts, skeleton.individuals, *filter(None, (skeleton.unique_bodyparts,)))
        return json.dumps([_READING, of.scorer, *names, places, has_video])

    def _keypoints(self, table: AnnotationTable) -> dict[KeypointKey, Keypoint]:
        images = image_names(self.folder.path) if len(table.rows) else ()
        return keypoints_of(table, self.name, self.folder.skeleton, self.folder.place, images=images)

    def _plan(self, theirs: dict[KeypointKey, Keypoint], store: LabelStore) -> MergePlan:
        exchange = store.exchange
        return plan_merge(
            theirs,
            base=exchange.exported(self.name),
            ours=exchange.labels(self.name),
            edited=exchange.edited_keys(self.name),
            since=exchange.values_since(self.name),
        )

    def _realign(self, store: LabelStore) -> list[str]:
        """Keep labels on the same spot of the animal if the video of cropped images comes or goes."""
        video = self.folder.video
        if video is None:
            return []
        pictures, now = video.pictures, "video" if video.has_video else "images"
        origin = (0.0, 0.0) if video.has_video else (pictures.default.x, pictures.default.y)
        recorded = store.exchange.origin(self.name)
        if recorded == (*origin, now):
            return []
        before = now if recorded is None else recorded[2]
        if recorded is not None and not before:  # from an older version, which stored only the origin
            before = "images" if recorded[:2] != (0.0, 0.0) else now if pictures.default == WHOLE else "video"
        if before == now or pictures.all_whole:
            store.exchange.realign(self.name, origin, shown=now, move=None)
            return []
        shown = numbered_images(image_names(self.folder.path))[0]

        def move(frame: int, xy: Points) -> Points:
            place = pictures.place(shown.get(frame, ""))
            return place.to_frame(xy) if now == "video" else place.to_image(xy)

        if not store.exchange.realign(self.name, origin, shown=now, move=move):
            return []
        return [f"The labels of {self.name} were shifted: its images are crops, and the video was added or removed."]

    def _complete_frames(self, annotations: Iterable[Annotation]) -> dict[int, Points]:
        """Return the skeleton's keypoints, (n, 2), in complete frames, in pixels of what is shown."""
        skeleton = self.folder.skeleton
        by_frame: dict[int, list[Annotation]] = {}
        for annotation in annotations:
            by_frame.setdefault(annotation.key.frame, []).append(annotation)
        complete: dict[int, Points] = {}
        for frame, of_frame in sorted(by_frame.items()):
            if all(annotation.is_complete for annotation in of_frame):
                points = np.full((len(skeleton.keypoints), 2), np.nan)
                for annotation in of_frame:
                    points[skeleton.rows_of(annotation.individual)] = annotation.xy
                complete[frame] = points
        return complete


def _labels(changes: Sequence[tuple[KeypointKey, object]]) -> str:
    count = len(changes)
    return f"{count} label{'s' if count > 1 else ''} ({shown_frames({key.frame for key, _ in changes})})"


def _unlisted(table: AnnotationTable, names: Iterable[str], missing: Sequence[str]) -> str:
    """Say which names of the file ``config.yaml`` does not list, if any; ``missing`` are those only it has."""
    listed = ", ".join(map(repr, names))
    if not listed:
        return ""
    said = f"{table.path} has labels of {listed}, which config.yaml does not list; they are kept there and not shown."
    return f"{said} Rename them there if they are {', '.join(map(repr, missing))}." if missing else said


def _at_zero(table: AnnotationTable) -> list[str]:
    """Report points at exactly (0, 0), which nobody clicks and some programs write for what is not there."""
    found = np.argwhere((table.xy == 0).all(axis=-1))
    if not len(found):
        return []
    (video, image), (_, bodypart) = table.rows[found[0][0]], table.columns[found[0][1]]
    lie = "points lie" if len(found) > 1 else "point lies"
    where = f"{len(found)} {lie} at exactly (0, 0), such as {bodypart!r} in the row {video}/{image}"
    said = "Some programs write that for what is not there; here it is a label. If it is not one, clear it."
    return [f"{table.path}: {where}. {said}"]
