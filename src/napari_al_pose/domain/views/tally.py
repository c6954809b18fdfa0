"""Which frames are labelled, kept up to date edit by edit."""

from __future__ import annotations

from collections.abc import Iterable

from napari_al_pose.domain.annotation import Annotation, FrameRole
from napari_al_pose.domain.frames import FrameKey


class LabelTally:
    """Sets of frames that the header, the queue and the timeline count and draw.

    Counting from the label store would read every label at each click; a click changes one frame.

    Parameters
    ----------
    annotations : iterable of Annotation
        All annotations there are, one a frame.
    """

    def __init__(self, annotations: Iterable[Annotation] = ()) -> None:
        self.labelled: set[FrameKey] = set()
        self.complete: set[FrameKey] = set()
        self.holdout: set[FrameKey] = set()
        for annotation in annotations:
            self.update(annotation)

    @property
    def n_trainable(self) -> int:
        """Number of complete frames a model may be trained on."""
        return len(self.complete) - sum(key in self.complete for key in self.holdout)

    def update(self, annotation: Annotation) -> None:
        """Take over the present state of one frame."""
        self._put(self.labelled, annotation.key, member=not annotation.is_empty)
        self._put(self.complete, annotation.key, member=annotation.is_complete)
        is_holdout = annotation.role is FrameRole.HOLDOUT and not annotation.is_empty
        self._put(self.holdout, annotation.key, member=is_holdout)

    @staticmethod
    def _put(frames: set[FrameKey], key: FrameKey, *, member: bool) -> None:
        if member:
            frames.add(key)
        else:
            frames.discard(key)
