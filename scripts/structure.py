"""Print how the code is divided, one figure a line, as JSON. Needs what `make setup` installs.

Where a figure names places, those are the ones to look at first. ``--list`` names all of them.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import json
import re
from collections import defaultdict
from pathlib import Path

import grimp
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

PACKAGE = "napari_al_pose"
SOURCE = Path(__file__).resolve().parents[1] / "src" / PACKAGE
SHARED_LINES = 6
"""Successive lines that two modules share before they count as a pair of duplicates."""
_FEW = 5


def main() -> None:
    """Measure the package and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name all places instead of the first few")
    most = None if parser.parse_args().list else _FEW
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
    modules = sorted(graph.modules)
    sources = {path.relative_to(SOURCE): path.read_text() for path in sorted(SOURCE.rglob("*.py"))}
    _say("modules", len(modules))
    _say("circles of imports", *_counted(circles(graph, modules), most))
    once = [name for name in modules if len(graph.find_modules_that_directly_import(name)) == 1]
    _say("modules imported by one other", *_counted(once, most))
    lengths = {str(path): text.count("\n") for path, text in sources.items()}
    short = [name for name in once if lengths.get(_file_of(name), 1000) < 60]
    _say("of these, under 60 lines", *_counted(short, most))
    longest = max(lengths, key=lambda path: lengths[path])
    _say("lines of the longest module", lengths[longest], longest)
    n_methods, name = max(methods(sources))
    _say("methods of the largest class", n_methods, name)
    _say("names of more than one class", *_counted(shared_names(sources), most))
    _say(f"pairs of modules that share {SHARED_LINES} lines", *_counted(duplicates(sources), most))


def circles(graph: grimp.ImportGraph, modules: list[str]) -> list[str]:
    """Return the modules of each set whose modules all import each other, directly or not."""
    number = {name: i for i, name in enumerate(modules)}
    edges = [(number[a], number[b]) for a in modules for b in graph.find_modules_directly_imported_by(a)]
    rows, columns = np.array(edges, int).reshape(-1, 2).T
    links = csr_array((np.ones(len(edges), bool), (rows, columns)), shape=(len(modules), len(modules)))
    _, groups = connected_components(links, connection="strong")
    members = defaultdict(list)
    for name, group in zip(modules, groups, strict=True):
        members[group].append(name)
    return [", ".join(names) for names in members.values() if len(names) > 1]


def methods(sources: dict[Path, str]) -> list[tuple[int, str]]:
    """Return how many methods and properties each class defines."""
    found = []
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                n = sum(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body)
                found.append((n, f"{path}: {node.name}"))
    return found


def shared_names(sources: dict[Path, str]) -> list[str]:
    """Return the names that more than one class has, and where these are."""
    places = defaultdict(list)
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path))
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1]


def duplicates(sources: dict[Path, str]) -> list[str]:
    """Return the pairs of modules that share a run of lines, the longest first.

    Blank lines, comments, imports and lone punctuation do not count.
    """
    places = defaultdict(set)
    for path, text in sources.items():
        lines = [line for line in map(str.strip, _without_imports(text).splitlines()) if re.search(r"^[^#]*\w", line)]
        for start in range(len(lines) - SHARED_LINES + 1):
            places[tuple(lines[start : start + SHARED_LINES])].add(path)
    shared: dict[tuple[Path, Path], int] = defaultdict(int)
    for paths in places.values():
        for pair in itertools.combinations(sorted(paths), 2):
            shared[pair] += 1
    order = sorted(shared, key=lambda pair: -shared[pair])
    return [f"{one} ~ {other}: {shared[one, other] + SHARED_LINES - 1} lines" for one, other in order]


def _without_imports(text: str) -> str:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(lines)


def _file_of(module: str) -> str:
    return "/".join(module.split(".")[1:]) + ".py"


def _counted(names: list[str], most: int | None) -> tuple[int, list[str]]:
    return len(names), names[:most]


def _say(what: str, value: int, where: str | list[str] | None = None) -> None:
    print(json.dumps({"what": what, "value": value} | ({"where": where} if where else {})))


if __name__ == "__main__":
    main()
