"""Bundles and graphs small enough to build in a test, with the real file formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from world2act_core.contract import Contract
from world2act_core.manifest import ResidualFiles, read_manifest, write_manifest
from world2act_core.tabletop import tabletop_contract

# The same examples in every run, and no time limits: the machines are shared.
settings.register_profile("world2act", deadline=None, derandomize=True)
settings.load_profile("world2act")

ENCODER_WORDS = ["[UNK]", "pick", "up", "put", "the", "red", "cube", "can", "in", "bin"]


def write_graph(
    path: Path, nodes: list, inputs: list, outputs: list, weights: dict[str, np.ndarray] | None = None
) -> Path:
    """Write an ONNX model with opset 18; inputs and outputs are (name, elem type, shape) triples."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*spec) for spec in inputs],
        [helper.make_tensor_value_info(*spec) for spec in outputs],
        initializer=[numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def write_policy_graph(path: Path, contract: Contract, actions_name: str = "actions") -> Path:
    """actions = noise + mean(image_scene) / 255 + state[0]; done = text[0]: every input but the wrist shows."""
    steps, size = contract.chunk_length, contract.action_size
    nodes = [
        helper.make_node("Cast", ["image_scene"], ["scene"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["scene", "axes"], ["scene_mean"], keepdims=1),
        helper.make_node("Reshape", ["scene_mean", "b11"], ["scene_bias"]),
        helper.make_node("Div", ["scene_bias", "white"], ["brightness"]),
        helper.make_node("Gather", ["state", "zero"], ["first"], axis=1),
        helper.make_node("Reshape", ["first", "b11"], ["first_bias"]),
        helper.make_node("Add", ["noise", "brightness"], ["lit"]),
        helper.make_node("Cast", ["image_wrist"], ["wrist"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wrist", "axes"], ["wrist_mean"], keepdims=1),
        helper.make_node("Reshape", ["wrist_mean", "b11"], ["wrist_bias"]),
        helper.make_node("Mul", ["wrist_bias", "nothing"], ["wrist_zero"]),
        helper.make_node("Add", ["lit", "wrist_zero"], ["seen"]),
        helper.make_node("Add", ["seen", "first_bias"], [actions_name]),
        helper.make_node("Gather", ["text", "zero"], ["text_first"], axis=1),
        helper.make_node("Reshape", ["text_first", "flat"], ["done"]),
    ]
    weights = {
        "axes": np.array([1, 2, 3], dtype=np.int64),
        "b11": np.array([-1, 1, 1], dtype=np.int64),
        "flat": np.array([-1], dtype=np.int64),
        "white": np.array(255.0, dtype=np.float32),
        "nothing": np.array(0.0, dtype=np.float32),
        "zero": np.array([0], dtype=np.int64),
    }
    inputs = [
        (f"image_{camera.name}", TensorProto.UINT8, ["B", camera.height, camera.width, 3])
        for camera in contract.cameras
    ]
    inputs += [
        ("state", TensorProto.FLOAT, ["B", contract.state_size]),
        ("text", TensorProto.FLOAT, ["B", contract.text_encoder.dim]),
        ("noise", TensorProto.FLOAT, ["B", steps, size]),
    ]
    outputs = [(actions_name, TensorProto.FLOAT, ["B", steps, size]), ("done", TensorProto.FLOAT, ["B"])]
    return write_graph(path, nodes, inputs, outputs, weights)


def write_text_encoder(folder: Path, dim: int = 384, name: str = "all-minilm-l6-v2") -> Path:
    """A real tokenizer of ten words and a graph that averages random word vectors over the mask."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate(ENCODER_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.random.default_rng(0).normal(size=(len(vocabulary), dim)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["words", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis1"], ["embedding"], keepdims=0),
    ]
    weights = {"table": table, "last": np.array([2], dtype=np.int64), "axis1": np.array([1], dtype=np.int64)}
    ids = [(key, TensorProto.INT64, ["N", "L"]) for key in ("input_ids", "attention_mask")]
    write_graph(folder / "model.onnx", nodes, ids, [("embedding", TensorProto.FLOAT, ["N", dim])], weights)
    (folder / "config.yaml").write_text(yaml.safe_dump({"name": name, "dim": dim, "max_tokens": 6}))
    return folder


@pytest.fixture
def save_graph() -> Callable[..., Path]:
    """`write_graph`, for test files (which cannot import this one)."""
    return write_graph


@pytest.fixture
def save_policy_graph() -> Callable[..., Path]:
    """`write_policy_graph`, for test files."""
    return write_policy_graph


@pytest.fixture
def save_text_encoder() -> Callable[..., Path]:
    """`write_text_encoder`, for test files."""
    return write_text_encoder


@pytest.fixture
def contract() -> Contract:
    return tabletop_contract(image_size=16)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a complete bundle and its text encoder; arguments vary what is inside."""

    def make(name: str = "nano", contract: Contract | None = None, graph_contract: Contract | None = None) -> Path:
        chosen = contract or tabletop_contract(image_size=16)
        folder = tmp_path / name
        write_text_encoder(tmp_path / "text-encoder")
        write_policy_graph(folder / "policy.onnx", graph_contract or chosen)
        chosen.to_yaml(folder / "contract.yaml")
        (folder / "card.md").write_text("# a test bundle\n")
        write_manifest(
            folder,
            name=name,
            created="2026-01-01T00:00:00Z",
            licence="Apache-2.0",
            world2act_version="0.1.0",
            text_encoder_folder="../text-encoder",
        )
        return folder

    return make


def write_residual_graph(path: Path, contract: Contract, steps: int = 4, code: int = 5) -> Path:
    """actions = base + gain * state[0] where the gain is not 0; code = the first values of actions."""
    size = contract.action_size
    nodes = [
        helper.make_node("Gather", ["state", "zero"], ["first"], axis=1),
        helper.make_node("Reshape", ["first", "b11"], ["shift"]),
        helper.make_node("Reshape", ["residual_gain", "b11"], ["gain"]),
        helper.make_node("Mul", ["shift", "gain"], ["change"]),
        helper.make_node("Add", ["base_actions", "change"], ["moved"]),
        helper.make_node("Equal", ["gain", "none"], ["off"]),
        helper.make_node("Where", ["off", "base_actions", "moved"], ["actions"]),
        helper.make_node("Reshape", ["actions", "flat"], ["row"]),
        helper.make_node("Gather", ["row", "entries"], ["code"], axis=1),
    ]
    weights = {
        "zero": np.array([0], dtype=np.int64),
        "b11": np.array([-1, 1, 1], dtype=np.int64),
        "none": np.array(0.0, dtype=np.float32),
        "flat": np.array([-1, steps * size], dtype=np.int64),
        "entries": np.arange(code, dtype=np.int64),
    }
    inputs = [
        (f"image_{camera.name}", TensorProto.UINT8, ["B", camera.height, camera.width, 3])
        for camera in contract.cameras
    ]
    inputs += [
        ("state", TensorProto.FLOAT, ["B", contract.state_size]),
        ("base_actions", TensorProto.FLOAT, ["B", steps, size]),
        ("residual_gain", TensorProto.FLOAT, ["B"]),
    ]
    outputs = [("actions", TensorProto.FLOAT, ["B", steps, size]), ("code", TensorProto.FLOAT, ["B", code])]
    return write_graph(path, nodes, inputs, outputs, weights)


@pytest.fixture
def add_residual(make_bundle: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes a bundle with a residual of its own graph; arguments vary what is inside."""

    def add(contract: Contract | None = None, graph_code: int = 5, **changes: object) -> Path:
        folder = make_bundle()
        chosen = contract or tabletop_contract(image_size=16)
        write_residual_graph(folder / "residual.onnx", chosen, code=graph_code)
        chosen.to_yaml(folder / "residual-contract.yaml")
        rewrite_manifest(folder, ResidualFiles(**{"steps": 4, "code": 5, "action_adapter": "a" * 64, **changes}))
        return folder

    return add


def rewrite_manifest(folder: Path, residual: ResidualFiles | None = None) -> None:
    """The manifest anew, for whatever is in the folder now."""
    fields = read_manifest(folder)
    write_manifest(
        folder,
        name=fields.name,
        created=fields.created,
        licence=fields.licence,
        world2act_version=fields.world2act_version,
        text_encoder_folder=fields.text_encoder.folder,
        residual=residual or fields.residual,
    )


@pytest.fixture
def renew_manifest() -> Callable[..., None]:
    """`rewrite_manifest`, for test files."""
    return rewrite_manifest
