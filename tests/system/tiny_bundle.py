"""A bundle small enough to be made inside a test: it lowers the arm and says it is done when the arm is low enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from world2act_core.bundle import write_manifest
from world2act_core.contract import Contract
from world2act_core.manifest import read_manifest
from world2act_core.monitor_config import (
    CalibrationFacts,
    MonitorConfig,
    Separation,
    install_monitor,
    weights_of,
)
from world2act_core.tabletop import TEXT_ENCODER, tabletop_contract

OPSET = 18
DROP_M = 0.02
"""How far down the arm goes per step."""


def make_bundle(
    folder: Path,
    robot: str = "Panda",
    done_below_m: float = 0.02,
    nan_below_m: float | None = None,
    rows: int | None = None,
) -> Path:
    """A bundle in folder/tiny, its text encoder beside it.

    done_below_m: `done` is 1 when the end effector is lower than this in the base frame; nan_below_m: below this height
    every action is NaN (None: never); rows: so many actions come out, without being declared (None: as the contract
    says).
    """
    contract = tabletop_contract(robot)
    bundle, encoder = folder / "tiny", folder / "encoder"
    bundle.mkdir(parents=True)
    encoder.mkdir()
    contract.to_yaml(bundle / "contract.yaml")
    onnx.save(_policy(contract, done_below_m, nan_below_m, rows), str(bundle / "policy.onnx"))
    _write_encoder(encoder)
    write_manifest(
        bundle, name="tiny", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
        text_encoder_folder="../encoder",
    )  # fmt: skip
    return bundle


def add_monitor(bundle: Path, threshold: float = 0.5, max_retries: int = 2) -> MonitorConfig:
    """Put a monitor into a bundle that raises the alarm at every chunk whose alignment score is below `threshold`."""
    manifest = read_manifest(bundle)
    area = Separation(auc=0.9, interval=(0.8, 1.0), failures=10, successes=20)
    facts = CalibrationFacts(
        created="2026-01-01T00:00:00Z", bundle_name="tiny", bundle_sha256="0" * 64, weights=weights_of(manifest.files),
        protocol={}, false_alarm_limit=0.05, calibration_failures=10, calibration_successes=20, auc=area,
        auc_equal_length=area,
    )  # fmt: skip
    monitor = MonitorConfig(
        enabled=True, score="alignment_score", alarm_when="below", threshold=threshold, window=1, minimum_chunks=1,
        max_retries=max_retries, calibration=facts,
    )  # fmt: skip
    install_monitor(bundle, manifest, monitor)
    return monitor


def _policy(contract: Contract, done_below_m: float, nan_below_m: float | None, rows: int | None) -> onnx.ModelProto:
    """Actions: down by DROP_M, plus a trace of pictures, text and noise so that each of them matters."""
    steps, size = contract.chunk_length, contract.action_size
    base = np.zeros((1, steps, size), dtype=np.float32)
    base[..., 2], base[..., 6] = -DROP_M, -1.0
    sideways = np.zeros((1, 1, size), dtype=np.float32)
    sideways[..., 1] = 1e-4
    floor = -1e9 if nan_below_m is None else nan_below_m
    constants = {
        "base": base, "sideways": sideways, "height_index": np.array([2], dtype=np.int64),
        "threshold": np.array([done_below_m], dtype=np.float32), "floor": np.array([floor], dtype=np.float32),
        "shape": np.array([-1, 1, 1], dtype=np.int64), "flat": np.array([-1], dtype=np.int64),
        "zero": np.array([0.0], dtype=np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", ["image_scene"], ["scene"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["image_wrist"], ["wrist"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["scene", "axes3"], ["scene_mean"], keepdims=0),
        helper.make_node("ReduceMean", ["wrist", "axes3"], ["wrist_mean"], keepdims=0),
        helper.make_node("ReduceMean", ["text", "axes1"], ["text_mean"], keepdims=0),
        helper.make_node("ReduceMean", ["noise", "axes2"], ["noise_mean"], keepdims=0),
        helper.make_node("Sum", ["scene_mean", "wrist_mean", "text_mean", "noise_mean"], ["trace"]),
        helper.make_node("Sin", ["trace"], ["wave"]),
        helper.make_node("Reshape", ["wave", "shape"], ["wave3"]),
        helper.make_node("Mul", ["wave3", "sideways"], ["shift"]),
        helper.make_node("Add", ["base", "shift"], ["moved"]),
        helper.make_node("Gather", ["state", "height_index"], ["height2"], axis=1),
        helper.make_node("Reshape", ["height2", "flat"], ["height"]),
        helper.make_node("Less", ["height", "threshold"], ["low"]),
        helper.make_node("Cast", ["low"], ["done"], to=TensorProto.FLOAT),
        # sqrt of min(height - floor, 0), a negative number, is NaN; of 0 it is 0.
        helper.make_node("Sub", ["height", "floor"], ["above"]),
        helper.make_node("Min", ["above", "zero"], ["beneath"]),
        helper.make_node("Sqrt", ["beneath"], ["poison"]),
        helper.make_node("Reshape", ["poison", "shape"], ["poison3"]),
        helper.make_node("Add", ["moved", "poison3"], ["all_actions" if rows else "actions"]),
    ]
    if rows:
        # So many rows plus nothing, computed from an input so that ONNX Runtime cannot foresee the shape.
        constants |= {"rows": np.array([rows], dtype=np.int64), "from": np.array([0], dtype=np.int64)}
        nodes += [
            helper.make_node("Mul", ["height", "zero"], ["nothing"]),
            helper.make_node("Cast", ["nothing"], ["no_rows"], to=TensorProto.INT64),
            helper.make_node("Add", ["rows", "no_rows"], ["to"]),
            helper.make_node("Slice", ["all_actions", "from", "to", "axes1"], ["actions"]),
        ]
    for axes in ((1, 2, 3), (1,), (1, 2)):
        constants[f"axes{len(axes)}"] = np.array(axes, dtype=np.int64)
    inputs = [
        helper.make_tensor_value_info(f"image_{c.name}", TensorProto.UINT8, ["batch", c.height, c.width, 3])
        for c in contract.cameras
    ]
    inputs += [
        helper.make_tensor_value_info("state", TensorProto.FLOAT, ["batch", contract.state_size]),
        helper.make_tensor_value_info("text", TensorProto.FLOAT, ["batch", contract.text_encoder.dim]),
        helper.make_tensor_value_info("noise", TensorProto.FLOAT, ["batch", steps, size]),
    ]
    outputs = [
        helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", "rows" if rows else steps, size]),
        helper.make_tensor_value_info("done", TensorProto.FLOAT, ["batch"]),
    ]
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return _model(nodes, inputs, outputs, values)


def _write_encoder(folder: Path) -> None:
    """A text encoder whose vector is one of a few, chosen by the number of words."""
    table = np.random.default_rng(0).normal(size=(64, TEXT_ENCODER.dim)).astype(np.float32)
    values = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axes")]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"], axis=0),
        helper.make_node("ReduceMean", ["rows", "axes"], ["vector"], keepdims=0),
    ]
    ids = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])]
    vector = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", TEXT_ENCODER.dim])]
    onnx.save(_model(nodes, ids, vector, values), str(folder / "model.onnx"))
    words = ["[UNK]", "pick", "up", "put", "stack", "the", "in", "on", "red", "green", "blue", "cube", "bin", "plate"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"name": TEXT_ENCODER.name, "dim": TEXT_ENCODER.dim, "max_tokens": 32}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def _model(nodes: list, inputs: list, outputs: list, values: list) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model
