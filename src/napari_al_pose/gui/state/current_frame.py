"""The frame in front of the user, with its labels, its guess and its scoremaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import Annotation, FrameKey, Prediction, Scoremaps, Skeleton
from napari_al_pose.domain.confidence_threshold import EVEN_CHANCE, DoubtfulGuesses, believed, is_doubtful
from napari_al_pose.domain.evidence import Evidence, of_scoremaps
from napari_al_pose.domain.frame_guess import frame_guess, with_carried
from napari_al_pose.domain.individuals import assign_poses, guesses_for
from napari_al_pose.domain.labelling import first_bodypart, neighbour_bodypart, open_guess
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.domain.views.prompt import Guessed
from napari_al_pose.engine.messages import Looked
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.project import LabelStore

ALL_BODYPARTS = "*"
"""Scoremap choice: every bodypart in its own colour."""


class ShownPicture(Protocol):
    """Whatever draws the video."""

    @property
    def shown_position(self) -> int:
        """Position of the frame whose pixels are on the canvas; -1 while none of the current video's are."""


class CurrentFrame(QObject):
    """Holds what is known of one frame and of what the next click labels in it.

    Nothing else emits these signals. When one arrives, everything here is consistent already.

    Parameters
    ----------
    parent : QObject, optional
    """

    keyChanged = Signal()
    """Another frame is current, or none."""
    sourceChanged = Signal()
    """`source` is another video, or None while one is being opened."""
    annotationChanged = Signal()
    """Labels or guess changed."""
    bodypartChanged = Signal()
    individualChanged = Signal()
    lookedChanged = Signal()
    """`looked` is now the engine's answer for this frame."""
    scoremapChoiceChanged = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._skeleton: Skeleton | None = None
        self._labels: LabelStore | None = None
        self._predictions: dict[FrameKey, Prediction] = {}
        self._carried: dict[tuple[FrameKey, str], Prediction] = {}
        self._key: FrameKey | None = None
        self._source: CachedSource | None = None
        self._annotations: tuple[Annotation, ...] = ()
        self._guesses: tuple[Prediction | None, ...] = ()
        self._borrowed: Prediction | None = None
        self._followed: Prediction | None = None
        self._copied_from: FrameKey | None = None
        self._threshold = EVEN_CHANCE
        self._looked: Looked | None = None
        self._evidence: tuple[Scoremaps, Evidence] | None = None
        self._prior: PosePrior | None = None
        self._bodypart = self._individual = ""
        self._scoremap_choice, self._last_scoremap = "", ALL_BODYPARTS
        self._picture: ShownPicture | None = None

    # ---- what is there ------------------------------------------------------------------------

    @property
    def key(self) -> FrameKey | None:
        """The frame in front of the user."""
        return self._key

    @property
    def source(self) -> CachedSource | None:
        """The open video of the frame; None while it is being opened."""
        return self._source

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the video's frames; one pixel while there is no video."""
        return (1, 1) if self._source is None else (self._source.shape[1], self._source.shape[2])

    @property
    def position(self) -> int:
        """Position of the frame in `source`; -1 without a source or where it lacks that frame."""
        if self._source is None or self._key is None:
            return -1
        try:
            return self._source.position(self._key.frame)
        except KeyError:
            return -1

    @property
    def picture_is_current(self) -> bool:
        """Whether the pixels on the canvas are this frame's; clicks are taken only then."""
        position = self.position
        return self._picture is not None and position >= 0 and self._picture.shown_position == position

    @property
    def annotation(self) -> Annotation | None:
        """The labels of the chosen individual."""
        return self._annotations[self.individual_index] if self._annotations else None

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The labels of every individual, in the project's order; empty without a frame."""
        return self._annotations

    @property
    def guess(self) -> Prediction | None:
        """The model's guess for what is not labelled, decided anew with every label; NaN where a label is."""
        return self._guesses[self.individual_index] if self._guesses else None

    @property
    def guesses(self) -> tuple[Prediction | None, ...]:
        """The same of every individual; of all but the chosen one as the model said it."""
        return self._guesses

    @property
    def others_guessed(self) -> bool:
        """Whether there is a guess for an individual that is not chosen."""
        others = (guess for index, guess in enumerate(self._guesses) if index != self.individual_index)
        return any(guess is not None and np.isfinite(guess.xy).any() for guess in others)

    @property
    def threshold(self) -> float:
        """Likelihood from which a bodypart of `guess` is believed; a copied pose is believed whole."""
        return 0.0 if self._borrowed is not None else self._threshold

    @property
    def doubted(self) -> NDArray[np.bool_]:
        """Which bodyparts have a guess that is not believed, (K,): they may not be visible."""
        return np.zeros(len(self.bodyparts), bool) if self.guess is None else is_doubtful(self.guess, self.threshold)

    @property
    def believed(self) -> Prediction | None:
        """The guess without what is doubted."""
        return None if self.guess is None else replace(self.guess, xy=believed(self.guess, self.threshold))

    def guessed(self, unbelieved: DoubtfulGuesses = DoubtfulGuesses.OPEN) -> Guessed | None:
        """Return the guess with what is known of it; ``unbelieved`` is the user's choice for what is doubted."""
        if self.guess is None:
            return None
        return Guessed(self.guess, self.threshold, unbelieved, self._copied_from)

    @property
    def copied_from(self) -> FrameKey | None:
        """The frame whose labels `guess` shows; None where it is a model's, or another program's."""
        return self._copied_from

    @property
    def looked(self) -> Looked | None:
        """Scoremaps and prediction by the newest model, once the engine has sent them."""
        return self._looked

    @property
    def is_predicted(self) -> bool:
        """Whether a prediction for this frame is known."""
        return self._looked is not None or self._key in self._predictions

    @property
    def predictions(self) -> Mapping[FrameKey, Prediction]:
        """What the newest model said about frames."""
        return self._predictions

    @property
    def skeleton(self) -> Skeleton | None:
        """What is labelled. The project's own is ahead of it while the bodyparts are being changed."""
        return self._skeleton

    @property
    def bodyparts(self) -> tuple[str, ...]:
        """The project's bodyparts in labelling order; empty without a project."""
        return () if self._skeleton is None else self._skeleton.bodyparts

    @property
    def bodypart(self) -> str:
        """The bodypart the next click places; empty without a project."""
        return self._bodypart

    @property
    def bodypart_index(self) -> int:
        """Its place among `bodyparts`."""
        return self.bodyparts.index(self._bodypart)

    @property
    def individuals(self) -> tuple[str, ...]:
        """The project's individuals; one nameless one in a single-animal project, none without a project."""
        return () if self._skeleton is None else self._skeleton.individuals

    @property
    def individual(self) -> str:
        """The individual the next click labels; "" in a single-animal project."""
        return self._individual

    @property
    def individual_index(self) -> int:
        """Its place among `individuals`."""
        return self.individuals.index(self._individual) if self._individual in self.individuals else 0

    @property
    def scoremaps(self) -> Scoremaps | None:
        """The newest model's scoremaps of the chosen individual in this frame; None until the engine has sent them."""
        looked = self._looked
        if looked is None or not looked.animals or looked.prediction is None:
            return None if looked is None else looked.scoremaps
        chosen = self.individual_index
        slot = assign_poses(looked.prediction.poses[0], self._annotations, self._followed, chosen=chosen)[chosen]
        return looked.animals[slot] if 0 <= slot < len(looked.animals) else None

    @property
    def scoremap_choice(self) -> str:
        """Which scoremap lies over the video: "" none, "*" all, else a bodypart."""
        return self._scoremap_choice

    # ---- choosing -----------------------------------------------------------------------------

    def choose_bodypart(self, name: str) -> None:
        """Let the next click place ``name``."""
        if name in self.bodyparts and name != self._bodypart:
            self._bodypart = name
            self.bodypartChanged.emit()

    def next_bodypart(self) -> None:
        """Choose the bodypart after the chosen one, going round."""
        self.step_bodypart(1)

    def previous_bodypart(self) -> None:
        """Choose the bodypart before the chosen one, going round."""
        self.step_bodypart(-1)

    def step_bodypart(self, delta: int) -> None:
        """Go ``delta`` bodyparts along, going round."""
        if self.bodyparts:
            self.choose_bodypart(self.bodyparts[neighbour_bodypart(self.bodypart_index, delta, len(self.bodyparts))])

    def choose_individual(self, name: str) -> None:
        """Let the next click label the individual ``name``, from its first bodypart nobody has looked at."""
        if name not in self.individuals or name == self._individual:
            return
        self._individual = name
        self._find_guess()
        self.individualChanged.emit()
        self.annotationChanged.emit()
        if self.annotation is not None:
            self.choose_bodypart(self.bodyparts[first_bodypart(self.annotation.states)])

    def set_scoremap(self, choice: str) -> None:
        """Lay a scoremap over the video: "" none, "*" all, else a bodypart."""
        if choice != self._scoremap_choice and choice in ("", ALL_BODYPARTS, *self.bodyparts):
            self._last_scoremap = self._scoremap_choice or self._last_scoremap
            self._scoremap_choice = choice
            self.scoremapChoiceChanged.emit()

    def toggle_scoremap(self) -> None:
        """Hide the scoremap, or show the one chosen last."""
        last = self._last_scoremap if self._last_scoremap in self.bodyparts else ALL_BODYPARTS
        self.set_scoremap("" if self._scoremap_choice else last)

    # ---- for the other parts of the session ---------------------------------------------------

    def set_picture(self, picture: ShownPicture | None) -> None:
        """Name what draws the video, see `picture_is_current`."""
        self._picture = picture

    def use(self, skeleton: Skeleton, labels: LabelStore, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Take another project, or one whose skeleton has changed; no frame is current. Emits nothing, see `announce`.

        Parameters
        ----------
        skeleton : Skeleton
            What is labelled.
        labels : LabelStore
            Where the labels are.
        predictions : mapping of FrameKey to Prediction
            What the newest model said about frames.
        """
        self.forget_frame()
        self._skeleton, self._labels, self._predictions = skeleton, labels, dict(predictions)
        self._carried = {}
        self._bodypart, self._scoremap_choice = skeleton.bodyparts[0], ""
        if self._individual not in skeleton.individuals:
            self._individual = skeleton.individuals[0]

    def leave(self) -> None:
        """Let the project go. Emits nothing, see `announce`."""
        self.forget_frame()
        self._source = self._skeleton = self._labels = None
        self._predictions, self._carried = {}, {}
        self._bodypart = self._individual = self._scoremap_choice = ""

    def forget_frame(self) -> None:
        """Have no current frame. Emits nothing, see `announce`."""
        self._key = self._looked = self._evidence = self._borrowed = self._copied_from = None
        self._followed = None
        self._annotations = self._guesses = ()

    def announce(self) -> None:
        """Say that everything here is another project's."""
        self.sourceChanged.emit()
        self.keyChanged.emit()

    def show(self, key: FrameKey, source: CachedSource | None, *, keep_bodypart: bool) -> None:
        """Make ``key`` the current frame, and choose its first open bodypart unless the chosen one is to be kept."""
        other_source = source is not self._source
        self.forget_frame()
        self._key, self._source = key, source
        self._read_labels()
        self._find_guess()
        if self.annotation is not None and not keep_bodypart:
            self._bodypart = self.bodyparts[first_bodypart(self.annotation.states)]
        if other_source:
            self.sourceChanged.emit()
        self.keyChanged.emit()

    def set_source(self, source: CachedSource | None) -> None:
        """Take the frame's video, now that it is open, or opened anew."""
        self._source = source
        self.sourceChanged.emit()

    def reload(self) -> None:
        """Read the labels from the store again, after they were changed there."""
        self._read_labels()
        self._find_guess()
        self.annotationChanged.emit()

    def reload_if_changed(self) -> None:
        """Read the labels from the store again; say so only where a point has moved."""
        before = self._annotations
        self._read_labels()
        pairs = zip(before, self._annotations, strict=True)
        if not all(np.array_equal(a.xy, b.xy, equal_nan=True) for a, b in pairs):
            self._find_guess()
            self.annotationChanged.emit()

    def take_look(self, looked: Looked) -> None:
        """Take the engine's answer about this frame."""
        self._looked = looked
        self._find_guess()
        self.lookedChanged.emit()
        self.annotationChanged.emit()

    def set_prior(self, prior: PosePrior | None) -> None:
        """Take what the project's labelled poses look like; None where too few are labelled."""
        self._prior = prior
        before = self._guesses
        self._find_guess()
        if not _same_guesses(before, self._guesses):
            self.annotationChanged.emit()

    def borrow(self, pose: Prediction, source: FrameKey) -> None:
        """Show ``pose``, the labels of the frame ``source``, as the guess until the frame is left."""
        self._borrowed, self._copied_from = pose, source
        self._find_guess()
        self.annotationChanged.emit()

    def follow(self, tracks: Prediction | None) -> None:
        """Take which animal was followed to which place in this frame, or None where nobody knows."""
        if tracks is not self._followed:
            self._followed = tracks
            before = self._guesses
            self._find_guess()
            if not _same_guesses(before, self._guesses):
                self.annotationChanged.emit()

    def believe_from(self, threshold: float) -> None:
        """Believe guesses of this likelihood and above."""
        if threshold != self._threshold:
            self._threshold = threshold
            self.annotationChanged.emit()

    def set_predictions(self, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Take what a new model says about frames in place of all that was known."""
        self._predictions = dict(predictions)
        self._find_guess()
        self.annotationChanged.emit()

    def add_predictions(self, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Take predictions for frames of which none is known."""
        is_news = self._key in predictions and self._key not in self._predictions
        self._predictions = {**predictions, **self._predictions}
        if is_news:
            self._find_guess()
            self.annotationChanged.emit()

    def add_carried(self, guesses: Mapping[FrameKey, Prediction], individual: str) -> None:
        """Take what was carried along of an individual, in place of what was carried there before."""
        self._carried.update({(key, individual): guess for key, guess in guesses.items()})
        if self._key in guesses:
            self._find_guess()
            self.annotationChanged.emit()

    def _read_labels(self) -> None:
        if self._labels is not None and self._key is not None:
            labels, key = self._labels, self._key
            self._annotations = tuple(labels.annotation(key, individual) for individual in self.individuals)

    def _find_guess(self) -> None:
        self._guesses = ()
        if self._key is None or self.annotation is None:
            return
        looked = None if self._looked is None else self._looked.prediction
        said = looked or self._predictions.get(self._key) or self._followed
        found = guesses_for(said, self._annotations, self._followed, chosen=self.individual_index)
        self._guesses = tuple(self._guess_of(index, one) for index, one in enumerate(found))

    def _guess_of(self, index: int, said: Prediction | None) -> Prediction | None:
        """Return the guess for an individual, of which the model ``said`` something, or nothing."""
        annotation, chosen = self._annotations[index], index == self.individual_index
        if chosen and self._borrowed is not None:
            return open_guess(self._borrowed, annotation)
        # To weigh the peaks takes some milliseconds: it is done for the animal that is being labelled.
        prior, evidence = (self._prior, self._peaks()) if chosen else (None, None)
        known = frame_guess(said, annotation, prior=prior, evidence=evidence)
        carried = self._carried.get((annotation.key, self.individuals[index]))
        return with_carried(known, open_guess(carried, annotation))

    def _peaks(self) -> Evidence | None:
        """Return the peaks of the chosen individual's scoremaps, found once for each of them."""
        maps = self.scoremaps
        if maps is None:
            return None
        if self._evidence is None or self._evidence[0] is not maps:
            self._evidence = maps, of_scoremaps(maps.maps, maps.grid)
        return self._evidence[1]


def _same_guesses(some: tuple[Prediction | None, ...], others: tuple[Prediction | None, ...]) -> bool:
    pairs = list(zip(some, others, strict=False))
    same = all(
        one is other or (one is not None and other is not None and np.array_equal(one.xy, other.xy, equal_nan=True))
        for one, other in pairs
    )
    return same and len(some) == len(others)
