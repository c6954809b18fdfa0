"""Computes the extra arrays that strategies request, and keeps them until the model or the labels change."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.acquisition import Extra
from napari_al_pose.acquisition.reliability import animal_size
from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole
from napari_al_pose.domain.steps import relay
from napari_al_pose.engine import extra_passes as passes
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.ranking_input import RankingInput
from napari_al_pose.engine.sources import read_batches
from napari_al_pose.engine.threads import run_in_thread
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.pose import LabelledFrame
from napari_al_pose.pose.auxiliary import (
    STEPS,
    ActivationProbe,
    AuxiliaryHead,
    HeadKind,
    Lesson,
    descriptor_for,
    make_lesson,
    train_head,
)
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.video.region import origin_of

log = logging.getLogger(__name__)

_OF_LABELLED = {
    Extra.EMBEDDING_LABELLED: Extra.EMBEDDING,
    Extra.KEYPOINT_FEATURES_LABELLED: Extra.KEYPOINT_FEATURES,
    Extra.DINOV2_LABELLED: Extra.DINOV2,
}
_HEADS = {
    Extra.PREDICTED_LOSS: HeadKind.LEARNING_LOSS,
    Extra.PREDICTED_LOSS_PP: HeadKind.LEARNING_LOSS_PP,
    Extra.LOG_VARIANCE: HeadKind.ALEATORIC,
    Extra.LINK_LENGTHS: HeadKind.LINKS,
}
_GRADIENTS = frozenset({Extra.GRADIENT_LENGTHS, Extra.FULL_GRADIENT_LENGTHS})
_INSIDE = frozenset({Extra.EMBEDDING, Extra.KEYPOINT_FEATURES, Extra.DROPOUT_XY, *_HEADS}) | _GRADIENTS
_NEIGHBOURS = frozenset({Extra.NEIGHBOUR_XY, Extra.SCOREMAP_CHANGE})
_PLACES = frozenset({Extra.NEIGHBOUR_XY, Extra.DROPOUT_XY, Extra.TURNED_XY})
_PICTURES = frozenset({Extra.THUMBNAILS, Extra.MOTION_ENERGY})
_DESCRIPTORS = frozenset({Extra.ALEXNET, Extra.DINOV2})
_OF_SEVERAL = frozenset({Extra.ANIMALS_XY, Extra.ANIMAL_SCORES})
_OF_ONE = (
    _INSIDE
    | {Extra.TURNED_XY, Extra.SCOREMAP_CHANGE, Extra.ENSEMBLE_XY}
    | _OF_LABELLED.keys() - {Extra.DINOV2_LABELLED}
)
_ONE = "what it needs exists only for a model of one animal"
_SEVERAL = "the model knows one animal only"
"""Why a model of one animal, or of several, can't provide something."""

OF_NO_MODEL = _PICTURES | _DESCRIPTORS | {Extra.DINOV2_LABELLED}
"""Available before there is a model."""


@dataclass(frozen=True, slots=True, eq=False)
class Extras:
    """Extra arrays, and the reason for each missing one."""

    arrays: dict[Extra, NDArray[Any]] = field(default_factory=dict)
    missing: dict[Extra, str] = field(default_factory=dict)


