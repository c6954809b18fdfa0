"""Keeps labelled frames: in memory while they are few or small, else in temporary files."""

from __future__ import annotations

import tempfile

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError

IN_MEMORY = 512 * 2**20
"""Bytes of frames kept in memory; a laptop with 2 GB to spare also has to hold the network and its maps."""


class FrameStore:
    """Keeps frames. What `keep` returns reads like any array; its file is gone when nobody holds it any more."""

    def __init__(self) -> None:
        self._left = IN_MEMORY

    def keep(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an array of the same content.

        Raises
        ------
        AlPoseError
            If there is no room on disk either.
        """
        self._left -= image.nbytes
        if self._left >= 0:
            return image
        try:
            with tempfile.TemporaryFile(prefix="napari-al-pose-") as file:
                # Written, not mapped for writing: a full disk is an error here, but the end of the process there.
                file.write(image.tobytes())
                file.flush()
                return np.memmap(file, np.uint8, "r", shape=image.shape)
        except OSError as error:
            raise AlPoseError(
                f"There is no room for the labelled frames in {tempfile.gettempdir()}: {error.strerror}.",
                "Free some space there, or name another folder in the environment variable TMPDIR.",
            ) from error
