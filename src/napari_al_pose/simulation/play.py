"""Plays the annotator: one fold and one seed, every arm from the same start."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.reliability import agreement, update, worst_error
from napari_al_pose.domain import KeypointState
from napari_al_pose.simulation.best_of import best_of
from napari_al_pose.simulation.choosing import Choice, Pick, choose, start_rows
from napari_al_pose.simulation.dataset import Dataset, Labels
from napari_al_pose.simulation.folds import Fold, make_folds
from napari_al_pose.simulation.learner import Learned, Learner, make_learner
from napari_al_pose.simulation.matching import guesses_of
from napari_al_pose.simulation.measures import PCK, Errors, measure
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.preparing import Prepared, open_prepared
from napari_al_pose.simulation.protocol import BEST, Arm, Protocol
from napari_al_pose.simulation.round_files import RoundFiles
from napari_al_pose.simulation.workflow_play import Annotating, WorkflowState, work_as_json, work_from_json
from napari_al_pose.simulation.workflows import Workflow


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All arms of one fold and seed.

    Parameters
    ----------
    prepared : Path
        Folder that `napari_al_pose.simulation.preparing.prepare` wrote.
    dataset : str
    fold, seed : int
    """

    prepared: Path
    dataset: str
    fold: int
    seed: int


def missing_rounds(job: FoldJob, protocol: Protocol, files: RoundFiles) -> int:
    """Return how many rounds of a job have not been played."""
    return sum(
        files.read(job.dataset, job.fold, job.seed, arm.name, budget) is None
        for arm in protocol.parsed_arms()
        for budget in protocol.budgets
    )


def play(job: FoldJob, protocol: Protocol, files: RoundFiles, *, out_of_time: Callable[[], bool]) -> bool:
    """Play the missing part of a job; each round is on disk before the next begins.

    Returns
    -------
    bool
        Whether the job is done; False if ``out_of_time`` stopped it.
    """
    prepared = open_prepared(job.prepared)
    fold = make_folds(prepared.dataset, protocol.folds, test_size=protocol.test_size)[job.fold]
    table = _Table(job, protocol, files, prepared, fold, make_learner(prepared.dataset, protocol, prepared.maps))
    return all(table.play(arm, out_of_time) for arm in protocol.parsed_arms())


@dataclass(slots=True)
class _State:
    """The state of an arm: what is labelled, what was learnt, how far the model can be trusted, where it was wrong."""

    labelled: list[int]
    model: Learned | None = None
    reliability: float = 0.0
    errors: dict[int, float] = field(default_factory=dict)


