"""Actions in robot units and as shares of the contract's limits."""

from __future__ import annotations

import torch
from torch import nn

from world2act_core.contract import Contract


class ActionScale(nn.Module):
    """Robot units to [-1, 1] by the contract's limits and back; not limited, so nothing is lost on the way back."""

    low: torch.Tensor
    high: torch.Tensor
    centre: torch.Tensor
    radius: torch.Tensor

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        low, high = torch.from_numpy(contract.action_low), torch.from_numpy(contract.action_high)
        buffers = {"low": low, "high": high, "centre": (high + low) / 2, "radius": (high - low) / 2}
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def normalise(self, actions: torch.Tensor) -> torch.Tensor:
        """Robot units [..., A] -> within the limits: [-1, 1]."""
        return (actions - self.centre) / self.radius

    def restore(self, actions: torch.Tensor) -> torch.Tensor:
        """Inverse of :meth:`normalise`."""
        return actions * self.radius + self.centre
