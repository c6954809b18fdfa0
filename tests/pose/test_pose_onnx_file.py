"""Models of ours as ONNX files: what onnxruntime says is what we say, and `adopt` reads them back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pose_tools import BODYPARTS

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose import forward
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.foreign.onnx_model import read_onnx
from napari_al_pose.pose.geometry import InputGeometry, network_input, resize_frames
from napari_al_pose.pose.onnx_file import KEY, write_onnx
from napari_al_pose.pose.predictor import load_predictor
from napari_al_pose.pose.window import Window

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def whole_numbers(monkeypatch):
    """Half precision, which some processors have, is no measure for a file of whole precision."""
    monkeypatch.setattr(forward, "has_matrix_units", lambda: False)


@pytest.fixture(scope="module")
def model(learnt):
    """A model whose likelihoods are calibrated."""
    _, trained = learnt
    return type(trained)(
        trained.network,
        bodyparts=trained.bodyparts,
        settings=trained.settings,
        long_side=trained.long_side,
        calibration=Calibration(0.8, 0.3),
    )


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "net.onnx"
    write_onnx(model, path)
    return path


def test_onnxruntime_alone_finds_the_same_places(whole_numbers, model, file, disc_frames):
    """As somebody would run it live: only with what the file says of itself."""
    onnx.checker.check_model(onnx.load(file))
    session = onnxruntime.InferenceSession(file)
    facts = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    images = np.stack([frame.image for frame in disc_frames])
    geometry = InputGeometry.fit(images.shape[1:3], facts["long_side"])
    given = network_input(resize_frames(images, geometry), geometry, facts["fill"]).numpy()
    maps, xy, likelihood = session.run(None, {"images": given})
    said = model.predict(images)
    assert facts["bodyparts"] == list(BODYPARTS)
    np.testing.assert_allclose((xy + 0.5) / geometry.scale_xy - 0.5, said.xy, atol=1e-3)
    np.testing.assert_allclose(likelihood, said.likelihood, atol=1e-5)
    assert maps.shape == (len(images), 2, 16, 24)


@pytest.mark.parametrize("size", [(64, 96), (75, 101), (200, 260)])
def test_it_comes_back_as_it_was(whole_numbers, model, file, size, tmp_path):
    """Also of frames that are scaled and padded, with the bodyparts in another order, and from the project's copy."""
    frames = np.random.default_rng(1).integers(80, 110, (3, *size, 3)).astype(np.uint8)
    frames[:, 20:32, 40:52] = (250, 30, 30)
    read = read_onnx(file, BODYPARTS[::-1])
    read.save(tmp_path / read.file_name)
    again = load_predictor(tmp_path / read.file_name)
    expected = model.predict(frames)
    for one in (read, again):
        found = one.predict(frames)
        assert one.input_size_for(*size) == model.input_size_for(*size)
        np.testing.assert_allclose(found.xy, expected.xy[:, ::-1], atol=1e-3)
        np.testing.assert_allclose(found.likelihood, expected.likelihood[:, ::-1], atol=1e-5)
        np.testing.assert_allclose(found.scoremaps, expected.scoremaps[:, ::-1], atol=1e-5)
    assert read.predict(frames[:0]).xy.shape == (0, 2, 2)
    assert read.network_name == model.network_name


def test_a_model_that_follows_the_animal_looks_at_the_same_places(whole_numbers, model, tmp_path):
    following = type(model)(
        model.network,
        bodyparts=model.bodyparts,
        settings=model.settings,
        long_side=260,
        window=Window(64, 96),
        calibration=model.calibration,
    )
    write_onnx(following, tmp_path / "net.onnx")
    frames = np.random.default_rng(2).integers(80, 110, (2, 200, 260, 3)).astype(np.uint8)
    frames[:, 120:132, 140:152] = (250, 30, 30)
    frames[:, 140:152, 170:182] = (30, 30, 250)
    expected, found = following.predict(frames), read_onnx(tmp_path / "net.onnx", BODYPARTS).predict(frames)
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-3)
    assert found.grids == expected.grids
    assert found.scoremaps.shape == expected.scoremaps.shape


def test_what_can_not_be_written_or_read_is_said(model, file, tmp_path):
    several = type(model)(
        model.network, bodyparts=model.bodyparts, settings=model.settings, long_side=96, animals=Animals(2, False)
    )
    with pytest.raises(AlPoseError, match="several animals"):
        write_onnx(several, tmp_path / "net.onnx")
    with pytest.raises(AlPoseError, match="does not know tail"):
        read_onnx(file, ("tail",))
    newer = onnx.load(file)
    onnx.helper.set_model_props(newer, {KEY: json.dumps({"format_version": 2})})
    onnx.save(newer, tmp_path / "newer.onnx")
    with pytest.raises(AlPoseError, match=r"newer\.onnx"):
        read_onnx(tmp_path / "newer.onnx", BODYPARTS)
