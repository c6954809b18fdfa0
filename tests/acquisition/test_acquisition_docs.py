"""The page on strategies names every one of them."""

from __future__ import annotations

from pathlib import Path

from napari_al_pose.acquisition import installed_strategies
from napari_al_pose.acquisition.catalogue import needs_of

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"


def test_the_page_tells_of_every_strategy_as_the_window_does():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert set(rows) == set(installed_strategies())
    for name, strategy in installed_strategies().items():
        assert needs_of(strategy).removeprefix("Needs ").rstrip(".") in rows[name], name
        assert strategy.cost in rows[name], name
