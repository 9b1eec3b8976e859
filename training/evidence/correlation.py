"""Rank correlation with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, spearmanr


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho of n pairs."""

    n: int
    rho: float
    interval: tuple[float, float]
    p_value: float


def rank_correlation(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Correlation | None:
    """Spearman's rho (ties get mean ranks), its two-sided p-value, and the interval of Bonett and Wright (2000).

    None when there is nothing to rank: fewer than four pairs, or a side without differences.
    The interval is tanh(atanh(rho) +- z sqrt((1 + rho^2 / 2) / (n - 3))).
    """
    if len(a) != len(b):
        raise ValueError(f"need two equally long lists, got {len(a)} and {len(b)}")
    if len(a) < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    result = spearmanr(a, b)
    rho = float(result.statistic)
    limited = min(max(rho, -1 + 1e-9), 1 - 1e-9)
    half = float(norm.ppf(0.5 + confidence / 2)) * math.sqrt((1 + rho**2 / 2) / (len(a) - 3))
    centre = math.atanh(limited)
    return Correlation(len(a), rho, (math.tanh(centre - half), math.tanh(centre + half)), float(result.pvalue))
