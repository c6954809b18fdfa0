"""DeepLabCut makes training sets of our projects and reads the labels in them."""

from __future__ import annotations

from pathlib import Path

import deeplabcut
from checks import Points, expected, frame_of, main, placed, same, two_animals
from deeplabcut.pose_estimation_pytorch.data.dlcloader import DLCLoader


def single(folder: Path) -> str:
    """create_training_dataset of a single-animal project, and its labels through DLCLoader"""
    return training_set(folder, "single")


def multi(folder: Path) -> str:
    """create_training_dataset of a multi-animal project, and its labels through DLCLoader"""
    return training_set(folder, "multi")


def unique(folder: Path) -> str:
    """create_training_dataset of a multi-animal project with unique bodyparts, and its labels through DLCLoader"""
    return training_set(folder, "unique")


def images(folder: Path) -> str:
    """create_training_dataset of a project made from a COCO file, images without a video"""
    return training_set(folder, "images")


def predicted_two(folder: Path) -> str:
    """load_analyzed_data of predictions of two animals and a unique bodypart (_el.h5)"""
    read = deeplabcut.auxiliaryfunctions.load_analyzed_data
    table, _, scorer, _ = read(str(folder), "mice", "DLC_x", track_method="ellipse")
    points: Points = {}
    for frame, row in table[scorer].iterrows():
        for who, bodypart in {column[:2] for column in row.index}:
            points[int(frame), who, bodypart] = (float(row[who, bodypart, "x"]), float(row[who, bodypart, "y"]))
    door = {(frame, "single", "door"): (3.0, 4.0) for frame in table.index}
    return same(points, two_animals(folder) | door, tolerance=1e-4)


def training_set(folder: Path, name: str) -> str:
    config = str(folder / name / "config.yaml")
    deeplabcut.auxiliaryfunctions.edit_config(config, {"TrainingFraction": [0.8]})
    deeplabcut.create_training_dataset(config, net_type="resnet_50", userfeedback=False)
    loader = DLCLoader(config, shuffle=1)
    points: Points = {}
    for row, values in loader.df.iterrows():
        image = row[-1] if isinstance(row, tuple) else row
        assert (folder / name).joinpath(*row).is_file(), row
        for column, value in values.items():
            who = column[1] if len(column) == 4 else ""
            x, y = points.get((frame_of(image), who, column[-2]), (0.0, 0.0))
            points[frame_of(image), who, column[-2]] = (value, y) if column[-1] == "x" else (x, value)
    n_images = sum(len(loader.load_data(mode)["images"]) for mode in ("train", "test"))
    assert n_images == 5, n_images
    return f"{same(placed(points), expected(folder, name))}; {n_images} images in the training set"


if __name__ == "__main__":
    main("deeplabcut", [single, multi, unique, images, predicted_two])
