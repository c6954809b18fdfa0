"""SLEAP's ``.slp`` labels with their videos and skeleton, read and written by sleap-io.

SLEAP knows points with a position and points that are not visible. A bodypart is a *node*, an individual a *track*, and
a frame in which nothing is visible a *negative frame* (since 2026).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError, Annotation, FrameKey, KeypointState, Skeleton
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.collecting import AnnotationCollector, merge_bodyparts, merge_links
from napari_al_pose.formats.image_sets import check_count
from napari_al_pose.formats.label_set import LabelSet, numbered_individuals, skeleton_in
from napari_al_pose.formats.sleap_file import DAMAGE, import_sleap_io, refuse_bombs, unopened_video
from napari_al_pose.formats.sleap_videos import SleapVideos

if TYPE_CHECKING:
    import sleap_io

CAPABILITIES = Capabilities("SLEAP", nothing=True)
FILE = "labels.slp"

_PIECE = re.compile(r"(track)?[\s_-]*\d+", re.IGNORECASE)
"""Names that trackers give, such as "track_12"."""


def read_sleap(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read a ``.slp`` or ``.pkg.slp``, as a `LabelReader` does; no video is opened.

    Raises
    ------
    AlPoseError
        Also if sleap-io is not installed.
    """
    sio = import_sleap_io()
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Choose a SLEAP file (.slp).")
    try:
        refuse_bombs(path)
        labels = sio.load_slp(str(path), open_videos=False)
        return _Reader(path, labels).read(on_progress)
    except DAMAGE as error:
        raise AlPoseError(
            f"{path} is not a readable SLEAP file: {str(error)[:120] or type(error).__name__}.",
            "Open it in SLEAP and save it again, or choose another file.",
        ) from error


