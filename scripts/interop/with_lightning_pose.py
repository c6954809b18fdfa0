"""Lightning Pose's CSV reader on our labels. Only that is installed: the whole package asks for NVIDIA's DALI."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

from checks import expected, frame_of, main, same


def reader() -> types.ModuleType:
    """Return ``lightning_pose.utils.io``, loaded by its file: the package's ``__init__`` imports the whole of it."""
    spec = importlib.util.find_spec("lightning_pose")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0], "utils", "io.py")
    found = importlib.util.spec_from_file_location("lightning_pose_io", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def labels(folder: Path) -> str:
    """parse_label_csv of CollectedData.csv, with its visible column, and the images it names"""
    data = reader().parse_label_csv(str(folder / "single-lightning-pose" / "CollectedData.csv"))
    assert all((folder / "single-lightning-pose" / name).is_file() for name in data.image_names)
    visible = data.visibility.tolist()
    assert sorted({v for row in visible for v in row}) == [0, 1, 2], visible
    whole = [row for row, states in enumerate(visible) if 0 not in states]
    found = {
        (frame_of(data.image_names[row]), "", name): tuple(xy)
        for row in whole
        for name, xy, state in zip(data.keypoint_names, data.keypoints[row].tolist(), visible[row], strict=True)
        if state == 2
    }
    return same(found, expected(folder, "single"), tolerance=1e-4)  # it reads in single precision


if __name__ == "__main__":
    main("lightning-pose", [labels])
