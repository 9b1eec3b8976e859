from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from world2act_core.engine import EngineError, OnnxEngine, available_providers
from world2act_core.text_encoder import TextEncoder

Save = Callable[..., Path]


@pytest.fixture
def graph(tmp_path: Path, save_graph: Save) -> Path:
    """y = log(x) for x float32 [B, 3]: a NaN for negative numbers, -inf for zero."""
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    return save_graph(
        tmp_path / "log.onnx", nodes, [("x", TensorProto.FLOAT, ["B", 3])], [("y", TensorProto.FLOAT, ["B", 3])]
    )


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


def test_infers_any_batch_and_describes_itself(graph: Path) -> None:
    engine = OnnxEngine(graph)
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=np.float32)
    np.testing.assert_allclose(engine.infer({"x": x})["y"], np.log(x), rtol=1e-6)
    assert str(engine.inputs["x"]) == "x: float32 [any, 3]"
    assert engine.outputs["y"].shape == (None, 3)
    assert engine.provider == "CPUExecutionProvider"


def test_one_batch_size_gives_the_same_answers_and_refuses_others(tmp_path: Path, save_graph: Save) -> None:
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    shapes = ([("x", TensorProto.FLOAT, ["batch", 3])], [("y", TensorProto.FLOAT, ["batch", 3])])
    path = save_graph(tmp_path / "log.onnx", nodes, *shapes)
    x = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)
    fixed = OnnxEngine(path, batch=1)
    np.testing.assert_array_equal(fixed.infer({"x": x})["y"], OnnxEngine(path).infer({"x": x})["y"])
    with pytest.raises(EngineError, match=r"x: float32 \[1, 3\], got float32 \[2, 3\]"):
        fixed.infer({"x": ones(2, 3)})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"missing inputs \['x'\].*x: float32 \[any, 3\]"),
        ({"x": ones(1, 3), "z": ones(1)}, r"unknown inputs \['z'\]"),
        ({"x": ones(1, 4)}, r"input must be x: float32 \[any, 3\], got float32 \[1, 4\]"),
        ({"x": ones(3)}, r"got float32 \[3\]"),
        ({"x": np.ones((1, 3))}, r"got float64 \[1, 3\]"),
    ],
)
def test_inputs_that_do_not_fit(graph: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        OnnxEngine(graph).infer(arrays)


def test_outputs_that_are_no_numbers(graph: Path) -> None:
    x = np.array([[1.0, -1.0, 0.0]], dtype=np.float32)
    with pytest.raises(EngineError, match="output 'y' has 2 of 3 values that are not finite"):
        OnnxEngine(graph).infer({"x": x})


@pytest.mark.parametrize("kept", [0, 1, 20, 60])
def test_truncated_files(graph: Path, kept: int) -> None:
    graph.write_bytes(graph.read_bytes()[:kept])
    with pytest.raises(EngineError, match=r"log\.onnx: not a usable ONNX graph, probably truncated"):
        OnnxEngine(graph)


def test_a_missing_or_foreign_file(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no such file"):
        OnnxEngine(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(EngineError, match="not a usable ONNX graph"):
        OnnxEngine(tmp_path / "text.onnx")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_missing_provider_says_what_is_there_and_what_to_do(graph: Path, provider: str) -> None:
    if provider in available_providers():
        pytest.skip(f"this machine has {provider}")
    with pytest.raises(EngineError, match=f"provider '{provider}' is not available.*cpu.*Install onnxruntime-gpu"):
        OnnxEngine(graph, provider=provider)  # type: ignore[arg-type]


def test_auto_always_runs_and_nonsense_is_named(graph: Path) -> None:
    engine = OnnxEngine(graph, provider="auto", threads=2)
    assert engine.infer({"x": ones(1, 3)})["y"].shape == (1, 3)
    with pytest.raises(EngineError, match="unknown provider 'tpu'; choose one of cpu, cuda, tensorrt, auto"):
        OnnxEngine(graph, provider="tpu")  # type: ignore[arg-type]


def test_a_graph_that_fails_while_running(tmp_path: Path, save_graph: Save) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    specs = [(name, TensorProto.FLOAT, ["N"]) for name in ("a", "b")]
    path = save_graph(tmp_path / "add.onnx", nodes, specs, [("y", TensorProto.FLOAT, ["N"])])
    with pytest.raises(EngineError, match="inference failed"):
        OnnxEngine(path).infer({"a": ones(2), "b": ones(3)})


def test_text_vectors_are_unit_and_do_not_depend_on_neighbours(tmp_path: Path, save_text_encoder: Save) -> None:
    encoder = TextEncoder(save_text_encoder(tmp_path / "encoder", dim=16), cache_size=2)
    together = encoder.encode(["pick up the can", "put the red cube in the bin"])
    assert together.shape == (2, 16) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(encoder.encode(["put the red cube in the bin"])[0], together[1])
    for sentence in ("can", "bin", "cube"):  # pushes the first sentences out of the cache
        encoder.encode([sentence])
    np.testing.assert_array_equal(encoder.encode(["pick up the can"])[0], together[0])
    # Cut to six tokens: what follows makes no difference.
    longer = encoder.encode(["put the red cube in the bin", "put the red cube in the can"])
    np.testing.assert_array_equal(longer[0], longer[1])
    assert encoder.encode([]).shape == (0, 16)


def test_text_encoder_refuses_incomplete_folders(tmp_path: Path, save_text_encoder: Save) -> None:
    folder = save_text_encoder(tmp_path / "encoder")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(EngineError, match="cannot read the tokenizer"):
        TextEncoder(folder)
    (folder / "config.yaml").write_text("name: x\n")
    with pytest.raises(EngineError, match="dim: Field required"):
        TextEncoder(folder)
    (folder / "config.yaml").unlink()
    with pytest.raises(EngineError, match=r"config\.yaml"):
        TextEncoder(folder)


def integer_product(path: Path, count: int = 1) -> Path:
    """A graph whose products, of the largest numbers there are, share their weights."""
    weights = numpy_helper.from_array(np.full((64, 8), 127, np.int8), "w")
    nodes = [helper.make_node("MatMulInteger", ["x", "w"], [f"y{i}"]) for i in range(count)]
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 64])
    outputs = [helper.make_tensor_value_info(f"y{i}", TensorProto.INT32, [1, 8]) for i in range(count)]
    graph = helper.make_graph(nodes, "g", [x], outputs, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    path.write_bytes(model.SerializeToString())
    return path


def test_integer_products_do_not_overflow(tmp_path: Path) -> None:
    """As they do by default on x86 processors without VNNI, where every sentence came out as another vector."""
    largest = {"x": np.full((1, 64), 255, np.uint8)}
    exact = [[64 * 255 * 127] * 8]
    assert OnnxEngine(integer_product(tmp_path / "g.onnx")).infer(largest)["y0"].tolist() == exact
    shared = integer_product(tmp_path / "shared.onnx", 2)
    try:
        engine = OnnxEngine(shared)
    except EngineError as error:  # exact or refused, depending on the processor, but never wrong
        assert "its int8 weights are used by more than one node" in str(error)
    else:
        assert [value.tolist() for value in engine.infer(largest).values()] == [exact] * 2
