"""Small projects with labels, and jobs run to their end."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from napari_al_pose.domain import FrameKey
from napari_al_pose.project import create_project, open_project


def make_video(path: Path, *, n: int = 30, width: int = 96, height: int = 64) -> Path:
    """Write a video whose frame ``i`` is grey of brightness ``5 * i``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for i in range(n):
            image = np.full((height, width, 3), 5 * i, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def project_with_labels(root: Path, *, bodyparts=("nose", "ear"), individuals=(), frames=(1,), shift=0, n=30) -> Path:
    """Make a project of one video ``cam`` with complete frames; return its ``config.yaml``."""
    video = make_video(root / "footage" / "cam.mp4", n=n)
    config = create_project(
        root, task="test", scorer="Ada", bodyparts=bodyparts, individuals=individuals, videos=[video]
    )
    with open_project(config) as project:
        for frame in frames:
            for number, who in enumerate(project.skeleton.individuals):
                points = {b: (10.0 * i + shift, 20.5 + frame + number) for i, b in enumerate(bodyparts)}
                project.labels.place_many(FrameKey("cam", frame), points, individual=who)
        project.export_labels()
    return config
