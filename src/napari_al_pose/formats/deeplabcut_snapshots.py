"""Finds the networks that DeepLabCut 3 trained."""

from __future__ import annotations

from pathlib import Path


def find_snapshots(root: Path) -> list[Path]:
    """Return the snapshots in a DeepLabCut project: those of the newest training first, and of each the best one first.

    DeepLabCut calls the snapshot with the best test score ``best``; without one, the last epoch comes first.
    """
    found = list(root.glob("dlc-models-pytorch/iteration-*/*/train/snapshot-*.pt"))
    newest: dict[Path, float] = {}
    for path in found:
        newest[path.parent] = max(path.stat().st_mtime, newest.get(path.parent, 0.0))
    return sorted(found, key=lambda path: (newest[path.parent], "best" in path.name, path.name), reverse=True)
