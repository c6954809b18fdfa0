"""SLEAP's ``.slp`` labels with their videos and skeleton, read and written by sleap-io.

SLEAP knows points with a place and points that are not visible. A bodypart is a *node*, an individual a *track*.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError, Annotation, FrameKey
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_tables import frame_number
from napari_al_pose.formats.image_sets import check_count, number_images, set_name
from napari_al_pose.formats.label_set import (
    Holds,
    LabelledVideo,
    LabelSet,
    annotation_of,
    numbered_individuals,
    skeleton_in,
)
from napari_al_pose.formats.names import video_stem

if TYPE_CHECKING:
    import sleap_io

HOLDS = Holds("SLEAP")
FILE = "labels.slp"

_LARGEST_TABLE = 2_000_000_000
DAMAGE = (
    OSError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What h5py and sleap-io raise at files that are none of theirs."""


def read_sleap(path: Path) -> LabelSet:
    """Read a ``.slp`` or ``.pkg.slp``; no video is opened.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, or it is no such file; the message names the file.
    """
    sio = import_sleap_io()
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Choose a SLEAP file (.slp).")
    try:
        refuse_bombs(path)
        labels = sio.load_slp(str(path), open_videos=False)
        return _Reader(path, labels).read()
    except DAMAGE as error:
        raise AlPoseError(
            f"{path} is no readable SLEAP file: {str(error)[:120] or type(error).__name__}.",
            "Open it in SLEAP and save it anew, or choose another file.",
        ) from error


