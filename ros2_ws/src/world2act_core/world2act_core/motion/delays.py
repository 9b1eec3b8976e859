"""Delays that are measured while running: a robust, bounded quantile, and a look-ahead that follows it slowly."""

from __future__ import annotations

import math
from collections import deque

import numpy as np


class DelayEstimator:
    """A quantile of the last `window` measured delays, in seconds.

    Robust: single outliers do not move it. Bounded: always in [low_s, high_s], and `initial_s` until `minimum` delays
    have been measured. What is not a finite number >= 0 (a clock was set) is not counted as a delay but in `ignored`.
    """

    def __init__(
        self,
        initial_s: float,
        low_s: float = 0.0,
        high_s: float = 1.0,
        quantile: float = 0.9,
        window: int = 50,
        minimum: int = 5,
    ) -> None:
        if not 0 <= low_s <= initial_s <= high_s < math.inf:
            raise ValueError(f"need 0 <= low_s <= initial_s <= high_s, got {low_s}, {initial_s} and {high_s}")
        if not 0 <= quantile <= 1 or not 1 <= minimum <= window:
            raise ValueError(f"need 0 <= quantile <= 1 <= minimum <= window, got {quantile}, {minimum} and {window}")
        self.ignored = 0
        self._low_s, self._high_s = low_s, high_s
        self._quantile = quantile
        self._minimum = minimum
        self._delays: deque[float] = deque(maxlen=window)
        self.value_s = initial_s
        """The delay to reckon with."""

    def __len__(self) -> int:
        return len(self._delays)

    def add(self, delay_s: float) -> None:
        """One measured delay."""
        if not (math.isfinite(delay_s) and delay_s >= 0):
            self.ignored += 1
            return
        self._delays.append(delay_s)
        if len(self._delays) >= self._minimum:
            delay_s = float(np.quantile(self._delays, self._quantile))
            self.value_s = min(max(delay_s, self._low_s), self._high_s)


class Lookahead:
    """Follows a delay so slowly that the motion is not seen to change its speed.

    A reference that is sampled `lookahead_s` ahead of the clock runs faster while that number grows: `rate` is the
    largest share (0.02: two per cent). Raises ValueError when it is not in (0, 1).
    """

    def __init__(self, initial_s: float, rate: float = 0.02) -> None:
        if not 0 < rate < 1:
            raise ValueError(f"rate must be between 0 and 1, got {rate}")
        self.value_s = initial_s
        self._rate = rate

    def step(self, delay_s: float, period_s: float) -> float:
        """One control period further towards `delay_s`; returns the look-ahead to use, s."""
        most = self._rate * period_s
        self.value_s += min(max(delay_s - self.value_s, -most), most)
        return self.value_s
