"""A predicted video at a glance, read once from its first row to its last."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_al_pose.domain.views.tracks import OverviewBuilder, RunOverview
from napari_al_pose.project.video_predictions import VideoRun, tracking_path


def run_overview(run: VideoRun, *, threshold: float, cancelled: Callable[[], bool] = lambda: False) -> RunOverview:
    """Return what a whole video looks like, in constant memory; what is read until ``cancelled`` says so.

    Parameters
    ----------
    run : VideoRun
        May be on the way: rows that are not there yet hold nothing.
    threshold : float
        Mean likelihood below which a frame is worth a look.
    cancelled : callable
        Asked now and then, from the thread that reads.
    """
    builder = OverviewBuilder(run.tracks, run.header.n_frames, threshold=threshold)
    margins = _margins(run)
    for first, rows in run.chunks():
        if cancelled():
            break
        poses = rows[:, : run.n_points].reshape(len(rows), max(1, len(run.tracks)), -1, 3)
        builder.add(first, poses, None if margins is None else np.array(margins[first : first + len(rows)]))
    return builder.overview()


def is_followed(run: VideoRun) -> bool:
    """Whether the animals of a video have been followed to its end, by us or by the program it was predicted with."""
    ours = run.header.model_version > 0
    followed = not ours or _n_followed(run) >= run.header.n_frames
    return bool(run.header.individuals) and run.is_complete and followed


def _n_followed(run: VideoRun) -> int:
    try:
        return int(json.loads(tracking_path(run.path).read_bytes())["frames"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _margins(run: VideoRun) -> NDArray[np.float32] | None:
    """Return how clear it was, row by row, which animal is which; None before the video was followed to its end."""
    if not is_followed(run):
        return None
    try:
        margins: NDArray[np.float32] = open_memmap(run.margins_path, mode="r")
    except (OSError, ValueError):
        return None
    return margins if margins.shape == (run.header.n_frames,) else None
