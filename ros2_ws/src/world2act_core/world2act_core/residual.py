"""The residual head on the robot: what it does to a chunk, and the graph that works on top of any policy.

World2Act, Stage 2. Legend: M steps that are corrected and executed, T steps of a chunk, A action entries, C of a code.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from world2act_core.contract import Contract
from world2act_core.engine import Array, EngineError, OnnxEngine, ProviderName, TensorSpec
from world2act_core.graph_check import Expected, check_graph, observation_specs
from world2act_core.images import fit_images
from world2act_core.types import ActionChunk, FloatArray, Observation

if TYPE_CHECKING:
    from world2act_core.bundle import Bundle

GAIN = "residual_gain"
"""Input float32 [batch] of both graphs: 1 adds the residual, 0 gives the policy's own actions, bit for bit."""
ResidualForm = Literal["auto", "fused", "separate"]


class ResidualError(ValueError):
    """A residual that cannot be run this way; the message says what to do."""


class Corrector:
    """The residual's own graph: corrects the chunks of any policy with the same cameras, state and action.

    Inputs image_<camera> uint8 [1, h, w, 3], state [1, S], base_actions [1, M, A] and residual_gain [1]; outputs
    actions [1, M, A] in robot units and code [1, C] of them.
    """

    def __init__(
        self, path: Path, contract: Contract, steps: int, code: int, provider: ProviderName = "cpu", threads: int = 1
    ) -> None:
        """contract: what the residual was trained on. Raises EngineError when the graph does not fit it."""
        self.contract = contract
        self.steps = steps
        self._path = path
        self._engine = OnnxEngine(path, provider=provider, threads=threads, batch=1)
        check_graph(self._engine, list(_expected_specs(contract, steps, code)), str(path))

    @classmethod
    def of_bundle(cls, bundle: Bundle, provider: ProviderName = "cpu", threads: int = 1) -> Corrector | None:
        """The residual of a bundle; None when it has none."""
        residual = bundle.manifest.residual
        if residual is None:
            return None
        assert bundle.residual_path is not None and bundle.residual_contract is not None
        path, contract = bundle.residual_path, bundle.residual_contract
        return cls(path, contract, residual.steps, residual.code, provider, threads)

    def correct(self, observation: Observation, chunk: ActionChunk, gain: float = 1.0) -> ActionChunk:
        """The chunk that a policy gave for `observation`, with its first M steps corrected, its code and the change.

        gain: share of the residual in [0, 1]; with 0 the actions keep every bit. Raises ValueError when `observation`
        lacks a camera, EngineError when the chunk is too short or the result is not finite.
        """
        begin = time.perf_counter()
        base = np.asarray(chunk.actions, np.float32)
        if base.shape[0] < self.steps or base.shape[1] != self.contract.action_size:
            wanted = f"at least {self.steps} x {self.contract.action_size}"
            raise EngineError(f"{self._path} corrects chunks of {wanted} actions, got {list(base.shape)}")
        inputs: dict[str, Array] = {
            **fit_images(observation, self.contract.cameras),
            "state": np.asarray(observation.state, np.float32)[None],
            "base_actions": base[None, : self.steps],
            GAIN: np.array([gain], np.float32),
        }
        outputs = self._engine.infer(inputs)
        actions = np.concatenate([outputs["actions"][0], base[self.steps :]])
        chunk = with_residual(replace(chunk, actions=actions), base, outputs["code"][0], self.steps, self.contract)
        return replace(chunk, inference_s=chunk.inference_s + time.perf_counter() - begin)


def with_residual(
    chunk: ActionChunk, base: FloatArray, code: FloatArray, steps: int, contract: Contract
) -> ActionChunk:
    """`chunk` with its code [C], and the size of what was added to the policy's own actions `base` [T, A]."""
    size = residual_size(chunk.actions[:steps], base[:steps], contract)
    return replace(chunk, code=np.asarray(code, np.float32), residual_size=size)


def residual_size(actions: FloatArray, base: FloatArray, contract: Contract) -> float:
    """Mean absolute change of the executed steps [M, A] against the base's, in shares of half the contract's range."""
    half = (contract.action_high - contract.action_low) / 2
    return float(np.mean(np.abs(np.asarray(actions, np.float32) - base) / half))


def _expected_specs(contract: Contract, steps: int, code: int) -> Iterator[Expected]:
    yield from observation_specs(contract)
    yield "input", TensorSpec("base_actions", "float32", (1, steps, contract.action_size))
    yield "input", TensorSpec(GAIN, "float32", (1,))
    yield "output", TensorSpec("actions", "float32", (1, steps, contract.action_size))
    yield "output", TensorSpec("code", "float32", (1, code))
