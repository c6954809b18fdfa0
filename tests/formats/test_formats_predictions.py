"""Predictions in DeepLabCut's form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import (
    DeepLabCutConfig,
    prediction_scorer,
    read_predictions,
    write_predictions,
)


@pytest.fixture
def config(tmp_path):
    return DeepLabCutConfig(tmp_path / "config.yaml", "open/field", "Me", "Oct30", ("nose", "ear"))


def write(config, video, n=5):
    random = np.random.default_rng(0)
    xy, likelihood = random.uniform(0, 640, (n, 2, 2)).astype(np.float32), random.uniform(0, 1, (n, 2))
    path = write_predictions(
        config,
        video=video,
        numbers=np.arange(n) * 3,
        xy=xy,
        likelihood=likelihood,
        bodyparts=config.bodyparts,
        version=4,
    )
    return path, xy, likelihood


def test_written_as_deeplabcut_writes_it(tmp_path, config):
    path, xy, likelihood = write(config, tmp_path / "m3 v1.mp4")
    assert path == tmp_path / "m3 v1DLC_EffnetLite0_open-fieldOct30al-pose_snapshot_4.h5"
    table = pd.read_hdf(path, "df_with_missing")
    assert list(table.columns.names) == ["scorer", "bodyparts", "coords"]
    scorer = prediction_scorer(config, 4)
    assert table.columns.tolist()[:3] == [(scorer, "nose", "x"), (scorer, "nose", "y"), (scorer, "nose", "likelihood")]
    assert table.index.tolist() == [0, 3, 6, 9, 12]
    np.testing.assert_array_equal(table[scorer, "ear", "y"], xy[:, 1, 1].astype(float))
    for suffix in (".h5", ".csv"):
        found = read_predictions(path.with_name(path.stem + suffix))
        assert found.scorer == scorer
        assert found.bodyparts == ("nose", "ear")
        assert found.frames.tolist() == [0, 3, 6, 9, 12]
        np.testing.assert_array_equal(found.xy, xy)
        np.testing.assert_array_equal(found.likelihood, likelihood)


def test_video_name_with_dots_and_image_folder(tmp_path, config):
    path, *_ = write(config, tmp_path / "a.b.mp4")
    assert path.name.startswith("a.bDLC_")
    assert path.with_name(path.name.replace(".h5", ".csv")).is_file()
    (tmp_path / "m4s1").mkdir()
    path, *_ = write(config, tmp_path / "m4s1")
    assert path.parent == tmp_path / "m4s1"
    assert path.name.startswith("m4s1DLC_")


def test_machine_labels(tmp_path):
    columns = pd.MultiIndex.from_product(
        [["DLC"], ["nose"], ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    rows = pd.MultiIndex.from_tuples([("labeled-data", "mouse", "img012.png")])
    path = tmp_path / "machinelabels-iter0.h5"
    pd.DataFrame([[1.0, 2.0, 0.5]], index=rows, columns=columns).to_hdf(path, key="machinelabels")
    found = read_predictions(path)
    assert found.frames.tolist() == [12]
    assert found.likelihood.tolist() == [[0.5]]


def test_refused(tmp_path):
    columns = pd.MultiIndex.from_product([["Me"], ["nose"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    path = tmp_path / "CollectedData_Me.h5"
    pd.DataFrame([[1.0, 2.0]], columns=columns).to_hdf(path, key="a")
    with pytest.raises(AlPoseError, match="no likelihood"):
        read_predictions(path)
    columns = pd.MultiIndex.from_product(
        [["DLC"], ["a", "b"], ["nose"], ["x", "y", "likelihood"]],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    pd.DataFrame([[1.0] * 6], columns=columns).to_hdf(path, key="a")
    with pytest.raises(AlPoseError, match="several individuals"):
        read_predictions(path)


def test_folder_that_is_gone(tmp_path, config):
    with pytest.raises(AlPoseError, match="could not be written"):
        write(config, tmp_path / "gone" / "a.mp4")
