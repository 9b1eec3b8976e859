"""Disturbances injected into what the arm executes while the expert's clean answer is what gets recorded.

They take the arm off the expert's path, so that the data shows how to come back: a slowly wandering offset, rare
shoves of a few ticks, and rare slips in which the gripper opens while carrying.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NoiseConfig:
    """Strengths; lengths in metres and radians per control period."""

    position: float = 0.006
    rotation: float = 0.02
    correlation: float = 0.7  # of the wandering offset from one tick to the next
    shove_probability: float = 0.02  # per tick
    shove_position: float = 0.03
    shove_ticks: int = 4
    slip_probability: float = 0.15  # per episode
    clean_probability: float = 0.25  # episodes without any disturbance


class ActionNoise:
    """One episode's disturbance; a function of the generator it is given."""

    def __init__(self, config: NoiseConfig, rng: np.random.Generator) -> None:
        self._config = config
        self._rng = rng
        self._clean = rng.random() < config.clean_probability
        self._offset = np.zeros(6)
        self._shove = np.zeros(3)
        self._shove_left = 0
        self._slip_at = int(rng.integers(2, 14)) if rng.random() < config.slip_probability else -1
        self._carried = 0

    def disturb(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is executed instead of the clean ``action`` [7] (dx dy dz m, rx ry rz rad, gripper)."""
        if self._clean:
            return action
        config, rng = self._config, self._rng
        scale = np.array([config.position] * 3 + [config.rotation] * 3)
        fresh = np.sqrt(1 - config.correlation**2) * rng.normal(size=6)
        self._offset = config.correlation * self._offset + fresh * scale
        if self._shove_left == 0 and rng.random() < config.shove_probability:
            self._shove_left = config.shove_ticks
            self._shove = rng.uniform(-1, 1, 3) * config.shove_position
        result = action.copy()
        result[:6] += self._offset
        if self._shove_left > 0:
            self._shove_left -= 1
            result[:3] += self._shove
        self._carried = self._carried + 1 if action[6] > 0 else 0
        if 0 <= self._slip_at - self._carried < 2 and self._carried > 0:
            result[6] = -1.0
            if self._slip_at == self._carried:
                self._slip_at = -1
        return result
