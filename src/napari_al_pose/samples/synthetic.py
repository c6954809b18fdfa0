"""The sample project: two short videos of a mouse, drawn by code, with the truth beside them."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pooch
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import project_root
from napari_al_pose.samples.anatomy import BODYPARTS, SKELETON
from napari_al_pose.samples.arena import HEIGHT, WIDTH, home_cage, open_field
from napari_al_pose.samples.footage import Footage, Scene, encode
from napari_al_pose.samples.mouse import Coat

log = logging.getLogger(__name__)

PROJECT_NAME = "alpose-sample-synthetic-2024-01-01"
TRUTH_FILE = "al-pose-truth.npz"
_VERSION = "sample-1"
"""Increase this when the drawing changes, so that nobody gets an old picture from the cache."""

BLACK = Coat(
    back=(58, 50, 45),
    flank=(84, 72, 62),
    ear=(82, 66, 62),
    ear_inside=(138, 100, 94),
    skin=(176, 132, 122),
    tail=(108, 88, 84),
    eye=(14, 11, 11),
    sheen=26,
)
WHITE = Coat(
    back=(212, 205, 194),
    flank=(186, 177, 166),
    ear=(216, 184, 174),
    ear_inside=(206, 146, 138),
    skin=(222, 172, 160),
    tail=(206, 160, 148),
    eye=(126, 30, 34),
    contrast=0.07,
    sheen=16,
)
SCENES = (Scene("black-mouse", home_cage, BLACK), Scene("white-mouse", open_field, WHITE, size=0.92, flicker=0.1))

_CONFIG = """\
# A synthetic sample project: every frame of its videos is drawn by code. Nothing is labelled yet;
# {truth} knows the answers.
Task: alpose-sample
scorer: synthetic
date: Jan1
multianimalproject: {multianimal}
identity:

# Relative, so that the folder can be moved (DeepLabCut writes the absolute path when it first reads this file)
project_path: .

engine: pytorch

video_sets:
{video_sets}
{bodyparts}

start: 0
stop: 1
numframes2pick: 20

skeleton:
{skeleton}
skeleton_color: black
pcutoff: 0.6
dotsize: 8
alphavalue: 0.7
colormap: rainbow

TrainingFraction:
- 0.95
iteration: 0
default_net_type: resnet_50
default_augmenter: albumentations
snapshotindex: -1
detector_snapshotindex: -1
batch_size: 8
detector_batch_size: 1

cropping: false
x1: 0
x2: {width}
y1: 0
y2: {height}

corner2move2:
- 50
- 50
move2corner: true
"""


def sample_home() -> Path:
    """Return the folder in the user's cache where the application keeps its sample."""
    return Path(pooch.os_cache("napari-al-pose")) / _VERSION


def find_sample(folder: Path, name: str = PROJECT_NAME) -> Path | None:
    """Return the ``config.yaml`` of the sample ``name`` in ``folder``; None if it is not there."""
    config = Path(folder) / name / "config.yaml"
    return config if config.is_file() else None


