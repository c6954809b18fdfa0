"""Predictions of whole videos in SLEAP's ``.slp``: sleap-io writes the frame of the file, we write the long tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_predictions import AddRows, PredictionTable
from napari_al_pose.formats.names import video_stem
from napari_al_pose.formats.sleap_file import DAMAGE, import_sleap_io, refuse_bombs, unopened_video
from napari_al_pose.formats.sleap_videos import SleapVideos

_PREDICTED = 1
"""SLEAP's number for an instance predicted by a model."""


@contextmanager
def writing_sleap(
    path: Path,
    *,
    video: Path,
    shape: tuple[int, int, int, int],
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]],
    images: Mapping[int, Path] | None = None,
    individuals: Sequence[str] = (),
) -> Iterator[AddRows]:
    """Yield a function that adds predicted frames to a ``.slp``; the file appears when the block succeeds.

    sleap-io writes a whole file from objects in memory, some kilobytes a frame. Here the tables grow on disk.

    Parameters
    ----------
    path : Path
        Ends in ``.slp``.
    video : Path
        The video file; not used if there are ``images``.
    shape : (int, int, int, int)
        Frames, height, width, channels of the video.
    bodyparts : sequence of str
        K of them; SLEAP's nodes.
    links : sequence of (str, str)
        SLEAP's edges.
    images : mapping of int to Path, optional
        The images that stand in for the video, by frame number. SLEAP counts them in their order.
    individuals : sequence of str
        SLEAP's tracks, A of them, if there may be several: rows are then ``(n, A K, 3)``, one after the other.

    Yields
    ------
    callable
        See `AddRows`. A frame without any position is left out, as in SLEAP.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, or the file can't be written.
    """
    sio = import_sleap_io()
    skeleton = sio.Skeleton(nodes=list(bodyparts), edges=[list(link) for link in links], name="animal")
    files = str(video) if images is None else [str(images[number]) for number in sorted(images)]
    described = unopened_video(sio, files, shape)
    positions = None if images is None else np.array(sorted(images), np.int64)
    with replacing(path) as temporary:
        temporary.unlink()  # sleap-io appends to an existing file
        tracks = [sio.Track(name) for name in individuals]
        empty = sio.Labels(videos=[described], skeletons=[skeleton], tracks=tracks)
        sio.save_slp(empty, str(temporary), embed=False, verbose=False)
        with _Tables(temporary, len(bodyparts), len(individuals)) as tables:
            if positions is None:
                yield tables.add
            else:
                yield lambda numbers, rows: tables.add(np.searchsorted(positions, numbers), rows)


class _Tables:
    """The tables of frames, instances and predicted points in a ``.slp``, made extensible."""

    def __init__(self, path: Path, n_nodes: int, n_tracks: int) -> None:
        import h5py

        self._file = h5py.File(path, "r+")
        self._n_nodes = n_nodes
        self._n_tracks = n_tracks
        self._n_frames = self._n = 0
        for name in ("frames", "instances", "pred_points"):
            dtype = self._file[name].dtype
            del self._file[name]
            self._file.create_dataset(name, shape=(0,), maxshape=(None,), chunks=(4096,), dtype=dtype)

    def __enter__(self) -> _Tables:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()

    def add(self, numbers: NDArray[np.integer], rows: NDArray[np.floating]) -> None:
        """Append predicted frames."""
        k = self._n_nodes
        poses = rows.reshape(len(rows), -1, k, 3)
        seen = np.isfinite(poses[..., :2]).all(axis=-1)
        row, animal = np.nonzero(seen.any(axis=2))  # frame by frame
        shown, counts = np.unique(row, return_counts=True)
        ends = self._n + np.cumsum(counts)
        frame_ids = self._n_frames + np.arange(len(shown))
        self._append(
            "frames",
            len(shown),
            frame_id=frame_ids,
            frame_idx=np.asarray(numbers)[shown],
            instance_id_start=ends - counts,
            instance_id_end=ends,
        )
        self._n_frames += len(shown)
        rows, seen, n = poses[row, animal], seen[row, animal], len(row)
        ids = np.arange(self._n, self._n + n)
        self._append(
            "instances",
            n,
            instance_id=ids,
            instance_type=_PREDICTED,
            frame_id=np.repeat(frame_ids, counts),
            track=animal if self._n_tracks else -1,
            from_predicted=-1,
            score=rows[..., 2].mean(axis=1),
            point_id_start=ids * k,
            point_id_end=(ids + 1) * k,
            tracking_score=np.nan,
        )
        points = np.where(seen[..., None], rows[..., :2], np.nan).reshape(-1, 2)
        self._append(
            "pred_points", n * k, x=points[:, 0], y=points[:, 1], visible=seen.ravel(), score=rows[..., 2].ravel()
        )
        self._n += n

    def _append(self, name: str, n: int, **columns: NDArray[Any] | float) -> None:
        table = self._file[name]
        new = np.zeros(n, table.dtype)
        for column, values in columns.items():
            new[column] = values
        table.resize(len(table) + n, axis=0)
        table[len(table) - n :] = new


