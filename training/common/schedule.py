"""Learning rate over a run measured in steps or in training time."""

from __future__ import annotations

import math

import torch


def learning_rate(progress: float, step: int, *, peak: float, final: float, warmup: int, tail: float) -> float:
    """Linear warm-up over ``warmup`` steps, then ``peak``, then a cosine down to ``final`` over the last ``tail``.

    progress: share of the run that is done, in [0, 1]; tail: share of the run, in (0, 1].
    """
    rising = min(1.0, (step + 1) / max(1, warmup))
    into_tail = min(1.0, max(0.0, (progress - (1.0 - tail)) / tail))
    falling = final + (peak - final) * 0.5 * (1.0 + math.cos(math.pi * into_tail))
    return rising * falling


def set_learning_rate(
    optimiser: torch.optim.Optimizer,
    progress: float,
    step: int,
    *,
    peak: float,
    final: float,
    warmup: int,
    tail: float,
) -> float:
    """Give every parameter group the :func:`learning_rate` of this step and return it."""
    rate = learning_rate(progress, step, peak=peak, final=final, warmup=warmup, tail=tail)
    for group in optimiser.param_groups:
        group["lr"] = rate
    return rate
