"""Exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch


class HasParameters(Protocol):
    """A module, or a part of one that is averaged."""

    def named_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and value of everything to average."""
        ...


class WeightAverage:
    """Average of all parameters; young averages forget faster, so that the start is not remembered."""

    def __init__(self, model: HasParameters, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: HasParameters, step: int) -> None:
        """Take in the model's weights after optimiser step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        values = [value.detach() for _, value in model.named_parameters()]
        torch._foreach_lerp_(list(self.weights.values()), values, 1 - decay)

    @torch.no_grad()
    def load(self, weights: dict[str, torch.Tensor]) -> None:
        """Take over an average by parameter name, whatever the order of ``weights``."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @torch.no_grad()
    def copy_to(self, model: HasParameters) -> None:
        """Overwrite the model's parameters with the average."""
        for name, value in model.named_parameters():
            value.copy_(self.weights[name])
