"""Export: the bundle gives torch's answers, in any batch size, and says when it would not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from training.common.checkpoint import read_info, read_tensors
from training.common.errors import CheckpointError, ExportError
from training.export import policy as exporting
from training.export.onnx_tools import gemm_to_matmul, infer, quantize_weights
from training.export.policy import PolicyExportConfig, check_parity, export_policy, random_inputs, run_torch
from training.export.weights import NOT_EXPORTED
from training.tests.synthetic_run import TEXT_ENCODER, tiny_cache, tiny_config
from training.vla.config import ModelConfig
from training.vla.train import load_trained, train
from world2act_core.bundle import load_bundle
from world2act_core.policy import BundlePolicy
from world2act_core.types import Observation


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(checkpoint, bundle) of a tiny policy."""
    root = tmp_path_factory.mktemp("run")
    checkpoint = train(tiny_config(tiny_cache(root / "data"), root / "run", 3))
    bundle = root / "models" / "tiny"
    export_policy(PolicyExportConfig(checkpoint=checkpoint, out=bundle, name="tiny", text_encoder=TEXT_ENCODER))
    return checkpoint, bundle


def test_bundle_answers_as_torch_does(trained: tuple[Path, Path]) -> None:
    checkpoint, folder = trained
    model, _ = load_trained(checkpoint)
    policy = BundlePolicy(load_bundle(folder))
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for name in ("scene", "wrist")}
    state = rng.normal(size=10).astype(np.float32)
    noise = rng.normal(size=(8, 7)).astype(np.float32)
    chunk = policy.act(Observation(0.0, images, state), "pick up the red cube", noise)
    text = load_bundle(folder).text_encoder().encode(["pick up the red cube"])
    inputs = {f"image_{name}": image[None] for name, image in images.items()}
    expected = run_torch(model, inputs | {"state": state[None], "text": text, "noise": noise[None]})
    np.testing.assert_allclose(chunk.actions, expected["actions"][0], atol=2e-5)
    assert abs(chunk.done - float(expected["done"][0])) < 2e-5
    low, high = policy.contract.action_low, policy.contract.action_high
    assert (chunk.actions >= low).all() and (chunk.actions <= high).all()


def test_a_bundle_alone_can_be_fine_tuned(trained: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, folder = trained
    info = read_info(checkpoint)
    config = tiny_config(Path(info["config"]["cache"]), tmp_path / "run", 1, init=folder, learning_rate=1e-9, bf16=True)
    tuned = train(config)
    before, after = read_tensors(checkpoint, "average"), read_tensors(tuned, "average")
    for name in set(before) - set(NOT_EXPORTED):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6, msg=name)
    assert len(read_info(tuned)["history"]) == 2
    larger = dataclasses.replace(config, out=tmp_path / "larger", model=ModelConfig())
    with pytest.raises(CheckpointError, match=r"exported from another model: .*set --model as in the run"):
        train(larger)


def test_other_noise_gives_another_candidate(trained: tuple[Path, Path]) -> None:
    model, _ = load_trained(trained[0])
    inputs = random_inputs(model, 1, seed=0)
    other = inputs | {"noise": inputs["noise"] + 1.0}
    assert np.abs(run_torch(model, inputs)["actions"] - run_torch(model, other)["actions"]).max() > 1e-4


def test_a_graph_of_other_weights_is_refused(trained: tuple[Path, Path]) -> None:
    model, _ = load_trained(trained[0])
    with torch.no_grad():
        model.done_head[0].weight += 0.5
    with pytest.raises(ExportError, match="differs from torch by"):
        check_parity(model, trained[1] / "policy.onnx", [random_inputs(model, 4, seed=0)])


def test_manifest_covers_every_file(trained: tuple[Path, Path]) -> None:
    bundle = load_bundle(trained[1])
    assert set(bundle.manifest.files) == {"policy.onnx", "contract.yaml", "card.md"}
    assert bundle.manifest.training["steps"] == 3
    assert exporting.TOLERANCE["actions"] < 1e-3


def test_shared_gemm_weights_survive_quantisation(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.ones(6, np.float32), "b")]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1),
        helper.make_node("Gemm", ["h", "w", "b"], ["y"], transB=1),
    ]
    shape = ["batch", 6]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    path = tmp_path / "g.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, str(path))
    x = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)
    expected = (x @ weight.T + 1) @ weight.T + 1
    assert gemm_to_matmul(path) == 2
    np.testing.assert_allclose(infer(path, {"x": x})["y"], expected, atol=1e-4)
    quantize_weights(path, tmp_path / "q.onnx")
    actual = infer(tmp_path / "q.onnx", {"x": x})["y"]
    assert np.abs(actual - expected).max() < 0.1 * np.abs(expected).max()
