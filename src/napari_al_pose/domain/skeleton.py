"""What is labelled: bodyparts, the links between them, and the individuals."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.errors import AlPoseError

SINGLE_INDIVIDUAL = ""
"""Name of the individual in a single-animal project, as stored with every label."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Bodyparts in labelling order, with the links drawn between them.

    Parameters
    ----------
    bodyparts : tuple of str
        Unique, non-empty names; their order is the labelling order and that of every keypoint axis.
    links : tuple of (str, str)
        Pairs of bodyparts joined by a line.
    individuals : tuple of str
        Unique names; a single-animal project has exactly ``(SINGLE_INDIVIDUAL,)``.

    Raises
    ------
    AlPoseError
        If a name is empty or repeated, or a link names an unknown bodypart.
    """

    bodyparts: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    individuals: tuple[str, ...] = (SINGLE_INDIVIDUAL,)

    def __post_init__(self) -> None:
        if not self.bodyparts:
            raise AlPoseError("Expected at least one bodypart, got none.", "List the bodyparts under 'bodyparts'.")
        if "" in self.bodyparts or len(set(self.bodyparts)) != len(self.bodyparts):
            raise AlPoseError(
                f"Expected unique, non-empty bodyparts, got {list(self.bodyparts)}.", "Rename the repeated ones."
            )
        if not self.individuals or len(set(self.individuals)) != len(self.individuals):
            raise AlPoseError(
                f"Expected unique individuals, got {list(self.individuals)}.", "Rename the repeated ones."
            )
        for link in self.links:
            unknown = [name for name in link if name not in self.bodyparts]
            if unknown:
                raise AlPoseError(
                    f"The skeleton links the unknown bodypart {unknown[0]!r}.", "Correct it or add the bodypart."
                )

    @property
    def n_bodyparts(self) -> int:
        """Number of bodyparts, K."""
        return len(self.bodyparts)

    def index(self, bodypart: str) -> int:
        """Return the position of ``bodypart`` on the keypoint axis."""
        return self.bodyparts.index(bodypart)

    def link_indices(self) -> list[tuple[int, int]]:
        """Return ``links`` as pairs of positions on the keypoint axis."""
        return [(self.index(a), self.index(b)) for a, b in self.links]
