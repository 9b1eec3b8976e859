"""How far an action takes the arm: the arm of the demonstrations lags behind what it is told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class GoalResponse:
    """The arm of the demonstrations pulled towards its goal: a critically damped spring.

    A delta is a goal relative to the pose measured at its step. In one step the arm covers only a part of the way to
    it, and the next delta starts from where it then is. The sum of the deltas is therefore not where the arm went, and
    a faster arm that followed that sum would outrun the policy.

    natural_frequency: rad/s, the square root of the stiffness `kp` of an operational-space controller with mass
    compensation and damping ratio 1. Infinite: the arm reaches each goal within its step, deltas are displacements.
    Raises ValueError when it is not positive.
    """

    natural_frequency: float = math.inf

    def __post_init__(self) -> None:
        if not self.natural_frequency > 0:
            raise ValueError(f"natural_frequency must be positive, got {self.natural_frequency} rad/s")

    def displacements(self, deltas: Vector, velocity: Vector, step_s: float) -> Vector:
        """How far the arm gets in each step, [T, K], told `deltas` [T, K], moving at `velocity` [K] (1/s) at first."""
        if math.isinf(self.natural_frequency):
            return np.array(deltas, dtype=np.float64)
        angle, decay = self._step(step_s)
        covered = np.empty(np.shape(deltas))
        speed = np.array(velocity, dtype=np.float64)
        for index, delta in enumerate(np.asarray(deltas, dtype=np.float64)):
            covered[index] = _share(angle, decay) * delta + step_s * decay * speed
            speed = self.natural_frequency * angle * decay * delta + (1.0 - angle) * decay * speed
        return covered

    def goal(self, covered: Vector, velocity: Vector, step_s: float) -> Vector:
        """The delta [K] that takes the arm as far as `covered` [K] in one step that it begins at `velocity` [K] (1/s).

        The reverse of `displacements` for one step.
        """
        if math.isinf(self.natural_frequency):
            return np.array(covered, dtype=np.float64)
        angle, decay = self._step(step_s)
        return np.asarray((covered - step_s * decay * velocity) / _share(angle, decay), dtype=np.float64)

    def _step(self, step_s: float) -> tuple[float, float]:
        angle = self.natural_frequency * step_s
        return angle, math.exp(-angle)


def _share(angle: float, decay: float) -> float:
    """Of the way to its goal, what an arm covers in one step from rest."""
    return 1.0 - (1.0 + angle) * decay


DISPLACEMENTS = GoalResponse()
"""Deltas are what the arm covers."""
TABLETOP_RESPONSE = GoalResponse(math.sqrt(200.0))
"""That of the simulated table's arm, whose controller has kp 200."""
