"""Leeds Sports Pose (``joints.mat``), read and written.

LSP has ``joints`` of 3 x 14 x N, whose third row is 1 for an occluded joint (its position was guessed). The extended
set has 14 x 3 x N, whose third column is 1 for a visible joint. Coordinates are MATLAB's, whose first pixel is 1. Image
i is ``images/im<i>.jpg``, from 1 (https://sam.johnson.io/research/lsp.html).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState, Skeleton
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.image_sets import check_count, set_name
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture, annotation_of
from napari_al_pose.formats.matlab import MOST_BYTES, matrices

BODYPARTS = (
    "right ankle",
    "right knee",
    "right hip",
    "left hip",
    "left knee",
    "left ankle",
    "right wrist",
    "right elbow",
    "right shoulder",
    "left shoulder",
    "left elbow",
    "left wrist",
    "neck",
    "head top",
)
LINKS = tuple(
    (BODYPARTS[a], BODYPARTS[b])
    for a, b in (
        (0, 1), (1, 2), (3, 4), (4, 5), (2, 3), (2, 8), (3, 9),
        (8, 7), (7, 6), (9, 10), (10, 11), (12, 8), (12, 9), (12, 13),
    )
)  # fmt: skip
CAPABILITIES = Capabilities("LSP", individuals="one", links=LINKS, bodyparts=BODYPARTS, frames=False)
FILE = "joints.mat"


def read_lsp(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read ``joints.mat`` of LSP or of its extended set, as a `LabelReader` does."""
    joints = _joints(path)
    if joints.shape[:2] == (3, 14):
        xy, flags = joints[:2].transpose(2, 1, 0), joints[2].T
        occluded, visible = flags != 0, np.ones(flags.shape, bool)
    else:
        xy, flags = joints[:, :2].transpose(2, 0, 1), joints[:, 2].T
        occluded, visible = np.zeros(flags.shape, bool), flags != 0
    name = set_name(path.resolve().parent.name, "lsp")
    width = 5 if len(xy) > 9999 else 4
    placed = visible & np.isfinite(xy).all(axis=-1)
    pictures = {number: Picture(f"images/im{number:0{width}d}.jpg") for number in range(1, len(xy) + 1)}
    annotations = tuple(
        annotation_of(FrameKey(name, number), points - 1.0, placed=there)
        for number, (points, there) in enumerate(reporting(list(zip(xy, placed, strict=True)), on_progress), 1)
        if there.any()
    )
    notices = []
    guessed, hidden = int((occluded & placed).sum()), int((~placed).sum())
    if guessed:
        notices.append(f"{path}: {counted(guessed, 'occluded joint')} with a place taken as placed.")
    if hidden:
        notices.append(f"{path}: {counted(hidden, 'joint')} without a place taken as not visible.")
    return LabelSet(Skeleton(BODYPARTS, LINKS), (LabelledVideo(name, pictures=pictures),), annotations, tuple(notices))


def write_lsp(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit_to_format` returned as 3 x 14 x N, in the order of their frames.

    A joint that is not visible is NaN.

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """
    from scipy.io import savemat

    annotations = [annotation for of_frame in labels.frames().values() for annotation in of_frame]
    joints = np.empty((3, len(BODYPARTS), len(annotations)))
    for number, annotation in enumerate(annotations):
        joints[:2, :, number] = annotation.xy.T + 1.0
        joints[2, :, number] = annotation.states != KeypointState.PLACED
    with replacing(path) as temporary:
        savemat(temporary, {"joints": joints}, appendmat=False, do_compression=True)


def _joints(path: Path) -> NDArray[np.float64]:
    remedy = "Choose the joints.mat of Leeds Sports Pose."
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", remedy)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is larger than any")
        found = [matrix for matrix in matrices(path.read_bytes()) if matrix.name == "joints"]
        if len(found) > 1:
            raise AlPoseError(f"{path} has {len(found)} variables called 'joints'.", remedy)
        shape: tuple[int, ...] = found[0].shape if found else ()
        if len(shape) != 3 or shape[:2] not in ((3, 14), (14, 3)):
            size = "x".join(map(str, shape)) if shape else "nothing"
            raise AlPoseError(f"{path}: expected 'joints' of 3 x 14 x N or 14 x 3 x N, got {size}.", remedy)
        check_count(shape[2], path)
        joints = found[0].read()
    except (OSError, ValueError) as error:
        raise AlPoseError(f"{path} is not a readable MATLAB file: {error}.", remedy) from error
    if (np.abs(joints) >= 1e9).any():
        raise AlPoseError(f"{path}: 'joints' holds numbers that are not coordinates.", remedy)
    return joints
