"""What an import or export form suggests, and its messages; the window is elsewhere."""

from __future__ import annotations

from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.wording import counted
from napari_al_pose.exchange.catalogue import FORMATS, LabelFormat, detect_format, find_labels
from napari_al_pose.exchange.exporting import Exported, check_output
from napari_al_pose.exchange.importing import Imported
from napari_al_pose.formats.image_sets import set_name


def file_patterns() -> str:
    """Return the file types to choose from, in the syntax of Qt's file dialogs."""
    every = sorted({pattern for known in FORMATS for pattern in known.patterns})
    kinds = [f"{known.title} ({' '.join(known.patterns)})" for known in FORMATS]
    return ";;".join([f"Labels ({' '.join(every)})", *kinds, "All files (*)"])


def suggest_project(source: Path) -> Path:
    """Return a path for a new project for these labels: beside them, with their name, and not in use."""
    file = source.name.removesuffix(".slp").removesuffix(".pkg") if source.suffix == ".slp" else source.stem
    name = set_name(
        source.parent.name if file in ("config", "joints", "annotations", "CollectedData") else file, "labels"
    )
    place, number = source.parent / f"{name}-project", 2
    while place.exists():
        place, number = source.parent / f"{name}-project-{number}", number + 1
    return place


def suggest_output(root: Path, to: LabelFormat) -> Path:
    """Return a path for an export of the project in ``root``, not in use."""
    suffix = "" if to.file else ".slp"
    place, number = root.parent / f"{root.name}-{to.name}{suffix}", 2
    while place.exists():
        place, number = root.parent / f"{root.name}-{to.name}-{number}{suffix}", number + 1
    return place


def import_complaint(source: str, project: str, *, into_open: bool) -> str:
    """Return what prevents an import from starting, or an empty string."""
    if not source.strip():
        return "Choose a file of labels."
    try:
        detect_format(find_labels(Path(source).expanduser()))
    except AlPoseError as error:
        return str(error)
    if into_open:
        return ""
    root = Path(project).expanduser()
    if not project.strip() or not root.is_absolute():
        return "Choose a folder for the new project."
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        return f"{root} exists already. Choose another folder."
    return ""


def export_complaint(to: LabelFormat, output: str) -> str:
    """Return what prevents an export from starting, or an empty string."""
    place = Path(output).expanduser()
    if not output.strip() or not place.is_absolute():
        return "Choose where to write."
    complaint = check_output(to, place)
    return f"{complaint} Choose another name." if complaint else ""


def summary(done: Imported | Exported) -> str:
    """Return one sentence about what was done."""
    what = f"{counted(done.frames, 'labelled frame')} ({counted(done.points, 'point')})"
    if isinstance(done, Exported):
        return f"{what} written to {done.path}."
    return f"{what} imported into {done.project.name}."
