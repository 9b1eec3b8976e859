"""The action head: flow matching that predicts the clean chunk from a noisy one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from training.vla.config import ModelConfig

TIME_FEATURES = 32


def time_features(time: torch.Tensor, size: int = TIME_FEATURES) -> torch.Tensor:
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

    def modulate(self, condition: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """condition [..., condition] -> factor and offset [..., width] of the layer's features."""
        scale, shift = self.modulation(condition).chunk(2, dim=-1)
        return 1 + scale, shift

    def forward(self, x: torch.Tensor, factor: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        """x, factor, offset [B, width] each -> [B, width]."""
        return x + self.down(functional.silu(self.up(x) * factor + offset))


class FlowHead(nn.Module):
    """Noisy chunk, time and context -> the clean chunk, all in normalised units.

    Predicting the clean chunk (instead of the velocity) makes the answer at time 0 a regression, so that zero noise
    and a few steps already give a good policy; other noise gives other candidates.
    """

    def __init__(self, steps: int, size: int, context: int, config: ModelConfig) -> None:
        super().__init__()
        self.shape = (steps, size)
        width, flat = config.flow_width, steps * size
        self.read = nn.Linear(flat + TIME_FEATURES + context, width)
        self.blocks = nn.ModuleList([FlowBlock(width, context + TIME_FEATURES) for _ in range(config.flow_blocks)])
        self.write = nn.Linear(width + context, flat)

    def forward(self, noisy: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """noisy [B, T, A], time [B], context [B, context] -> clean [B, T, A]."""
        condition = torch.cat([context, time_features(time)], dim=-1)
        modulations = self._modulations(condition)
        return self._clean(noisy.flatten(1), condition, context, modulations).unflatten(1, self.shape)

    def denoise(self, noise: torch.Tensor, context: torch.Tensor, steps: int) -> torch.Tensor:
        """Follow the flow from ``noise`` [B, T, A] in ``steps`` Euler steps; the last one lands on the prediction."""
        x = noise.flatten(1)
        times = torch.arange(steps, dtype=noise.dtype, device=noise.device) / steps
        when = time_features(times)[:, None].expand(-1, context.shape[0], -1)
        conditions = torch.cat([context.expand(steps, -1, -1), when], dim=-1)
        # What depends on time and context alone is known for all steps at once: one large product instead of several.
        modulations = self._modulations(conditions)
        for i in range(steps):
            now = [(factor[i], offset[i]) for factor, offset in modulations]
            clean = self._clean(x, conditions[i], context, now)
            x = clean if i == steps - 1 else x + (clean - x) * (1.0 / (steps - i))
        return x.unflatten(1, self.shape)

    def _modulations(self, condition: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [cast(FlowBlock, block).modulate(condition) for block in self.blocks]

    def _clean(
        self,
        noisy: torch.Tensor,
        condition: torch.Tensor,
        context: torch.Tensor,
        modulations: Sequence[tuple[torch.Tensor, torch.Tensor]],
    ) -> torch.Tensor:
        """noisy [B, T * A], condition [B, context + 32], modulations per block -> clean [B, T * A]."""
        x = functional.silu(self.read(torch.cat([noisy, condition], dim=-1)))
        for block, (factor, offset) in zip(self.blocks, modulations, strict=True):
            x = block(x, factor, offset)
        return self.write(torch.cat([functional.silu(x), context], dim=-1))


def interpolate(noise: torch.Tensor, clean: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """The point of the straight path from ``noise`` (time 0) to ``clean`` (time 1); [B, T, A] each, time [B]."""
    share = time[:, None, None]
    return (1 - share) * noise + share * clean
