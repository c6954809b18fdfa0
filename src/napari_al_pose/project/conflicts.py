"""Labels that were changed both here and by another program, until somebody has decided."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.project.label_log import Changes, EditLog, Keypoint, KeypointKey


@dataclass(frozen=True, slots=True)
class Conflict:
    """One keypoint with two values.

    Parameters
    ----------
    key : KeypointKey
    ours : Keypoint
        The label as it is.
    theirs : Keypoint
        What the other program made of it.
    source : str
        The file that says so.
    """

    key: KeypointKey
    ours: Keypoint
    theirs: Keypoint
    source: str


class LabelConflicts:
    """The undecided conflicts; part of a `LabelStore`.

    Ours are the labels until theirs are taken, and are written for other programs too.

    Parameters
    ----------
    log : EditLog
    mutex : RLock
        The store's.
    decide : callable
        Makes an undoable action of changes and does something more in the same transaction.
    skeleton : callable
        Returns the store's skeleton; conflicts of what it does not have are left out.
    """

    def __init__(
        self,
        log: EditLog,
        mutex: threading.RLock,
        *,
        decide: Callable[[Changes, Callable[[], None]], None],
        skeleton: Callable[[], Skeleton],
    ) -> None:
        self._log = log
        self._mutex = mutex
        self._decide = decide
        self._skeleton = skeleton

    def all(self) -> list[Conflict]:
        """Return every conflict still to be decided, by frame, then in the order of the bodyparts."""
        with self._mutex:
            known = self._skeleton()
            found = [
                Conflict(key, ours, theirs, source)
                for key, source, theirs, ours in self._log.conflict_rows()
                if ours != theirs and key.bodypart in known.bodyparts and key.individual in known.individuals
            ]
        order = known.bodyparts.index
        return sorted(found, key=lambda c: (c.key.frame_key, c.key.individual, order(c.key.bodypart), c.source))

    def frames(self) -> list[FrameKey]:
        """Return the frames with conflicts, sorted."""
        return sorted({conflict.key.frame_key for conflict in self.all()})

    def decide(self, conflicts: Iterable[Conflict], theirs: Collection[Conflict]) -> None:
        """Settle conflicts, as one action that can be undone.

        Parameters
        ----------
        conflicts : iterable of Conflict
            All that are settled by this; those not among ``theirs`` stay as they are here.
        theirs : collection of Conflict
            Whose other value becomes the label.

        Raises
        ------
        AlPoseError
            If the project is read-only or the log cannot be written.
        """
        settled = {(conflict.key, conflict.source) for conflict in conflicts}
        taken = {conflict.key: conflict.theirs for conflict in theirs}

        def forget() -> None:
            for key, source in settled:
                self._log.drop_conflict(key, source)

        self._decide(list(taken.items()), forget)
