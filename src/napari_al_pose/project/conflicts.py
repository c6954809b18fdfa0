"""Labels changed both here and by another program, until the user decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.project.label_log import Changes, EditLog, Keypoint, KeypointKey

UNTIL_DECIDED = "until you decide"
"""Words of every notice about conflicts, which no longer holds once all are decided."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A keypoint with two values.

    Parameters
    ----------
    key : KeypointKey
    ours : Keypoint
        The label as it is here.
    theirs : Keypoint
        The other program's value.
    source : str
        The file it is in.
    """

    key: KeypointKey
    ours: Keypoint
    theirs: Keypoint
    source: str


class LabelConflicts:
    """The undecided conflicts; part of a `LabelStore`.

    Our labels count until theirs are chosen, and are also written for other programs.

    Parameters
    ----------
    log : EditLog
    decide : callable
        Turns changes into an undoable action, and does something more in the same transaction.
    skeleton : callable
        Returns the store's skeleton; conflicts outside it are left out.
    """

    def __init__(
        self,
        log: EditLog,
        *,
        decide: Callable[[Changes, Callable[[], None]], None],
        skeleton: Callable[[], Skeleton],
    ) -> None:
        self._log = log
        self._decide = decide
        self._skeleton = skeleton

    def all(self) -> list[Conflict]:
        """Return every undecided conflict, by frame, then in the order of the bodyparts."""
        with self._log.mutex:
            known = {names: index for index, names in enumerate(self._skeleton().keypoints)}
            found = [
                Conflict(key, ours, theirs, source)
                for key, source, theirs, ours in self._log.conflict_rows()
                if ours != theirs and (key.individual, key.bodypart) in known
            ]

        def order(conflict: Conflict) -> tuple[FrameKey, str, int, str]:
            key = conflict.key
            return key.frame_key, key.individual, known[key.individual, key.bodypart], conflict.source

        return sorted(found, key=order)

    def frames(self) -> list[FrameKey]:
        """Return the frames with conflicts, sorted."""
        return sorted({conflict.key.frame_key for conflict in self.all()})

    def decide(self, conflicts: Iterable[Conflict], theirs: Collection[Conflict]) -> None:
        """Resolve conflicts, as one action that can be undone.

        Parameters
        ----------
        conflicts : iterable of Conflict
            All that this resolves; those not among ``theirs`` keep our label.
        theirs : collection of Conflict
            Those whose other value becomes the label.

        Raises
        ------
        AlPoseError
            If the project is read-only or the log can't be written.
        """
        decided = {(conflict.key, conflict.source) for conflict in conflicts}
        taken = {conflict.key: conflict.theirs for conflict in theirs}

        def forget() -> None:
            for key, source in decided:
                self._log.drop_conflict(key, source)

        self._decide(list(taken.items()), forget)
