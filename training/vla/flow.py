"""The action head: flow matching that predicts the clean chunk from a noisy one."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from training.vla.config import ModelConfig


def time_features(time: torch.Tensor, size: int = 32) -> torch.Tensor:
    """time [B] in [0, 1] -> [B, size] sines and cosines."""
    frequency = torch.exp(torch.arange(size // 2, device=time.device) * (math.log(64.0) / (size // 2 - 1)))
    angle = time[:, None] * frequency[None, :] * math.pi
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class FlowBlock(nn.Module):
    """A residual layer that the context scales and shifts."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(condition, 2 * width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)
        nn.init.normal_(self.down.weight, std=0.1 / math.sqrt(width))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """x [B, width], condition [B, condition] -> [B, width]."""
        scale, shift = self.modulation(condition).chunk(2, dim=-1)
        return x + self.down(functional.silu(self.up(x) * (1 + scale) + shift))


class FlowHead(nn.Module):
    """Noisy chunk, time and context -> the clean chunk, all in normalised units.

    Predicting the clean chunk (instead of the velocity) makes the answer at time 0 a regression, so that zero noise
    and a few steps already give a good policy; other noise gives other candidates.
    """

    def __init__(self, steps: int, size: int, context: int, config: ModelConfig) -> None:
        super().__init__()
        self.shape = (steps, size)
        width, flat = config.flow_width, steps * size
        self.read = nn.Linear(flat + 32 + context, width)
        self.blocks = nn.ModuleList([FlowBlock(width, context + 32) for _ in range(config.flow_blocks)])
        self.write = nn.Linear(width + context, flat)

    def forward(self, noisy: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """noisy [B, T, A], time [B], context [B, context] -> clean [B, T, A]."""
        when = time_features(time)
        condition = torch.cat([context, when], dim=-1)
        x = functional.silu(self.read(torch.cat([noisy.flatten(1), condition], dim=-1)))
        for block in self.blocks:
            x = block(x, condition)
        return self.write(torch.cat([functional.silu(x), context], dim=-1)).unflatten(1, self.shape)

    def denoise(self, noise: torch.Tensor, context: torch.Tensor, steps: int) -> torch.Tensor:
        """Follow the flow from ``noise`` [B, T, A] in ``steps`` Euler steps; the last one lands on the prediction."""
        x = noise
        for i in range(steps):
            time = torch.full((noise.shape[0],), i / steps, dtype=noise.dtype, device=noise.device)
            clean = self(x, time, context)
            x = x + (clean - x) * (1.0 / (steps - i))
        return x


def interpolate(noise: torch.Tensor, clean: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The point of the straight path from ``noise`` (time 0) to ``clean`` (time 1); [B, T, A] each, time [B]."""
    share = time[:, None, None]
    return (1 - share) * noise + share * clean
