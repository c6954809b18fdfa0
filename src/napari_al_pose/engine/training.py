"""One training of the loop: from the label store to a new model version on disk."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.pool import choose_pool
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.domain import (
    AlPoseError,
    Annotation,
    ErrorSummary,
    FrameKey,
    FrameRole,
    FrameSource,
    KeypointState,
    Reliability,
    Round,
)
from napari_al_pose.domain.backbones import DEFAULT_BACKBONE
from napari_al_pose.domain.excluded_labels import ExcludedLabels, excluded_labels_sentence
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.engine.judged_guesses import measured_thresholds
from napari_al_pose.engine.labels import by_frame, known_labels, unique_labels, with_taken
from napari_al_pose.engine.messages import Progress, Trained, TrainStep, TrialStep
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.sources import FrameBatch, available, read_batches
from napari_al_pose.engine.usable_labels import ImageOfFrame, usable_labels
from napari_al_pose.pose import LabelledFrame, PoseModel, TrainTick, summarise, train
from napari_al_pose.pose.backbone import WeightsMissingError
from napari_al_pose.pose.calibration import reliability_of
from napari_al_pose.pose.evaluation import LabelledPredictions, predict_labelled
from napari_al_pose.pose.mean_teacher import UNLABELLED_FRAMES
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project
from napari_al_pose.video.image_folder import read_image
from napari_al_pose.video.region import Region

log = logging.getLogger(__name__)

IN_MEMORY = 512 * 2**20
"""Bytes of frames kept in memory; a laptop with 2 GB free also has to hold the network and its maps."""

MIN_FRAMES = 2
VALIDATION_FRAMES = 60
"""Number of hold-out frames measured during training; all of them are measured at the end."""

Training = Generator[TrialStep | TrainStep, None, tuple[PoseModel, TrainTick, bool]]


class FrameStore:
    """Keeps frames. The array that `keep` returns reads like any other; its file is deleted when nobody holds it."""

    def __init__(self) -> None:
        self._left = IN_MEMORY

    def keep(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an array with the same content.

        Raises
        ------
        AlPoseError
            If there is no room on disk either.
        """
        self._left -= image.nbytes
        if self._left >= 0:
            return image
        try:
            with tempfile.TemporaryFile(prefix="napari-al-pose-") as file:
                # Write instead of mapping for writing: a full disk is an error here, but would end the process there.
                file.write(image.tobytes())
                file.flush()
                return np.memmap(file, np.uint8, "r", shape=image.shape)
        except OSError as error:
            raise AlPoseError(
                f"There is no room for the labelled frames in {tempfile.gettempdir()}: {error.strerror}.",
                "Free some space there, or name another folder in the environment variable TMPDIR.",
            ) from error


@dataclass(frozen=True, slots=True)
class LabelSplit:
    """The labels as they were when the training began; ``unique`` are those of unique bodyparts, in all frames."""

    train: tuple[Annotation, ...]
    holdout: tuple[Annotation, ...]
    revision: int
    images: Mapping[FrameKey, ImageOfFrame]
    left_out: tuple[ExcludedLabels, ...]
    unique: Mapping[FrameKey, Annotation]


def split_labels(project: Project, sources: Mapping[str, FrameSource]) -> LabelSplit:
    """Divide the labels whose frames can be read into training and hold-out labels.

    Unfinished frames are used for training too, since unseen bodyparts are masked; errors are not measured on them.

    Raises
    ------
    AlPoseError
        If fewer than two frames have a keypoint to learn from.
    """
    revision = project.labels.revision
    n_animals = len(project.skeleton.individuals)
    learnable, measurable, pointless = list[Annotation](), list[Annotation](), 0
    for animals in by_frame(known_labels(project)).values():
        if animals[0].role == FrameRole.HOLDOUT:
            measurable += animals if all(a.is_complete for a in animals) else []
        elif any((a.states == KeypointState.PLACED).any() for a in animals) or 1 < n_animals == len(animals):
            learnable += animals  # with several individuals, their absence teaches too
        else:
            pointless += 1
    to_train = usable_labels(project, with_taken(project, learnable), sources)
    holdout = usable_labels(project, measurable, sources)
    left_out = (*to_train.left_out, *([ExcludedLabels("without a visible point", pointless)] if pointless else []))
    n_learnt = len({a.key for a in to_train.annotations if (a.states == KeypointState.PLACED).any()})
    if n_learnt < MIN_FRAMES:
        raise AlPoseError(
            f"Expected at least {MIN_FRAMES} labelled frames to train on, got {n_learnt}. "
            f"{excluded_labels_sentence(n_learnt, left_out)}".strip(),
            "Put their videos or images back." if to_train.left_out else "Label some more frames of the queue first.",
        )
    images = {**to_train.images, **holdout.images}
    unique = unique_labels(project)
    return LabelSplit(to_train.annotations, holdout.annotations, revision, images, left_out, unique)


