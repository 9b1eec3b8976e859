"""Velocity commands are integrated by the arm: small errors add up unless they are looked at and taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

SPEED_SHARE = 0.05
ACCELERATION_SHARE = 0.1
"""Of the limits, for the correction alone."""
CLOSE = 5e-4
"""An error below this [rad or m] is not corrected at rest: hold ends with zeros, not with a tremor."""


class DriftCorrection:
    """A slow velocity towards where the arm should be, added to the commanded one.

    gain: velocity per error [1/s]; 0 switches it off. velocity, acceleration: limits [N], of which the correction takes
    the shares above. period_s: time between two calls.
    """

    def __init__(self, gain: float, velocity: Vector, acceleration: Vector, period_s: float) -> None:
        self._gain, self._period_s = gain, period_s
        self._largest = SPEED_SHARE * velocity
        self._acceleration = ACCELERATION_SHARE * acceleration
        self.start()

    def start(self) -> None:
        """Begin without a correction."""
        self._value = np.zeros_like(self._largest)

    def next(self, error: Vector, at_rest: bool) -> Vector:
        """The correction [N] of this period for an error [N]: where the arm should be minus where it is."""
        # No faster than it can still stop, or it would swing around the goal.
        largest = np.minimum(self._largest, np.sqrt(self._acceleration * np.abs(error)))
        wanted = np.clip(self._gain * error, -largest, largest)
        if at_rest:
            wanted = np.where(np.abs(error) < CLOSE, 0.0, wanted)
        change = self._acceleration * self._period_s
        self._value = self._value + np.clip(wanted - self._value, -change, change)
        return self._value.copy()
