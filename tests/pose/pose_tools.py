"""What the tests of trainings share."""

from __future__ import annotations

from collections.abc import Generator

from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import PoseModel, TrainTick

BODYPARTS = ("red", "blue")
QUICK = TrainSettings(device="cpu", steps=4, batch_size=2, long_side=96)


def finish(
    training: Generator[TrainTick, str | None, PoseModel], *, stop_at: int | None = None
) -> tuple[list[TrainTick], PoseModel]:
    """Run a training to its end, or stop it after a step; return its ticks and its model."""
    ticks: list[TrainTick] = []
    try:
        while True:
            stop = stop_at is not None and bool(ticks) and ticks[-1].step >= stop_at
            ticks.append(training.send("stop") if stop else next(training))
    except StopIteration as end:
        return ticks, end.value