def write_sleap(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit_to_format` returned, with one track for each of several individuals.

    Parameters
    ----------
    labels : LabelSet
        A video without a path is written as its pictures, numbered by their order, if each labelled frame has one;
        otherwise as a missing file with its name.
    path : Path
        Ends in ``.slp``.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, or the file can't be written.
    """
    sio = import_sleap_io()
    names = labels.skeleton.bodyparts
    skeleton = sio.Skeleton(nodes=list(names), edges=[list(link) for link in labels.skeleton.links], name="animal")
    labelled = labels.frames()
    videos, positions = {}, {}
    for video in labels.videos:
        frames_of_video = {key.frame for key in labelled if key.video == video.name}
        if video.path or not frames_of_video <= video.pictures.keys():
            videos[video.name] = _video(sio, video.path or f"{video.name}.mp4")
        elif video.pictures:
            numbers = sorted(video.pictures)
            videos[video.name] = _video(sio, [video.pictures[number].path for number in numbers])
            positions[video.name] = {number: place for place, number in enumerate(numbers)}
    single = labels.skeleton.individuals == (SINGLE_INDIVIDUAL,)
    tracks = {} if single else {name: sio.Track(name) for name in labels.skeleton.individuals}
    frames = []
    for key, of_frame in labelled.items():
        instances = [
            sio.Instance.from_numpy(annotation.xy, skeleton=skeleton, track=tracks.get(annotation.individual))
            for annotation in of_frame
            if (annotation.states == KeypointState.PLACED).any()
        ]
        frame = positions[key.video][key.frame] if key.video in positions else key.frame
        made_of = {"video": videos[key.video], "frame_idx": frame, "instances": instances}
        frames.append(sio.LabeledFrame(**made_of, is_negative=not instances))
    made = sio.Labels(
        labeled_frames=frames, videos=list(videos.values()), skeletons=[skeleton], tracks=list(tracks.values())
    )
    with replacing(path) as temporary:
        temporary.unlink()  # sleap-io appends to an existing file
        sio.save_slp(made, str(temporary), embed=False, verbose=False)


class _Reader:
    """Converts sleap-io's labels to ours, and records what is left out."""

    def __init__(self, path: Path, labels: sleap_io.Labels) -> None:
        self._path = path
        self._labels = labels
        self._notices: list[str] = []
        self._collected = AnnotationCollector(path)
        self._repeated: set[int] = set()
        """Instances (by `id`) whose track another instance of their frame has as well."""

    def read(self, on_progress: OnProgress) -> LabelSet:
        """Return the labels."""
        labels = self._labels
        if not labels.skeletons:
            raise AlPoseError(f"{self._path} has no skeleton.", "Choose a SLEAP file with labels.")
        check_count(len(labels.labeled_frames), self._path)
        labelled = {id(frame): [i for i in frame.user_instances if _is_placed(i)] for frame in labels.labeled_frames}
        bodyparts, links, covered = self._skeletons([i for instances in labelled.values() for i in instances])
        frames = [
            (frame, [instance for instance in labelled[id(frame)] if tuple(instance.skeleton.node_names) in covered])
            for frame in labels.labeled_frames
        ]
        # Whoever labels an animal in a negative frame takes the mark back, also if the animal's skeleton is left out.
        frames = [(f, instances) for f, instances in frames if instances or (f.is_negative and not labelled[id(f)])]
        videos = SleapVideos(self._path, labels.videos)
        individuals = self._individuals([instances for _, instances in frames])
        made = skeleton_in(self._path, bodyparts, links, individuals)
        n_negative = 0
        for key, instances in reporting(list(self._by_key(frames, videos).items()), on_progress):
            n_negative += not instances
            for individual in () if instances else individuals:
                self._collected.add(_nothing_here(key, made.n_bodyparts, individual))
            for instance, name in zip(instances, self._names(instances, individuals), strict=True):
                self._collected.add(self._annotation(key, instance, name, made))
        if n_negative:
            self._notices.append(
                f"{self._path}: {counted(n_negative, 'negative frame')} read as labelled: nothing is visible there."
            )
        self._tell_of_the_rest(labelled)
        return LabelSet(
            made,
            tuple(videos.videos),
            self._collected.annotations,
            (*videos.notices, *self._notices, *self._collected.notices()),
            duplicates=self._collected.duplicates,
        )

    def _skeletons(
        self, instances: Sequence[Any]
    ) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], set[tuple[str, ...]]]:
        """Return bodyparts, links and the lists of nodes that are read; skeletons are distinguished by their nodes."""
        used = Counter(tuple(str(name) for name in instance.skeleton.node_names) for instance in instances)
        used = used or Counter([tuple(self._labels.skeletons[0].node_names)])
        bodyparts, covered = merge_bodyparts(used)
        links = merge_links(
            (str(a), str(b))
            for skeleton in self._labels.skeletons
            if tuple(skeleton.node_names) in covered
            for a, b in skeleton.edge_names
        )
        if len({frozenset(names) for names in covered}) > 1:
            kinds = "; ".join(
                f"{counted(n, 'instance')} of {', '.join(names[:5])}{'…' if len(names) > 5 else ''}"
                for names, n in used.most_common()
                if names in covered
            )
            self._notices.append(
                f"{self._path} has {len(covered)} skeletons with different nodes ({kinds}). They are read as one with "
                f"{len(bodyparts)} bodyparts; what a skeleton lacks counts as not labelled yet."
            )
        for names in used.keys() - covered:
            self._notices.append(
                f"{self._path}: {counted(used[names], 'instance')} of another skeleton ({', '.join(names[:5])}) left "
                "out: it has no bodypart in common with the one that has most labels. Export it from SLEAP on its own."
            )
        return bodyparts, links, covered

    def _by_key(self, frames: Sequence[tuple[Any, Sequence[Any]]], videos: SleapVideos) -> dict[FrameKey, list[Any]]:
        """Return instances by frame; one that a frame repeats exactly counts once."""
        found: dict[FrameKey, list[Any]] = {}
        for frame, instances in frames:
            before = found.setdefault(videos.key(frame), [])
            before += [
                instance
                for instance in instances
                if not any(
                    _track(instance) == _track(other)
                    and instance.skeleton is other.skeleton
                    and np.array_equal(instance.numpy(), other.numpy(), equal_nan=True)
                    for other in before
                )
            ]
        return found

    def _individuals(self, frames: Sequence[Sequence[Any]]) -> tuple[str, ...]:
        """Return the names of the animals: their tracks where they have some, else numbers; a single one needs none."""
        most = max((len(instances) for instances in frames), default=1)
        tracks = Counter(_track(instance) for instances in frames for instance in instances)
        n_without = tracks.pop("", 0)
        used = [name for name in dict.fromkeys(str(track.name) for track in self._labels.tracks) if name in tracks]
        self._repeated = {id(instance) for instances in frames for instance in _repeating(instances)}
        if len(used) > 2 * most + 1 and all(_PIECE.fullmatch(name) for name in used):
            self._notices.append(
                f"{self._path}: {len(used):,} tracks of at most {counted(most, 'animal')} in a frame are pieces of "
                "tracks, not names of animals; instances are numbered in each frame."
            )
            return numbered_individuals(most)
        n_lacking = n_without + len(self._repeated)
        if not used and most > 1:
            self._notices.append(f"{self._path}: instances have no tracks; they are numbered in each frame.")
        elif n_lacking and used and max(most, len(used)) > 1:
            one = n_lacking == 1
            self._notices.append(
                f"{self._path}: {counted(n_lacking, 'instance')} without a track of {'its' if one else 'their'} own "
                f"got {'a name that was' if one else 'names that were'} free in the frame. Check which animal is which."
            )
        if len(used) < 2 and most < 2:
            return numbered_individuals(1)
        numbers = (name for name in numbered_individuals(most) if name not in used)
        return (*used, *(next(numbers) for _ in range(most - len(used))))

    def _names(self, instances: Sequence[Any], individuals: tuple[str, ...]) -> list[str]:
        """Return the name of each animal of a frame: its track, or one that is free there."""
        given = [
            track if track in individuals and id(instance) not in self._repeated else ""
            for instance, track in ((instance, _track(instance)) for instance in instances)
        ]
        free = iter([name for name in individuals if name not in given])
        return [
            name or next(free, individuals[number % len(individuals)])  # a frame may be there twice
            for number, name in enumerate(given)
        ]

    def _annotation(self, key: FrameKey, instance: Any, individual: str, skeleton: Skeleton) -> Annotation:
        found = np.asarray(instance.numpy(), np.float64).reshape(-1, 2)
        xy = np.full((skeleton.n_bodyparts, 2), np.nan)
        order = [skeleton.index(str(name)) for name in instance.skeleton.node_names]
        xy[order] = found
        placed = np.isfinite(xy).all(axis=1)
        if (np.abs(xy[placed]) >= 1e9).any():
            raise AlPoseError(
                f"{self._path}: frame {key.frame} of {key.video} holds numbers that are not coordinates.",
                "Correct it in SLEAP.",
            )
        states = np.full(skeleton.n_bodyparts, KeypointState.UNSEEN, np.int8)
        states[order] = np.where(placed[order], KeypointState.PLACED, KeypointState.NOT_VISIBLE)
        return Annotation(key, np.where(placed[:, None], xy, np.nan), states, individual)

    def _tell_of_the_rest(self, labelled: Mapping[int, Sequence[Any]]) -> None:
        labels = self._labels
        predicted = sum(len(frame.predicted_instances) for frame in labels.labeled_frames)
        empty = sum(len(frame.user_instances) - len(labelled[id(frame)]) for frame in labels.labeled_frames)
        for count, what in (
            (predicted, "prediction"),
            (empty, "instance without points"),
            (len(labels.suggestions), "suggestion"),
        ):
            if count:
                self._notices.append(f"{self._path}: left out, as only labels by people are read: {count:,} x {what}.")


def _video(sio: Any, files: str | list[str]) -> Any:
    """Return sleap-io's video, opened for its size if the files exist and it supports them."""
    if all(Path(file).is_file() for file in ([files] if isinstance(files, str) else files)):
        with suppress(*DAMAGE):
            return sio.Video.from_filename(files)
    return unopened_video(sio, files)


def _track(instance: Any) -> str:
    return "" if instance.track is None else str(instance.track.name)


def _repeating(instances: Sequence[Any]) -> list[Any]:
    """Return the instances of a frame whose track another one before them has."""
    seen: set[str] = set()
    found = []
    for instance in instances:
        name = _track(instance)
        if name and name in seen:
            found.append(instance)
        seen.add(name)
    return found


def _nothing_here(key: FrameKey, n_bodyparts: int, individual: str) -> Annotation:
    states = np.full(n_bodyparts, KeypointState.NOT_VISIBLE, np.int8)
    return Annotation(key, np.full((n_bodyparts, 2), np.nan), states, individual)


def _is_placed(instance: Any) -> bool:
    return bool(np.isfinite(instance.numpy()).all(axis=1).any())
