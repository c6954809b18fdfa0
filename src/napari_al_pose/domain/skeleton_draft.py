"""A skeleton in the making: names, lines, and where each bodypart was clicked in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from napari_al_pose.domain.skeleton import Skeleton

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SkeletonDraft:
    """What was clicked and typed so far; it may not make a skeleton yet.

    Parameters
    ----------
    bodyparts : tuple of str
        In labelling order; while they are typed, two may be the same.
    links : tuple of (str, str)
        Lines between bodyparts.
    places : mapping of str to (float, float)
        Where a bodypart was clicked, in pixels of the picture; for drawing only.
    """

    bodyparts: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, skeleton: Skeleton) -> SkeletonDraft:
        """Return the draft of a skeleton that nobody has clicked yet."""
        return cls(skeleton.bodyparts, skeleton.links)

    @property
    def next_bodypart(self) -> str:
        """The first bodypart without a place; "" if each has one, so that the next click makes a new one."""
        return next((name for name in self.bodyparts if name not in self.places), "")

    def placed(self, name: str, place: Place) -> SkeletonDraft:
        """Return the draft with a bodypart at a place; a new name is added at the end."""
        names = self.bodyparts if name in self.bodyparts else (*self.bodyparts, name)
        return replace(self, bodyparts=names, places={**self.places, name: place})

    def typed(self, names: Sequence[str]) -> SkeletonDraft:
        """Return the draft with the names as they were typed; a renamed bodypart keeps its place and its lines."""
        before, after = self.bodyparts, tuple(names)
        differ = [i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]]
        new = {name: name for name in before if name in after}
        if len(before) == len(after) and len(differ) == 1:
            new = {**new, before[differ[0]]: after[differ[0]]}
        return SkeletonDraft(
            after,
            tuple((new[a], new[b]) for a, b in self.links if a in new and b in new),
            {new[name]: place for name, place in self.places.items() if name in new},
        )

    def linked(self, a: str, b: str) -> SkeletonDraft:
        """Return the draft with a line between two bodyparts, or without it if there is one."""
        if a == b:
            return self
        others = tuple(link for link in self.links if set(link) != {a, b})
        return replace(self, links=others if len(others) < len(self.links) else (*self.links, (a, b)))

    def without(self, name: str) -> SkeletonDraft:
        """Return the draft without a bodypart and its lines."""
        return self.typed([other for other in self.bodyparts if other != name])
