"""The results: one small file for each round, written whole, and the tables made from them."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import napari_al_pose
from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.simulation.protocol import current_arm, earlier_arms

SCALARS = (
    "dataset",
    "fold",
    "seed",
    "arm",
    "budget",
    "n_labelled",
    "error",
    "uncapped",
    "median",
    "p95",
    "rmse",
    "error_px",
    "pck_0.05",
    "pck_0.1",
    "pck_0.2",
    "pck_0.3",
    "pck_0.5",
    "lost",
    "worst_decile",
    "worst_videos",
    "missed",
    "extra",
    "n_test",
    "keypoints",
    "n_pool",
    "n_scored",
    "score_low",
    "score_high",
    "ties",
    "unscored",
    "fallback",
    "reliability",
    "train_seconds",
    "choose_seconds",
    "setting",
    "code",
)
"""Columns of the tidy table, one row for each round."""


WORK = ("seconds", "clicks", "looks", "points", "placed", "dragged", "accepted", "n_points", "noc", "noc_mended")
"""Columns for workflows: an annotator's work so far, and the clicks that a test frame would need."""

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
"""Code whose changes make rounds another experiment."""


class RoundFiles:
    """The rounds of one comparison, in ``folder``; any number of processes may write to it.

    Parameters
    ----------
    folder : Path
    setting : str
        Hash of the settings that make rounds comparable; files with another are refused.
    """

    def __init__(self, folder: Path, setting: str) -> None:
        self.folder, self.setting = folder, setting
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, dataset: str, fold: int, seed: int, arm: str, budget: int) -> Path:
        """Return the file of a round."""
        return self.folder / f"{dataset}--f{fold}-s{seed:03d}-{re.sub(r'[^a-z0-9_+]', '_', arm)}-b{budget:05d}.json"

    def read(self, dataset: str, fold: int, seed: int, arm: str, budget: int) -> dict[str, Any] | None:
        """Return a round that was played before; None if it was not.

        Raises
        ------
        AlPoseError
            If it was played with other settings.
        """
        paths = [self.path(dataset, fold, seed, name, budget) for name in (arm, *earlier_arms(arm))]
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            return None
        row = _parse(path)
        if row["setting"] != self.setting:
            raise AlPoseError(
                f"{self.folder.parent} holds results of other settings ({row['setting']}, not {self.setting}).",
                "Give another --output, or the settings of protocol.json there.",
            )
        return row

    def write(self, row: dict[str, Any]) -> None:
        """Write a round, whole or not at all."""
        path = self.path(row["dataset"], row["fold"], row["seed"], row["arm"], row["budget"])
        write_text(path, json.dumps(row | {"setting": self.setting, "code": code_version()}))


def read_rounds(folder: Path) -> list[dict[str, Any]]:
    """Return all rounds in ``folder``, in the order of their names."""
    return list(_rounds(folder))


def write_tables(rounds: list[dict[str, Any]], folder: Path) -> None:
    """Write ``rounds.csv`` (a row for each round), ``videos.csv`` (round and video), ``picks.csv`` (labelled frame).

    Write ``rounds.parquet`` too if pyarrow is installed.
    """
    table = as_table(rounds)
    _write_csv(table, folder / "rounds.csv")
    with contextlib.suppress(ImportError):
        table.to_parquet(folder / "rounds.parquet")
    which = ("dataset", "fold", "seed", "arm", "budget")
    videos = [
        {name: row[name] for name in which} | {"video": video, "error": error}
        for row in rounds
        for video, error in row["per_video"].items()
    ]
    _write_csv(pd.DataFrame(videos), folder / "videos.csv")
    picks = [
        {name: row[name] for name in which} | {"video": video, "frame": frame, "score": score, "provenance": source}
        for row in rounds
        for video, frame, score, source in row["picks"]
    ]
    _write_csv(pd.DataFrame(picks), folder / "picks.csv")


def as_table(rounds: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the tidy table, one row for each round."""
    columns = [*SCALARS, *WORK] if any("work" in row for row in rounds) else list(SCALARS)
    values = [row | row.get("work", {}) for row in rounds]
    return pd.DataFrame([{name: row.get(name) for name in columns} for row in values], columns=columns)


@functools.cache
def code_version() -> str:
    """Return a short hash of the code that chooses and learns, without comments, docstrings and layout."""
    root = Path(napari_al_pose.__file__).parent
    digest = hashlib.sha256()
    for place in _PLACES:
        for path in sorted(root.glob(place)):
            digest.update(path.name.encode() + _meaning(path.read_text(encoding="utf-8")))
    return digest.hexdigest()[:12]


def _rounds(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        yield _parse(path)


def _parse(path: Path) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        row["setting"], row["error"], row["picks"]
        row["arm"] = current_arm(row["arm"])
    except (OSError, ValueError, KeyError) as error:
        raise AlPoseError(f"{path} is not a round of a simulation.", "Delete it: the round is played again.") from error
    return row


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_text(path, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))


def _meaning(source: str) -> bytes:
    """Return a module's syntax tree without docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree).encode()
