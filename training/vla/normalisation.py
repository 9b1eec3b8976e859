"""Robot units to network units and back, as buffers of the model: they travel with the weights and the graph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from world2act_core.contract import Contract

# Smallest scale per unit: an entry that hardly moves in the data must not be blown up to unit size.
_FLOOR = {"m": 0.004, "rad": 0.02, "1": 0.05}


class Normalisation(nn.Module):
    """State: mean and deviation per entry. Action: one scale per named dimension, gripper as it is."""

    state_mean: torch.Tensor
    state_scale: torch.Tensor
    action_mean: torch.Tensor
    action_scale: torch.Tensor
    action_low: torch.Tensor
    action_high: torch.Tensor

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        for name in ("state_mean", "action_mean"):
            self.register_buffer(name, torch.zeros(contract.state_size if "state" in name else contract.action_size))
        self.register_buffer("state_scale", torch.ones(contract.state_size))
        self.register_buffer("action_scale", torch.ones(contract.action_size))
        self.register_buffer("action_low", torch.from_numpy(contract.action_low), persistent=False)
        self.register_buffer("action_high", torch.from_numpy(contract.action_high), persistent=False)

    @classmethod
    def fitted(cls, contract: Contract, states: NDArray[np.float32], actions: NDArray[np.float32]) -> Normalisation:
        """Fit to ``states`` [N, S] and ``actions`` [N, A] in robot units."""
        result = cls(contract)
        floor = np.concatenate([np.full(dim.size, _FLOOR.get(dim.unit, 0.01)) for dim in contract.state])
        result.state_mean = torch.from_numpy(states.mean(axis=0).astype(np.float32))
        result.state_scale = torch.from_numpy(np.maximum(states.std(axis=0), floor).astype(np.float32))
        scale = np.ones(contract.action_size, np.float32)
        mean = np.zeros(contract.action_size, np.float32)
        for dim in contract.action:
            if dim.mode == "absolute":
                continue
            part = contract.action_slice(dim.name)
            mean[part] = actions[:, part].mean(axis=0)
            # One scale for the whole dimension keeps a step of a given length equally important in every direction.
            scale[part] = max(float(np.sqrt((actions[:, part] ** 2).mean())), _FLOOR.get(dim.unit, 0.01))
        result.action_scale = torch.from_numpy(scale)
        result.action_mean = torch.from_numpy(mean)
        return result

    def state(self, state: torch.Tensor) -> torch.Tensor:
        """Robot units [B, S] -> network units, limited to +-5 deviations."""
        return ((state - self.state_mean) / self.state_scale).clamp(-5.0, 5.0)

    def encode_actions(self, actions: torch.Tensor) -> torch.Tensor:
        """Robot units [..., A] -> network units."""
        return (actions - self.action_mean) / self.action_scale

    def decode_actions(self, actions: torch.Tensor) -> torch.Tensor:
        """Network units [..., A] -> robot units within the contract's limits."""
        return torch.clamp(actions * self.action_scale + self.action_mean, self.action_low, self.action_high)
