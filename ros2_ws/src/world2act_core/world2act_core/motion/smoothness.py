"""How smooth a sampled motion is: jumps of its velocity, and its jerk."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Vector = NDArray[np.float64]

LINEAR_JUMP = 0.1
"""m/s from one period to the next that count as a jump: at 100 Hz, an acceleration of 10 m/s^2."""
ANGULAR_JUMP = 0.25
"""rad/s; at 100 Hz, 25 rad/s^2."""


@dataclass(frozen=True)
class Smoothness:
    """Jumps: how often the velocity changed by more than the threshold within one period. Jerks per s^3, in m or rad.

    largest_jump: of the velocity within one period, per s.
    """

    seconds: float
    jumps: int
    largest_jump: float
    peak_jerk: float
    rms_jerk: float

    def to_json(self) -> dict[str, float]:
        """As plain numbers."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


def linear_velocity(positions: Vector, period_s: float) -> Vector:
    """[n, 3] m -> [n - 1, 3] m/s."""
    return np.diff(positions, axis=0) / period_s


def angular_velocity(quaternions: Vector, period_s: float) -> Vector:
    """[n, 4] (x, y, z, w) -> [n - 1, 3] rad/s in the frame that the rotations are to."""
    rotations = Rotation.from_quat(quaternions)
    return np.asarray((rotations[1:] * rotations[:-1].inv()).as_rotvec() / period_s)


def jerk(velocity: Vector, period_s: float) -> Vector:
    """[n, 3] per s -> [n - 2, 3] per s^3, by second differences."""
    return np.diff(velocity, n=2, axis=0) / period_s**2


def smoothness(velocity: Vector, period_s: float, jump: float) -> Smoothness:
    """Of a velocity [n, 3] that was sampled every `period_s`; jump: the threshold, per s. ValueError when n < 3."""
    if len(velocity) < 3:
        raise ValueError(f"need at least 3 velocities to speak of jerk, got {len(velocity)}")
    changes = np.linalg.norm(np.diff(velocity, axis=0), axis=1)
    jerks = np.linalg.norm(jerk(velocity, period_s), axis=1)
    return Smoothness(
        seconds=len(velocity) * period_s,
        jumps=int(np.sum(changes > jump)),
        largest_jump=float(changes.max()),
        peak_jerk=float(jerks.max()),
        rms_jerk=float(np.sqrt(np.mean(jerks**2))),
    )
