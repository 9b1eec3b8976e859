"""How fast a noisy quantity grows: a slope with an interval that neighbouring samples do not make too narrow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCKS = 20
FEWEST_BLOCKS = 8
SAMPLES_PER_BLOCK = 3
"""Fewer samples than this make no block."""
MOST_CORRELATION = 0.9
Vector = NDArray[np.float64]


class TooShortError(ValueError):
    """There are not enough samples to say anything about growth."""


@dataclass(frozen=True)
class Slope:
    """All per unit of time. low, high: 95 % interval; theil_sen: the median of all pairs' slopes, which outliers do not
    move; floor: slope of the blocks' smallest values, which what comes and goes does not move; ceiling, ceiling_low,
    ceiling_high: slope of the blocks' largest values with its 95 % interval, which rises with a buffer that is emptied
    now and then and filled higher each time, however wide it swings; blocks: how many."""

    slope: float
    low: float
    high: float
    theil_sen: float
    floor: float
    ceiling: float
    ceiling_low: float
    ceiling_high: float
    blocks: int


def fit_slope(times: Vector, values: Vector, confidence: float = 0.95) -> Slope:
    """Slope of `values` [n] over `times` [n], any units. Samples that are NaN are left out.

    Samples that follow each other are alike (an allocator keeps what it has), so the line goes through the means of up
    to BLOCKS blocks of equal duration, and the t-interval has the blocks' degrees of freedom. What likeness is left
    between neighbouring blocks (their residuals' correlation r, if positive) widens it by sqrt((1 + r) / (1 - r)).
    Raises TooShortError when there are too few samples.
    """
    from scipy.stats import theilslopes  # only now: every `world2act` command would wait for it

    there = np.isfinite(values) & np.isfinite(times)
    times, values = times[there], values[there]
    blocks = min(BLOCKS, len(times) // SAMPLES_PER_BLOCK)
    if blocks < FEWEST_BLOCKS:
        raise TooShortError(f"{len(times)} samples; at least {FEWEST_BLOCKS * SAMPLES_PER_BLOCK} are needed")
    mean_times, means = block_means(times, values, blocks)
    parts = np.array_split(values, blocks)
    slope, half = _line(mean_times, means, confidence)
    floor, _ = _line(mean_times, np.array([part.min() for part in parts]), confidence)
    ceiling, ceiling_half = _line(mean_times, np.array([part.max() for part in parts]), confidence)
    return Slope(
        slope, slope - half, slope + half, float(theilslopes(means, mean_times).slope), floor,
        ceiling, ceiling - ceiling_half, ceiling + ceiling_half, blocks,
    )  # fmt: skip


def _line(times: Vector, values: Vector, confidence: float) -> tuple[float, float]:
    """Slope of a line through the blocks, and half the width of its interval."""
    from scipy.stats import t

    centred = times - times.mean()
    spread = float(centred @ centred)
    slope = float(centred @ values) / spread
    residuals = values - values.mean() - slope * centred
    free = len(times) - 2
    variance = float(residuals @ residuals) / free / spread * _inflation(residuals)
    return slope, float(t.ppf(0.5 + confidence / 2, free)) * math.sqrt(variance)


def block_means(times: Vector, values: Vector, blocks: int) -> tuple[Vector, Vector]:
    """Means of times and values over blocks with (nearly) equally many samples, in order: two arrays [blocks]."""
    return (
        np.array([part.mean() for part in np.array_split(times, blocks)]),
        np.array([part.mean() for part in np.array_split(values, blocks)]),
    )


def _inflation(residuals: Vector) -> float:
    """How much larger the variance is than of independent blocks; 1 when there is no positive correlation.

    The residuals of a line look less correlated than what they come from, by (2 + 4 r) / n on average: taken back here.
    """
    energy, n = float(residuals @ residuals), len(residuals)
    if energy == 0.0:
        return 1.0
    seen = float(residuals[1:] @ residuals[:-1]) / energy
    correlation = min(max((seen + 2 / n) / (1 - 4 / n), 0.0), MOST_CORRELATION)
    return (1 + correlation) / (1 - correlation)
