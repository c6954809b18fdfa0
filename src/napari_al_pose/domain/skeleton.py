"""What is labelled: bodyparts, the links between them, and the individuals."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.errors import AlPoseError

SINGLE_INDIVIDUAL = ""
"""Name of the individual in a single-animal project, as stored with every label."""

UNIQUE_INDIVIDUAL = "single"
"""The individual that owns unique bodyparts, which belong to no animal; DeepLabCut's name for it."""


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
        The animals; unique names. A single-animal project has exactly ``(SINGLE_INDIVIDUAL,)``.
    unique_bodyparts : tuple of str
        Bodyparts beside those of the animals, of which a frame shows one each: corners of the arena, an arm of the
        experimenter. They belong to `UNIQUE_INDIVIDUAL`.

    Raises
    ------
    AlPoseError
        If a name is empty or repeated, or a link names an unknown bodypart.
    """

    bodyparts: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()
    individuals: tuple[str, ...] = (SINGLE_INDIVIDUAL,)
    unique_bodyparts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.bodyparts:
            raise AlPoseError("Expected at least one bodypart, got none.", "List the bodyparts under 'bodyparts'.")
        names = (*self.bodyparts, *self.unique_bodyparts)
        if "" in names or len(set(names)) != len(names):
            raise AlPoseError(f"Expected unique, non-empty bodyparts, got {list(names)}.", "Rename the repeated ones.")
        if not self.individuals or len(set(self.individuals)) != len(self.individuals):
            raise AlPoseError(
                f"Expected unique individuals, got {list(self.individuals)}.", "Rename the repeated ones."
            )
        if self.unique_bodyparts and UNIQUE_INDIVIDUAL in self.individuals:
            raise AlPoseError(
                f"{UNIQUE_INDIVIDUAL!r} is reserved for the unique bodyparts; no animal can have that name.",
                "Rename the animal.",
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

    @property
    def owners(self) -> tuple[str, ...]:
        """Everybody who has bodyparts: the animals, then `UNIQUE_INDIVIDUAL` if there are unique bodyparts."""
        return (*self.individuals, UNIQUE_INDIVIDUAL) if self.unique_bodyparts else self.individuals

    def bodyparts_of(self, owner: str) -> tuple[str, ...]:
        """Return the bodyparts of one of the `owners`."""
        return self.unique_bodyparts if self.unique_bodyparts and owner == UNIQUE_INDIVIDUAL else self.bodyparts

    @property
    def keypoints(self) -> tuple[tuple[str, str], ...]:
        """Owner and bodypart of everything that is labelled in a frame, in the order of DeepLabCut's columns."""
        return tuple((owner, bodypart) for owner in self.owners for bodypart in self.bodyparts_of(owner))

    def rows_of(self, owner: str) -> slice:
        """Return which of the `keypoints` are an owner's."""
        first = self.owners.index(owner) * self.n_bodyparts
        return slice(first, first + len(self.bodyparts_of(owner)))

    def link_indices_of(self, owner: str) -> list[tuple[int, int]]:
        """Return `link_indices` for one of the `owners`; unique bodyparts have no lines."""
        return self.link_indices() if owner in self.individuals else []

    def index(self, bodypart: str) -> int:
        """Return the position of ``bodypart`` on the keypoint axis."""
        return self.bodyparts.index(bodypart)

    def link_indices(self) -> list[tuple[int, int]]:
        """Return ``links`` as pairs of positions on the keypoint axis."""
        return [(self.index(a), self.index(b)) for a, b in self.links]
