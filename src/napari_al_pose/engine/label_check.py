"""Which labels to check: each is compared with a model that did not learn from it.

For a frame labelled since the last round that is the model before, which guessed it; for a hold-out frame the newest;
for all others, models trained on the rest of the labels in turn (cross-fitting), once a frame.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, FrameSource, KeypointState, Prediction
from napari_al_pose.domain.label_checks import LabelCheck, find_checks
from napari_al_pose.domain.mirroring import read_pairs
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.sources import available
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.plan import make_plan
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project
from napari_al_pose.video.region import origin_of

log = logging.getLogger(__name__)

FOLDS = 2
MIN_FRAMES = 8
"""With fewer labels a model trained on half of them says nothing."""

STEPS_SHARE = 0.6
"""Steps of a fold's training, over those of a round: good enough to find what is far off."""

STAGE = "Checking labels"


def check_labels(
    project: Project, sources: Mapping[str, FrameSource], job: int, *, model: Predictor, version: int, threads: int
) -> Generator[Progress, None, tuple[LabelCheck, ...]]:
    """Compare the labels with models that did not see them; what these said is kept for the next time.

    Parameters
    ----------
    project : Project
        Its labels of one individual a frame are checked: the network knows one.
    sources : dict of str to FrameSource
        By video.
    job : int
        Number of the job, for the progress.
    model, version : Predictor and int
        The newest model.
    threads : int
        Torch threads.
    """
    labels = _checkable(project, sources)
    unseen = _kept(project, labels)
    for earlier in reversed(project.models.versions()[:-1]):
        guesses = project.predictions.load(earlier)
        unseen.update({key: guess for key, guess in guesses.items() if key not in unseen})
    held = [label for label in labels if label.role == FrameRole.HOLDOUT]
    missing = [label for label in labels if label.key not in unseen and label.role != FrameRole.HOLDOUT]
    cross_fits = bool(missing) and len(labels) >= MIN_FRAMES
    frames = yield from _frames(labels if cross_fits else held, sources, job)
    unseen.update((yield from _asked(model, version, held, frames, sources, job)))
    if cross_fits:
        settings = project.settings.train
        if isinstance(model, PoseModel):  # whose trunk can be had, as the one in the settings perhaps can't
            settings = settings.model_copy(update={"trunk": model.settings.trunk})
        unseen.update((yield from _cross_fitted(project, settings, missing, frames, sources, job, threads)))
    keys = [label.key for label in labels if label.key in unseen]
    if keys:
        xy, likelihood = (np.stack([getattr(unseen[key], name) for key in keys]) for name in ("xy", "likelihood"))
        project.unseen.save(version, keys, xy, likelihood)
    bodyparts = project.skeleton.bodyparts
    pairs = read_pairs(project.settings.train.swap_pairs, bodyparts)
    return find_checks(labels, unseen, bodyparts, pairs)


def _checkable(project: Project, sources: Mapping[str, FrameSource]) -> list[Annotation]:
    labels = known_labels(project)
    readable = set(available([label.key for label in labels], sources))
    return [a for a in labels if a.key in readable and (a.states == KeypointState.PLACED).any()]


def _kept(project: Project, labels: Sequence[Annotation]) -> dict[FrameKey, Prediction]:
    """Return what was said before about the frames, by models that had not seen them; hold-out is asked anew."""
    kept: dict[FrameKey, Prediction] = {}
    for version in project.models.versions():
        kept.update(project.unseen.load(version))
    shape = (len(project.skeleton.bodyparts), 2)
    wanted = {label.key for label in labels if label.role != FrameRole.HOLDOUT}
    return {key: said for key, said in kept.items() if key in wanted and said.xy.shape == shape}


def _frames(
    labels: Sequence[Annotation], sources: Mapping[str, FrameSource], job: int
) -> Generator[Progress, None, dict[FrameKey, LabelledFrame]]:
    """Read the labelled frames that can be decoded."""
    frames: dict[FrameKey, LabelledFrame] = {}
    for label in sorted(labels, key=lambda label: label.key):
        for frame in (yield from load_labelled((label,), sources, job)):
            frames[label.key] = frame
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
    """Train on all labels but a part of the missing ones, in turn, and ask about that part."""
    said: dict[FrameKey, Prediction] = {}
    order = np.random.default_rng(settings.seed).permutation(len(missing))
    for fold in range(FOLDS):
        left_out = [missing[i] for i in order[fold::FOLDS]]
        keys = {label.key for label in left_out}
        rest = [frame for key, frame in frames.items() if key not in keys]
        if left_out and any((frame.states == KeypointState.PLACED).any() for frame in rest):
            model = yield from _trained(rest, project.skeleton.bodyparts, settings, job, fold, threads)
            said.update((yield from _asked(model, 0, left_out, frames, sources, job)))
    return said


def _trained(
    frames: list[LabelledFrame],
    bodyparts: tuple[str, ...],
    settings: TrainSettings,
    job: int,
    fold: int,
    threads: int,
) -> Generator[Progress, None, Predictor]:
    plan = make_plan(frames, settings)
    plan = replace(plan, steps=max(1, round(STEPS_SHARE * plan.steps)), held_back=0)
    training = train(frames, bodyparts, settings, threads=threads, plan=plan)
    try:
        while True:
            tick = next(training)
            yield Progress(job, STAGE, fold * tick.steps + tick.step, FOLDS * tick.steps, -1.0)
    except StopIteration as end:
        model: Predictor = end.value
        return model
    finally:
        training.close()


def _asked(
    model: Predictor,
    version: int,
    labels: Sequence[Annotation],
    frames: dict[FrameKey, LabelledFrame],
    sources: Mapping[str, FrameSource],
    job: int,
) -> Generator[Progress, None, dict[FrameKey, Prediction]]:
    said: dict[FrameKey, Prediction] = {}
    readable = [label.key for label in labels if label.key in frames]
    for i, key in enumerate(readable):
        result = model.predict(frames[key].image[None], with_scoremaps=False).moved(origin_of(sources[key.video]))
        said[key] = Prediction(key, version, result.xy[0], result.likelihood[0])
        yield Progress(job, STAGE, i + 1, len(readable), -1.0)
    return said