class ExtraCache:
    """Computes extra arrays; keeps rows and auxiliary networks until there is another model.

    Parameters
    ----------
    device : str
        Where networks other than the pose model run.
    """

    def __init__(self, *, device: str = "auto") -> None:
        self._device = device
        self._version = -1
        self._rows: dict[Extra, dict[FrameKey, NDArray[Any]]] = {}
        self._heads: dict[Extra, AuxiliaryHead] = {}
        self._lesson: Lesson | None = None
        self._view: ActivationProbe | None = None
        self._labelled: tuple[FrameKey, ...] = ()
        self._shapes: dict[str, tuple[int, ...]] = {}

    def fetch(self, wanted: Iterable[Extra], inputs: RankingInput) -> Generator[Progress, None, Extras]:
        """Return the ``wanted`` arrays, with rows in the order of the pool's keys or of the labelled ones."""
        self._forget(inputs)
        wanted = set(wanted)
        extras = Extras(missing={name: why for name, why in inputs.unavailable.items() if name in wanted})
        several = inputs.model is not None and inputs.model.animals is not None
        kind, why = (_OF_ONE, _ONE) if several else (_OF_SEVERAL, _SEVERAL)
        extras.missing.update(dict.fromkeys(wanted & kind, why))
        names = sorted(wanted - extras.missing.keys())
        for group in (_PICTURES, *({name} for name in sorted(_DESCRIPTORS)), _NEIGHBOURS, {Extra.TURNED_XY}, _INSIDE):
            own = [name for name in names if _OF_LABELLED.get(name, name) in group]
            if not own:
                continue
            try:
                yield from self._compute(frozenset(own), inputs)
            except AlPoseError as error:
                log.warning("%s: %s %s", ", ".join(own), error.message, error.hint)
                extras.missing.update(dict.fromkeys(own, error.message.rstrip(".")))
                continue
            for name in own:
                keys = inputs.pool.labelled if name in _OF_LABELLED else inputs.pool.keys
                rows = self._rows[_OF_LABELLED.get(name, name)]
                extras.arrays[name] = np.stack([rows[key] for key in keys]) if keys else np.empty((0, 0, 0))
        if Extra.BODYPART_QUALITY in names:
            extras.arrays[Extra.BODYPART_QUALITY] = inputs.labels.bodypart_quality()
        if Extra.ERRORS_LABELLED in names:
            extras.arrays[Extra.ERRORS_LABELLED] = inputs.labels.errors_before(inputs.pool.labelled)
        if Extra.ENSEMBLE_XY in names:
            _ensemble(extras, inputs)
        return extras

    def _forget(self, inputs: RankingInput) -> None:
        """Drop what another model or another region produced, and gradients towards other labels."""
        shapes = {name: (*source.shape, *origin_of(source)) for name, source in inputs.sources.items()}
        changed = {name for name, shape in shapes.items() if self._shapes.get(name, shape) != shape}
        if changed:
            self._rows = {
                name: {key: row for key, row in rows.items() if key.video not in changed}
                for name, rows in self._rows.items()
            }
        self._shapes = shapes
        if inputs.version != self._version:
            self._rows = {name: rows for name, rows in self._rows.items() if name in OF_NO_MODEL}
            self._heads, self._lesson, self._view, self._version = {}, None, None, inputs.version
        if inputs.pool.labelled != self._labelled:
            for name in _GRADIENTS:
                self._rows.pop(name, None)
            self._labelled = inputs.pool.labelled

    def _compute(self, names: frozenset[Extra], inputs: RankingInput) -> Generator[Progress, None, None]:
        """Compute the missing rows of ``names``, which one pass provides."""
        bases = frozenset(_OF_LABELLED.get(name, name) for name in names)
        keys: dict[FrameKey, None] = {}
        if any(name not in _OF_LABELLED for name in names):
            keys |= dict.fromkeys(inputs.pool.keys)
        if any(name in _OF_LABELLED for name in names):
            keys |= dict.fromkeys(inputs.pool.labelled)
        for base in bases:
            self._rows.setdefault(base, {})
        missing = [key for key in keys if any(key not in self._rows[base] for base in bases)]
        if not missing:
            return
        stage, run = yield from self._pass(bases, inputs)
        reporter = ProgressReporter(inputs.job, stage, len(missing))
        done = 0
        for batch in read_batches(missing, inputs.sources, batch_size=4):
            own = tuple(missing[index] for index in batch.indices)
            found = run(passes.VideoBatch(own, batch.frames, inputs.sources[batch.video]))
            for base, values in found.items():
                if base in _PLACES and inputs.model is not None:
                    values = values + batch.origin.astype(values.dtype)
                self._rows.setdefault(base, {}).update(zip(own, values, strict=True))
            done += len(own)
            yield from reporter.report(done)

    def _pass(
        self, bases: frozenset[Extra], inputs: RankingInput
    ) -> Generator[Progress, None, tuple[str, passes.FramePass]]:
        """Return the progress text and the pass."""
        if bases <= _PICTURES:
            return "Reading small pictures", passes.thumbnail_pass(with_motion=Extra.MOTION_ENERGY in bases)
        if bases <= _DESCRIPTORS:
            (name,) = bases
            fetching = Progress(inputs.job, f"Fetching the weights of {name.value}", 0, 1, -1.0)
            descriptor = yield from run_in_thread(lambda: descriptor_for(name.value, self._device), fetching)
            return f"Looking with {name.value}", passes.descriptor_pass(descriptor, name)
        if inputs.model is None and inputs.imported is not None and bases == {Extra.NEIGHBOUR_XY}:
            return "Looking at neighbouring frames", inputs.imported.neighbour_pass
        if inputs.model is None:
            raise AlPoseError("there is no model to ask", "Label some frames and train first.")
        if bases <= _NEIGHBOURS:
            with_change = Extra.SCOREMAP_CHANGE in bases
            return "Looking at neighbouring frames", passes.neighbour_pass(inputs.model, with_change=with_change)
        view = self._probe(inputs.model)
        if bases <= {Extra.TURNED_XY}:
            return "Looking at turned copies", passes.turned_pass(view)
        yield from self._train_heads(bases, view, inputs)
        heads = {name: self._heads[name] for name in sorted(bases & _HEADS.keys())}
        labelled = (yield from self._labelled_maps(view, inputs)) if bases & _GRADIENTS else None
        n_links = len(inputs.labels.skeleton.links)
        return "Looking inside the model", passes.inside_pass(view, bases, heads, n_links, labelled)

    def _probe(self, model: Predictor) -> ActivationProbe:
        if self._view is None:
            self._view = ActivationProbe(model)
        return self._view

    def _train_heads(
        self, bases: frozenset[Extra], view: ActivationProbe, inputs: RankingInput
    ) -> Generator[Progress, None, None]:
        """Train the missing auxiliary networks, once for each model."""
        due = [name for name in sorted(bases & _HEADS.keys()) if name not in self._heads]
        if not due:
            return
        if Extra.LINK_LENGTHS in due and not inputs.labels.skeleton.links:
            raise AlPoseError("the skeleton has no links", "Add links to the skeleton.")
        if self._lesson is None:
            self._lesson = yield from self._learn_from_labels(view, inputs)
        for name in due:
            reporter = ProgressReporter(inputs.job, "Training an auxiliary network", STEPS)
            training = train_head(_HEADS[name], self._lesson)
            self._heads[name] = yield from relay(training, reporter.report)

    def _learn_from_labels(self, view: ActivationProbe, inputs: RankingInput) -> Generator[Progress, None, Lesson]:
        skeleton = inputs.labels.skeleton
        frames = yield from _training_frames(inputs)
        size = animal_size(np.stack([frame.xy for frame in frames]))
        if not np.isfinite(size):
            raise AlPoseError("no labelled frame shows two bodyparts", "Label whole animals.")
        reporter = ProgressReporter(inputs.job, "Looking at labelled frames", len(frames))
        looking = make_lesson(view, frames, skeleton.link_indices(), size=size)
        lesson = yield from relay(looking, reporter.report)
        return lesson

    def _labelled_maps(
        self, view: ActivationProbe, inputs: RankingInput
    ) -> Generator[Progress, None, passes.LabelledMaps]:
        """Predict the labelled frames."""
        labelled = inputs.pool.labelled
        found: dict[int, tuple[Tensor, NDArray[np.float32]]] = {}
        reporter = ProgressReporter(inputs.job, "Looking at labelled frames", len(labelled))
        for batch in read_batches(labelled, inputs.sources, batch_size=4):
            seen = view.look(batch.frames)
            for index, maps, embedding in zip(batch.indices.tolist(), seen.scoremaps, seen.embedding(), strict=True):
                found[index] = (maps.half(), embedding)
            yield from reporter.report(len(found))
        if not found:
            raise AlPoseError("there are no labelled frames to compare with", "Label some frames first.")
        maps, embeddings = zip(*(found[index] for index in range(len(labelled))), strict=True)
        return passes.LabelledMaps(maps, np.stack(embeddings))


def _training_frames(inputs: RankingInput) -> Generator[Progress, None, list[LabelledFrame]]:
    """Return the labelled frames that the pose model may have learnt from, without the hold-out frames."""
    known = set(inputs.pool.labelled)
    annotations = tuple(
        a
        for a in inputs.labels.annotations()
        if a.key in known and a.is_complete and a.role == FrameRole.TRAIN and np.isfinite(a.xy).any()
    )
    if not annotations:
        raise AlPoseError("there are no labelled frames to train on", "Label some frames first.")
    return (yield from load_labelled(annotations, inputs.sources, inputs.job))


def _ensemble(extras: Extras, inputs: RankingInput) -> None:
    """Collect the predictions of the last versions of the model."""
    looks = inputs.labels.earlier_poses(inputs.pool.keys)
    if len(looks) < 2:
        extras.missing[Extra.ENSEMBLE_XY] = "fewer than two versions of the model have scored the candidate frames"
    else:
        extras.arrays[Extra.ENSEMBLE_XY] = np.stack(looks, axis=1)