def load_labelled(
    annotations: Sequence[Annotation],
    sources: Mapping[str, FrameSource],
    job: int,
    *,
    images: Mapping[FrameKey, ImageOfFrame] = MappingProxyType({}),
    n_animals: int = 1,
    unique: Mapping[FrameKey, Annotation] = MappingProxyType({}),
) -> Generator[Progress, None, list[LabelledFrame]]:
    """Read the labelled frames and report progress; frames that can't be decoded are left out.

    Keypoints are in pixels of the part that is looked at; those outside count as not looked at. ``images`` replace
    frames that the sources do not have. With ``n_animals``, the first labelled animal of a frame carries the others.
    ``unique`` are the labels of unique bodyparts.
    """
    labels = by_frame(annotations)
    keys = list(labels)
    frames: list[LabelledFrame | None] = [None] * len(keys)
    room = FrameStore()
    reporter = ProgressReporter(job, "Reading labelled frames", len(keys))
    done = 0
    for index, key in enumerate(keys):
        if key in images:
            frames[index] = _from_image(labels[key], images[key], room, n_animals, unique.get(key))
            done += 1
            yield from reporter.report(done)
    in_sources = [i for i, key in enumerate(keys) if key not in images]
    for batch in read_batches([keys[i] for i in in_sources], sources, batch_size=4):
        for rank, image, is_whole in zip(batch.indices, batch.frames, batch.whole, strict=True):
            index = in_sources[rank]
            if not is_whole:
                log.warning("%s is left out: it can't be decoded, or only from damaged data", keys[index])
                continue
            image = room.keep(image)
            in_region = isinstance(sources[batch.video], Region)
            animals = [_labelled(one, image, batch, in_region=in_region) for one in labels[keys[index]]]
            of_none = unique.get(keys[index])
            beside = None if of_none is None else _labelled(of_none, image, batch, in_region=in_region)
            frames[index] = _together(animals, n_animals, beside)
        done += len(batch.indices)
        yield from reporter.report(done)
    return [frame for frame in frames if frame is not None]


def _from_image(
    animals: Sequence[Annotation], image: ImageOfFrame, room: FrameStore, n_animals: int, unique: Annotation | None
) -> LabelledFrame | None:
    try:
        pixels = room.keep(read_image(image.path))
    except AlPoseError as error:
        log.warning("%s is left out: %s", animals[0].key, error)
        return None

    def of(a: Annotation) -> LabelledFrame:
        return LabelledFrame(pixels, image.place.to_image(a.xy), a.states, a.key.video, taken=a.taken)

    return _together([of(a) for a in animals], n_animals, None if unique is None else of(unique))


def _together(animals: Sequence[LabelledFrame], n_animals: int, unique: LabelledFrame | None) -> LabelledFrame:
    """Return the labels of one picture as one frame."""
    first, *others = animals
    whole = replace(first, others=tuple(others), every_animal=len(animals) >= n_animals)
    return whole if unique is None else replace(whole, unique_xy=unique.xy, unique_states=unique.states)


def _labelled(annotation: Annotation, image: NDArray[np.uint8], batch: FrameBatch, *, in_region: bool) -> LabelledFrame:
    xy, states = annotation.xy, annotation.states
    if in_region:
        xy = xy - batch.origin
        states = np.where(_outside(xy, image), np.int8(KeypointState.UNSEEN), states)
    return LabelledFrame(image, xy, states, annotation.key.video, taken=annotation.taken)


