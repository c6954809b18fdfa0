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
        All annotations there are, one for each individual in a frame.
    """

    def __init__(self, annotations: Iterable[Annotation] = ()) -> None:
        self.labelled: set[FrameKey] = set()
        self.complete: set[FrameKey] = set()
        self.holdout: set[FrameKey] = set()
        frames: dict[FrameKey, list[Annotation]] = {}
        for annotation in annotations:
            frames.setdefault(annotation.key, []).append(annotation)
        for of_frame in frames.values():
            self.update(*of_frame)

    @property
    def n_trainable(self) -> int:
        """Number of complete frames a model may be trained on."""
        return len(self.complete) - sum(key in self.complete for key in self.holdout)

    def update(self, *annotations: Annotation) -> None:
        """Take over the present state of one frame: the annotations of all its individuals.

        A frame is complete if at least one individual is labelled, and none by half.
        """
        begun = [annotation for annotation in annotations if not annotation.is_empty]
        key = annotations[0].key
        self._put(self.labelled, key, member=bool(begun))
        self._put(self.complete, key, member=bool(begun) and all(annotation.is_complete for annotation in begun))
        self._put(self.holdout, key, member=any(annotation.role is FrameRole.HOLDOUT for annotation in begun))

    @staticmethod
    def _put(frames: set[FrameKey], key: FrameKey, *, member: bool) -> None:
        if member:
            frames.add(key)
        else:
            frames.discard(key)
