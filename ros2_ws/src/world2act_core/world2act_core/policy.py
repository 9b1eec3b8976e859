"""A bundle as a policy: observation and prompt in, action chunk out, corrected by the residual if there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from world2act_core.bundle import Bundle
from world2act_core.engine import Array, EngineError, ProviderName, TensorSpec
from world2act_core.graph_check import Expected, check_graph, observation_specs
from world2act_core.images import fit_images
from world2act_core.residual import GAIN, Corrector, ResidualError, ResidualForm, with_residual
from world2act_core.types import ActionChunk, FloatArray, Observation


class BundlePolicy:
    """Runs a bundle's graph: inputs image_<camera> uint8 [1, h, w, 3], state [1, S], text [1, D], noise [1, T, A];
    outputs actions [1, T, A] in robot units and done [1].

    residual_on: whether the bundle's residual corrects what is executed, looked at by every inference; off, the actions
    are those of the policy alone, bit for bit. At first it is what the manifest says. It has no effect on a bundle
    without a residual. code_wanted: whether chunks need their code (for the alignment score) all the same; where not,
    a residual that is off and a graph of its own costs nothing.
    """

    def __init__(
        self, bundle: Bundle, provider: ProviderName = "cpu", threads: int = 1, form: ResidualForm = "auto"
    ) -> None:
        """form: run policy and residual as one graph ("fused"), as two ("separate"), or as one if the bundle has it.

        Raises EngineError when a graph does not take and give what the contract says, ResidualError when the bundle has
        no graph of that form.
        """
        self.bundle = bundle
        self.contract = bundle.contract
        self.residual_on = bundle.manifest.residual_is_on("auto")
        self.code_wanted = True
        self._fused = _is_fused(bundle, form)
        self._engine = bundle.engine(provider, threads, batch=1, fused=self._fused)
        self._corrector = None if self._fused else Corrector.of_bundle(bundle, provider, threads)
        self._encoder = bundle.text_encoder(threads)
        self._sequence = 0
        check_graph(self._engine, list(_expected_specs(bundle, self._fused)), str(self._engine.path))

    @property
    def has_residual(self) -> bool:
        """Whether the bundle has a residual."""
        return self.bundle.manifest.residual is not None

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
        gain = 1.0 if self.residual_on else 0.0
        inputs = self._inputs(observation, prompt, noise)
        outputs = self._engine.infer(inputs | {GAIN: np.array([gain], np.float32)} if self._fused else inputs)
        self._check_shapes(outputs)
        self._sequence += 1
        chunk = ActionChunk(
            sequence=self._sequence,
            start_time_s=observation.time_s,
            step_s=self.contract.step_s,
            actions=np.asarray(outputs["actions"][0], dtype=np.float32),
            done=float(np.clip(outputs["done"].reshape(-1)[0], 0.0, 1.0)),
            skill_id=skill_id,
        )
        if self._fused:
            assert self.bundle.manifest.residual is not None
            steps = self.bundle.manifest.residual.steps
            chunk = with_residual(chunk, outputs["base_actions"][0], outputs["code"][0], steps, self.contract)
        elif self._corrector is not None and (self.residual_on or self.code_wanted):
            chunk = self._corrector.correct(observation, chunk, gain)
        elif self._corrector is not None:
            chunk = replace(chunk, residual_size=0.0)
        return replace(chunk, inference_s=time.perf_counter() - begin)

    def _check_shapes(self, outputs: dict[str, Array]) -> None:
        # A graph need not declare its sizes, so what it declares says less than what it gives.
        steps = (1, self.contract.chunk_length, self.contract.action_size)
        for name, wanted in (("actions", steps), ("done", (1,))):
            if outputs[name].shape != wanted:
                raise EngineError(
                    f"{self._engine.path}: output '{name}' has shape {list(outputs[name].shape)}, "
                    f"the contract wants {list(wanted)}"
                )

    def _inputs(self, observation: Observation, prompt: str, noise: FloatArray | None) -> dict[str, Array]:
        contract = self.contract
        state = np.asarray(observation.state, dtype=np.float32)
        if state.shape != (contract.state_size,) or not np.isfinite(state).all():
            raise ValueError(f"state must be {contract.state_size} finite numbers, got shape {state.shape}: {state}")
        shape = (contract.chunk_length, contract.action_size)
        start = np.zeros(shape, dtype=np.float32) if noise is None else np.asarray(noise, dtype=np.float32)
        if start.shape != shape:
            raise ValueError(f"noise must have shape {shape}, got {start.shape}")
        images = fit_images(observation, contract.cameras)
        return images | {"state": state[None], "text": self._encoder.encode([prompt]), "noise": start[None]}


def _expected_specs(bundle: Bundle, fused: bool) -> Iterator[Expected]:
    """What the contract asks of the graph."""
    contract = bundle.contract
    steps = (1, contract.chunk_length, contract.action_size)
    yield from observation_specs(contract)
    yield "input", TensorSpec("text", "float32", (1, contract.text_encoder.dim))
    yield "input", TensorSpec("noise", "float32", steps)
    yield "output", TensorSpec("actions", "float32", steps)
    yield "output", TensorSpec("done", "float32", (1,))
    if fused:
        assert bundle.manifest.residual is not None
        yield "input", TensorSpec(GAIN, "float32", (1,))
        yield "output", TensorSpec("base_actions", "float32", steps)
        yield "output", TensorSpec("code", "float32", (1, bundle.manifest.residual.code))


def _is_fused(bundle: Bundle, form: ResidualForm) -> bool:
    if form == "fused" and bundle.fused_path is None:
        raise ResidualError(
            f"{bundle.path} has no graph with policy and residual in one; use the separate one, or export it with "
            "`python -m training export-residual`"
        )
    return form != "separate" and bundle.fused_path is not None
