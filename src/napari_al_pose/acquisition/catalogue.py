"""Describes strategies in words for the user, and lists them to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import join
from napari_al_pose.acquisition.measured import measured_lines
from napari_al_pose.acquisition.registry import installed_strategies
from napari_al_pose.acquisition.strategy import Requires, Strategy, traits

RECOMMENDED = " (recommended)"

_WORDS = {
    Requires.PREDICTIONS: "a model",
    Requires.SCOREMAPS: "a model",
    Requires.LABELS: "labelled frames",
}
_EXTRA_WORDS = {"alexnet": "AlexNet's weights", "dinov2": "DINOv2's weights"}


@dataclass(frozen=True, slots=True)
class StrategyEntry:
    """The description of a strategy for the user.

    Parameters
    ----------
    name, title : str
    family : Family
    summary : str
        What it looks for, one sentence.
    needs, cost : str
        One sentence each; ``cost`` is empty where a package does not say.
    measured : tuple of str
        How it did, a line for each data set.
    """

    name: str
    title: str
    family: Family
    summary: str
    needs: str
    cost: str
    measured: tuple[str, ...]

    def fits(self, words: str) -> bool:
        """Return whether the description contains all of ``words``, in any order and case."""
        told = " ".join((self.name, self.title, self.family.title, self.summary, self.needs, self.cost)).lower()
        return all(word in told for word in words.lower().split())


def strategy_entries(strategies: Mapping[str, Strategy]) -> tuple[StrategyEntry, ...]:
    """Return the descriptions of strategies: by family, in a family the short list first, then by title."""
    families = list(Family)
    ordered = sorted(
        strategies.values(),
        key=lambda one: (families.index(traits(one).family), traits(one).short_list or 99, one.title.lower()),
    )
    return tuple(
        StrategyEntry(
            name=one.name,
            title=one.title,
            family=traits(one).family,
            summary=f"{one.summary}.",
            needs=needs_of(one),
            cost=_cost_of(one),
            measured=measured_lines(one.name),
        )
        for one in ordered
    )


def by_family(entries: Iterable[StrategyEntry]) -> dict[Family, tuple[StrategyEntry, ...]]:
    """Return entries by family, in their order; families without any are left out."""
    found: dict[Family, tuple[StrategyEntry, ...]] = {}
    for entry in entries:
        found[entry.family] = (*found.get(entry.family, ()), entry)
    return {family: found[family] for family in Family if family in found}


def short_list(strategies: Mapping[str, Strategy], *, also: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names that a box offers first, the default at the head; then those of ``also`` that are installed."""
    places = {name: traits(one).short_list for name, one in strategies.items()}
    first = sorted((name for name, place in places.items() if place), key=lambda name: places[name])
    return tuple(dict.fromkeys([*first, *(name for name in also if name in strategies)]))


def offered_title(strategy: Strategy) -> str:
    """Return what a list calls a strategy: the one to begin with is recommended."""
    return f"{strategy.title}{RECOMMENDED}" if traits(strategy).short_list == 1 else strategy.title


def describe(strategy: Strategy) -> str:
    """Return three lines: what the strategy looks for, what it needs, what it costs.

    ``Frames in which ...`` / ``Needs a model and 100 labelled frames, else Least confidence takes its place.`` /
    ``Costs one pass of the network a frame.``
    """
    lines = [f"{strategy.summary}.", needs_of(strategy), _cost_of(strategy)]
    return "\n".join(line for line in lines if line)


def _cost_of(strategy: Strategy) -> str:
    cost = traits(strategy).cost
    return f"Costs {cost}." if cost else ""


def needs_of(strategy: Strategy) -> str:
    """Return what a strategy needs, and what takes its place otherwise."""
    own = traits(strategy)
    needs = [word for flag, word in _WORDS.items() if flag in strategy.requires]
    if own.fewest_labels:
        needs = [f"{own.fewest_labels} labelled frames" if word == "labelled frames" else word for word in needs]
        if Requires.LABELS not in strategy.requires:
            needs.append(f"{own.fewest_labels} labelled frames")
    needs += [_EXTRA_WORDS[name] for name in sorted(own.needs) if name in _EXTRA_WORDS]
    needs = list(dict.fromkeys(needs))
    if not needs:
        return "Needs nothing."
    other = installed_strategies().get(own.fallback)
    instead = f", else {other.title} takes its place" if other is not None and other is not strategy else ""
    return f"Needs {join(needs)}{instead}."
