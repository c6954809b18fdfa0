"""The frame in front of the user, with its labels and guesses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import Annotation, FrameKey, Prediction, Skeleton
from napari_al_pose.domain.labelling import first_bodypart, neighbour_bodypart
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.gui.state.frame_guesses import FrameGuesses
from napari_al_pose.project import LabelStore

ALL_BODYPARTS = "*"
"""Scoremap choice: every bodypart in its own colour."""


class ShownPicture(Protocol):
    """What draws the video."""

    @property
    def shown_position(self) -> int:
        """Position of the frame whose pixels are on the canvas; -1 while none of the current video's are."""


class CurrentFrame(QObject):
    """Holds one frame, its labels, and what the next click labels in it.

    Nothing else emits these signals. When one arrives, everything here is consistent already.

    Parameters
    ----------
    parent : QObject, optional

    Attributes
    ----------
    guesses : FrameGuesses
        What is guessed of the frame.
    """

    keyChanged = Signal()
    """Another frame is current, or none."""
    sourceChanged = Signal()
    """`source` is another video, or None while one is being opened."""
    annotationChanged = Signal()
    """Labels or guess changed."""
    bodypartChanged = Signal()
    individualChanged = Signal()
    scoremapChoiceChanged = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._skeleton: Skeleton | None = None
        self._labels: LabelStore | None = None
        self.guesses = FrameGuesses(self)
        self.guesses.changed.connect(self.annotationChanged)
        self._key: FrameKey | None = None
        self._source: CachedSource | None = None
        self._annotations: tuple[Annotation, ...] = ()
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
        """The guess for what is not labelled of the chosen individual; more about it is in `guesses`."""
        return self.guesses.chosen

    @property
    def skeleton(self) -> Skeleton | None:
        """What is labelled. The project's own is ahead of it while the bodyparts are being changed."""
        return self._skeleton

    @property
    def bodyparts(self) -> tuple[str, ...]:
        """The bodyparts of the chosen individual in labelling order; empty without a project."""
        return () if self._skeleton is None else self._skeleton.bodyparts_of(self._individual)

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
        """The project's individuals, and the owner of unique bodyparts; one nameless one in a single-animal project.

        Empty without a project.
        """
        return () if self._skeleton is None else self._skeleton.owners

    @property
    def animals(self) -> tuple[str, ...]:
        """The project's individuals without the owner of unique bodyparts."""
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
    def keypoints(self) -> tuple[tuple[str, str], ...]:
        """Individual and bodypart of everything that is labelled in a frame; empty without a project."""
        return () if self._skeleton is None else self._skeleton.keypoints

    @property
    def rows(self) -> slice:
        """Which of the `keypoints` are the chosen individual's."""
        return (
            slice(0, 0) if self._skeleton is None else self._skeleton.rows_of(self.individuals[self.individual_index])
        )

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
        """Choose the next bodypart, cyclically."""
        self.step_bodypart(1)

    def previous_bodypart(self) -> None:
        """Choose the previous bodypart, cyclically."""
        self.step_bodypart(-1)

    def step_bodypart(self, delta: int) -> None:
        """Move on by ``delta`` bodyparts, cyclically."""
        if self.bodyparts:
            self.choose_bodypart(self.bodyparts[neighbour_bodypart(self.bodypart_index, delta, len(self.bodyparts))])

    def choose_individual(self, name: str) -> None:
        """Let the next click label the individual ``name``, from its first bodypart nobody has looked at."""
        if name not in self.individuals or name == self._individual:
            return
        self._individual, before = name, self._bodypart
        self._guess()
        if self.annotation is not None:
            self._bodypart = self.bodyparts[first_bodypart(self.annotation.states)]
        elif before not in self.bodyparts:
            self._bodypart = self.bodyparts[0]
        self.individualChanged.emit()
        self.annotationChanged.emit()
        if self._bodypart != before:
            self.bodypartChanged.emit()

    def set_scoremap(self, choice: str) -> None:
        """Lay a scoremap over the video: "" none, "*" all, else a bodypart."""
        if choice != self._scoremap_choice and choice in ("", ALL_BODYPARTS, *self._names):
            self._last_scoremap = self._scoremap_choice or self._last_scoremap
            self._scoremap_choice = choice
            self.scoremapChoiceChanged.emit()

    def toggle_scoremap(self) -> None:
        """Hide the scoremap, or show the one chosen last."""
        last = self._last_scoremap if self._last_scoremap in self._names else ALL_BODYPARTS
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
        self._skeleton, self._labels = skeleton, labels
        self.guesses.forget_project(predictions)
        if self._individual not in skeleton.owners:
            self._individual = skeleton.individuals[0]
        self._bodypart, self._scoremap_choice = self.bodyparts[0], ""

    def leave(self) -> None:
        """Let the project go. Emits nothing, see `announce`."""
        self.forget_frame()
        self._source = self._skeleton = self._labels = None
        self.guesses.forget_project({})
        self._bodypart = self._individual = self._scoremap_choice = ""

    def forget_frame(self) -> None:
        """Have no current frame. Emits nothing, see `announce`."""
        self._key, self._annotations = None, ()
        self.guesses.forget_frame()

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
        if self.annotation is not None and not keep_bodypart:
            self._bodypart = self.bodyparts[first_bodypart(self.annotation.states)]
        if other_source:
            self.sourceChanged.emit()
        self.keyChanged.emit()

    def set_source(self, source: CachedSource | None) -> None:
        """Take the frame's video, now that it is open or reopened."""
        self._source = source
        self.sourceChanged.emit()

    def reload(self) -> None:
        """Read the labels from the store again, after they were changed there."""
        self._read_labels()
        self.annotationChanged.emit()

    def reload_if_changed(self) -> None:
        """Read the labels from the store again; say so only where a point has moved."""
        before = self._annotations
        self._read_labels()
        pairs = zip(before, self._annotations, strict=True)
        if not all(np.array_equal(a.xy, b.xy, equal_nan=True) for a, b in pairs):
            self.annotationChanged.emit()

    @property
    def _names(self) -> tuple[str, ...]:
        """All bodyparts, whoever has them."""
        return () if self._skeleton is None else (*self._skeleton.bodyparts, *self._skeleton.unique_bodyparts)

    def _read_labels(self) -> None:
        if self._labels is not None and self._key is not None:
            labels, key = self._labels, self._key
            self._annotations = tuple(labels.annotation(key, individual) for individual in self.individuals)
            self._guess()

    def _guess(self) -> None:
        has_unique = self._skeleton is not None and bool(self._annotations and self._skeleton.unique_bodyparts)
        self.guesses.about(self._annotations, self.individual_index, has_unique=has_unique)
