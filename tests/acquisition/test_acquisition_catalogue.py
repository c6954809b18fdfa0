"""What is told of strategies: families, words, and what was measured."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from napari_al_pose.acquisition import Family, installed_strategies, traits
from napari_al_pose.acquisition.catalogue import by_family, short_list, strategy_entries
from napari_al_pose.acquisition.measured import measured_gains, measured_lines, measured_sets

ROOT = Path(__file__).parents[2]


def test_each_of_ours_has_a_family_and_five_are_offered_first():
    strategies = installed_strategies()
    assert {name for name, one in strategies.items() if traits(one).family is Family.OTHER} == set()
    assert short_list(strategies) == ("hybrid", "uherding", "mpe", "coverage", "uniform")
    assert short_list(strategies, also=("", "mpe", "gone", "dacs"))[5:] == ("dacs",)


def test_entries_go_by_family_and_none_is_lost():
    entries = strategy_entries(installed_strategies())
    groups = by_family(entries)
    assert [entry.name for own in groups.values() for entry in own] == [entry.name for entry in entries]
    assert [entry.name for entry in groups[Family.DEFAULT]] == ["hybrid", "uniform", "random"]
    assert {entry.name for entry in groups[Family.OTHER_PROGRAMS]} >= {"dlc_kmeans", "sleap_images", "lp_motion"}


def test_words_are_found_in_any_order_and_case():
    entries = strategy_entries(installed_strategies())
    found = [entry.name for entry in entries if entry.fits("Outliers deeplabcut")]
    assert sorted(found) == ["dlc_jump", "dlc_uncertain"]
    assert all(entry.fits("") for entry in entries)


def test_what_was_measured_is_what_the_reports_say():
    summary = json.loads((ROOT / "docs/results/openfield/summary.json").read_text())
    arms = {arm["arm"]: arm for arm in summary["results"][0]["arms"]}
    gain = next(gain for gain in measured_gains()["hybrid"] if gain.on.name == "openfield")
    share = 100 / arms["uniform"]["aulc"]
    difference = arms["hybrid"]["difference"]
    assert (gain.difference, gain.low, gain.high) == pytest.approx(
        tuple(share * difference[key] for key in ("mean", "low", "high")), abs=0.051
    )
    assert gain.verdict == "undecided"
    assert measured_lines("minmax") == ("Not measured.",)
    assert set(measured_gains()) <= set(installed_strategies())
    assert {gain.on for gains in measured_gains().values() for gain in gains} <= set(measured_sets())


def test_the_page_is_the_one_made_from_the_file():
    script = runpy.run_path(str(ROOT / "scripts" / "strategy_results.py"))
    assert (ROOT / "docs/results/strategies.md").read_text(encoding="utf-8") == script["page"]()