class _Table:
    """One fold and seed: gives every arm the same start."""

    def __init__(
        self, job: FoldJob, protocol: Protocol, files: RoundFiles, prepared: Prepared, fold: Fold, learner: Learner
    ) -> None:
        self._job, self._protocol, self._files = job, protocol, files
        self._prepared, self._fold, self._learner = prepared, fold, learner
        self._seed = 1000 * job.seed + job.fold
        # Batches are tried on other frames than results are told of, else the luckiest would look best.
        self._test = fold.test[1::2] if protocol.candidates else fold.test
        self._trial = fold.test[::2]
        self._first: tuple[list[int], Learned, float] | None = None
        self._first_work: tuple[tuple[list[int], int], Learned, float] | None = None

    def play(self, arm: Arm, out_of_time: Callable[[], bool]) -> bool:
        """Play an arm's missing rounds; False if the time ran out."""
        job, budgets = self._job, self._protocol.budgets
        before = [self._files.read(job.dataset, job.fold, job.seed, arm.name, budget) for budget in budgets]
        if all(row is not None for row in before):
            return True
        if arm.way is not None:
            return self._play_workflow(arm, arm.way, before=before, out_of_time=out_of_time)
        state = _State(self._fold.base.tolist())
        for number, (budget, row) in enumerate(zip(budgets, before, strict=True)):
            if row is not None:
                self._replay(state, row, arm)
                continue
            if out_of_time():
                return False
            self._round(state, arm, number, budget)
        return True

    def _round(self, state: _State, arm: Arm, number: int, budget: int) -> None:
        """Label up to ``budget``, train, measure, and record the round."""
        dataset, began = self._prepared.dataset, time.process_time()
        budgets, n_pool = self._protocol.budgets, len(self._fold.pool)
        wanted = self._protocol.frames(budget, n_pool)
        if number == 0:
            choice = self._start(arm, wanted)
        else:
            state.model = state.model or self._learn(state.labelled, arm, None)[0]
            new = wanted - self._protocol.frames(budgets[number - 1], n_pool)
            pool, seed = self._fold.pool.tolist(), self._seed + 7919 * number
            known = (state.labelled, state.reliability, seed, state.errors)
            situation = Situation(self._prepared, state.model, pool, *known)
            choice = self._best(new, situation) if arm.strategy == BEST else choose(arm, new, situation)
            rows = [pick.row for pick in choice.picks]
            if rows:
                guessed = guesses_of(dataset, rows, state.model.predict(rows, with_scoremaps=False)).xy
                state.reliability = update(state.reliability, _agreement(dataset, rows, guessed))
                state.errors |= _errors_of(dataset, rows, guessed)
        choose_seconds = time.process_time() - began
        state.labelled = [*state.labelled, *(pick.row for pick in choice.picks)]
        initial = state.model if arm.warm and number else None
        state.model, train_seconds = self._learn(state.labelled, arm, initial)
        seconds = {"train_seconds": round(train_seconds, 2), "choose_seconds": round(choose_seconds, 2)}
        keypoints = int((dataset.states[state.labelled] == KeypointState.PLACED).sum())
        errors = [_rounded(state.errors.get(pick.row)) for pick in choice.picks]
        more = {"keypoints": keypoints, "reliability": state.reliability, "errors_before": errors, **seconds}
        self._write(arm, budget, state.model, len(state.labelled), more | _describe(dataset, choice))

    def _best(self, n: int, situation: Situation) -> Choice:
        """Try many batches with their true labels, and take the best by the test frames that nothing is reported on."""
        rows = self._trial

        def judge(batch: Sequence[int]) -> tuple[float, float]:
            model = self._learner.train(sorted([*situation.labelled, *batch]), seed=self._seed)
            found = self._errors(model, rows)
            return found.lost, found.error

        return best_of(self._protocol.candidates, n, situation, judge)

    def _errors(self, model: Learned, rows: NDArray[np.int64]) -> Errors:
        dataset = self._prepared.dataset
        found = guesses_of(dataset, rows.tolist(), model.predict(rows.tolist(), with_scoremaps=False))
        return measure(dataset, rows, found.xy, extra=found.extra)

    def _write(self, arm: Arm, budget: int, model: Learned, n_labelled: int, more: dict[str, Any]) -> None:
        """Measure a model on the test frames and write the round down."""
        errors = self._errors(model, self._test)
        several = {"missed": errors.missed, "extra": errors.extra} if self._prepared.dataset.n_animals > 1 else {}
        self._files.write(
            {
                "dataset": self._job.dataset,
                "fold": self._job.fold,
                "seed": self._job.seed,
                "arm": arm.name,
                "budget": budget,
                "n_labelled": n_labelled,
                "error": errors.error,
                "uncapped": errors.uncapped,
                "median": errors.median,
                "p95": errors.p95,
                "rmse": errors.rmse,
                "error_px": errors.error_px,
                **{f"pck_{share:g}": errors.pck[share] for share in PCK},
                "lost": errors.lost,
                "lost_of": errors.lost_of,
                "worst_decile": errors.worst_decile,
                "worst_videos": errors.worst_videos,
                "per_video": errors.per_video,
                "per_bodypart": {name: value for name, value in errors.per_bodypart.items() if np.isfinite(value)},
                "n_test": len(self._test),
                **several,
                **more,
            }
        )

    def _play_workflow(
        self, arm: Arm, way: Workflow, *, before: Sequence[dict[str, Any] | None], out_of_time: Callable[[], bool]
    ) -> bool:
        """Play the missing rounds of an arm whose annotator takes time; return False if our time ran out."""
        budgets, dataset = self._protocol.budgets, self._prepared.dataset
        annotating = Annotating(self._prepared, self._protocol, self._fold, self._seed)
        state, model = WorkflowState(Labels.none(dataset)), None
        for number, (budget, row) in enumerate(zip(budgets, before, strict=True)):
            if row is not None:
                work_from_json(state, row["work"])
                state.reliability, model = float(row["reliability"]), None
                state.seconds_a_frame = float(row["work"]["seconds_a_frame"])
                continue
            if out_of_time():
                return False
            began = time.process_time()
            if number == 0:
                choice = self._start(arm, self._protocol.frames(budget, len(self._fold.pool)))
                annotating.start(state, [pick.row for pick in choice.picks])
            else:
                model = model or self._learn_work(state)[0]
                choice = annotating.go_on(state, model, arm=arm, way=way, number=number, budget=budget)
            choose_seconds = time.process_time() - began
            model, train_seconds = self._learn_work(state)
            work = work_as_json(state, self._protocol.costs) | annotating.noc(state, model)
            more = {
                "keypoints": int((state.labels.states == KeypointState.PLACED).sum()),
                "reliability": state.reliability,
                "train_seconds": round(train_seconds, 2),
                "choose_seconds": round(choose_seconds, 2),
                "work": work,
            }
            self._write(arm, budget, model, len(state.labelled), more | _describe(dataset, choice))
        return True

    def _learn_work(self, state: WorkflowState) -> tuple[Learned, float]:
        """Train on an annotator's labels; the first training is the same for all workflows, and done once."""
        rows = sorted(state.labelled)
        if self._first_work is not None and self._first_work[0] == (rows, len(state.judged)):
            return self._first_work[1], self._first_work[2]
        began = time.process_time()
        model = self._learner.train(rows, seed=self._seed, labels=state.labels)
        seconds = time.process_time() - began
        if self._first_work is None and not state.judged:
            self._first_work = ((rows, 0), model, seconds)
        return model, seconds

    def _start(self, arm: Arm, budget: int) -> Choice:
        pool = self._fold.pool.tolist()
        own = arm if self._protocol.start == "own" else None
        rows = start_rows(self._prepared, pool, budget, seed=self._seed, arm=own)
        return Choice(tuple(Pick(row, None, "start") for row in rows), len(pool), len(pool))

    def _learn(self, labelled: Sequence[int], arm: Arm, initial: Learned | None) -> tuple[Learned, float]:
        """Train; the first training is the same for all arms that start with the same frames, and done once."""
        rows = sorted(labelled)
        unlabelled = sorted(set(self._fold.pool.tolist()) - set(rows)) if arm.unlabelled else []
        if self._first is not None and self._first[0] == rows and initial is None and not unlabelled:
            return self._first[1], self._first[2]
        began = time.process_time()
        model = self._learner.train(rows, seed=self._seed, initial=initial, unlabelled=unlabelled)
        seconds = time.process_time() - began
        if self._first is None and not unlabelled:
            self._first = (rows, model, seconds)
        return model, seconds

    def _replay(self, state: _State, row: dict[str, Any], arm: Arm) -> None:
        """Skip a round that was played before: fresh training needs only the last, warm training every one."""
        number_of = {(key.video, key.frame): i for i, key in enumerate(self._prepared.dataset.keys)}
        picked = [number_of[video, frame] for video, frame, _, _ in row["picks"]]
        state.labelled = [*state.labelled, *picked]
        before = zip(picked, row.get("errors_before", ()), strict=False)  # rounds of old have none
        state.errors |= {number: error for number, error in before if error is not None}
        state.reliability = float(row["reliability"])
        state.model = self._learn(state.labelled, arm, state.model)[0] if arm.warm else None


