"""``measure-latency``: what the residual adds to one inference of the exported graph."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.common.disk import write_text_atomically
from training.common.errors import EvaluationError
from training.common.machine import describe_machine, git_commit
from world2act_core.engine import Engine, EngineError, OnnxEngine
from world2act_core.files import sha256_file

LATENCY = "latency.json"


@dataclass(frozen=True)
class LatencyConfig:
    """Time two ONNX graphs, taking turns, batch 1."""

    base: Path = Path("models/tabletop-nano-world2act/policy.onnx")
    """The policy."""
    residual: Path = Path("models/tabletop-nano-world2act/policy-residual.onnx")
    """The same policy with the residual in its graph."""
    out: Path = Path("runs/evaluation/latency")
    rounds: int = 2000
    warm_up: int = 20
    threads: int = 1
    seed: int = 0


def measure_latency(config: LatencyConfig) -> dict[str, Any]:
    """Entry point of ``python -m training measure-latency``; returns what is written to ``latency.json``."""
    if config.rounds < 2:
        raise EvaluationError(f"--rounds must be at least 2, got {config.rounds}")
    graphs = {"base": config.base, "residual": config.residual}
    engines = {name: _open(graph, config.threads) for name, graph in graphs.items()}
    inputs = {name: made_up_inputs(engine, config.seed) for name, engine in engines.items()}
    for _ in range(config.warm_up):
        for name, engine in engines.items():
            engine.infer(inputs[name])
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in track(range(config.rounds), "timing"):
        for name, engine in engines.items():
            began = time.perf_counter()
            engine.infer(inputs[name])
            seconds[name].append(time.perf_counter() - began)
    share, low, high = added_share(np.array(seconds["base"]), np.array(seconds["residual"]), config.seed)
    medians = {name: round(1e3 * float(np.median(values)), 4) for name, values in seconds.items()}
    report = {
        "milliseconds": medians,
        "added_share": share,
        "interval": [low, high],
        "rounds": config.rounds,
        "threads": config.threads,
        "graphs": {name: sha256_file(graph) for name, graph in graphs.items()},
        "provider": engines["base"].provider,
        "commit": git_commit(),
        "machine": describe_machine(),
    }
    write_text_atomically(config.out / LATENCY, json.dumps(report, indent=1) + "\n")
    shown = ", ".join(f"{name} {value:.2f} ms" for name, value in medians.items())
    print(f"{shown}: {share:+.1%} [{low:+.1%}, {high:+.1%}]")
    return report


def added_share(
    base: NDArray[np.float64], residual: NDArray[np.float64], seed: int, draws: int = 2000
) -> tuple[float, float, float]:
    """(median(residual) / median(base) - 1, low, high): a 95 % bootstrap interval over rounds, both timed in each."""
    rows = np.random.default_rng(seed).integers(len(base), size=(draws, len(base)))
    ratios = np.median(residual[rows], axis=1) / np.median(base[rows], axis=1) - 1.0
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(np.median(residual) / np.median(base) - 1.0), float(low), float(high)


def made_up_inputs(engine: Engine, seed: int) -> dict[str, NDArray[Any]]:
    """Random pictures, and ones for everything else: a graph with a residual may have a switch, which is then on."""
    rng = np.random.default_rng(seed)
    inputs: dict[str, NDArray[Any]] = {}
    for name, spec in engine.inputs.items():
        shape = tuple(size or 1 for size in spec.shape)
        inputs[name] = rng.integers(0, 256, shape, np.uint8) if spec.dtype == "uint8" else np.ones(shape, spec.dtype)
    return inputs


def _open(graph: Path, threads: int) -> OnnxEngine:
    if not graph.exists():
        raise EvaluationError(f"there is no graph {graph}; export the policy and its residual first")
    try:
        return OnnxEngine(graph, provider="cpu", threads=threads, batch=1)
    except EngineError as error:
        raise EvaluationError(str(error)) from error
