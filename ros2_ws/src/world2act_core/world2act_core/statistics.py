"""Intervals and paired tests for success rates, and percentiles for times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, norm


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a success rate: (low, high) within [0, 1]; n = 0 gives (0, 1), which says nothing.

    Counts need not be whole: those of clustered episodes are made smaller by what the clusters take away.
    Raises ValueError when successes are not within 0..n or confidence not within (0, 1).
    """
    if not 0 <= successes <= n or not 0 < confidence < 1:
        raise ValueError(f"need 0 <= successes <= n and 0 < confidence < 1, got {successes}, {n}, {confidence}")
    if n == 0:
        return 0.0, 1.0
    z = float(norm.ppf(0.5 + confidence / 2))
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends the bound is exactly 0 or 1; rounding must not leave the rate outside its own interval.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact McNemar p-value of the discordant pairs: a succeeded and b failed, and the reverse."""
    if only_a < 0 or only_b < 0:
        raise ValueError(f"counts must not be negative, got {only_a} and {only_b}")
    discordant = only_a + only_b
    if discordant == 0:
        return 1.0
    return min(1.0, 2.0 * float(binom.cdf(min(only_a, only_b), discordant, 0.5)))


@dataclass(frozen=True)
class PairedComparison:
    """Two policies on the same seeds. difference: rate_a - rate_b, with its interval; p_value: exact McNemar."""

    n: int
    rate_a: float
    rate_b: float
    only_a: int
    only_b: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def paired_comparison(a: Sequence[bool], b: Sequence[bool], confidence: float = 0.95) -> PairedComparison:
    """Compare the successes of a and b, episode i of both on the same seed.

    The interval is Newcombe's for paired proportions (his method 10: Wilson intervals with the pairs' correlation).
    Raises ValueError when there is nothing to compare or the lengths differ.
    """
    if len(a) != len(b) or len(a) == 0:
        raise ValueError(f"need two equally long, non-empty lists of successes, got {len(a)} and {len(b)}")
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    both = int(np.sum(first & second))
    only_a = int(np.sum(first & ~second))
    only_b = int(np.sum(~first & second))
    n = len(first)
    return PairedComparison(
        n=n,
        rate_a=(both + only_a) / n,
        rate_b=(both + only_b) / n,
        only_a=only_a,
        only_b=only_b,
        difference=(only_a - only_b) / n,
        interval=newcombe_paired(both, only_a, only_b, n - both - only_a - only_b, confidence),
        p_value=mcnemar_exact(only_a, only_b),
    )


def newcombe_paired(
    both: float, only_a: float, only_b: float, neither: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Newcombe's interval of a difference of paired rates, a - b, from the counts of pairs; no pairs: (-1, 1).

    Counts need not be whole (see :func:`wilson_interval`).
    """
    n = both + only_a + only_b + neither
    if n == 0:
        return -1.0, 1.0
    rate_a, rate_b = (both + only_a) / n, (both + only_b) / n
    low_a, high_a = wilson_interval(both + only_a, n, confidence)
    low_b, high_b = wilson_interval(both + only_b, n, confidence)
    phi = _correlation(both, only_a, only_b, neither)
    down_a, up_a, down_b, up_b = rate_a - low_a, high_a - rate_a, rate_b - low_b, high_b - rate_b
    low = math.sqrt(max(0.0, down_a**2 - 2 * phi * down_a * up_b + up_b**2))
    high = math.sqrt(max(0.0, down_b**2 - 2 * phi * down_b * up_a + up_a**2))
    difference = rate_a - rate_b
    return max(-1.0, difference - low), min(1.0, difference + high)


def _correlation(both: float, only_a: float, only_b: float, neither: float) -> float:
    """Phi of the 2x2 table, its positive numerator made smaller by n/2 (Newcombe's continuity correction)."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    numerator: float = both * neither - only_a * only_b
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / math.sqrt(margins)


@dataclass(frozen=True)
class Summary:
    """Percentiles of a list of numbers, in the numbers' own unit."""

    n: int
    mean: float
    p50: float
    p95: float
    p99: float
    maximum: float


def summarise(values: ArrayLike) -> Summary:
    """Mean, percentiles (linear between neighbours) and maximum; ValueError when empty or not finite."""
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError("need at least one number, and only finite ones")
    p50, p95, p99 = (float(value) for value in np.percentile(numbers, [50, 95, 99]))
    return Summary(numbers.size, float(numbers.mean()), p50, p95, p99, float(numbers.max()))
