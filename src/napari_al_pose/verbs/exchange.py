"""``import`` and ``export``: labels from and to other programs, and the model for those that run it live."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.verbs.common import add_json, project_verb, show

FORMATS = ("deeplabcut", "sleap", "lightning-pose", "coco", "mpii", "lsp")


def add(verbs: Any) -> None:
    """Add the verbs."""
    text = "import labels of DeepLabCut, SLEAP, Lightning Pose, COCO, MPII or LSP into a project"
    import_ = verbs.add_parser("import", help=text, description=text)
    import_.add_argument("source", type=Path, metavar="SOURCE", help="a label file, or a project folder")
    import_.add_argument(
        "--to", type=Path, required=True, metavar="PROJECT", help="project folder; created if necessary"
    )
    import_.add_argument("--format", choices=FORMATS, default="", help="default: detected from the file")
    import_.add_argument(
        "--scorer", default="", metavar="NAME", help="scorer of a new project (default: as in the file)"
    )
    add_json(import_)
    import_.set_defaults(run=_import)

    text = "write a project's labels for another program, or its newest model as ONNX"
    export = project_verb(verbs, "export", text, _export)
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--format", choices=FORMATS, help="of the labels")
    what.add_argument(
        "--model", type=Path, metavar="FILE", help="write the newest model to FILE (.onnx) instead of labels"
    )
    export.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="of the labels: a new folder; for sleap a new file that ends in .slp",
    )
    export.add_argument(
        "--fill",
        action="store_true",
        help="complete unfinished frames with the model's guesses, where it is confident of all that is missing",
    )


def _import(options: argparse.Namespace) -> None:
    from napari_al_pose.exchange import Imported, import_labels
    from napari_al_pose.headless import show_progress

    work = import_labels(options.source, options.to, format=options.format, scorer=options.scorer)
    done: Imported = show_progress(work)
    _tell(done, done.project, f"{done.frames:,} labelled frames ({done.points:,} points) into {done.project}", options)


def _export(options: argparse.Namespace) -> None:
    from napari_al_pose.exchange import Exported, export_labels, format_named
    from napari_al_pose.headless import export_model, opened, show_progress

    if options.model:
        document = export_model(options.project, options.model)
        show(document, f"Model {document['model_version']} written to {document['path']}.", options)
        return
    if options.output is None:
        raise AlPoseError("Nowhere to write the labels.", "Add --output PATH.")
    with opened(options.project) as project:
        work = export_labels(project, format_named(options.format), options.output, filling=options.fill)
        done: Exported = show_progress(work)
    _tell(done, done.path, f"{done.frames:,} labelled frames ({done.points:,} points) written to {done.path}", options)


def _tell(done: Any, path: Path, text: str, options: argparse.Namespace) -> None:
    document = {
        "path": str(path),
        "format": done.format,
        "frames": done.frames,
        "points": done.points,
        "notices": list(done.notices),
    }
    show(document, "\n".join([text, *done.notices]), options)