def make_sample(
    folder: Path, *, seed: int = 0, n_frames: int = 600, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Make the sample project, unless ``folder`` has it already.

    The same seed, number of frames and library versions give the same bytes. The project is built under a temporary
    name, so an interrupted run leaves no half-made sample.

    Parameters
    ----------
    folder : Path
        The project becomes ``folder / PROJECT_NAME``; the folder is created if necessary.
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
    return make_drawn(Path(folder) / PROJECT_NAME, SCENES, seed=seed, n_frames=n_frames, progress=progress)


def make_drawn(
    target: Path,
    scenes: Sequence[Scene],
    *,
    seed: int,
    n_frames: int,
    individuals: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make a sample project of drawn scenes in ``target``, see `make_sample`; of one mouse if none are named."""
    if target.exists():
        _check_same(target, seed, n_frames)
        return target / "config.yaml"
    done, total = 0, n_frames * len(scenes)

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    with _new_folder(target) as temporary:
        (temporary / "videos").mkdir()
        truth: dict[str, NDArray[np.generic]] = {"seed": np.array(seed), "n_frames": np.array(n_frames)}
        for scene, random_state in zip(scenes, np.random.SeedSequence(seed).spawn(len(scenes)), strict=True):
            footage = Footage(scene, n_frames, np.random.default_rng(random_state), n_mice=max(1, len(individuals)))
            truth[scene.name] = footage.truths() if individuals else footage.truth()
            encode(temporary / "videos" / f"{scene.name}.mp4", footage.frames(), after_each=count)
        np.savez_compressed(temporary / TRUTH_FILE, **truth)  # type: ignore[arg-type]  # NumPy's stub mixes up its keywords
        config = _config_text([scene.name for scene in scenes], individuals)
        (temporary / "config.yaml").write_text(config, encoding="utf-8", newline="\n")
    return target / "config.yaml"


def ground_truth(folder: Path) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return the true position of every bodypart in the sample project.

    Parameters
    ----------
    folder : Path
        The project folder, or its ``config.yaml``.

    Returns
    -------
    dict
        For each video its ``xy`` (N, K, 2), source pixels with NaN for bodyparts that can't be seen, and ``visible``
        (N, K); the bodyparts are in the order of ``config.yaml``.

    Raises
    ------
    AlPoseError
        If the folder has no truth, or a damaged one.
    """
    truth = read_truth(Path(folder))
    return {name: (xy, ~np.isnan(xy[..., 0])) for name, xy in truth.items() if name not in ("seed", "n_frames")}


def has_ground_truth(folder: Path) -> bool:
    """Return whether the project folder (or its ``config.yaml``) is a sample with known truth."""
    return _truth_path(Path(folder)).is_file()


def _config_text(videos: Sequence[str], individuals: Sequence[str] = ()) -> str:
    """Return the ``config.yaml`` of a sample with these videos; of one animal if no individuals are named."""
    bodyparts = _listed("bodyparts", BODYPARTS)
    if individuals:
        bodyparts = "\n".join(
            (
                _listed("individuals", individuals),
                "uniquebodyparts: []",
                _listed("multianimalbodyparts", BODYPARTS),
                "bodyparts: MULTI!",
            )
        )
    return _CONFIG.format(
        truth=TRUTH_FILE,
        multianimal="true" if individuals else "false",
        video_sets="\n".join(f"  videos/{name}.mp4:\n    crop: 0, {WIDTH}, 0, {HEIGHT}" for name in videos),
        bodyparts=bodyparts,
        skeleton="\n".join(f"- - {start}\n  - {end}" for start, end in SKELETON),
        width=WIDTH,
        height=HEIGHT,
    )


def _listed(name: str, entries: Sequence[str]) -> str:
    return "\n".join((f"{name}:", *(f"- {entry}" for entry in entries)))


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Provide a temporary folder that becomes ``target`` if the block succeeds and vanishes otherwise."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise AlPoseError(
            f"Expected to write the sample project to {target.parent}, got: {error.strerror or error}.",
            "Choose a folder you may write to.",
        ) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.is_dir():
                raise
            log.info("Another process has made %s meanwhile; using that", target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_same(target: Path, seed: int, n_frames: int) -> None:
    """Refuse a sample of another seed or length."""
    truth = read_truth(target)
    found = (int(truth["seed"]), int(truth["n_frames"]))
    if found != (seed, n_frames):
        raise AlPoseError(
            f"Expected {target} to be a sample of seed {seed} with {n_frames} frames, "
            f"got seed {found[0]} with {found[1]} frames.",
            "Choose another folder, or move this one away.",
        )


def _truth_path(folder: Path) -> Path:
    return project_root(folder) / TRUTH_FILE


def read_truth(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return the truth of a sample, by name."""
    path = _truth_path(folder)
    try:
        with np.load(path, allow_pickle=False) as archive:
            truth = {name: archive[name] for name in archive.files}
        truth["seed"], truth["n_frames"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise AlPoseError(
            f"Expected the sample's ground truth in {path}, got: {error}.",
            "Delete the folder and make the sample again; only the sample project has a ground truth.",
        ) from error
    return truth
