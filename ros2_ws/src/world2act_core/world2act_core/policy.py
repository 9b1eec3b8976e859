"""A bundle as a policy: observation and prompt in, action chunk out."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from world2act_core.bundle import Bundle
from world2act_core.engine import Array, Engine, EngineError, ProviderName, TensorSpec
from world2act_core.images import fit_image
from world2act_core.types import ActionChunk, FloatArray, Observation


class BundlePolicy:
    """Runs a bundle's graph: inputs image_<camera> uint8 [1, h, w, 3], state [1, S], text [1, D], noise [1, T, A];
    outputs actions [1, T, A] in robot units and done [1].

    Raises EngineError when the graph does not take and give what the contract says.
    """

    def __init__(self, bundle: Bundle, provider: ProviderName = "cpu", threads: int = 1) -> None:
        self.bundle = bundle
        self.contract = bundle.contract
        self._engine = bundle.engine(provider, threads, batch=1)
        self._encoder = bundle.text_encoder(threads)
        self._sequence = 0
        _check_graph(self._engine, list(_expected_specs(bundle)), str(bundle.graph_path))

    @property
    def provider(self) -> str:
        """What executes the graph, in ONNX Runtime's words."""
        return self._engine.provider

    def warm_up(self) -> None:
        """Run everything once or twice, so that the first chunk is not the slow one; EngineError as from `act`."""
        self._engine.warm_up(1)
        images = {camera.name: np.zeros((camera.height, camera.width, 3), np.uint8) for camera in self.contract.cameras}
        self.act(Observation(0.0, images, np.zeros(self.contract.state_size, np.float32)), "")
        self._sequence = 0

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """The chunk that starts at the observation's time.

        noise: float32 [T, A], the flow's starting point (None: zeros, always the same answer); other noise gives
        other candidates. Raises ValueError for images or state that do not fit the contract, EngineError for an
        output that is not finite or not of the contract's shape.
        """
        begin = time.perf_counter()
        outputs = self._engine.infer(self._inputs(observation, prompt, noise))
        self._check_shapes(outputs)
        self._sequence += 1
        return ActionChunk(
            sequence=self._sequence,
            start_time_s=observation.time_s,
            step_s=self.contract.step_s,
            actions=np.asarray(outputs["actions"][0], dtype=np.float32),
            done=float(np.clip(outputs["done"].reshape(-1)[0], 0.0, 1.0)),
            inference_s=time.perf_counter() - begin,
            skill_id=skill_id,
        )

    def _check_shapes(self, outputs: dict[str, Array]) -> None:
        # A graph need not declare its sizes, so what it declares says less than what it gives.
        steps = (1, self.contract.chunk_length, self.contract.action_size)
        for name, wanted in (("actions", steps), ("done", (1,))):
            if outputs[name].shape != wanted:
                raise EngineError(
                    f"{self.bundle.graph_path}: output '{name}' has shape {list(outputs[name].shape)}, "
                    f"the contract wants {list(wanted)}"
                )

    def _inputs(self, observation: Observation, prompt: str, noise: FloatArray | None) -> dict[str, Array]:
        contract = self.contract
        state = np.asarray(observation.state, dtype=np.float32)
        if state.shape != (contract.state_size,) or not np.isfinite(state).all():
            raise ValueError(f"state must be {contract.state_size} finite numbers, got shape {state.shape}: {state}")
        missing = [camera.name for camera in contract.cameras if camera.name not in observation.images]
        if missing:
            raise ValueError(f"observation lacks cameras {missing}; it has {sorted(observation.images)}")
        shape = (contract.chunk_length, contract.action_size)
        start = np.zeros(shape, dtype=np.float32) if noise is None else np.asarray(noise, dtype=np.float32)
        if start.shape != shape:
            raise ValueError(f"noise must have shape {shape}, got {start.shape}")
        arrays: dict[str, Array] = {
            f"image_{camera.name}": fit_image(observation.images[camera.name], camera)[None]
            for camera in contract.cameras
        }
        return arrays | {"state": state[None], "text": self._encoder.encode([prompt]), "noise": start[None]}


def _expected_specs(bundle: Bundle) -> Iterator[tuple[str, TensorSpec]]:
    """What the contract asks of the graph: ("input" or "output", spec), with batch 1."""
    contract = bundle.contract
    steps = (1, contract.chunk_length, contract.action_size)
    for camera in contract.cameras:
        yield "input", TensorSpec(f"image_{camera.name}", "uint8", (1, camera.height, camera.width, 3))
    yield "input", TensorSpec("state", "float32", (1, contract.state_size))
    yield "input", TensorSpec("text", "float32", (1, contract.text_encoder.dim))
    yield "input", TensorSpec("noise", "float32", steps)
    yield "output", TensorSpec("actions", "float32", steps)
    yield "output", TensorSpec("done", "float32", (1,))


def _check_graph(engine: Engine, expected: list[tuple[str, TensorSpec]], path: str) -> None:
    problems = []
    for role, want in expected:
        have = (engine.inputs if role == "input" else engine.outputs).get(want.name)
        if have is None:
            problems.append(f"{role} '{want.name}' is missing")
        elif have.dtype != want.dtype or not have.accepts(tuple(size or 0 for size in want.shape)):
            problems.append(f"{role} should take {want}, the graph has {have}")
    extra = set(engine.inputs) - {want.name for role, want in expected if role == "input"}
    problems += [f"unknown input '{name}'" for name in sorted(extra)]
    if problems:
        raise EngineError(f"{path} does not fit its contract: {'; '.join(problems)}")
