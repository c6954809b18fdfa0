"""How the code is divided: what `scripts/structure.py` counts, where there is one right figure."""

from __future__ import annotations

import grimp
import pytest
from scripts.structure import PACKAGE, SOURCE, circles, shared_names


@pytest.fixture(scope="module")
def sources():
    return {path.relative_to(SOURCE): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}


def test_no_two_classes_have_one_name(sources):
    assert shared_names(sources) == []


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    assert circles(graph, sorted(graph.modules)) == []


def test_a_circle_and_a_name_used_twice_are_found(sources):
    path, text = next((path, text) for path, text in sources.items() if "class Skeleton:" in text)
    assert shared_names({**sources, path.with_name("copy.py"): text}) != []
    graph = grimp.ImportGraph()
    for one, other in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")):
        graph.add_import(importer=one, imported=other)
    assert circles(graph, sorted(graph.modules)) == ["a, b, c"]