def read_sleap_predictions(path: Path, video: str) -> PredictionTable:
    """Read SLEAP's predictions for the video named ``video``, or for the file's only video.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, it is not such a file, or it has none or several animals' predictions for the
        video.
    """
    sio = import_sleap_io()
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Choose a SLEAP file (.slp).")
    try:
        refuse_bombs(path)
        labels = sio.load_slp(str(path), open_videos=False, lazy=True)
        videos = SleapVideos(path, labels.videos)
        name = _name_in(path, videos, video)
        found: dict[int, Any] = {}
        for frame in labels:
            key = videos.key(frame)
            predicted = [i for i in frame.predicted_instances if np.isfinite(i.numpy()).all(axis=1).any()]
            if key.video != name or not predicted:
                continue
            if len(predicted) > 1:
                raise AlPoseError(f"{path} holds several animals in a frame.", "Choose predictions of a single animal.")
            if key.frame in found:
                raise AlPoseError(
                    f"{path} holds frame {key.frame} of {name!r} twice.", "Merge its frames in SLEAP and save it again."
                )
            found[key.frame] = predicted[0]
    except DAMAGE as error:
        raise AlPoseError(
            f"{path} is not a readable SLEAP file: {str(error)[:120] or type(error).__name__}.",
            "Open it in SLEAP and save it again, or choose another file.",
        ) from error
    if not found:
        raise AlPoseError(f"{path} holds no predictions of {video!r}.", "Choose the file of this video's predictions.")
    orders = Counter(tuple(str(name) for name in instance.skeleton.node_names) for instance in found.values())
    bodyparts = tuple(dict.fromkeys(name for names in orders for name in names))
    frames = np.array(sorted(found), np.int64)
    poses = np.full((len(frames), len(bodyparts), 3), np.nan)
    for row, number in zip(poses, frames.tolist(), strict=True):
        instance = found[number]
        row[[bodyparts.index(str(name)) for name in instance.skeleton.node_names]] = instance.numpy(scores=True)
    poses[~np.isfinite(poses[..., :2]).all(axis=-1)] = np.nan
    return PredictionTable("SLEAP", bodyparts, frames, poses[..., :2], np.nan_to_num(poses[..., 2]))


def _name_in(path: Path, videos: SleapVideos, video: str) -> str:
    """Return the reader's name for the video: its name, or that name with folders that distinguish videos."""
    names = [found.name for found in videos.videos]
    if video in names:
        return video
    same = [name for found in videos.videos if video_stem(found.path) == video for name in (found.name,)]
    if len(same) > 1:
        raise AlPoseError(
            f"{path} holds predictions of {len(same)} videos called {video!r}.",
            "Export the predictions of this video on its own.",
        )
    if not same and len(names) != 1:
        raise AlPoseError(f"{path} has no video {video!r}.", "Choose the file of this video's predictions.")
    return (same or names)[0]
