"""``napari-al-pose demo``: the window on a sample project, for a person or played by a simulated annotator."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pooch

from napari_al_pose.domain import AlPoseError


def run_demo(
    project: Path | None,
    *,
    dataset: str,
    play: bool,
    rounds: int,
    output: Path,
    animals: int = 1,
    jobs: bool = False,
) -> int:
    """Open the window on a project, or let a simulated annotator play in it.

    Parameters
    ----------
    project : Path or None
        The user's project; None for the sample.
    dataset : str
        "synthetic" (made here, nothing downloaded) or "openfield" (downloaded).
    play : bool
        Whether the annotator plays on a fresh copy of the synthetic sample; screenshots go to ``output``.
    rounds : int
        Number of rounds to play.
    output : Path
        Folder for the screenshots of a played demo.
    animals : int
        Mice in the synthetic sample, 1 or 2.
    jobs : bool
        Play the jobs of a newcomer instead of rounds, and print a line of JSON for each.

    Returns
    -------
    int
        Exit code.
    """
    if project is not None:
        if play:
            raise AlPoseError(
                "--play needs the sample's ground truth, got a project of yours.", "Leave out --play or the project."
            )
        return _open(project)
    if dataset == "openfield":
        if play:
            raise AlPoseError("--play plays the synthetic sample only.", "Leave out --play or --dataset.")
        from napari_al_pose.samples import fetch_openfield

        return _open(fetch_openfield(_home()))
    if animals > 1:
        if play:
            raise AlPoseError("--play plays the sample of one mouse only.", "Leave out --play or --animals.")
        return _open(sample_of_two())
    if jobs and not play:
        raise AlPoseError("--jobs says what --play plays.", "Add --play.")
    sample = synthetic_sample()
    if jobs:
        return _play_jobs(sample, output=output)
    return _play(sample, rounds=rounds, output=output) if play else _open(sample)


def synthetic_sample() -> Path:
    """Return the sample project's ``config.yaml``; make the project on first use."""
    from napari_al_pose.samples import find_sample, make_sample, sample_home

    folder = sample_home()
    found = find_sample(folder)
    if found is not None:
        return found
    return _made(lambda progress: make_sample(folder, progress=progress))


def sample_of_two() -> Path:
    """Return the ``config.yaml`` of the sample project with two mice; make the project on first use."""
    from napari_al_pose.samples import find_sample, make_pair, pair_home
    from napari_al_pose.samples.pair import PAIR_NAME

    folder = pair_home()
    found = find_sample(folder, PAIR_NAME)
    return found if found is not None else _made(lambda progress: make_pair(folder, progress=progress))


def _made(make: Callable[[Callable[[int, int], None]], Path]) -> Path:
    """Return the result of ``make``, showing its progress."""
    from tqdm import tqdm

    pause = 0.1 if sys.stderr.isatty() else 5.0
    with tqdm(desc="Making the sample project", unit=" frames", file=sys.stderr, mininterval=pause) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return make(progress)


def _home() -> Path:
    return Path(pooch.os_cache("napari-al-pose"))


def _open(project: Path) -> int:
    from napari_al_pose.gui.window import run_window

    run_window([project])
    return 0


def _play_jobs(sample: Path, *, output: Path) -> int:
    """Play the jobs, beginning with the sample as the start page opens it."""
    from napari_al_pose.demo.window import play_jobs_in_window

    if (sample.parent / "al-pose").exists():
        raise AlPoseError(
            f"The sample in {sample.parent} has been worked on.",
            "Name another folder for it in the environment variable XDG_CACHE_HOME.",
        )
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.png"):
        old.unlink()
    return play_jobs_in_window(sample, output=output)


def _play(sample: Path, *, rounds: int, output: Path) -> int:
    """Play in a fresh copy, so that every demo starts without labels."""
    from napari_al_pose.demo.window import play_in_window

    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.png"):
        old.unlink()
    copy = output / "project"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(sample.parent, copy, ignore=shutil.ignore_patterns("al-pose"))
    return play_in_window(copy / sample.name, rounds=rounds, output=output)
