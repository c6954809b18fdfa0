"""Runs a whole comparison: prepares the data, plays the jobs in processes or on a cluster, gathers the results."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Any

from tqdm import tqdm

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.simulation.dataset import RawDataset
from napari_al_pose.simulation.folds import make_folds
from napari_al_pose.simulation.play import FoldJob, missing_rounds, play
from napari_al_pose.simulation.preparing import open_prepared, prepare
from napari_al_pose.simulation.protocol import Protocol, current_arm
from napari_al_pose.simulation.round_files import RoundFiles, read_rounds, write_tables

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where and how far to play.

    Parameters
    ----------
    output : Path
        For rounds, tables and report; existing rounds are not played again.
    cache : Path
        For data computed from the data sets; it can be deleted.
    seeds, folds : tuple of int
        Those to play.
    in_turn : bool
        Play one fold with each seed, in turn, instead of every fold with every seed.
    jobs : int
        Number of processes, each with one torch thread.
    scheduler : str
        Address of a ``dask.distributed`` scheduler whose workers see the same folders; "" for processes here.
    minutes : float
        No round starts later than this; 0 for no limit.
    """

    output: Path
    cache: Path
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    in_turn: bool = False
    jobs: int = 1
    scheduler: str = ""
    minutes: float = 0.0

    def seeds_of(self, fold: int) -> tuple[int, ...]:
        """Return the seeds to play on a fold."""
        return self.seeds[self.folds.index(fold) :: len(self.folds)] if self.in_turn else self.seeds


def simulate(raws: Sequence[RawDataset], protocol: Protocol, run: Run) -> dict[str, Any]:
    """Play the missing rounds and write the tables.

    Returns
    -------
    dict
        ``rounds``, ``missing`` and ``seconds``.

    Raises
    ------
    AlPoseError
        If ``run.output`` holds results of other settings, or data or strategies won't do.
    """
    began = time.monotonic()
    protocol.parsed_arms()
    run.output.mkdir(parents=True, exist_ok=True)
    _keep_protocol(protocol, run.output)
    files = RoundFiles(run.output / "rounds", protocol.setting())
    jobs = _jobs(raws, protocol, run)
    deadline = time.time() + 60 * run.minutes if run.minutes else float("inf")
    waiting = [job for job in jobs if missing_rounds(job, protocol, files)]
    if waiting:
        with _executor(run) as executor:
            running = [executor.submit(_play, job, protocol, files, deadline) for job in waiting]
            try:
                for done in tqdm(as_completed(running), total=len(running), desc="Playing", unit="", mininterval=2.0):
                    done.result()
            finally:
                for future in running:
                    future.cancel()
    rounds = read_rounds(files.folder)
    write_tables(rounds, run.output)
    left = sum(missing_rounds(job, protocol, files) for job in jobs)
    return {"rounds": len(rounds), "missing": left, "seconds": round(time.monotonic() - began, 1)}


def _jobs(raws: Sequence[RawDataset], protocol: Protocol, run: Run) -> list[FoldJob]:
    """Return the jobs, seed by seed, so that a run that is cut short has all data sets and folds."""
    import torch

    # Two threads that wait for each other on a busy computer are slower than one by an order of magnitude.
    torch.set_num_threads(1)
    names = [raw.name for raw in raws]
    if len(set(names)) < len(names):
        raise AlPoseError("Two data sets have the same name.", "Rename the folder or the file of one of them.")
    jobs = []
    for raw in raws:
        folder = prepare(raw, protocol, run.cache)
        folds = make_folds(open_prepared(folder).dataset, protocol.folds, test_size=protocol.test_size)
        for fold in folds:
            if fold.number in run.folds:
                most = len(fold.pool)
                if protocol.frames(protocol.budgets[0], most) + len(fold.base) < 2:
                    raise AlPoseError(
                        f"{raw.name}: fold {fold.number} begins without labels.", "Let --budgets begin above 0."
                    )
                if protocol.frames(protocol.budgets[-1], most) > most:
                    raise AlPoseError(
                        f"{raw.name}: fold {fold.number} has {most} frames to choose from, budgets go to "
                        f"{protocol.budgets[-1]}.",
                        "Give smaller --budgets, or simulate this data set on its own.",
                    )
                jobs += [FoldJob(folder, raw.name, fold.number, seed) for seed in run.seeds_of(fold.number)]
    if not jobs:
        raise AlPoseError("Expected folds to play, got none.", f"Give folds below {protocol.folds}.")
    return sorted(jobs, key=lambda job: (job.seed, job.dataset, job.fold))


def _keep_protocol(protocol: Protocol, output: Path) -> None:
    """Write the protocol beside the results; arms may join it later, nothing else may change."""
    path = output / "protocol.json"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before.get("setting") != protocol.setting():
            changed = [name for name, value in json.loads(json.dumps(protocol.to_json())).items()
                       if name != "arms" and before.get(name) != value]  # fmt: skip
            raise AlPoseError(
                f"{output} holds results of other settings: {', '.join(changed)} differ.",
                "Give another --output, or the settings that protocol.json there names.",
            )
        arms = list(dict.fromkeys(current_arm(arm) for arm in (*before["arms"], *protocol.arms)))
    else:
        arms = list(protocol.arms)
    document = protocol.to_json() | {"arms": arms, "setting": protocol.setting()}
    write_text(path, json.dumps(document, indent=1) + "\n")


def _play(job: FoldJob, protocol: Protocol, files: RoundFiles, deadline: float) -> bool:
    """Play one job in a worker process: one thread of torch, since two jobs beat one job with two."""
    import torch

    torch.set_num_threads(1)
    # Scoremaps of small animals are full of numbers near zero, which processors are slow with: a fifth faster on
    # Reaching, with the same weights.
    torch.set_flush_denormal(True)
    return play(job, protocol, files, out_of_time=lambda: time.time() > deadline)


@contextmanager
def _executor(run: Run) -> Iterator[Executor]:
    if run.scheduler:
        try:
            from distributed import Client
        except ImportError as error:
            raise AlPoseError("dask.distributed is not installed.", "Run: pip install distributed") from error
        with Client(run.scheduler) as client:
            yield client.get_executor(pure=False)
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        spawn = get_context("spawn")
        with ProcessPoolExecutor(max(1, run.jobs), mp_context=spawn, initializer=end_with_parent) as executor:
            yield executor


def end_with_parent() -> None:
    """End this worker process as soon as the one that started it is gone, however that ended.

    A job goes on for minutes; without this, the workers of a run that was killed would play on beside the next.
    Rounds are written whole or not at all, so that nothing is torn.
    """
    parent = parent_process()
    if parent is not None:
        Thread(target=_wait_and_end, args=(parent.sentinel,), name="al-pose-parent", daemon=True).start()


def _wait_and_end(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
