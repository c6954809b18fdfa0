"""The synthetic sample in napari's *File > Open Sample*."""

from __future__ import annotations

from napari_al_pose.readers import LayerTuple, points_layer, video_layer
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.samples.synthetic import ground_truth, make_sample, sample_home
from napari_al_pose.video import open_source


def open_sample() -> list[LayerTuple]:
    """Return the sample's first video and where its bodyparts are; it is made on first use (under a minute)."""
    from napari.utils import progress  # a bar in the window, or on the terminal without one

    with progress(desc="Making the sample project") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        config = make_sample(sample_home(), progress=show)
    name, (xy, _) = next(iter(ground_truth(config).items()))
    rows = [
        (frame, "", bodypart, x, y)
        for frame, points in enumerate(xy)
        for bodypart, (x, y) in zip(BODYPARTS, points, strict=True)
    ]
    source = open_source(config.parent / "videos" / f"{name}.mp4")
    return [video_layer(source), points_layer(f"truth {name}", rows, BODYPARTS)]
