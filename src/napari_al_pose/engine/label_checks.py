"""Finds suspicious labels by comparing each with a model that was not trained on it.

For a frame labelled since the last round, that is the previous model, which made its guess; for a hold-out frame, the
newest. For all others, models are trained on the rest of the labels in turn (cross-fitting), once for each frame.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, FrameSource, KeypointState, Prediction, Skeleton
from napari_al_pose.domain.individuals import assign_poses
from napari_al_pose.domain.label_checks import LabelCheck, find_checks
from napari_al_pose.domain.mirroring import read_pairs
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.domain.steps import relay
from napari_al_pose.engine.labels import by_frame, known_labels
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.sources import available
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.pose.training_plan import make_plan
from napari_al_pose.project import Project
from napari_al_pose.video.region import origin_of

log = logging.getLogger(__name__)

FOLDS = 2
MIN_FRAMES = 8
"""Fewest labels: with fewer, a model trained on half of them is useless."""

STEPS_SHARE = 0.6
"""Steps of a fold's training relative to a round's: enough to find labels that are far off."""

MOST_CHECKS = 20
STAGE = "Checking labels"


def check_labels(
    project: Project, sources: Mapping[str, FrameSource], job: int, *, model: Predictor, version: int, threads: int
) -> Generator[Progress, None, tuple[LabelCheck, ...]]:
    """Compare the labels with models that were not trained on them; keep the predictions for the next time.

    Parameters
    ----------
    project : Project
        Its labels are checked.
    sources : dict of str to FrameSource
        By video.
    job : int
        Number of the job, for progress messages.
    model, version : Predictor and int
        The newest model.
    threads : int
        Torch threads.
    """
    labels = _checkable(project, sources)
    n_animals = len(project.skeleton.individuals)
    several = n_animals > 1
    unseen = _kept(project, labels)
    for earlier in reversed(project.models.versions()[:-1]):
        guesses = project.predictions.load(earlier)
        of_now = {key: guess for key, guess in guesses.items() if (guess.animals_xy is not None) == several}
        unseen.update({key: guess for key, guess in of_now.items() if key not in unseen})
    held = [label for label in labels if label.role == FrameRole.HOLDOUT]
    missing = [label for label in labels if label.key not in unseen and label.role != FrameRole.HOLDOUT]
    cross_fits = bool(missing) and len(by_frame(labels)) >= MIN_FRAMES
    frames = yield from _frames(labels if cross_fits else held, sources, job, n_animals)
    unseen.update((yield from _predict(model, version, list(by_frame(held)), frames, sources, job)))
    if cross_fits:
        settings = project.settings.train
        if isinstance(model, PoseModel):  # its backbone is available, unlike, perhaps, the one in the settings
            settings = settings.model_copy(update={"backbone": model.settings.backbone})
        unseen.update((yield from _cross_fitted(project, settings, missing, frames, sources, job, threads)))
    keys = [key for key in by_frame(labels) if key in unseen]
    if keys:
        predicted = [unseen[key].poses if several else (unseen[key].xy, unseen[key].likelihood) for key in keys]
        xy, likelihood = (np.stack(column) for column in zip(*predicted, strict=True))
        project.unseen.save(version, keys, xy, likelihood)
    bodyparts = project.skeleton.bodyparts
    pairs = read_pairs(project.settings.train.swap_pairs, bodyparts)
    if not several:
        return find_checks(labels, unseen, bodyparts, pairs)
    checks: list[LabelCheck] = []
    for individual in project.skeleton.individuals:
        own = [label for label in labels if label.individual == individual]
        checks += find_checks(own, _predictions_of(individual, labels, unseen), bodyparts, pairs)
    return tuple(sorted(checks, key=lambda check: -check.distance * check.likelihood)[:MOST_CHECKS])


def _predictions_of(
    individual: str, labels: Sequence[Annotation], unseen: Mapping[FrameKey, Prediction]
) -> dict[FrameKey, Prediction]:
    """Return the prediction for one individual: the pose in a frame that lies on its labels."""
    predicted: dict[FrameKey, Prediction] = {}
    for key, animals in by_frame(labels).items():
        if key not in unseen:
            continue
        slots = assign_poses(unseen[key].poses[0], animals)
        for animal, slot in zip(animals, slots, strict=True):
            if animal.individual == individual and slot >= 0:
                predicted[key] = unseen[key].of(slot)
    return predicted


def _checkable(project: Project, sources: Mapping[str, FrameSource]) -> list[Annotation]:
    labels = known_labels(project)
    readable = set(available([label.key for label in labels], sources))
    return [a for a in labels if a.key in readable and (a.states == KeypointState.PLACED).any()]


def _kept(project: Project, labels: Sequence[Annotation]) -> dict[FrameKey, Prediction]:
    """Return earlier predictions by models that had not seen the frames; hold-out frames are predicted again."""
    kept: dict[FrameKey, Prediction] = {}
    for version in project.models.versions():
        kept.update(project.unseen.load(version))
    shape = (len(project.skeleton.bodyparts), 2)
    wanted = {label.key for label in labels if label.role != FrameRole.HOLDOUT}
    several = len(project.skeleton.individuals) > 1
    return {
        key: predicted
        for key, predicted in kept.items()
        if key in wanted and predicted.xy.shape == shape and (predicted.animals_xy is not None) == several
    }


def _frames(
    labels: Sequence[Annotation], sources: Mapping[str, FrameSource], job: int, n_animals: int
) -> Generator[Progress, None, dict[FrameKey, LabelledFrame]]:
    """Read the labelled frames that can be decoded."""
    frames: dict[FrameKey, LabelledFrame] = {}
    for key, animals in sorted(by_frame(labels).items()):
        for frame in (yield from load_labelled(tuple(animals), sources, job, n_animals=n_animals)):
            frames[key] = frame
    return frames


def _cross_fitted(
    project: Project,
    settings: TrainSettings,
    missing: Sequence[Annotation],
    frames: dict[FrameKey, LabelledFrame],
    sources: Mapping[str, FrameSource],
    job: int,
    threads: int,
) -> Generator[Progress, None, dict[FrameKey, Prediction]]:
    """Cross-fit: leave out one part of the missing labels at a time, train on the rest, and predict that part."""
    predicted: dict[FrameKey, Prediction] = {}
    keys_asked = list(by_frame(missing))
    order = np.random.default_rng(settings.seed).permutation(len(keys_asked))
    for fold in range(FOLDS):
        left_out = [keys_asked[i] for i in order[fold::FOLDS]]
        rest = [frame for key, frame in frames.items() if key not in left_out]
        if left_out and any(frame.animals for frame in rest):
            model = yield from _trained(rest, project.skeleton, settings, job, fold, threads)
            predicted.update((yield from _predict(model, 0, left_out, frames, sources, job)))
    return predicted


def _trained(
    frames: list[LabelledFrame],
    skeleton: Skeleton,
    settings: TrainSettings,
    job: int,
    fold: int,
    threads: int,
) -> Generator[Progress, None, Predictor]:
    bodyparts, n_animals = skeleton.bodyparts, len(skeleton.individuals)
    plan = make_plan(frames, settings, animals=n_animals)
    plan = replace(plan, steps=max(1, round(STEPS_SHARE * plan.steps)), n_validation=0)
    training = train(frames, bodyparts, settings, threads=threads, plan=plan, animals=n_animals)
    model = yield from relay(
        training, lambda tick: [Progress(job, STAGE, fold * tick.steps + tick.step, FOLDS * tick.steps, -1.0)]
    )
    return model


def _predict(
    model: Predictor,
    version: int,
    keys: Sequence[FrameKey],
    frames: dict[FrameKey, LabelledFrame],
    sources: Mapping[str, FrameSource],
    job: int,
) -> Generator[Progress, None, dict[FrameKey, Prediction]]:
    predicted: dict[FrameKey, Prediction] = {}
    readable = [key for key in keys if key in frames]
    for i, key in enumerate(readable):
        result = model.predict(frames[key].image[None], with_scoremaps=False).moved(origin_of(sources[key.video]))
        poses = result if result.animals is None else result.animals
        predicted[key] = Prediction.of_animals(key, version, poses.xy[0], poses.likelihood[0])
        yield Progress(job, STAGE, i + 1, len(readable), -1.0)
    return predicted
