"""A lab's own package: installed for real, found, and up to the same contract."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "al-pose-strategy-example"

ASK = """
import json
import numpy as np
from napari_al_pose.acquisition import Requires, ScoreContext, Strategy, installed_strategies
from napari_al_pose.acquisition.catalogue import describe
from napari_al_pose.domain import FrameKey, Skeleton

found = installed_strategies()["edge"]
keys = [FrameKey("v", i) for i in range(3)]
xy = np.array([[[50.0, 50], [60, 60]], [[0, 40], [10, 40]], [[100, 100], [np.nan, np.nan]]])
context = ScoreContext(keys=keys, skeleton=Skeleton(("nose", "tail")), xy=xy, likelihood=np.ones((3, 2)))
print(json.dumps({
    "is": isinstance(found, Strategy),
    "scores": found.score(context).tolist(),
    "why": found.explain(context, 0).sentence,
    "words": describe(found),
    "ours": "mpe" in installed_strategies(),
}))
"""


def test_a_package_with_a_strategy_is_found_once_it_is_installed(tmp_path):
    source, target = tmp_path / "example", tmp_path / "site"
    shutil.copytree(EXAMPLE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", target, source], check=True, timeout=120)
    environment = os.environ | {"PYTHONPATH": str(target)}
    answer = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(answer.stdout)
    assert told["is"]
    assert told["ours"]
    assert told["scores"] == [-10.0, 0.0, 0.0]
    assert told["why"] == "nose: 10 px from where the animal never goes"
    assert "Needs a model, else Evenly spread takes its place." in told["words"]
