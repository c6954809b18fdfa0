"""``config.yaml`` of DeepLabCut projects: read, and changed without touching what is not ours."""

from __future__ import annotations

import io
import random
from pathlib import Path

from ruamel.yaml import YAML

from fuzzing._mutations import check_message, mutate_bytes, mutate_document
from napari_al_pose.domain import AlPoseError, Skeleton
from napari_al_pose.formats.deeplabcut import VideoSet, add_video_set, read_config, write_new_config
from napari_al_pose.formats.names import is_safe_name


def run(rng: random.Random, folder: Path) -> str:
    """Write a configuration, change it, read it, add a video, read it again."""
    path = folder / "config.yaml"
    several = rng.random() < 0.5
    write_new_config(
        path,
        task="reach",
        scorer="Mé",
        date="Aug5",
        bodyparts=["nose", "no", "1"],
        skeleton=[("nose", "no")],
        individuals=["a", "b"] if several else (),
        video_sets=[VideoSet("C:\\a b\\x.mp4", (0, 4, 0, 3)), VideoSet("/d/y.avi")],
    )
    how = rng.choice(("encoding", "bytes", "document"))
    text = path.read_text(encoding="utf-8")
    if how == "document":
        document = YAML(typ="safe").load(text)
        made = io.StringIO()
        YAML(typ="safe").dump(mutate_document(rng, document), made)
        path.write_text(made.getvalue(), encoding="utf-8")
    else:
        path.write_bytes(text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))))
        if how == "bytes":
            path.write_bytes(mutate_bytes(rng, path.read_bytes()))
    try:
        config = read_config(path)
    except AlPoseError as error:
        check_message(error, path, is_whole=how == "encoding")
        return "message"
    assert is_safe_name(config.scorer)
    Skeleton(config.bodyparts)
    assert not config.multianimal or config.individuals
    add_video_set(path, "/new/z.mp4", (1, 5, 2, 6))
    again = read_config(path)
    assert (again.scorer, again.bodyparts, again.individuals) == (config.scorer, config.bodyparts, config.individuals)
    assert "/new/z.mp4" in [entry.path for entry in again.video_sets]
    return "read"
