"""What is guessed of the current frame, and of what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import Annotation, FrameKey, Prediction, Scoremaps
from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses, Thresholds, believed, is_doubtful
from napari_al_pose.domain.evidence import Evidence, of_scoremaps
from napari_al_pose.domain.frame_guess import frame_guess, with_carried
from napari_al_pose.domain.individuals import assign_poses, guesses_for
from napari_al_pose.domain.labelling import open_guess
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.domain.views.prompt import Guessed
from napari_al_pose.engine.messages import Looked


class FrameGuesses(QObject):
    """Makes the guesses over the current frame of what models, tracks and labels of other frames say about it.

    The current frame tells it the labels, see `about`; everybody else tells it what they know.
    """

    changed = Signal()
    """Something about the guesses changed, and not because the labels did."""
    lookedChanged = Signal()
    """`looked` is now the engine's answer for this frame."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._predictions: dict[FrameKey, Prediction] = {}
        self._carried: dict[tuple[FrameKey, str], Prediction] = {}
        self._prior: PosePrior | None = None
        self._thresholds = Thresholds()
        self._annotations: tuple[Annotation, ...] = ()
        self._index = 0
        self._has_unique = False
        self._each: tuple[Prediction | None, ...] = ()
        self._borrowed: Prediction | None = None
        self._copied_from: FrameKey | None = None
        self._followed: Prediction | None = None
        self._looked: Looked | None = None
        self._evidence: tuple[Scoremaps, Evidence] | None = None

    # ---- what is guessed ----------------------------------------------------------------------

    @property
    def chosen(self) -> Prediction | None:
        """The guess for what is not labelled of the chosen individual; NaN where a label is."""
        return self._each[self._index] if self._each else None

    @property
    def each(self) -> tuple[Prediction | None, ...]:
        """The guess for every individual; for all but the chosen one as the model said it."""
        return self._each

    @property
    def others_guessed(self) -> bool:
        """Whether there is a guess for an individual that is not chosen."""
        others = (guess for index, guess in enumerate(self._each) if index != self._index)
        return any(guess is not None and np.isfinite(guess.xy).any() for guess in others)

    @property
    def threshold(self) -> NDArray[np.float64]:
        """Likelihood from which each bodypart of `chosen` is believed, (K,)."""
        return self._threshold_of(self._index)

    @property
    def threshold_of_each(self) -> tuple[NDArray[np.float64], ...]:
        """Likelihood from which each bodypart of `each` is believed, (K,) for every individual."""
        return tuple(self._threshold_of(index) for index in range(len(self._each)))

    @property
    def model_thresholds(self) -> Thresholds:
        """Likelihoods from which the model's guesses are believed."""
        return self._thresholds

    @property
    def is_copied(self) -> bool:
        """Whether `chosen` shows the labels of another frame."""
        return self._borrowed is not None

    @property
    def doubted(self) -> NDArray[np.bool_]:
        """Which bodyparts have a guess that is not believed, (K,): they may not be visible."""
        if self.chosen is None:
            return np.zeros(len(self._annotations[self._index].states) if self._annotations else 0, bool)
        return is_doubtful(self.chosen, self.threshold)

    @property
    def believed(self) -> Prediction | None:
        """The guess for the chosen individual without what is doubted."""
        return None if self.chosen is None else replace(self.chosen, xy=believed(self.chosen, self.threshold))

    def guessed(self, unbelieved: DoubtfulGuesses = DoubtfulGuesses.OPEN) -> Guessed | None:
        """Return the guess with what is known of it; ``unbelieved`` is the user's choice for what is doubted."""
        if self.chosen is None:
            return None
        return Guessed(self.chosen, self.threshold, unbelieved, self._copied_from)

    @property
    def looked(self) -> Looked | None:
        """Scoremaps and prediction by the newest model, once the engine has sent them."""
        return self._looked

    @property
    def scoremaps(self) -> Scoremaps | None:
        """The newest model's scoremaps of the chosen individual in this frame; None until the engine has sent them."""
        looked = self._looked
        chosen, animals = self._index, self._animals
        if looked is not None and chosen >= len(animals):
            return looked.unique
        if looked is None or not looked.animals or looked.prediction is None:
            return None if looked is None else looked.scoremaps
        slot = assign_poses(looked.prediction.poses[0], animals, self._followed, chosen=chosen)[chosen]
        return looked.animals[slot] if 0 <= slot < len(looked.animals) else None

    @property
    def is_predicted(self) -> bool:
        """Whether a prediction for this frame is known."""
        return self._looked is not None or self._key in self._predictions

    @property
    def predictions(self) -> Mapping[FrameKey, Prediction]:
        """What the newest model said about frames."""
        return self._predictions

    @property
    def prior(self) -> PosePrior | None:
        """What the project's labelled poses look like; None where too few are labelled."""
        return self._prior

    # ---- from the current frame ---------------------------------------------------------------

    def about(self, annotations: tuple[Annotation, ...], individual_index: int, *, has_unique: bool = False) -> None:
        """Guess what these labels of one frame leave open. Emits nothing.

        Parameters
        ----------
        annotations : tuple of Annotation
            The labels of every individual.
        individual_index : int
            Which individual is chosen.
        has_unique : bool
            Whether the last ones are of the unique bodyparts.
        """
        self._annotations, self._index, self._has_unique = annotations, individual_index, has_unique
        self._find()

    def forget_frame(self) -> None:
        """Have no frame to guess about. Emits nothing."""
        self._looked = self._evidence = self._borrowed = self._copied_from = self._followed = None
        self._annotations = self._each = ()
        self._has_unique = False

    def forget_project(self, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Have no frame, and know only ``predictions``, of another project. Emits nothing."""
        self.forget_frame()
        self._predictions, self._carried = dict(predictions), {}

    # ---- from those who know something --------------------------------------------------------

    def take_look(self, looked: Looked) -> None:
        """Take the engine's answer about this frame."""
        self._looked = looked
        self._find()
        self.lookedChanged.emit()
        self.changed.emit()

    def set_predictions(self, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Take what a new model says about frames in place of all that was known."""
        self._predictions = dict(predictions)
        self._find()
        self.changed.emit()

    def add_predictions(self, predictions: Mapping[FrameKey, Prediction]) -> None:
        """Take predictions for frames of which none is known."""
        is_news = self._key in predictions and self._key not in self._predictions
        self._predictions = {**predictions, **self._predictions}
        if is_news:
            self._find()
            self.changed.emit()

    def add_carried(self, guesses: Mapping[FrameKey, Prediction], individual: str) -> None:
        """Take what was carried along of an individual, in place of what was carried there before."""
        self._carried.update({(key, individual): guess for key, guess in guesses.items()})
        if self._key in guesses:
            self._find()
            self.changed.emit()

    def set_prior(self, prior: PosePrior | None) -> None:
        """Take what the project's labelled poses look like; None where too few are labelled."""
        self._prior = prior
        self._find_and_tell()

    def follow(self, tracks: Prediction | None) -> None:
        """Take which animal was followed to which place in this frame, or None where nobody knows."""
        if tracks is not self._followed:
            self._followed = tracks
            self._find_and_tell()

    def borrow(self, pose: Prediction, source: FrameKey) -> None:
        """Show ``pose``, the labels of the frame ``source``, as the guess until the frame is left."""
        self._borrowed, self._copied_from = pose, source
        self._find()
        self.changed.emit()

    def believe_from(self, thresholds: Thresholds) -> None:
        """Believe guesses of these likelihoods and above."""
        if thresholds != self._thresholds:
            self._thresholds = thresholds
            self.changed.emit()

    # ---- inside -------------------------------------------------------------------------------

    def _threshold_of(self, index: int) -> NDArray[np.float64]:
        """Return from which likelihood each bodypart of an individual is believed; a copied pose is believed whole."""
        n = len(self._annotations[index].states)
        if self._borrowed is not None and index == self._index:
            return np.zeros(n)
        is_unique = self._has_unique and index == len(self._annotations) - 1
        return np.full(n, self._thresholds.pose) if is_unique else self._thresholds.for_bodyparts(n)

    @property
    def _animals(self) -> tuple[Annotation, ...]:
        """The labels of the animals."""
        return self._annotations[:-1] if self._has_unique else self._annotations

    @property
    def _key(self) -> FrameKey | None:
        return self._annotations[0].key if self._annotations else None

    def _find_and_tell(self) -> None:
        """Update the guesses, and emit only if one has changed."""
        before = self._each
        self._find()
        if not _same_guesses(before, self._each):
            self.changed.emit()

    def _find(self) -> None:
        self._each = ()
        if self._key is not None:
            looked = None if self._looked is None else self._looked.prediction
            predicted = looked or self._predictions.get(self._key) or self._followed
            found = [*guesses_for(predicted, self._animals, self._followed, chosen=self._index)]
            if self._has_unique:
                found.append(None if predicted is None else predicted.unique)
            self._each = tuple(self._guess_of(index, one) for index, one in enumerate(found))

    def _guess_of(self, index: int, predicted: Prediction | None) -> Prediction | None:
        """Return the guess for an individual, given what the model ``predicted`` for it."""
        annotation, chosen = self._annotations[index], index == self._index
        if chosen and self._borrowed is not None:
            return open_guess(self._borrowed, annotation)
        # To weigh the peaks takes some milliseconds: it is done for the animal that is being labelled.
        prior, evidence = (self._prior, self._peaks()) if chosen else (None, None)
        known = frame_guess(predicted, annotation, prior=prior, evidence=evidence)
        carried = self._carried.get((annotation.key, annotation.individual))
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
