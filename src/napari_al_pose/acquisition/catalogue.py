"""Describes strategies in words for the user."""

from __future__ import annotations

from napari_al_pose.acquisition.formatting import join
from napari_al_pose.acquisition.registry import installed_strategies
from napari_al_pose.acquisition.strategy import Requires, Strategy, traits

_WORDS = {
    Requires.PREDICTIONS: "a model",
    Requires.SCOREMAPS: "a model",
    Requires.LABELS: "labelled frames",
}
_EXTRA_WORDS = {"alexnet": "AlexNet's weights", "dinov2": "DINOv2's weights"}


def describe(strategy: Strategy) -> str:
    """Return three lines: what the strategy looks for, what it needs, what it costs.

    ``Frames in which ...`` / ``Needs a model and 100 labelled frames, else Least confidence takes its place.`` /
    ``Costs one pass of the network a frame.``
    """
    lines = [f"{strategy.summary}.", needs_of(strategy)]
    cost = traits(strategy).cost
    if cost:
        lines.append(f"Costs {cost}.")
    return "\n".join(lines)


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