def write_sleap(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit`, one track for each individual of several.

    Parameters
    ----------
    labels : LabelSet
        A video without a path is written as its pictures, if each labelled frame has one, numbered by their order; else
        as a file of its name that is missing.
    path : Path
        Ends in ``.slp``.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, or the file cannot be written.
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
        ]
        frame = positions[key.video][key.frame] if key.video in positions else key.frame
        frames.append(sio.LabeledFrame(video=videos[key.video], frame_idx=frame, instances=instances))
    made = sio.Labels(
        labeled_frames=frames, videos=list(videos.values()), skeletons=[skeleton], tracks=list(tracks.values())
    )
    with replacing(path) as temporary:
        temporary.unlink()  # sleap-io appends to what is there
        sio.save_slp(made, str(temporary), embed=False, verbose=False)


class _Reader:
    """Turns sleap-io's labels into ours, and notes what is passed over."""

    def __init__(self, path: Path, labels: sleap_io.Labels) -> None:
        self._path = path
        self._labels = labels
        self._notices: list[str] = []

    def read(self) -> LabelSet:
        """Return the labels."""
        labels = self._labels
        if not labels.skeletons:
            raise AlPoseError(f"{self._path} has no skeleton.", "Choose a SLEAP file with labels.")
        check_count(len(labels.labeled_frames), self._path)
        skeleton = labels.skeletons[0]
        frames = [(frame, self._instances(frame, skeleton)) for frame in labels.labeled_frames]
        frames = [(frame, instances) for frame, instances in frames if instances]
        videos = self._videos()
        individuals = self._individuals([instances for _, instances in frames])
        annotations: dict[tuple[FrameKey, str], Annotation] = {}
        for frame, instances in frames:
            video, keys = videos[id(frame.video)]
            key = FrameKey(video.name, keys.get(int(frame.frame_idx), int(frame.frame_idx)))
            if key.frame < 0:
                raise AlPoseError(
                    f"{self._path}: frame {key.frame} of {key.video} cannot be.", "Save it anew in SLEAP."
                )
            for number, instance in enumerate(instances):
                name = self._name(instance, number, individuals)
                annotations.setdefault((key, name), self._annotation(key, instance, name))
        self._tell_of_the_rest(frames)
        made = skeleton_in(self._path, skeleton.node_names, self._links(skeleton), individuals)
        return LabelSet(
            made, tuple(video for video, _ in videos.values()), tuple(annotations.values()), tuple(self._notices)
        )

    def _instances(self, frame: sleap_io.LabeledFrame, skeleton: sleap_io.Skeleton) -> list[Any]:
        """Return what a person labelled in a frame, with at least one visible point."""
        return [
            instance
            for instance in frame.user_instances
            if instance.skeleton is skeleton and np.isfinite(instance.numpy()).all(axis=1).any()
        ]

    def _individuals(self, frames: Sequence[Sequence[Any]]) -> tuple[str, ...]:
        """Return the tracks where every instance has one of its own in its frame, else numbers; one needs no name."""
        most = max((len(instances) for instances in frames), default=1)
        names = [[_track(instance) for instance in instances] for instances in frames]
        if all(all(of_frame) and len(set(of_frame)) == len(of_frame) for of_frame in names):
            used = {name for of_frame in names for name in of_frame}
            listed = tuple(dict.fromkeys(track.name for track in self._labels.tracks if track.name in used))
            if len(listed) > 1:
                return listed
        elif any(any(of_frame) for of_frame in names):
            self._notices.append(
                f"{self._path}: not every instance has a track of its own; they are numbered in each frame."
            )
        return numbered_individuals(most)

    def _name(self, instance: Any, number: int, individuals: tuple[str, ...]) -> str:
        track = _track(instance)
        return track if track in individuals and track else individuals[number]

    def _annotation(self, key: FrameKey, instance: Any, individual: str) -> Annotation:
        xy = np.asarray(instance.numpy(), np.float64)
        placed = np.atleast_1d(np.isfinite(xy).all(axis=1))
        if (np.abs(xy[placed]) >= 1e9).any():
            raise AlPoseError(
                f"{self._path}: frame {key.frame} of {key.video} holds numbers that are no coordinates.",
                "Correct it in SLEAP.",
            )
        return annotation_of(key, xy, placed=placed, individual=individual)

    def _links(self, skeleton: sleap_io.Skeleton) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys((str(a), str(b)) for a, b in skeleton.edge_names))

    def _videos(self) -> dict[int, tuple[LabelledVideo, dict[int, int]]]:
        """Return by identity of sleap-io's video: ours, and the frame numbers of its positions where they differ."""
        found: dict[int, tuple[LabelledVideo, dict[int, int]]] = {}
        taken: set[str] = set()
        for number, video in enumerate(self._labels.videos):
            embedded = isinstance(video.filename, str) and Path(video.filename).suffix == ".slp"
            source = video.source_video if embedded and video.source_video is not None else video
            if isinstance(source.filename, list):
                ours, keys = self._image_set(source.filename, number, taken)
            else:
                written = "" if source.filename.endswith(".slp") else source.filename
                name = video_stem(written) or f"video{number}"
                ours, keys = LabelledVideo(_unique(set_name(name) if "." in name else name, taken), written), {}
            if embedded:
                ours = LabelledVideo(ours.name, ours.path, ours.pictures, _Embedded(self._path, number))
            taken.add(ours.name)
            found[id(video)] = (ours, keys)
        return found

    def _image_set(self, files: Sequence[str], number: int, taken: set[str]) -> tuple[LabelledVideo, dict[int, int]]:
        check_count(len(files), self._path)
        folders = {str(file).replace("\\", "/").rpartition("/")[0] for file in files}
        numbers = [frame_number(str(file).replace("\\", "/").rpartition("/")[2]) for file in files]
        if len(folders) == 1 and None not in numbers and len(set(numbers)) == len(numbers):
            _, (video,), _ = number_images([str(file) for file in files], f"images{number}")
            name, pictures = video.name, dict(video.pictures)
            keys = {place: frame for place, frame in enumerate(numbers) if frame is not None}
        else:
            _, videos, notices = number_images([str(file) for file in files], f"images{number}")
            self._notices += notices
            name = videos[0].name
            listed = [picture for video in videos for picture in video.pictures.values()]
            pictures, keys = dict(enumerate(listed)), {}
        return LabelledVideo(_unique(name, taken), pictures=pictures), keys

    def _tell_of_the_rest(self, frames: Sequence[tuple[Any, Sequence[Any]]]) -> None:
        labels, kept = self._labels, {id(frame): len(instances) for frame, instances in frames}
        predicted = sum(len(frame.predicted_instances) for frame in labels.labeled_frames)
        others = sum(len(frame.user_instances) - kept.get(id(frame), 0) for frame in labels.labeled_frames)
        for count, what in (
            (predicted, "prediction"),
            (others, "instance without points or of a second skeleton"),
            (len(labels.suggestions), "suggestion"),
        ):
            if count:
                self._notices.append(f"{self._path}: left out, as only labels by people are read: {count:,} x {what}.")


class _Embedded:
    """Images stored inside a ``.pkg.slp``, opened when the first is asked for."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number
        self._video: Any = None

    def __call__(self, frame: int) -> NDArray[np.uint8]:
        """Return an image by its frame number in the video; AlPoseError if it cannot be read."""
        try:
            if self._video is None:
                self._video = import_sleap_io().load_slp(str(self._path), open_videos=False).videos[self._number]
                self._video.open()
            return np.asarray(self._video[frame], np.uint8)
        except DAMAGE as error:
            raise AlPoseError(
                f"The image of frame {frame} in {self._path} cannot be read: {str(error)[:80]}.",
                "Save it anew in SLEAP.",
            ) from error


def import_sleap_io() -> Any:
    """Return sleap-io; AlPoseError if it is not installed."""
    try:
        import sleap_io
    except ImportError as error:
        raise AlPoseError("SLEAP files need sleap-io.", 'pip install "napari-al-pose[sleap]"') from error
    return sleap_io


def refuse_bombs(path: Path) -> None:
    """Refuse a file whose tables unpack to more than any labels need, and one that is not SLEAP's."""
    import h5py

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("video") and item.nbytes > _LARGEST_TABLE:
            raise ValueError(f"its table {name!r} unpacks to {item.nbytes / 1e9:.0f} GB")

    with h5py.File(path, "r") as file:
        if "metadata" not in file:
            raise ValueError("it has no metadata of SLEAP")
        file.visititems(look)


def _video(sio: Any, files: str | list[str]) -> Any:
    """Return sleap-io's video, opened for its size where the files are there and it knows how."""
    if all(Path(file).is_file() for file in ([files] if isinstance(files, str) else files)):
        with suppress(*DAMAGE):
            return sio.Video.from_filename(files)
    first = files if isinstance(files, str) else files[0]
    metadata: dict[str, Any] = {"type": "MediaVideo" if isinstance(files, str) else "ImageVideo", "filename": first}
    if not isinstance(files, str):
        metadata["filenames"] = files
    return sio.Video(filename=files, backend_metadata=metadata, open_backend=False)


def _track(instance: Any) -> str:
    return "" if instance.track is None else str(instance.track.name)


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique
