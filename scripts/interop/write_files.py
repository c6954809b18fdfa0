"""Write labels and predictions in every format into a folder, with what other programs are expected to find in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import av
import numpy as np

from napari_al_pose.domain import FrameKey
from napari_al_pose.exchange import export_labels, format_named, import_labels
from napari_al_pose.formats import mpii
from napari_al_pose.formats.deeplabcut import write_new_config, writing_deeplabcut
from napari_al_pose.formats.lightning_pose import writing_lightning_pose
from napari_al_pose.formats.sleap_predictions import writing_sleap
from napari_al_pose.project import Project, open_project

FRAMES, WIDTH, HEIGHT = 30, 160, 120
LABELLED = (0, 3, 7, 12, 20, 29)


def main(folder: Path) -> None:
    """Write everything into ``folder``."""
    expected: dict[str, Any] = {}
    for name, individuals, unique in (
        ("single", (), ()),
        ("multi", ("ann", "bob"), ()),
        ("unique", ("ann", "bob"), ("door",)),
    ):
        config = new_project(folder / name, ("snout", "tail base"), individuals, unique)
        with open_project(config) as project:
            project.add_videos([video(folder / f"{name}-mouse.mp4")])
            label(project)
            project.export_labels()
            expected[name] = points(project)
            for to in ("sleap", "lightning-pose", "coco"):
                export(project, to, folder)
    people = folder / "people"
    with open_project(new_project(people, mpii.BODYPARTS)) as project:
        project.add_videos([video(folder / "runner.mp4")])
        label(project)
        expected["people"] = points(project)
        for to in ("mpii", "lsp"):
            export(project, to, folder)
    finish(import_labels(folder / "single-coco", folder / "images"))
    with open_project(folder / "images") as project:
        project.export_labels()
        expected["images"] = points(project)
    predictions(folder)
    (folder / "expected.json").write_text(json.dumps(expected))


def new_project(
    root: Path, bodyparts: tuple[str, ...], individuals: tuple[str, ...] = (), unique: tuple[str, ...] = ()
) -> Path:
    """Make a project without videos."""
    for name in ("videos", "labeled-data"):
        (root / name).mkdir(parents=True)
    write_new_config(
        root / "config.yaml",
        task=root.name,
        scorer="Ada",
        date="May1",
        bodyparts=bodyparts,
        skeleton=[bodyparts[:2]],
        individuals=individuals,
        unique_bodyparts=unique,
    )
    return root / "config.yaml"


def video(path: Path) -> Path:
    """Write a short video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 8 * i, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def label(project: Project) -> None:
    """Label some frames: one bodypart not visible in one of them, one frame by half."""
    random = np.random.default_rng(0)
    video_name = project.videos[0].name
    for frame in LABELLED:
        for who in project.skeleton.owners:
            for index, bodypart in enumerate(project.skeleton.bodyparts_of(who)):
                x, y = random.uniform((5, 5), (WIDTH - 5, HEIGHT - 5))
                key = FrameKey(video_name, frame)
                if (frame, index) == (LABELLED[2], 1):
                    project.labels.mark_not_visible(key, bodypart, individual=who)
                elif (frame, index) != (LABELLED[-1], 1):
                    project.labels.place(key, bodypart, x, y, individual=who)


def points(project: Project) -> list[list[Any]]:
    """Return what is placed in complete frames: ``[frame, individual, bodypart, x, y]``."""
    return [
        [a.key.frame, a.individual, bodypart, x, y]
        for a in project.labels.annotations(unique=True)
        if a.is_complete and a.key.frame != LABELLED[-1]  # which is labelled by half
        for bodypart, (x, y) in zip(project.skeleton.bodyparts_of(a.individual), a.xy.tolist(), strict=True)
        if np.isfinite(x)
    ]


def export(project: Project, to: str, folder: Path) -> None:
    """Export labels beside the project."""
    suffix = "" if format_named(to).file else ".slp"
    finish(export_labels(project, format_named(to), folder / f"{project.root.name}-{to}{suffix}"))


def predictions(folder: Path) -> None:
    """Write predictions of a video in every form, the files of one named alike."""
    random = np.random.default_rng(1)
    rows = np.concatenate([random.uniform(0, 100, (FRAMES, 2, 2)), random.uniform(0, 1, (FRAMES, 2, 1))], -1)
    bodyparts, links = ("snout", "tail base"), (("snout", "tail base"),)
    shape = (FRAMES, HEIGHT, WIDTH, 3)
    for writing in (
        writing_deeplabcut(folder / "predicted.h5", scorer="DLC_x", bodyparts=bodyparts),
        writing_lightning_pose(folder / "predicted-lp.csv", bodyparts=bodyparts),
        writing_sleap(
            folder / "predicted.slp", video=folder / "runner.mp4", shape=shape, bodyparts=bodyparts, links=links
        ),
    ):
        with writing as add:
            add(np.arange(FRAMES), rows)
    np.save(folder / "predicted.npy", rows)
    two, animals = random.uniform(0.1, 1, (FRAMES, 4, 3)) * (100, 100, 1), ("ann", "bob")
    of_two = {"bodyparts": bodyparts, "individuals": animals}
    for writing in (
        writing_deeplabcut(folder / "predicted-two_el.h5", scorer="DLC_x", **of_two),
        writing_sleap(folder / "predicted-two.slp", video=folder / "runner.mp4", shape=shape, links=links, **of_two),
    ):
        with writing as add:
            add(np.arange(FRAMES), two)
    np.save(folder / "predicted-two.npy", two)
    # A name that DeepLabCut looks for: video, scorer, how it was followed. A bodypart of no animal is at (3, 4).
    path, door = folder / "miceDLC_x_el.h5", np.broadcast_to(np.array([3, 4, 0.5]), (FRAMES, 1, 3))
    with writing_deeplabcut(path, scorer="DLC_x", unique_bodyparts=("door",), **of_two) as add:
        add(np.arange(FRAMES), np.concatenate([two, door], axis=1))


def finish(work: Generator[Any, None, Any]) -> Any:
    """Run a job to its end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    main(Path(sys.argv[1]))
