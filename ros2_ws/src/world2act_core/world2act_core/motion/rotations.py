"""Rotation vectors as coordinates: how fast a body turns when its rotation vector changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_SMALL_ANGLE = 1e-4
_DIFFERENCE_S = 1e-4
"""Step of the central difference. The true rates are smooth, so its error is of the order of this, squared."""


def skew(vector: Vector) -> Vector:
    """[3] -> [3, 3] with skew(a) @ b = a x b."""
    x, y, z = vector
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def left_jacobian(rotvec: Vector) -> Vector:
    """[3, 3]: angular velocity = left_jacobian(r) @ dr/dt of the rotation exp(r), in the frame that r is written in."""
    angle = float(np.linalg.norm(rotvec))
    cross = skew(rotvec)
    if angle < _SMALL_ANGLE:
        first, second = 0.5 - angle**2 / 24.0, 1.0 / 6.0 - angle**2 / 120.0
    else:
        first, second = (1.0 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross)


def angular_acceleration(rotvec: Vector, rate: Vector, acceleration: Vector) -> Vector:
    """[3] rad/s^2 of exp(r(t)) from r [3], its rate and its acceleration, by a central difference."""
    h = _DIFFERENCE_S
    after = left_jacobian(rotvec + h * rate) @ (rate + h * acceleration)
    before = left_jacobian(rotvec - h * rate) @ (rate - h * acceleration)
    return np.asarray((after - before) / (2.0 * h))


def unwrapped(rotvecs: Vector) -> Vector:
    """The same rotations [n, 3], each written with the rotation vector that is nearest to the one before it.

    Beyond half a turn the usual vector flips to the other side; a curve through such vectors would swing round.
    """
    result = np.array(rotvecs, dtype=np.float64)
    for index in range(1, len(result)):
        angle = float(np.linalg.norm(result[index]))
        if angle < 1e-9:
            continue
        axis = result[index] / angle
        turns = np.round((float(result[index - 1] @ axis) - angle) / (2.0 * np.pi))
        result[index] = axis * (angle + 2.0 * np.pi * turns)
    return result
