"""The sample with two mice: videos in which they look alike, meet and cross, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pooch
from numpy.typing import NDArray

from napari_al_pose.samples.arena import home_cage, open_field
from napari_al_pose.samples.footage import Footage, Scene, encode
from napari_al_pose.samples.synthetic import (
    BLACK,
    TRUTH_FILE,
    WHITE,
    check_same,
    config_text,
    new_folder,
    read_truth,
)

PAIR_NAME = "alpose-pair-synthetic-2024-01-01"
INDIVIDUALS = ("mouse1", "mouse2")
PAIR_SCENES = (
    Scene("two-black-mice", home_cage, BLACK, size=0.8),
    Scene("two-white-mice", open_field, WHITE, size=0.75, flicker=0.1),
)
_VERSION = "pair-1"
"""Increase this when the drawing changes, so that nobody gets an old picture from the cache."""


def pair_home() -> Path:
    """Return the folder in the user's cache where the application keeps its sample of two."""
    return Path(pooch.os_cache("napari-al-pose")) / _VERSION


def make_pair(
    folder: Path, *, seed: int = 0, n_frames: int = 600, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Make the sample project with two mice, unless ``folder`` has it already.

    The same seed, number of frames and library versions give the same bytes. The project is built under a temporary
    name, so an interrupted run leaves no half-made sample.

    Parameters
    ----------
    folder : Path
        The project becomes ``folder / PAIR_NAME``; the folder is created if necessary.
    seed : int, optional
        For the arenas, the fur, the motion and the noise.
    n_frames : int, optional
        Frames of each of the two videos.
    progress : callable, optional
        Called with the number of frames done and of all frames.

    Returns
    -------
    Path
        The project's ``config.yaml``.

    Raises
    ------
    AlPoseError
        If the folder can't be written, or holds a sample of another seed or length.
    """
    target = Path(folder) / PAIR_NAME
    if target.exists():
        check_same(target, seed, n_frames)
        return target / "config.yaml"
    done, total = 0, n_frames * len(PAIR_SCENES)

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with new_folder(target) as temporary:
        (temporary / "videos").mkdir()
        truth: dict[str, NDArray[np.generic]] = {"seed": np.array(seed), "n_frames": np.array(n_frames)}
        states = np.random.SeedSequence(seed).spawn(len(PAIR_SCENES))
        for scene, random_state in zip(PAIR_SCENES, states, strict=True):
            footage = Footage(scene, n_frames, np.random.default_rng(random_state), n_mice=len(INDIVIDUALS))
            truth[scene.name] = footage.truths()
            encode(temporary / "videos" / f"{scene.name}.mp4", footage.frames(), after_each=count)
        np.savez_compressed(temporary / TRUTH_FILE, **truth)  # type: ignore[arg-type]  # NumPy's stub mixes up its keywords
        config = config_text([scene.name for scene in PAIR_SCENES], INDIVIDUALS)
        (temporary / "config.yaml").write_text(config, encoding="utf-8", newline="\n")
    return target / "config.yaml"


def pair_truth(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return the true position of every bodypart of both mice.

    Parameters
    ----------
    folder : Path
        The project folder, or its ``config.yaml``.

    Returns
    -------
    dict
        For each video float64 (N, 2, K, 2), source pixels with NaN for bodyparts that can't be seen; mice and bodyparts
        are in the order of ``config.yaml``.

    Raises
    ------
    AlPoseError
        If the folder has no truth, or a damaged one.
    """
    return {name: xy for name, xy in read_truth(Path(folder)).items() if name not in ("seed", "n_frames")}
