"""An optimiser's state as named tensors, for checkpoints without pickle."""

from __future__ import annotations

import torch
from torch import nn


def optimiser_tensors(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Every state tensor under "parameter|key"."""
    return {
        f"{name}|{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def load_optimiser(model: nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Inverse of :func:`optimiser_tensors`, for an optimiser over the same model."""
    for name, parameter in model.named_parameters():
        prefix = f"{name}|"
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        # Moments must lie where and as their parameter does; the step count stays on the CPU, where AdamW keeps it.
        for key in state.keys() - {"step"}:
            state[key] = torch.empty_like(parameter).copy_(state[key])
        optimiser.state[parameter] = state
