"""Creates a project folder for labels that come from elsewhere."""

from __future__ import annotations

import getpass
from datetime import date
from pathlib import Path

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError
from napari_al_pose.formats.atomic import cannot_write
from napari_al_pose.formats.deeplabcut import write_new_config
from napari_al_pose.formats.deeplabcut_config import load_config
from napari_al_pose.formats.label_set import LabelSet
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.formats.yaml_document import dump_yaml
from napari_al_pose.project.create import short_date
from napari_al_pose.project.staging import staging_folder


def begin_project(root: Path, labels: LabelSet, *, scorer: str = "") -> Path:
    """Make a project without videos beside ``root``; `finish_project` moves it into place.

    Returns
    -------
    Path
        The temporary folder; the caller removes it, whether finished or not.

    Raises
    ------
    AlPoseError
        If ``root`` exists and is not an empty folder, a name is not valid, or the folder can't be written.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise AlPoseError(
            f"{root} exists already and is not a project.",
            "Choose a folder that is empty, is a project, or does not exist.",
        )
    if scorer and not is_safe_name(scorer):
        raise AlPoseError(f"{scorer!r} can't be a scorer.", "It becomes part of file names: leave out slashes.")
    who = next((name for name in (scorer, labels.scorer, _user_name()) if is_safe_name(name)), "labeller")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        building = staging_folder(root.parent, "new-project")
        for name in ("videos", "labeled-data", "training-datasets", "dlc-models-pytorch"):
            (building / name).mkdir()
    except OSError as error:
        raise cannot_write(root, error) from error
    individuals = labels.skeleton.individuals
    write_new_config(
        building / "config.yaml",
        task=root.name,
        scorer=who,
        date=short_date(date.today()),
        bodyparts=labels.skeleton.bodyparts,
        skeleton=labels.skeleton.links,
        individuals=() if individuals == (SINGLE_INDIVIDUAL,) else individuals,
        unique_bodyparts=labels.skeleton.unique_bodyparts,
        project_path=root,
    )
    return building


def finish_project(building: Path, root: Path) -> None:
    """Move a project made by `begin_project` into place, and update the paths in its ``config.yaml``."""
    document = load_config(building / "config.yaml")
    document["video_sets"] = {
        str(root / Path(path).relative_to(building)): entry for path, entry in (document["video_sets"] or {}).items()
    }
    dump_yaml(document, building / "config.yaml")
    try:
        if root.exists():
            root.rmdir()
        building.rename(root)
    except OSError as error:
        raise cannot_write(root, error) from error


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user id, as in containers
        return ""
