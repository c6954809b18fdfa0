"""Identifies the code that played a round, so that rounds of two versions are not mixed up."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

import napari_al_pose

_PLACES = (
    "acquisition/**/*.py",
    "engine/choosing.py",
    "engine/extras.py",
    "engine/scoring.py",
    "simulation/arms.py",
    "simulation/choosing.py",
    "simulation/learner.py",
    "simulation/pool.py",
    "pose/network.py",
    "pose/targets.py",
)


@functools.cache
def code_version() -> str:
    """Return a short hash of the code that chooses and learns, without comments, docstrings and layout."""
    root = Path(napari_al_pose.__file__).parent
    digest = hashlib.sha256()
    for place in _PLACES:
        for path in sorted(root.glob(place)):
            digest.update(path.name.encode() + _meaning(path.read_text(encoding="utf-8")))
    return digest.hexdigest()[:12]


def _meaning(source: str) -> bytes:
    """Return a module's syntax tree without docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()
