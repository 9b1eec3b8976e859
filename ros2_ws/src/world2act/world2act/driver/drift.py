"""Velocity commands are integrated by the arm: small errors add up unless they are looked at and taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

LARGEST_SHARE = 0.005
"""A correction changes by at most this share of the acceleration limit, and is at most this share of the speed limit:
too little to matter beside the commanded motion, which may be at its limit."""
CLOSE = 5e-4
"""An error below this [rad or m] is not corrected at rest: hold ends with zeros, not with a tremor."""


class DriftCorrection:
    """A slow velocity towards where the arm should be, added to the commanded one.

    gain: velocity per error [1/s]; 0 switches it off. velocity, acceleration: limits [N]; the correction stays below
    LARGEST_SHARE of them. period_s: time between two calls.
    """

    def __init__(self, gain: float, velocity: Vector, acceleration: Vector, period_s: float) -> None:
        self._gain = gain
        self._largest = LARGEST_SHARE * velocity
        self._change = LARGEST_SHARE * acceleration * period_s
        self.start()

    def start(self) -> None:
        """Begin without a correction."""
        self._value = np.zeros_like(self._largest)

    def next(self, error: Vector, at_rest: bool) -> Vector:
        """The correction [N] of this period for an error [N]: where the arm should be minus where it is."""
        wanted = np.clip(self._gain * error, -self._largest, self._largest)
        if at_rest:
            wanted = np.where(np.abs(error) < CLOSE, 0.0, wanted)
        self._value = self._value + np.clip(wanted - self._value, -self._change, self._change)
        return self._value.copy()