def _agreement(dataset: Dataset, rows: Sequence[int], guessed: NDArray[np.floating]) -> float:
    """Return `agreement` over the animals of some rows that have a pose, as in the loop."""
    k = dataset.skeleton.n_bodyparts
    poses, known = guessed.reshape(-1, k, 2), dataset.xy[list(rows)].reshape(-1, k, 2)
    found = np.isfinite(poses).any(axis=(1, 2)) if dataset.n_animals > 1 else np.ones(len(poses), bool)
    return agreement(poses[found], known[found])


def _errors_of(dataset: Dataset, rows: Sequence[int], guessed: NDArray[np.floating]) -> dict[int, float]:
    """Return the largest error in each row, in lengths; 10 stands for a bodypart without a guess."""
    known = dataset.xy[list(rows)]
    errors = [worst_error(guessed[i], known[i], float(dataset.reference[row])) for i, row in enumerate(rows)]
    return {row: min(error, 10.0) for row, error in zip(rows, errors, strict=True) if not np.isnan(error)}


def _rounded(error: float | None) -> float | None:
    return None if error is None else round(error, 4)


def _describe(dataset: Dataset, choice: Choice) -> dict[str, Any]:
    """Return the log of a choice in JSON's form."""
    names = [(dataset.keys[pick.row], pick) for pick in choice.picks]
    per_video: dict[str, int] = {}
    for key, _ in names:
        per_video[key.video] = per_video.get(key.video, 0) + 1
    return {
        "picks": [[key.video, key.frame, pick.score, pick.provenance] for key, pick in names],
        "picks_per_video": per_video,
        "n_pool": choice.n_pool,
        "n_scored": choice.n_scored,
        "score_low": choice.low,
        "score_high": choice.high,
        "ties": choice.ties,
        "unscored": choice.unscored,
        "fallback": choice.fallback,
        "top": [[dataset.keys[row].video, dataset.keys[row].frame] for row in choice.top],
        "bottom": [[dataset.keys[row].video, dataset.keys[row].frame] for row in choice.bottom],
    }
