"""Actions as robot units, shares of the limits and codes, and the sum of base and residual that is exact at zero."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import nn

from training.common.action_scale import ActionScale
from training.common.errors import TrainingError
from training.post_training.config import ResidualConfig
from training.post_training.frozen import freeze
from training.post_training.interfaces import ActionAdapter
from world2act_core.contract import Contract


class ChunkCoder(nn.Module):
    """The frozen action adapter between chunks in robot units and codes. C: entries of a code."""

    def __init__(self, contract: Contract, adapter: nn.Module) -> None:
        """adapter: an :class:`~training.post_training.interfaces.ActionAdapter`; it is frozen here."""
        super().__init__()
        self.adapter = freeze(adapter)
        self.scale = ActionScale(contract)
        self.steps = int(self._frozen.chunk)
        self.size = int(self._frozen.code)
        if self.steps > contract.chunk_length:
            raise TrainingError(
                f"the action adapter codes chunks of {self.steps} steps, the policy plans {contract.chunk_length}; "
                "align adapters of a shorter chunk"
            )

    @property
    def _frozen(self) -> ActionAdapter:
        return cast(ActionAdapter, self.adapter)

    def encode(self, shares: torch.Tensor) -> torch.Tensor:
        """Chunks [B, M, A] as shares of the limits -> codes [B, C]."""
        return self._frozen.encode(shares)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes [B, C] -> chunks [B, M, A] as shares of the limits."""
        return self._frozen.decode(codes)

    def code_of(self, actions: torch.Tensor) -> torch.Tensor:
        """The code [B, C] of the first M steps of chunks [B, >=M, A] in robot units."""
        return self.encode(self.scale.normalise(actions[:, : self.steps]))


def residual_bound(contract: Contract, config: ResidualConfig) -> torch.Tensor:
    """Largest change per action entry, float32 [A] in robot units; TrainingError when ``config.bound`` does not fit."""
    sizes = [dim.size for dim in contract.action]
    values = np.asarray(config.bound, dtype=np.float64)
    if len(values) == 1:
        values = np.repeat(values, contract.action_size)
    elif len(values) == len(sizes):
        values = np.repeat(values, sizes)
    if len(values) != contract.action_size or not (np.isfinite(values) & (values >= 0)).all():
        names = ", ".join(f"{dim.name} [{dim.size}]" for dim in contract.action)
        raise TrainingError(
            f"--residual.bound {' '.join(map(str, config.bound))} does not fit: give one number >= 0, one per "
            f"dimension ({len(sizes)}) or one per entry ({contract.action_size}) of {names}"
        )
    if config.bound_unit == "limits":
        values = values * (contract.action_high - contract.action_low) / 2
    return torch.from_numpy(values.astype(np.float32))


def add_residual(base: torch.Tensor, residual: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """base + residual [..., A] within the limits [A]; entries whose residual is 0 keep every bit of ``base``.

    Backward: the residual's gradient is that of the sum as if there were no limits. Cutting it off there would leave an
    entry that was pushed outside (a gripper that is closed already) without a way back; the residual is bounded anyway.
    """
    if torch.is_grad_enabled() and residual.requires_grad:
        result: torch.Tensor = _AddResidual.apply(base, residual, low, high)  # type: ignore[no-untyped-call]
        return result
    return _limited_sum(base, residual, low, high)


def soft_bound(change: torch.Tensor, bound: torch.Tensor) -> torch.Tensor:
    """``change`` [..., A] squeezed into +-``bound`` [A] by a tanh with slope 1 at 0; exactly 0 where either is 0."""
    return bound * torch.tanh(change / bound.clamp(min=1e-12))


def _limited_sum(base: torch.Tensor, residual: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    # Not the sum alone: -0.0 + 0.0 is +0.0, and a base policy may itself exceed the limits.
    moved = torch.minimum(torch.maximum(base + residual, low), high)
    return torch.where(residual == 0, base, moved)


class _AddResidual(torch.autograd.Function):
    """`_limited_sum` with a gradient that passes straight through, also where the residual is exactly 0."""

    @staticmethod
    def forward(
        ctx: Any, base: torch.Tensor, residual: torch.Tensor, low: torch.Tensor, high: torch.Tensor
    ) -> torch.Tensor:
        return _limited_sum(base, residual, low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, gradients[0], None, None
