"""Draws docs/pictures/effort.webp: error over an annotator's minutes, from the rounds in docs/results/effort-*.

``scripts/effort.sh`` calls it when results are packed; ``python scripts/effort_picture.py`` draws it again.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"
TITLES = {"openfield": "openfield", "reaching": "Reaching", "lips": "lips", "synthetic": "synthetic animals"}
WORKFLOWS = {
    "from-scratch": ("every point placed", "#777777", "s"),
    "prefilled": ("guesses corrected", "#d55e00", "^"),
    "shipped": ("as the window does", "#0072b2", "o"),
}


def draw() -> Image.Image:
    """Return the picture: a panel for each data set, a line for each workflow, means over all pairs."""
    figure, axes = plt.subplots(1, len(TITLES), figsize=(11, 2.9), layout="constrained")
    for axis, (name, title) in zip(axes, TITLES.items(), strict=True):
        rounds = pd.read_csv(DOCS / "results" / f"effort-{name}" / "rounds.csv.gz")
        n_pairs = len(rounds[["fold", "seed"]].drop_duplicates())
        for workflow, (label, colour, marker) in WORKFLOWS.items():
            mean = rounds[rounds.arm == workflow].groupby("budget")[["seconds", "error"]].mean()
            axis.plot(mean.seconds / 60, mean.error, color=colour, marker=marker, markersize=4, label=label)
        axis.set_title(f"{title} ({n_pairs} pairs)", fontsize=10)
        axis.set_xlabel("minutes of labelling")
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("error / animal's length")
    axes[-1].legend(frameon=False, fontsize=9)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120)
    return Image.open(drawn).convert("RGB")


if __name__ == "__main__":
    draw().save(DOCS / "pictures" / "effort.webp", lossless=True)
