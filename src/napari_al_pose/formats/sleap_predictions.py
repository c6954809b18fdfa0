"""Predictions of whole videos in SLEAP's ``.slp``: the frame of the file by sleap-io, the long tables row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_predictions import AddRows, PredictionTable
from napari_al_pose.formats.names import video_stem
from napari_al_pose.formats.sleap_file import DAMAGE, import_sleap_io, refuse_bombs

_PREDICTED = 1
"""SLEAP's number for an instance that a model predicted."""


@contextmanager
def writing_sleap(
    path: Path,
    *,
    video: Path,
    shape: tuple[int, int, int, int],
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]],
) -> Iterator[AddRows]:
    """Give what adds predicted frames to a ``.slp``; it is there when the block succeeds.

    sleap-io writes a whole file from objects in memory, some kilobytes a frame; here its tables grow on disk.

    Parameters
    ----------
    path : Path
        Ends in ``.slp``.
    video : Path
        The video file, or the folder of images.
    shape : (int, int, int, int)
        Frames, height, width, channels of the video.
    bodyparts : sequence of str
        K of them; SLEAP's nodes.
    links : sequence of (str, str)
        SLEAP's edges.

    Yields
    ------
    callable
        See `AddRows`. A frame without any position is left out, as SLEAP does.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, or the file cannot be written.
    """
    sio = import_sleap_io()
    skeleton = sio.Skeleton(nodes=list(bodyparts), edges=[list(link) for link in links], name="animal")
    described = sio.Video(filename=str(video), open_backend=False, backend_metadata={"shape": list(shape)})
    with replacing(path) as temporary:
        temporary.unlink()  # sleap-io appends to what is there
        empty = sio.Labels(videos=[described], skeletons=[skeleton])
        sio.save_slp(empty, str(temporary), embed=False, verbose=False)
        with _Tables(temporary, len(bodyparts)) as tables:
            yield tables.add


class _Tables:
    """The tables of frames, instances and predicted points in a ``.slp``, made extensible."""

    def __init__(self, path: Path, n_nodes: int) -> None:
        import h5py

        self._file = h5py.File(path, "r+")
        self._n_nodes = n_nodes
        self._n = 0
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
        seen = np.isfinite(rows[..., :2]).all(axis=-1)
        kept = seen.any(axis=1)
        rows, seen, numbers = rows[kept], seen[kept], np.asarray(numbers)[kept]
        n, k = len(rows), self._n_nodes
        ids = np.arange(self._n, self._n + n)
        self._append("frames", n, frame_id=ids, frame_idx=numbers, instance_id_start=ids, instance_id_end=ids + 1)
        self._append(
            "instances",
            n,
            instance_id=ids,
            instance_type=_PREDICTED,
            frame_id=ids,
            track=-1,
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

    def _append(self, name: str, n: int, **columns: NDArray | float) -> None:
        table = self._file[name]
        new = np.zeros(n, table.dtype)
        for column, values in columns.items():
            new[column] = values
        table.resize(len(table) + n, axis=0)
        table[len(table) - n :] = new


def read_sleap_predictions(path: Path, video: str) -> PredictionTable:
    """Read what SLEAP predicted in the video named ``video``, or in the file's only video.

    Raises
    ------
    AlPoseError
        If sleap-io is not installed, it is no such file, it holds no predictions of that video, or of several animals.
    """
    sio = import_sleap_io()
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Choose a SLEAP file (.slp).")
    try:
        refuse_bombs(path)
        labels = sio.load_slp(str(path), open_videos=False, lazy=True)
        names = [video_stem(str(found.filename)) for found in labels.videos]
        which = names.index(video) if video in names else 0
        if not names or (video not in names and len(names) > 1):
            raise AlPoseError(f"{path} has no video {video!r}.", "Choose the file of this video's predictions.")
        values = labels.numpy(video=which, untracked=True, return_confidence=True, user_instances=False)
        bodyparts = tuple(labels.skeletons[0].node_names)
    except DAMAGE as error:
        raise AlPoseError(
            f"{path} is no readable SLEAP file: {str(error)[:120] or type(error).__name__}.",
            "Open it in SLEAP and save it anew, or choose another file.",
        ) from error
    values = np.asarray(values, np.float64)
    animals = np.isfinite(values[..., :2]).any(axis=(2, 3))
    if (animals.sum(axis=1) > 1).any():
        raise AlPoseError(f"{path} holds several animals in a frame.", "Choose predictions of a single animal.")
    if not animals.any():
        raise AlPoseError(f"{path} holds no predictions of {video!r}.", "Choose the file of this video's predictions.")
    frames = np.flatnonzero(animals.any(axis=1))
    poses = values[frames, animals[frames].argmax(axis=1)]
    return PredictionTable("SLEAP", bodyparts, frames, poses[..., :2], np.nan_to_num(poses[..., 2]))
