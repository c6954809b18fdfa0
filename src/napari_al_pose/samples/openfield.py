"""DeepLabCut's openfield project, downloaded from its repository and verified file by file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pooch
from requests.exceptions import RequestException

from napari_al_pose.domain import AlPoseError

PROJECT_NAME = "openfield-Pranav-2018-10-30"
BASE_URL = f"https://raw.githubusercontent.com/DeepLabCut/DeepLabCut/main/examples/{PROJECT_NAME}/"


def fetch_openfield(
    folder: Path, *, base_url: str = BASE_URL, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Download the openfield project, unless ``folder`` has it already: 116 labelled frames and one video, 29 MB.

    A file gets its name only when it is complete and its SHA-256 is right, and an interrupted run continues where it
    stopped. A complete project is left alone: its labels may be the user's own work by now.

    Parameters
    ----------
    folder : Path
        The project becomes ``folder / PROJECT_NAME``.
    base_url : str, optional
        Location of the project's files.
    progress : callable, optional
        Called with the number of files done and of all files.

    Returns
    -------
    Path
        The project's ``config.yaml``.

    Raises
    ------
    AlPoseError
        If a file can't be downloaded or is not the expected one.
    """
    target = Path(folder) / PROJECT_NAME
    if (target / "config.yaml").is_file():
        return target / "config.yaml"
    files = registry()
    # The config comes last: a folder that has one is complete.
    names = sorted(files, key=lambda name: (name == "config.yaml", name))
    fetcher = pooch.create(target, base_url.rstrip("/") + "/", registry=files, retry_if_failed=1)
    with _quiet_pooch():
        for done, name in enumerate(names):
            _fetch(fetcher, name)
            if progress is not None:
                progress(done + 1, len(names))
    return target / "config.yaml"


def registry() -> dict[str, str]:
    """Return the SHA-256 of every file of the project by its path in it."""
    text = resources.files("napari_al_pose.samples").joinpath("openfield_registry.txt").read_text(encoding="utf-8")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: sha256 for sha256, name in lines}


def _fetch(fetcher: pooch.Pooch, name: str) -> None:
    """Download one file; pooch checks its hash under a temporary name and then renames it."""
    url = fetcher.get_url(name)
    try:
        fetcher.fetch(name)
    except RequestException as error:
        raise AlPoseError(
            f"Expected to download {url}, got: {type(error).__name__}.",
            "Connect to the internet and try again, or use the synthetic sample, which needs no download.",
        ) from error
    except ValueError as error:
        raise AlPoseError(
            f"Expected {url} to have the SHA-256 {fetcher.registry[name]}, got another file.",
            "The download was damaged or has changed upstream. Try again, or use the synthetic sample.",
        ) from error
    except OSError as error:
        raise AlPoseError(
            f"Expected to write {fetcher.abspath / name}, got: {error.strerror or error}.",
            "Choose a folder you may write to.",
        ) from error


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from printing a line for each file; our progress says the same."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
