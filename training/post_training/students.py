"""What post-training trains: a residual on top of a frozen policy, or low-rank adapters inside of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from training.common.errors import CheckpointError
from training.evaluation.policy import ChunkPolicy
from training.post_training.config import LoraSettings, ResidualConfig
from training.post_training.frozen import freeze, module_hash
from training.post_training.lora import add_lora
from training.post_training.policies import BaseSource, NanoVlaPolicy, ResidualPolicy
from training.post_training.residual import ResidualHead
from training.post_training.rollouts import CorrectedPolicy
from training.post_training.samples import Samples
from training.vla.normalisation import Normalisation
from world2act_core.types import ActionChunk, Observation


class TrainableStudent(Protocol):
    """A student as the trainer sees it (and as a rollout does, see ``rollouts.Student``)."""

    parameters: Mapping[str, nn.Parameter]
    """The only ones that change."""

    def executed(self, samples: Samples) -> torch.Tensor:
        """What would be executed, [n, M, A] in robot units, with gradients to :attr:`parameters`."""
        ...

    def prepare(self, samples: Samples) -> None:
        """Called once with the first rollouts, before the first optimiser step."""
        ...

    def tensors(self) -> dict[str, torch.Tensor]:
        """Everything that training changed."""
        ...

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over :meth:`tensors`."""
        ...

    def frozen_hash(self) -> str:
        """SHA-256 of the base policy's weights."""
        ...


class ResidualStudent:
    """A residual head; the base policy is needed for rollouts only."""

    def __init__(self, head: ResidualHead, base: ChunkPolicy | None, base_hash: str = "") -> None:
        self.head = head
        self.base = base
        self.contract = head.contract
        self.parameters: Mapping[str, nn.Parameter] = head.trainable()
        self._base_hash = base_hash

    def executed(self, samples: Samples) -> torch.Tensor:
        """Base plus residual."""
        return self.head(samples.images, samples.state, samples.base)[:, : self.head.steps]

    def prepare(self, samples: Samples) -> None:
        """Fit the normalisation of the state to the first rollouts' states."""
        actions = samples.base.flatten(0, 1)
        fitted = Normalisation.fitted(self.head.contract, samples.state.cpu().numpy(), actions.cpu().numpy())
        self.head.normalisation.load_state_dict(fitted.state_dict())

    def tensors(self) -> dict[str, torch.Tensor]:
        """The head without the frozen adapter."""
        return self.head.own_tensors()

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over the head's tensors; CheckpointError when they are another head's."""
        try:
            self.head.load_own(weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights are those of another residual head: {error}") from error

    def policy(self) -> CorrectedPolicy:
        """The base policy with the residual."""
        assert self.base is not None, "this student was made without a base policy"
        return ResidualPolicy(self.base, self.head)

    def frozen_hash(self) -> str:
        """SHA-256 of the base policy's weights (of its files, where it is a bundle)."""
        return module_hash(self.base.model) if isinstance(self.base, NanoVlaPolicy) else self._base_hash


class LoraStudent:
    """Low-rank adapters in a NanoVla."""

    def __init__(self, base: NanoVlaPolicy, settings: LoraSettings, steps: int, seed: int) -> None:
        """steps: actions of a chunk that are executed and compared, M."""
        self.base = base
        self.contract = base.contract
        self.model = freeze(base.model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.parameters: Mapping[str, nn.Parameter] = add_lora(base.model, settings)
        self._steps = steps

    def executed(self, samples: Samples) -> torch.Tensor:
        """The adapted policy's answer to zero noise."""
        model = self.base.model
        text = self.base.embed(list(samples.prompts)).to(samples.state.device)
        actions, _ = model.act(samples.images, samples.state, text, torch.zeros_like(samples.base))
        return actions[:, : self._steps]

    def prepare(self, samples: Samples) -> None:
        """Nothing to fit."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """The low-rank matrices."""
        return {name: value.detach() for name, value in self.parameters.items()}

    @torch.no_grad()
    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over low-rank matrices; CheckpointError when they are another model's."""
        if weights.keys() != self.parameters.keys():
            raise CheckpointError("the weights are low-rank adapters of another model or rank")
        for name, value in self.parameters.items():
            value.copy_(weights[name])

    def policy(self) -> CorrectedPolicy:
        """The adapted policy."""
        return _AsItIs(self.base)

    def frozen_hash(self) -> str:
        """SHA-256 of the weights around the adapters."""
        return module_hash(self.model)


@dataclass(frozen=True)
class _AsItIs:
    """A policy that nothing corrects."""

    base: ChunkPolicy

    def correct(self, observation: Observation, chunk: ActionChunk) -> ActionChunk:
        return chunk


def open_residual_student(source: BaseSource, adapters: Path, config: ResidualConfig) -> ResidualStudent:
    """A residual student from files: what a worker process makes for itself."""
    from training.post_training.parts import open_adapters

    base = source.open()
    _, adapter, _ = open_adapters(adapters)
    return ResidualStudent(ResidualHead(base.contract, adapter, config), base, source.sha256())


def open_lora_student(source: BaseSource, settings: LoraSettings, steps: int, seed: int) -> LoraStudent:
    """A LoRA student from files."""
    return LoraStudent(source.open_checkpoint(), settings, steps, seed)
