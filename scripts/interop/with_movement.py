"""movement reads our predictions, and SLEAP labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from checks import Points, expected, main, placed, same, two_animals
from movement.io import load_poses


def deeplabcut_h5(folder: Path) -> str:
    """from_dlc_file of predictions (.h5)"""
    return predicted(load_poses.from_dlc_file(folder / "predicted.h5", fps=30), folder)


def deeplabcut_csv(folder: Path) -> str:
    """from_dlc_file of predictions (.csv)"""
    return predicted(load_poses.from_dlc_file(folder / "predicted.csv", fps=30), folder)


def lightning_pose(folder: Path) -> str:
    """from_lp_file of predictions (.csv)"""
    return predicted(load_poses.from_lp_file(folder / "predicted-lp.csv", fps=30), folder)


def sleap_predictions(folder: Path) -> str:
    """from_sleap_file of predictions (.slp)"""
    return predicted(load_poses.from_sleap_file(folder / "predicted.slp", fps=30), folder)


def sleap_labels(folder: Path) -> str:
    """from_sleap_file of labels of two animals (.slp; in single precision)"""
    poses = load_poses.from_sleap_file(folder / "multi-sleap.slp")
    return same(points(poses), expected(folder, "multi"), tolerance=1e-4)


def sleap_two(folder: Path) -> str:
    """from_sleap_file of predictions of two animals (.slp)"""
    poses = load_poses.from_sleap_file(folder / "predicted-two.slp", fps=30)
    return same(points(poses), two_animals(folder), tolerance=1e-4)


def deeplabcut_two(folder: Path) -> str:
    """from_dlc_file of predictions of two animals (_el.h5)"""
    poses = load_poses.from_dlc_file(folder / "predicted-two_el.h5", fps=30)
    return same(points(poses), two_animals(folder), tolerance=1e-4)


def points(poses: xr.Dataset) -> Points:
    found: Points = {}
    for frame in range(poses.sizes["time"]):
        for who in poses.individuals.values:
            for bodypart in poses.keypoints.values:
                at = poses.position.isel(time=frame).sel(individuals=who, keypoints=bodypart)
                found[frame, str(who), str(bodypart)] = (float(at.sel(space="x")), float(at.sel(space="y")))
    return placed(found)


def predicted(poses: xr.Dataset, folder: Path) -> str:
    rows = np.load(folder / "predicted.npy")
    position = poses.position.squeeze("individuals").transpose("time", "keypoints", "space").values
    np.testing.assert_allclose(position, rows[..., :2], rtol=1e-5)
    np.testing.assert_allclose(
        poses.confidence.squeeze("individuals").transpose("time", "keypoints").values, rows[..., 2], rtol=1e-4
    )
    return f"{len(position)} frames, all as written"


if __name__ == "__main__":
    checks = [deeplabcut_h5, deeplabcut_csv, lightning_pose, sleap_predictions]
    main("movement", [*checks, sleap_labels, sleap_two, deeplabcut_two])
