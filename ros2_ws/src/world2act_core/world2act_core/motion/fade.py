"""What is left of the old motion: a difference that fades to nothing without a jump in position, velocity or force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class State(NamedTuple):
    """Where something is and how it moves: each [K], per s and per s^2."""

    value: Vector
    rate: Vector
    acceleration: Vector


@dataclass(frozen=True, eq=False)
class Fade:
    """The polynomial of degree five that begins at `start_s` as `difference` does and is gone after `duration_s` (s).

    Value, rate and acceleration agree with `difference` at the start and are zero at the end, so whatever it is added
    to stays twice continuously differentiable. With d, v, a the difference's value, rate and acceleration and B the
    duration, its own acceleration is at most 5.78 |d| / B^2 + 3.95 |v| / B + |a|.
    """

    start_s: float
    duration_s: float
    difference: State

    def over(self, time_s: float) -> bool:
        """Whether nothing is left of it."""
        return time_s >= self.start_s + self.duration_s

    def at(self, time_s: float) -> State:
        """Its value [K] and the two derivatives; before its start, those at the start."""
        zero = np.zeros_like(self.difference.value)
        if self.over(time_s):
            return State(zero, zero, zero)
        scale = self.duration_s
        u = max(0.0, (time_s - self.start_s) / scale)
        c0 = self.difference.value
        c1 = self.difference.rate * scale
        c2 = self.difference.acceleration * scale**2 / 2.0
        c3 = -10.0 * c0 - 6.0 * c1 - 3.0 * c2
        c4 = 15.0 * c0 + 8.0 * c1 + 3.0 * c2
        c5 = -6.0 * c0 - 3.0 * c1 - c2
        return State(
            c0 + u * (c1 + u * (c2 + u * (c3 + u * (c4 + u * c5)))),
            (c1 + u * (2.0 * c2 + u * (3.0 * c3 + u * (4.0 * c4 + u * 5.0 * c5)))) / scale,
            (2.0 * c2 + u * (6.0 * c3 + u * (12.0 * c4 + u * 20.0 * c5))) / scale**2,
        )


def gentle_duration(value: Vector, rate: Vector, acceleration: float) -> float:
    """How long a fade of a difference with `value` and `rate` must take to add at most `acceleration` (norms).

    The difference's own acceleration is there anyway and does not count; see the bound in `Fade`.
    """
    far, fast = 5.78 * float(np.linalg.norm(value)), 3.95 * float(np.linalg.norm(rate))
    # far / B^2 + fast / B = acceleration, solved for B.
    return float((fast + np.sqrt(fast**2 + 4.0 * acceleration * far)) / (2.0 * acceleration))
