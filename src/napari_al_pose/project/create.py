"""Creates a new project from videos."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from napari_al_pose.domain import SINGLE_INDIVIDUAL, UNIQUE_INDIVIDUAL, AlPoseError, Skeleton
from napari_al_pose.domain.views.new_project import project_folder
from napari_al_pose.formats.atomic import cannot_write, replacing
from napari_al_pose.formats.deeplabcut import VideoSet, write_new_config
from napari_al_pose.formats.names import VIDEO_SUFFIXES, is_safe_name, video_stem
from napari_al_pose.project.identity import is_same_video

logger = logging.getLogger(__name__)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def create_project(
    parent: Path | str,
    *,
    task: str,
    scorer: str,
    bodyparts: Sequence[str],
    skeleton: Sequence[tuple[str, str]] = (),
    individuals: Sequence[str] = (),
    unique_bodyparts: Sequence[str] = (),
    videos: Sequence[Path],
    copy_videos: bool = False,
) -> Path:
    """Make a DeepLabCut project ``<task>-<scorer>-<date>`` in ``parent``.

    Parameters
    ----------
    parent : Path
        An existing folder.
    task, scorer : str
        They become part of file names.
    bodyparts : sequence of str
        In labelling order.
    skeleton : sequence of (str, str)
        Links between bodyparts.
    individuals : sequence of str
        Names of the animals of a multi-animal project; empty for a single animal.
    unique_bodyparts : sequence of str
        Bodyparts of no animal, in a multi-animal project only.
    videos : sequence of Path
        At least one; linked into the project if the system allows links, otherwise copied.
    copy_videos : bool
        Copy the videos even if links are possible.

    Returns
    -------
    Path
        The new ``config.yaml``.

    Raises
    ------
    AlPoseError
        If a name or a video is not valid, the folder exists, or it can't be written. Nothing is left behind then.
    """
    parent = Path(parent).expanduser().absolute()
    task, scorer = task.strip(), scorer.strip()
    animals = tuple(name.strip() for name in individuals)
    _refuse_names(task, scorer, animals)
    checked = _checked(bodyparts, skeleton, animals, unique_bodyparts)
    if not videos:
        raise AlPoseError("Expected at least one video, got none.", "Choose the videos to label.")
    if not parent.is_dir():
        raise AlPoseError(f"There is no folder {parent}.", "Choose the folder in which to make the project.")
    today = date.today()
    root = parent / project_folder(task, scorer, today)
    if root.exists():
        raise AlPoseError(f"{root} exists already.", "Open it, or choose another name for the project.")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".new-project-", dir=parent))
    except OSError as error:
        raise cannot_write(parent, error) from error
    try:
        video_sets: list[VideoSet] = []
        for video in videos:
            taken = [Path(entry.path).stem for entry in video_sets]
            entry = place_video(Path(video), temporary / "videos", taken=taken, copy=copy_videos)
            video_sets.append(VideoSet(str(root / "videos" / Path(entry.path).name), entry.crop))
        for name in ("labeled-data", "training-datasets", "dlc-models-pytorch"):
            (temporary / name).mkdir()
        write_new_config(
            temporary / "config.yaml",
            task=task,
            scorer=scorer,
            date=short_date(today),
            bodyparts=checked.bodyparts,
            skeleton=checked.links,
            individuals=animals,
            unique_bodyparts=checked.unique_bodyparts,
            video_sets=video_sets,
            project_path=root,
        )
        temporary.chmod(0o755)
        temporary.rename(root)
    except OSError as error:
        raise cannot_write(root, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return root / "config.yaml"


def _checked(
    bodyparts: Sequence[str], links: Sequence[tuple[str, str]], animals: tuple[str, ...], unique: Sequence[str]
) -> Skeleton:
    made = Skeleton(
        tuple(part.strip() for part in bodyparts),
        tuple((a, b) for a, b in links),
        animals or (SINGLE_INDIVIDUAL,),
        tuple(part.strip() for part in unique),
    )
    if unique and not animals:
        raise AlPoseError(
            f"{', '.join(made.unique_bodyparts)} can't be unique bodyparts where no animal has a name.",
            "Name the animals, or list them among the bodyparts.",
        )
    return made


def short_date(day: date) -> str:
    """Return a date in DeepLabCut's form for ``config.yaml``, in English everywhere: "Oct30"."""
    return f"{_MONTHS[day.month - 1]}{day.day}"


def _refuse_names(task: str, scorer: str, individuals: Sequence[str]) -> None:
    for what, name in (("name of the project", task), ("scorer", scorer)):
        if not is_safe_name(name) or name.startswith("."):
            raise AlPoseError(
                f"Expected a {what} that can be part of a file name, got {name!r}.",
                "Use letters, digits, spaces, '-' and '_'.",
            )
    unusable = [name for name in individuals if not is_safe_name(name) or name == UNIQUE_INDIVIDUAL]
    if unusable:
        raise AlPoseError(f"{unusable[0]!r} cannot be the name of an individual.", "Choose another name.")


def place_video(path: Path, folder: Path, *, taken: Collection[str], copy: bool, name: str = "") -> VideoSet:
    """Link or copy a video into ``folder``, after decoding one of its frames.

    Parameters
    ----------
    path : Path
        The video.
    folder : Path
        ``videos/`` of a project; created if necessary.
    taken : collection of str
        Names of videos that the project has.
    copy : bool
        Copy the video even if a link is possible.
    name : str, optional
        Its name in the project; by default its own.

    Returns
    -------
    VideoSet
        Its path in ``folder``, and its full frame as the crop.

    Raises
    ------
    AlPoseError
        If there is no such file, it is not a video, its name is taken or not valid, or the folder can't be written.
    """
    from napari_al_pose.video import open_source

    path = path.expanduser().absolute()
    stem = video_stem(f"{name}{path.suffix}" if name else path.name)
    if stem is None or stem.startswith("."):
        raise AlPoseError(
            f"Expected a video ({', '.join(VIDEO_SUFFIXES)}) with a plain name, got {path.name!r}.",
            "Choose a video, or rename it.",
        )
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Choose a video that exists.")
    if stem in taken:
        there = folder / f"{stem}{path.suffix}"
        if is_same_video(there, path):
            raise AlPoseError(f"The project has the video {path} already, as {stem!r}.", "Choose another video.")
        raise AlPoseError(
            f"The project has a video named {stem!r} already; {path} cannot have the same name.", "Rename the file."
        )
    with closing(open_source(path)) as source:
        _, height, width, _ = source.shape
    destination = folder / f"{stem}{path.suffix}"
    if destination != path:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _link_or_copy(path.resolve(), destination, copy=copy)
        except OSError as error:
            raise cannot_write(destination, error) from error
    return VideoSet(str(destination), (0, width, 0, height))


def _link_or_copy(path: Path, destination: Path, *, copy: bool) -> None:
    if not copy:
        try:
            if destination.is_symlink() and not destination.exists():
                destination.unlink()  # a link to a video that moved
            os.symlink(path, destination)
            return
        except OSError as error:
            if destination.exists():
                raise
            logger.info("%s cannot be linked (%s) and is copied", path, error)
    with replacing(destination) as temporary:
        shutil.copyfile(path, temporary)