def _outside(xy: NDArray[np.float64], image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which keypoints lie outside the image; those without a position count as inside."""
    height, width = image.shape[:2]
    inside = ((xy >= -0.5) & (xy <= np.array([width, height]) - 0.5)).all(axis=1)
    return np.asarray(np.isfinite(xy).all(axis=1) & ~inside, np.bool_)


def unlabelled_frames(project: Project, sources: Mapping[str, FrameSource]) -> Iterator[NDArray[np.uint8]]:
    """Read candidate frames, as of a small pool, that have no label; test frames are none of them."""
    labelled = available(project.labels.labelled_keys(), sources)
    keys = choose_pool(sources, UNLABELLED_FRAMES, labelled=frozenset(labelled))
    for batch in read_batches(keys, sources, batch_size=4):
        yield from (frame for frame, is_whole in zip(batch.frames, batch.whole, strict=True) if is_whole)


def train_round(
    project: Project,
    sources: Mapping[str, FrameSource],
    job: int,
    *,
    previous: Predictor | None,
    previous_version: int,
    threads: int,
    should_stop: Callable[[], bool],
) -> Generator[Progress | TrialStep | TrainStep | Trained, None, PoseModel]:
    """Train the next version and store it on disk.

    Once ``should_stop`` says so, the training ends with its present step and keeps what it has learnt. If the generator
    is closed early, nothing is left behind.
    """
    project.models.refuse_read_only()
    split = split_labels(project, sources)
    bodyparts, n_animals = project.skeleton.bodyparts, len(project.skeleton.individuals)
    learning = partial(train, animals=n_animals, unique_bodyparts=project.skeleton.unique_bodyparts)
    load = partial(load_labelled, images=split.images, n_animals=n_animals, unique=split.unique)
    frames = yield from load(split.train, sources, job)
    holdout = yield from load(split.holdout, sources, job)
    left_out = _with_undecodable(split, len(frames))
    # Another program's model can't be trained further here.
    initial = previous if isinstance(previous, PoseModel) and previous.bodyparts == bodyparts else None

    def training(settings: TrainSettings) -> Training:
        watched = [holdout[i] for i in systematic(len(holdout), min(len(holdout), VALIDATION_FRAMES), 0.5)]
        more = unlabelled_frames(project, sources) if settings.unlabelled == "on" else ()
        ticks = learning(
            frames, bodyparts, settings, initial=initial, holdout=watched, threads=threads, unlabelled=more
        )
        return _optimise(ticks, job, should_stop)

    began = time.monotonic()
    model, last, stopped, notice = yield from _with_weights_there_are(training, project.settings.train)
    seconds = time.monotonic() - began
    with project.models.new_folder() as folder:
        model.save(folder / model.file_name)
    measured = predict_labelled(model, holdout) if any(frame.animals for frame in holdout) else None
    error, likelihoods = measure(measured, model.bodyparts)
    done = Round(
        number=project.models.latest(),
        labels_revision=split.revision,
        n_train=len(frames),
        n_holdout=len(holdout),
        strategy=project.settings.strategy,
        holdout=error,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        train_seconds=round(seconds, 2),
        steps=last.step,
        reliability=likelihoods,
        left_out=left_out,
        thresholds=tuple(zip(model.bodyparts, measured_thresholds(project, measured), strict=False)),
        started_from=previous_version if last.fine_tuned else 0,
        input_size=model.input_size_for(*frames[0].size),
        window=model.window_in(*frames[0].size),
        scale=round(max(model.input_size_for(*frames[0].size)) / max(frames[0].size), 4),
    )
    project.rounds.append(done)
    log.info("round %s: %s labels, %s steps, %s s", done.number, done.n_train, done.steps, done.train_seconds)
    notices = (excluded_labels_sentence(len(frames), left_out), notice, last.notice)
    yield Trained(job, done, stopped, " ".join(filter(None, notices)))
    return model


def _with_undecodable(split: LabelSplit, n_read: int) -> tuple[ExcludedLabels, ...]:
    """Return what is left out of the training, with the frames of which ``n_read`` others could be read."""
    undecodable = len(by_frame(split.train)) - n_read
    return (*split.left_out, *([ExcludedLabels("that can't be decoded", undecodable)] if undecodable else []))


def _with_weights_there_are(
    training: Callable[[TrainSettings], Training], settings: TrainSettings
) -> Generator[TrialStep | TrainStep, None, tuple[PoseModel, TrainTick, bool, str]]:
    """Train, with the default backbone if the weights of the chosen one are missing; also return a notice of that."""
    try:
        return (*(yield from training(settings)), "")
    except WeightsMissingError as missing:
        notice = f"{missing.message} Trained with {DEFAULT_BACKBONE} instead."
        log.warning("%s", notice)
        return (*(yield from training(settings.model_copy(update={"backbone": DEFAULT_BACKBONE}))), notice)


def _optimise(
    training: Generator[TrainTick, str | None, PoseModel], job: int, should_stop: Callable[[], bool]
) -> Training:
    """Turn ticks into messages, and stop when asked; return the model, the last tick and whether it was stopped."""
    tick, stopped = TrainTick(0, 0, math.nan), False
    try:
        while True:
            tick = training.send("stop") if stopped else next(training)
            if tick.to_try:
                yield TrialStep(job, tick.tried, tick.to_try, float(tick.loss), float(tick.seconds_left))
            else:
                yield TrainStep(
                    job, tick.step, tick.steps, float(tick.loss), float(tick.holdout_error), float(tick.seconds_left)
                )
            stopped = should_stop()
    except StopIteration as end:
        return end.value, tick, stopped
    finally:
        training.close()


def measure(
    measured: LabelledPredictions | None, bodyparts: Sequence[str]
) -> tuple[ErrorSummary | None, Reliability | None]:
    """Return a model's error on labelled frames it did not learn from, and the reliability of its likelihoods.

    Return None if there is nothing to measure on, or no animal was found.
    """
    if measured is None or not len(measured[0]):
        return None, None
    predicted, likelihood, annotated, states = measured
    error = summarise(predicted, annotated, states, bodyparts=bodyparts)
    return error, reliability_of(likelihood, predicted, annotated, states)
