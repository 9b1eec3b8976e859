"""Policies as post-training runs them: the frozen base, and the base with a residual on top."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.common.checkpoint import INFO, checkpoints
from training.common.errors import TrainingError
from training.evaluation.policy import ChunkPolicy
from training.post_training.residual import ResidualHead
from training.vla.model import NanoVla
from world2act_core.compatibility import ContractMismatch, check_compatible
from world2act_core.contract import Contract
from world2act_core.images import fit_image
from world2act_core.manifest import MANIFEST_NAME
from world2act_core.residual import residual_size
from world2act_core.text_encoder import TextEncoder
from world2act_core.types import ActionChunk, FloatArray, Observation


class NanoVlaPolicy:
    """A NanoVla in torch with its text encoder."""

    def __init__(self, model: NanoVla, encoder: TextEncoder) -> None:
        self.model = model
        self.contract: Contract = model.contract
        self._encoder = encoder
        self._sequence = 0

    def embed(self, prompts: list[str]) -> torch.Tensor:
        """Sentences -> float32 [B, D]."""
        return torch.from_numpy(self._encoder.encode(prompts))

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """The chunk that starts at the observation's time; noise [T, A] (None: zeros, always the same answer)."""
        begin = time.perf_counter()
        contract = self.contract
        start = np.zeros((contract.chunk_length, contract.action_size), np.float32) if noise is None else noise
        images = batched(fitted(observation, contract))
        state = torch.from_numpy(np.asarray(observation.state, np.float32))[None]
        with torch.no_grad():
            actions, done = self.model.act(images, state, self.embed([prompt]), torch.from_numpy(start)[None])
        self._sequence += 1
        return ActionChunk(
            sequence=self._sequence,
            start_time_s=observation.time_s,
            step_s=contract.step_s,
            actions=actions[0].numpy(),
            done=float(done[0]),
            inference_s=time.perf_counter() - begin,
            skill_id=skill_id,
        )


class ResidualPolicy:
    """Any policy with a residual head on top; ``enabled`` switches the residual while running."""

    def __init__(self, base: ChunkPolicy, head: ResidualHead) -> None:
        try:
            # Image sizes and chunk lengths may differ: the head fits pictures itself and changes the first steps only.
            check_compatible(base.contract, head.contract, "the base policy", "the residual head")
        except ContractMismatch as error:
            raise TrainingError(str(error)) from error
        self.base = base
        self.head = head.eval()
        self.enabled = True
        self.contract: Contract = base.contract

    def act(
        self, observation: Observation, prompt: str, noise: FloatArray | None = None, skill_id: int = 0
    ) -> ActionChunk:
        """The base policy's chunk with its first M steps corrected."""
        return self.correct(observation, self.base.act(observation, prompt, noise, skill_id))

    def correct(self, observation: Observation, chunk: ActionChunk) -> ActionChunk:
        """``chunk``, an answer of the base policy to ``observation``, with the residual added, and its code."""
        begin = time.perf_counter()
        images = batched(fitted(observation, self.head.contract))
        state = torch.from_numpy(np.asarray(observation.state, np.float32))[None]
        base = torch.from_numpy(np.asarray(chunk.actions, np.float32))[None]
        with torch.no_grad():
            actions = self.head(images, state, base) if self.enabled else base
            code = self.head.coder.code_of(actions)[0].numpy()
        executed = actions[0].numpy()
        size = residual_size(executed[: self.head.steps], chunk.actions[: self.head.steps], self.contract)
        seconds = chunk.inference_s + time.perf_counter() - begin
        return replace(chunk, actions=executed, code=code, residual_size=size, inference_s=seconds)


@dataclass(frozen=True)
class BaseSource:
    """Where the frozen base policy comes from; workers open it again."""

    folder: Path
    text_encoder: Path

    @property
    def is_bundle(self) -> bool:
        """Whether the folder is a bundle and not a training run."""
        return (self.folder / MANIFEST_NAME).exists()

    def sha256(self) -> str:
        """Of the policy's graph, whatever was measured of the bundle since; "" for a run, whose weights are hashed."""
        from world2act_core.manifest import read_manifest

        if not self.is_bundle:
            return ""
        manifest = read_manifest(self.folder)
        return manifest.files[manifest.policy_graph]

    def open(self) -> ChunkPolicy:
        """A fresh instance of the policy; TrainingError when the folder holds none."""
        if self.is_bundle:
            from world2act_core.bundle import BundleError, load_bundle
            from world2act_core.policy import BundlePolicy

            try:
                policy = BundlePolicy(load_bundle(self.folder), form="separate")
            except BundleError as error:
                raise TrainingError(str(error)) from error
            # What is trained goes on top of the policy alone, whatever the bundle puts there.
            policy.residual_on = policy.code_wanted = False
            return policy
        return self.open_checkpoint()

    def open_checkpoint(self) -> NanoVlaPolicy:
        """The policy in torch; TrainingError when the folder is not a run of ``training vla``."""
        from training.vla.train import load_trained

        if not (self.folder / INFO).exists() and not checkpoints(self.folder):
            what = "a bundle; its weights cannot be trained" if self.is_bundle else "neither a bundle nor a run"
            raise TrainingError(f"--base {self.folder} is {what}; give a run of `training vla`")
        model, _ = load_trained(self.folder)
        return NanoVlaPolicy(model, TextEncoder(self.text_encoder, threads=1))


def fitted(observation: Observation, contract: Contract) -> dict[str, NDArray[np.uint8]]:
    """The pictures uint8 [H, W, 3] as the contract wants them."""
    missing = [camera.name for camera in contract.cameras if camera.name not in observation.images]
    if missing:
        raise ValueError(f"observation lacks cameras {missing}; it has {sorted(observation.images)}")
    return {camera.name: fit_image(observation.images[camera.name], camera) for camera in contract.cameras}


def batched(images: Mapping[str, NDArray[np.uint8]]) -> dict[str, torch.Tensor]:
    """One picture per camera as a batch of one."""
    return {name: torch.from_numpy(np.ascontiguousarray(image))[None] for name, image in images.items()}
