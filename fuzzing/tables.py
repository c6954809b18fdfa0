"""Tables of labels of DeepLabCut and Lightning Pose, in CSV and in both layouts of HDF5."""

from __future__ import annotations

import csv
import io
import random
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from fuzzing._mutations import STRANGE, check_labels, check_message, mutate_bytes
from napari_al_pose.domain import AlPoseError
from napari_al_pose.exchange.catalogue import detect_format


def run(rng: random.Random, folder: Path) -> str:
    """Write a table, change its bytes or some of its cells, read it."""
    path = folder / rng.choice(("CollectedData_Me.csv", "CollectedData_Me.h5", "table.csv"))
    frame = _table(rng)
    how = rng.choice(("not at all", "bytes", "cells"))
    if path.suffix == ".csv":
        text = frame.to_csv(lineterminator="\n")
        path.write_text(_other_cells(rng, text) if how == "cells" else text, encoding="utf-8")
    else:
        layout = rng.choice(("fixed", "table")) if frame.index.nlevels == 1 else "fixed"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame.to_hdf(path, key=rng.choice(("df_with_missing", "keypoints")), mode="w", format=layout)
        how = "bytes" if how == "cells" else how
    if how == "bytes":
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
    try:
        labels = detect_format(path).read(path)
    except AlPoseError as error:
        check_message(error, path, is_whole=how == "not at all")
        return f"{path.suffix}: message"
    check_labels(labels)
    if how == "not at all":
        read = sum(int(np.isfinite(a.xy).all(axis=1).sum()) for a in labels.annotations)
        assert read == int(frame.notna().to_numpy().sum()) // 2, "points were lost"
    return f"{path.suffix}: labels"


def _table(rng: random.Random) -> pd.DataFrame:
    several = rng.random() < 0.5
    levels = [
        ("Me", *((who,) if several else ()), part, axis)
        for who in (("m1", "m2") if several else ("",))
        for part in ("nose", "tail")
        for axis in "xy"
    ]
    names = ["scorer", *(["individuals"] if several else []), "bodyparts", "coords"]
    rows = [("labeled-data", "cam", f"img{i:03d}.png") for i in rng.sample(range(50), rng.randint(1, 6))]
    form = rng.randrange(3)
    index = (
        pd.MultiIndex.from_tuples(rows) if form == 0 else pd.Index([("\\" if form == 1 else "/").join(r) for r in rows])
    )
    values = np.random.default_rng(rng.randrange(2**32)).uniform(0, 90, (len(rows), len(levels)))
    for row in range(len(rows)):
        for point in range(0, len(levels), 2):
            if point and rng.random() < 0.2:
                values[row, point : point + 2] = np.nan
    return pd.DataFrame(values, index=index, columns=pd.MultiIndex.from_tuples(levels, names=names))


def _other_cells(rng: random.Random, text: str) -> str:
    lines = list(csv.reader(io.StringIO(text)))
    for _ in range(rng.choice((1, 1, 3))):
        line = rng.choice(lines)
        how = rng.randrange(5)
        if how == 0:
            line[rng.randrange(len(line))] = str(rng.choice(STRANGE))
        elif how == 1:
            lines.append(list(line))
        elif how == 2:
            lines.remove(line)
        elif how == 3:
            line[rng.randrange(len(line))] = rng.choice(rng.choice(lines))
        else:
            place = rng.randrange(len(lines[0]))
            for other in lines:
                other += other[place : place + 1]
        if not lines:
            break
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(lines)
    return made.getvalue()
