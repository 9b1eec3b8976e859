"""An optimiser's state as named tensors, for checkpoints without pickle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

Named = Iterable[tuple[str, torch.nn.Parameter]]


def optimiser_tensors(parameters: Named, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Every state tensor of the named parameters under "parameter|key"."""
    return {
        f"{name}|{key}": value
        for name, parameter in parameters
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def load_optimiser(parameters: Named, optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Inverse of :func:`optimiser_tensors`, for an optimiser over the same parameters."""
    for name, parameter in parameters:
        prefix = f"{name}|"
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        # Moments must lie where and as their parameter does; the step count stays on the CPU, where AdamW keeps it.
        for key in state.keys() - {"step"}:
            state[key] = torch.empty_like(parameter).copy_(state[key])
        if state:
            optimiser.state[parameter] = state
