"""Random poses of objects on the table, apart enough for a gripper to reach each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

X_RANGE_M = (-0.15, 0.10)
Y_RANGE_M = (-0.135, 0.135)
FINGER_ROOM_M = 0.045
"""Free space between two objects: a finger is 2 cm thick and opens 1 to 2 cm beyond the object it closes on."""


class PlacementError(RuntimeError):
    """The objects do not fit on the table."""


@dataclass(frozen=True)
class Placement:
    """xy in metres in the world frame, yaw in radians."""

    xy: NDArray[np.float64]
    yaw: float


def place_objects(rng: np.random.Generator, radii: Mapping[str, float], attempts: int = 200) -> dict[str, Placement]:
    """Draw poses by rejection.

    Args:
        rng: source of randomness. radii: object name -> footprint radius (m). attempts: whole layouts tried.

    Raises:
        PlacementError: no layout found; names the objects.
    """
    low, high = np.array([X_RANGE_M[0], Y_RANGE_M[0]]), np.array([X_RANGE_M[1], Y_RANGE_M[1]])
    for _ in range(attempts):
        placed: dict[str, Placement] = {}
        for name, radius in radii.items():
            xy = _free_spot(rng, radius, placed, radii, low, high)
            if xy is None:
                break
            placed[name] = Placement(xy, float(rng.uniform(-np.pi, np.pi)))
        else:
            return placed
    raise PlacementError(f"no room on the table for all of: {', '.join(radii)}; put fewer objects on it")


def _free_spot(
    rng: np.random.Generator,
    radius: float,
    placed: Mapping[str, Placement],
    radii: Mapping[str, float],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    for _ in range(50):
        xy = rng.uniform(low, high)
        gaps = (float(np.linalg.norm(xy - other.xy)) - radius - radii[name] for name, other in placed.items())
        if all(gap > FINGER_ROOM_M for gap in gaps):
            return xy
    return None
