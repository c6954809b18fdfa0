"""What the readers share; nothing of this project is imported here, as it is not installed where they run."""

from __future__ import annotations

import importlib.metadata
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

Point = tuple[int, str, str]
Points = dict[Point, tuple[float, float]]


def main(program: str, checks: list[Callable[[Path], str]]) -> None:
    """Run checks on the folder given as the argument; one JSON line each, exit code 1 if one fails."""
    folder = Path(sys.argv[1]).resolve()
    failed = False
    for check in checks:
        try:
            found, met = check(folder), True
        except Exception as error:  # noqa: BLE001 - whatever another program raises is the answer
            found, met, failed = f"{type(error).__name__}: {error}", False, True
        version = importlib.metadata.version(program)
        line = {"program": program, "version": version, "file": check.__doc__, "read": met, "found": found[:300]}
        print(json.dumps(line), flush=True)
    sys.exit(1 if failed else 0)


def expected(folder: Path, name: str) -> Points:
    """Return the points that were written."""
    rows = json.loads((folder / "expected.json").read_text())[name]
    return {(frame, who, bodypart): (x, y) for frame, who, bodypart, x, y in rows}


def two_animals(folder: Path) -> Points:
    """Return the points of the predictions of two animals."""
    import numpy as np

    rows = np.load(folder / "predicted-two.npy").reshape(-1, 2, 2, 3)
    return {
        (frame, who, bodypart): (float(x), float(y))
        for frame, animals in enumerate(rows)
        for who, points in zip(("ann", "bob"), animals, strict=True)
        for bodypart, (x, y, _) in zip(("snout", "tail base"), points, strict=True)
    }


def same(found: Points, wanted: Points, *, tolerance: float = 1e-9) -> str:
    """Check that points are those that were written; return how many."""
    assert found.keys() == wanted.keys(), f"expected {sorted(wanted)[:4]}..., got {sorted(found)[:4]}..."
    for key, (x, y) in wanted.items():
        assert math.dist(found[key], (x, y)) <= tolerance, f"{key}: expected {(x, y)}, got {found[key]}"
    return f"{len(found)} points in {len({key[0] for key in found})} frames, all as written"


def frame_of(image: str) -> int:
    """Return the frame number of an image of ours."""
    return int(Path(image).stem.removeprefix("img"))


def placed(points: Points) -> Points:
    """Return points without those that have no place."""
    return {key: (float(x), float(y)) for key, (x, y) in points.items() if not math.isnan(x)}
