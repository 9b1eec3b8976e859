"""Do the exported residual and the joined graph say what torch and the policy alone say?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.errors import ExportError
from training.export.onnx_tools import infer
from training.export.policy import random_inputs, recorded_inputs
from training.export.residual_graph import run_torch
from training.post_training.residual import ResidualHead
from world2act_core.contract import Contract
from world2act_core.engine import OnnxEngine
from world2act_core.residual import GAIN

TOLERANCE = {"actions": 2e-4, "code": 1e-4}
"""Largest difference: of an action in shares of half the contract's range, of a code relative to its largest entry."""
Inputs = dict[str, NDArray[Any]]


def inputs_of(head: ResidualHead, cache: Path, count: int) -> list[Inputs]:
    """``count`` made-up inputs and, where the cache is on this machine, as many recorded ones; by the inputs' names.

    Base chunks are spread over the limits, and a few entries are at a limit or beyond it.
    """
    batches = [random_inputs(head, count, seed=0)]
    recorded = recorded_inputs(head, cache, count)
    if recorded is not None and all(recorded[name].shape == value.shape for name, value in batches[0].items()):
        batches.append(recorded)
    low, high = head.contract.action_low, head.contract.action_high
    rng = np.random.default_rng(3)
    for batch in batches:
        share = rng.uniform(-0.1, 1.1, (count, head.steps, head.contract.action_size))
        batch["base_actions"] = (low + (high - low) * share).astype(np.float32)
        batch[GAIN] = np.resize(np.array([1.0, 1.0, 0.5, 0.0], np.float32), count)
    return batches


def check_residual(head: ResidualHead, graph: Path, batches: list[Inputs]) -> dict[str, float]:
    """Largest difference per output between torch and the residual's graph; ExportError beyond TOLERANCE."""
    largest = dict.fromkeys(TOLERANCE, 0.0)
    for batch in batches:
        inputs = {name: value for name, value in batch.items() if name not in ("text", "noise")}
        expected = run_torch(head, inputs)
        for part in (inputs, {name: value[:1] for name, value in inputs.items()}):
            actual = infer(graph, part)
            _compare(largest, actual, {name: expected[name][: len(value)] for name, value in actual.items()}, head)
            off = part[GAIN] == 0
            if not _same_bits(actual["actions"][off], part["base_actions"][off]):
                raise ExportError(f"{graph.name} changes actions with a gain of 0; nothing was written")
    return _within(largest, graph)


def check_fused(
    head: ResidualHead, policy: Path, fused: Path, contract: Contract, batches: list[Inputs]
) -> dict[str, float]:
    """The same for the joined graph, on the policy's own answers, with the robot's engine and one input at a time.

    With a gain of 0 actions and done must be those of the policy's graph to the last bit.
    """
    alone, joined = (OnnxEngine(path, threads=1, batch=1) for path in (policy, fused))
    largest = dict.fromkeys(TOLERANCE, 0.0)
    for batch in batches:
        for row in range(len(batch["state"])):
            inputs = {name: batch[name][row : row + 1] for name in alone.inputs}
            answer = alone.infer(inputs)
            off, on = (joined.infer(inputs | {GAIN: np.array([gain], np.float32)}) for gain in (0.0, 1.0))
            kept = [(off["actions"], answer["actions"]), (off["done"], answer["done"]), (on["done"], answer["done"])]
            kept += [(on["base_actions"], answer["actions"])]
            rest = slice(head.steps, contract.chunk_length)
            kept += [(on["actions"][:, rest], answer["actions"][:, rest])]
            if not all(_same_bits(mine, theirs) for mine, theirs in kept):
                raise ExportError(
                    f"{fused.name} does not give the policy's own answer with the residual switched off; export with "
                    "--no-fused, and the robot runs both graphs one after the other"
                )
            first = answer["actions"][:, : head.steps]
            expected = run_torch(head, inputs | {"base_actions": first, GAIN: np.ones(1, np.float32)})
            actual = {"actions": on["actions"][:, : head.steps], "code": on["code"]}
            _compare(largest, actual, expected, head)
    return _within(largest, fused)


def _compare(largest: dict[str, float], actual: Mapping[str, Any], expected: Inputs, head: ResidualHead) -> None:
    half = (head.contract.action_high - head.contract.action_low) / 2
    scales = {"actions": half, "code": max(1e-6, float(np.abs(expected["code"]).max()))}
    for name in largest:
        largest[name] = max(largest[name], float((np.abs(actual[name] - expected[name]) / scales[name]).max()))


def _within(largest: dict[str, float], graph: Path) -> dict[str, float]:
    wrong = {name: value for name, value in largest.items() if not value <= TOLERANCE[name]}
    if wrong:
        raise ExportError(f"{graph.name} differs from torch by {wrong}, allowed {TOLERANCE}; nothing was written")
    return largest


def _same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
