"""All texts that a user may read in one list, to be read together: python scripts/window_texts.py

First those of the window, then the messages and the command line. Nothing is kept by hand: the texts are taken from the
sources, module by module. ``{}`` stands for a value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "napari_al_pose"
WHERE = ("gui", "domain/views", "domain/tools.py")
"""Where what the window says is written."""

_WORDS = re.compile(r"[A-Z][a-z]+|[A-Za-z']+[ ,.:][^=]*[a-z]|…")
_NO_TEXT = re.compile(r"[{;]\s*(background|color|border|padding)|^[a-z_.]+$|^napari[_.]|^[A-Z][A-Za-z]+-[A-Z]|%\(|://")
NOT_SHOWN = {"setObjectName", "getLogger", "warning", "info", "debug", "compile", "TypeVar", "bind_key"}
"""Calls whose strings nobody sees; a logger's are for developers."""
_NO_MESSAGE = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|PRAGMA|BEGIN|CREATE|ALTER|AND|WHERE)\b|\bl\.\w+ = |\n.*\n.*\n"
)
"""SQL and templates of files."""


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string of a module that a user may read."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    skipped = set(map(id, _not_shown(tree)))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            found.append((node.lineno, "".join(map(_shown, node.values))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            found.append((node.lineno, node.value))
    yield from sorted((line, text) for line, text in found if _WORDS.search(text) and not _NO_TEXT.search(text))


def modules() -> list[Path]:
    """Return the modules that hold the window's texts."""
    places = [PACKAGE / place for place in WHERE]
    return sorted(module for place in places for module in ([place] if place.is_file() else place.rglob("*.py")))


def messages(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of what a module outside the window says: errors, notices, the command line."""
    yield from (
        (line, text)
        for line, text in texts(module)
        if len(text.split()) > 1 and _WORDS.search(text) and not _NO_MESSAGE.search(text)
    )


def other_modules() -> list[Path]:
    """Return all other modules."""
    return sorted(set(PACKAGE.rglob("*.py")) - set(modules()))


def _not_shown(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield docstrings, annotations, types of dictionaries' keys, and arguments of calls that show nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            yield from ast.walk(node.annotation)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in NOT_SHOWN:
                for argument in node.args:
                    yield from ast.walk(argument)
        elif isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            yield from ast.walk(node.value)


def _shown(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "{}"


def main() -> None:
    """Print the list."""
    for title, where, read in (
        ("THE WINDOW", modules(), texts),
        ("MESSAGES AND THE COMMAND LINE", other_modules(), messages),
    ):
        print(f"\n{title}")
        for module in where:
            lines = list(read(module))
            if lines:
                print(f"\n{module.relative_to(PACKAGE)}")
                for line, text in lines:
                    print(f"{line:5}  {' / '.join(text.splitlines())}")


if __name__ == "__main__":
    main()
