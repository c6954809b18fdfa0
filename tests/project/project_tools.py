"""Small projects and videos, made on the spot."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pandas as pd
from PIL import Image

BODYPARTS = ("nose", "ear", "tail")


def make_video(path: Path, *, n: int = 40, width: int = 64, height: int = 48) -> Path:
    """Write a video whose frame ``i`` is grey of brightness ``5 * i``, with a white left half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for i in range(n):
            image = np.full((height, width, 3), 5 * i, np.uint8)
            image[:, : width // 2] = 255
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def collected(
    xy: np.ndarray, images: list[str], *, video: str, scorer: str = "Me", bodyparts=BODYPARTS
) -> pd.DataFrame:
    """Return a table as DeepLabCut has it."""
    columns = pd.MultiIndex.from_product([[scorer], bodyparts, ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    rows = pd.MultiIndex.from_tuples([("labeled-data", video, image) for image in images])
    return pd.DataFrame(np.asarray(xy, float).reshape(len(images), -1), index=rows, columns=columns)


def save_labels(root: Path, xy: np.ndarray, frames: list[int], *, video: str = "mouse", **options) -> Path:
    """Write CollectedData of ``frames`` and return the ``.h5``."""
    folder = root / "labeled-data" / video
    folder.mkdir(parents=True, exist_ok=True)
    table = collected(xy, [f"img{frame:03d}.png" for frame in frames], video=video, **options)
    path = folder / "CollectedData_Me.h5"
    table.to_hdf(path, key="df_with_missing", mode="w")
    table.to_csv(path.with_suffix(".csv"))
    return path


def save_images(root: Path, frames: list[int], *, video: str = "mouse", size: tuple[int, int] = (64, 48)) -> Path:
    """Write one grey image per frame and return their folder."""
    folder = root / "labeled-data" / video
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        Image.new("RGB", size, (frame % 255,) * 3).save(folder / f"img{frame:03d}.png")
    return folder


def write_config(root: Path, *, bodyparts=BODYPARTS, skeleton="[]", video_sets: str = "", extra: str = "") -> Path:
    """Write a config.yaml."""
    root.mkdir(parents=True, exist_ok=True)
    sets = video_sets or "  WILL BE AUTOMATICALLY UPDATED BY DEMO CODE:\n    crop: 0, 64, 0, 48\n"
    (root / "config.yaml").write_text(
        f"Task: reach\nscorer: Me\ndate: May1\nmultianimalproject:\nvideo_sets:\n{sets}"
        f"bodyparts: [{', '.join(bodyparts)}]\nskeleton: {skeleton}\n{extra}"
    )
    return root / "config.yaml"
