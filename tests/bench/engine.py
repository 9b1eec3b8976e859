"""Section "engine": our ONNX engine against torch eager, the same network with equal output, one thread each."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from tests.bench.bundles import usable_bundle
from tests.bench.network import network_of_graph
from tests.bench.results import BenchError, Check, Section, Stage
from tests.bench.settings import Settings
from tests.bench.timing import compare, interleave, timed
from training.export.policy import ExportedPolicy, random_inputs
from training.vla.model import NanoVla
from world2act_core.bundle import load_bundle
from world2act_core.engine import OnnxEngine

TARGET = 2.0
TOLERANCE = 2e-4
"""Largest allowed difference of any output: float32 in another order of summation."""
PROFILED_RUNS = 40
Inputs = dict[str, NDArray[Any]]


def run(settings: Settings) -> Section:
    """Measure. Raises BenchError when the two do not give the same output."""
    section = Section("engine")
    folder, note = usable_bundle(settings.bundle, settings.work)
    bundle = load_bundle(folder)
    torch.set_num_threads(1)
    network = network_of_graph(bundle.graph_path, bundle.contract)
    engine = bundle.engine(threads=1, batch=1)
    batches = [random_inputs(network, 1, seed) for seed in range(8)]
    difference = _largest_difference(engine, network, batches)
    section.checks.append(
        Check("equal output", difference, "max abs difference", f"<= {TOLERANCE:g}", difference <= TOLERANCE)
    )
    if difference > TOLERANCE:
        raise BenchError(f"{bundle.graph_path} and torch differ by {difference:g}: their times cannot be compared")
    section.rows.append(_row(engine, network, batches[0], settings))
    section.stages += _stages(bundle.graph_path, batches[0])
    section.notes.append(f"{note}; batch 1, float32, pictures in as uint8, robot units out")
    return section


def _row(engine: OnnxEngine, network: NanoVla, inputs: Inputs, settings: Settings) -> Any:
    policy = ExportedPolicy(network).eval()
    images, state, text, noise = _tensors(network, inputs)

    def eager() -> None:
        with torch.inference_mode():
            policy(images, state, text, noise)

    for _ in range(10):
        engine.infer(inputs)
        eager()
    found = interleave(
        {"ours": lambda: timed(lambda: engine.infer(inputs), 3), "theirs": lambda: timed(eager, 3)},
        settings.pick(120, 10),
    )
    return compare(
        "inference latency, batch 1, one thread",
        f"torch {torch.__version__} eager, inference mode, the same network",
        found["ours"],
        found["theirs"],
        unit="ms",
        rate=False,
        at_least=TARGET,
    )


def _tensors(network: NanoVla, inputs: Inputs) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor, torch.Tensor]:
    tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
    images = [tensors[f"image_{camera.name}"] for camera in network.contract.cameras]
    return images, tensors["state"], tensors["text"], tensors["noise"]


def _largest_difference(engine: OnnxEngine, network: NanoVla, batches: list[Inputs]) -> float:
    policy = ExportedPolicy(network).eval()
    largest = 0.0
    for inputs in batches:
        ours = engine.infer(inputs)
        with torch.inference_mode():
            theirs = dict(zip(("actions", "done"), policy(*_tensors(network, inputs))))
        for name, value in theirs.items():
            largest = max(largest, float(np.abs(ours[name] - value.numpy()).max()))
    return largest


def _stages(graph: Path, inputs: Inputs) -> list[Stage]:
    """Where ONNX Runtime spends its time, by kind of operation (with its profiler on, which costs a little)."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(graph), sess_options=options, providers=["CPUExecutionProvider"])
        for _ in range(PROFILED_RUNS):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values()) or 1
    top = spent.most_common(6)
    parts = [*top, ("all other operations", total - sum(value for _, value in top))]
    return [Stage("one inference", name, value / 1e3 / PROFILED_RUNS, value / total) for name, value in parts]
