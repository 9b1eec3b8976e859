"""How long after a command the arm moves: by comparing the commanded motion with the measured one."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from world2act_core.motion.delays import DelayEstimator

Vector = NDArray[np.float64]

MINIMUM_CORRELATION = 0.8
"""Below it, the arm does something other than what it was told (contact, hold): nothing is learned from that."""


class MotionDelayEstimator:
    """Estimates the delay between commanded and measured position by cross-correlation of their velocities.

    Feed it once per control period. Every `every` periods, the last `window_s` seconds are compared; the delay is where
    the correlation over all coordinates together is largest, between samples by a parabola. It counts when the arm
    moved by `least_motion` at all (root mean square velocity, units of the position per s) and the correlation is at
    least MINIMUM_CORRELATION; a delay of `high_s` or more is not found. What is believed is the median of the last ten
    such estimates. Positions that are measured less often than once per period count as later than they were.
    """

    def __init__(
        self,
        period_s: float,
        initial_s: float = 0.0,
        high_s: float = 0.4,
        window_s: float = 2.0,
        every: int = 25,
        least_motion: float = 0.01,
    ) -> None:
        if not 0 < period_s <= high_s < window_s:
            raise ValueError(f"need 0 < period_s <= high_s < window_s, got {period_s}, {high_s} and {window_s}")
        self.correlation = float("nan")
        """Of the last comparison; NaN when there was too little motion to compare."""
        self._period_s = period_s
        self._lags = round(high_s / period_s)
        self._every = every
        self._least_motion = least_motion
        self._estimates = DelayEstimator(initial_s, 0.0, high_s, quantile=0.5, window=10, minimum=3)
        size = round(window_s / period_s) + 1
        self._commanded: deque[Vector] = deque(maxlen=size)
        self._measured: deque[Vector] = deque(maxlen=size)
        self._since = 0

    @property
    def value_s(self) -> float:
        """The delay to reckon with; `initial_s` until three estimates agree on nothing else."""
        return self._estimates.value_s

    def clear(self) -> None:
        """Forget the positions, not the estimates: the arm held, or time jumped."""
        self._commanded.clear()
        self._measured.clear()
        self._since = 0

    def add(self, commanded: Vector, measured: Vector) -> None:
        """Position that was commanded and position that was measured in the same control period, each [K]."""
        self._commanded.append(np.array(commanded, dtype=np.float64))
        self._measured.append(np.array(measured, dtype=np.float64))
        self._since += 1
        if len(self._commanded) == self._commanded.maxlen and self._since >= self._every:
            self._since = 0
            self._compare()

    def _compare(self) -> None:
        told = np.diff(np.stack(self._commanded), axis=0) / self._period_s
        moved = np.diff(np.stack(self._measured), axis=0) / self._period_s
        still = min(float(np.sqrt(np.mean(np.sum(rate**2, axis=1)))) for rate in (told, moved)) < self._least_motion
        scores = np.full(self._lags + 1, np.nan) if still else self._scores(told, moved)
        self.correlation = float(scores.max())
        # At the longest delay that is looked for the correlation may still be rising: that is no maximum.
        if self.correlation >= MINIMUM_CORRELATION and int(np.argmax(scores)) < self._lags:
            self._estimates.add(_peak(scores) * self._period_s)

    def _scores(self, told: Vector, moved: Vector) -> Vector:
        """Correlation of what moved with what was told, per lag in periods; the same stretch of `moved` for all."""
        late = moved[self._lags :]
        scores = np.empty(self._lags + 1)
        for lag in range(self._lags + 1):
            early = told[self._lags - lag : len(told) - lag]
            scores[lag] = np.sum(early * late) / max(float(np.linalg.norm(early) * np.linalg.norm(late)), 1e-12)
        return scores


def _peak(scores: Vector) -> float:
    """Where the largest score is, in samples, refined by the parabola through it and its neighbours."""
    best = int(np.argmax(scores))
    if not 0 < best < len(scores) - 1:
        return float(best)
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2.0 * here + after
    return best + (0.0 if bend == 0 else float(0.5 * (before - after) / bend))
