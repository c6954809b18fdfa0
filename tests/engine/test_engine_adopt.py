"""Another program's model as the project's own: on the command line, in the engine process, before the first round."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.client import EngineClient
from napari_al_pose.engine.messages import (
    Adopt,
    Adopted,
    Describe,
    Described,
    Died,
    Failed,
    Finished,
    Look,
    Looked,
    Ranked,
    Ready,
)
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.predictor import load_predictor
from napari_al_pose.project import open_project

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.slow

QUICK = LoopSettings(
    strategy="mpe", pool_size=12, batch_size=4, train=TrainSettings(steps=4, long_side=96, batch_size=2)
)


def write_model(path, bodyparts):
    """Write a network of one convolution, random but the same each time."""
    from onnx import TensorProto, helper, numpy_helper

    k = len(bodyparts)
    weights = np.random.default_rng(0).normal(size=(k, 3, 8, 8)).astype(np.float32) / 8
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["maps"], strides=[8, 8])],
        "one layer",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", k, "r", "c"])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"bodyparts": json.dumps(list(bodyparts))})
    onnx.save(model, path)


@pytest.fixture
def project_and_model(sample_copy, tmp_path):
    with open_project(sample_copy) as project:
        project.save_settings(QUICK)
        bodyparts = project.skeleton.bodyparts
    write_model(tmp_path / "net.onnx", bodyparts)
    return sample_copy, tmp_path / "net.onnx"


def call(*arguments):
    """Run the command line, as JSON."""
    return subprocess.run(
        [sys.executable, "-m", "napari_al_pose", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


def test_the_command_line_adopts_and_ranks_with_it(project_and_model):
    config, model = project_and_model
    adopted = call("adopt", config, model, "--sigmoid")
    assert adopted.returncode == 0, adopted.stderr
    said = json.loads(adopted.stdout)
    assert (said["model_version"], said["network"]) == (1, "onnx")
    model.unlink()  # the copy is the project's own
    with open_project(config) as project:
        begun = FrameKey(project.videos[0].name, 3)
        project.labels.place(begun, project.skeleton.bodyparts[0], 5.0, 5.0)
    rows = json.loads(call("rank", config, "--strategy", "mpe", "--top", "3").stdout)
    assert [row["model_version"] for row in rows] == [1, 1, 1]
    assert all(row["provenance"] == "al" and np.isfinite(row["score"]) for row in rows)
    with open_project(config) as project:
        assert begun in project.predictions.load(1)  # what an export fills it with
    missing = call("adopt", config)
    assert missing.returncode == 2
    assert "snapshot" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_superanimal_weights_give_guesses_before_the_first_label(sample_copy, tmp_path):
    pytest.importorskip("timm")
    import torch

    from napari_al_pose.domain.pretrained import TOP_VIEW_MOUSE
    from napari_al_pose.pose.foreign.deeplabcut_model import network_of
    from napari_al_pose.pose.foreign.superanimal import snapshot_of

    torch.manual_seed(0)
    file = tmp_path / "superanimal_topviewmouse_rtmpose_s.pt"
    torch.save({"model": network_of(snapshot_of(TOP_VIEW_MOUSE, "rtmpose_s")).state_dict()}, file)
    with open_project(sample_copy) as project:
        project.save_settings(QUICK.model_copy(update={"strategy": "hybrid"}))
        first, last = project.skeleton.bodyparts[0], project.skeleton.bodyparts[-1]
    mapped = ["--map", f"{first}=nose", f"{last}="]
    refused = call("adopt", sample_copy, file, *mapped)
    assert refused.returncode == 2
    assert "--partial" in refused.stderr
    said = json.loads(call("adopt", sample_copy, file, *mapped, "--partial").stdout)
    assert (said["model_version"], said["network"]) == (1, "superanimal_topviewmouse_rtmpose_s")
    ranked = call("rank", sample_copy, "--top", "3")
    assert len(json.loads(ranked.stdout)) == 3, ranked.stderr
    assert "neighbouring" not in ranked.stderr  # three times as long
    with open_project(sample_copy) as project:
        guesses = project.predictions.load(1)
        parts = project.skeleton.bodyparts
    assert guesses
    for guess in guesses.values():
        assert np.isfinite(guess.xy[parts.index(first)]).all()
        assert np.isnan(guess.xy[parts.index(last)]).all()
        assert guess.likelihood[parts.index(last)] == 0


def test_a_model_of_ours_goes_out_as_onnx_and_comes_back(sample_copy, tmp_path):
    file = tmp_path / "net.onnx"
    refused = call("export", sample_copy, "--model", file)
    assert refused.returncode == 2
    assert "no model yet" in refused.stderr
    with open_project(sample_copy) as project:
        bodyparts = project.skeleton.bodyparts
        network = PoseNetwork("efficientnet_lite0", len(bodyparts), pretrained=False).eval()
        model = PoseModel(network, bodyparts=bodyparts, settings=QUICK.train, long_side=96)
        with project.models.new_folder() as folder:
            model.save(folder / model.file_name)
    written = call("export", sample_copy, "--model", file)
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout) == {"model_version": 1, "path": str(file)}
    said = json.loads(call("adopt", sample_copy, file).stdout)
    assert (said["model_version"], said["network"]) == (2, "efficientnet_lite0")
    swapped = [f"{bodyparts[0]}={bodyparts[1]}", f"{bodyparts[1]}={bodyparts[0]}"]
    assert json.loads(call("adopt", sample_copy, file, "--map", *swapped).stdout)["model_version"] == 3
    frame = np.random.default_rng(0).integers(0, 255, (1, 64, 96, 3), np.uint8)
    with open_project(sample_copy) as project:
        plain, turned = (load_predictor(project.models.checkpoint(version)).predict(frame).xy[0] for version in (2, 3))
    np.testing.assert_array_equal(turned[[1, 0]], plain[:2])
    np.testing.assert_array_equal(turned[2:], plain[2:])
    assert "no bodypart wing" in call("adopt", sample_copy, file, "--map", "wing=snout").stderr
    again = call("export", sample_copy, "--model", tmp_path / "again.onnx")
    assert "trained by another program" in again.stderr
    assert not (tmp_path / "again.onnx").exists()


def test_the_engine_takes_a_model_and_looks_and_ranks_with_it(project_and_model):
    config, model = project_and_model
    replies = queue.Queue()
    client = EngineClient(config.parent, replies.put)
    client.start()

    def until(kind):
        while True:
            reply = replies.get(timeout=90)
            assert not isinstance(reply, (Died, Failed)), reply
            if isinstance(reply, kind):
                return reply

    try:
        assert until(Ready).model_version == 0
        client.send(Describe(client.next_job(), str(model)))
        described = until(Described)
        assert (described.path, described.network) == (str(model), "onnx")
        assert described.suggested == {name: name for name in described.bodyparts}
        client.send(Adopt(client.next_job(), str(model), {described.bodyparts[0]: ""}))
        assert until(Adopted).model_version == 1
        ranked = until(Ranked)
        assert ranked.model_version == 1
        assert len(ranked.suggestions) == QUICK.batch_size
        assert {guess.model_version for guess in ranked.guesses} == {1}
        until(Finished)
        client.send(Look(client.next_job(), ranked.suggestions[0].key))
        looked = until(Looked)
        assert looked.scoremaps.maps.shape[0] == len(looked.prediction.xy)
        guess = next(g for g in ranked.guesses if g.key == looked.key)
        assert np.isnan(guess.xy[0]).all()  # it was not wanted
        np.testing.assert_allclose(guess.xy, looked.prediction.xy, atol=1e-3)
        (model.parent / "other.onnx").write_bytes(b"nothing of the kind")
        for request in (Describe, Adopt):
            client.send(request(client.next_job(), str(model.parent / "other.onnx")))
            while not isinstance(reply := replies.get(timeout=90), Failed):
                assert not isinstance(reply, Died), reply
            assert "ONNX" in reply.message
    finally:
        client.close()
    with open_project(config, read_only=True) as project:
        assert project.models.versions() == [1]
