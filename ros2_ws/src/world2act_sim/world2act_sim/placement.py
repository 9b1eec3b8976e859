"""Random poses of objects on the table, apart enough for a gripper to reach each."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

X_RANGE_M = (-0.15, 0.10)
Y_RANGE_M = (-0.135, 0.135)
FINGER_ROOM_M = 0.045
"""Free space between two objects: a finger is 2 cm thick and opens 1 to 2 cm beyond the object it closes on."""
LANE_ROOM_M = 0.02
"""Free space beside the lane (along y) in which an object is to be pushed."""


class PlacementError(RuntimeError):
    """The objects do not fit on the table."""


@dataclass(frozen=True)
class Placement:
    """xy in metres in the world frame, yaw in radians."""

    xy: NDArray[np.float64]
    yaw: float


@dataclass(frozen=True)
class Area:
    """A rectangle in which the middle of an object may lie, world frame, metres."""

    x: tuple[float, float] = X_RANGE_M
    y: tuple[float, float] = Y_RANGE_M


def place_objects(
    rng: np.random.Generator,
    radii: Mapping[str, float],
    attempts: int = 200,
    area: Area = Area(),
    pushed: Mapping[str, Area] | None = None,
) -> dict[str, Placement]:
    """Draw poses by rejection.

    Args:
        rng: source of randomness. radii: object name -> footprint radius (m). attempts: whole layouts tried.
        area: where objects lie. pushed: objects that lie in an area of their own, with a free lane along y.

    Raises:
        PlacementError: no layout found; names the objects.
    """
    pushed = pushed or {}
    for _ in range(attempts):
        placed: dict[str, Placement] = {}
        for name, radius in radii.items():
            own = pushed.get(name, area)
            low, high = np.array([own.x[0], own.y[0]]), np.array([own.x[1], own.y[1]])
            in_lane = {other for other in placed if name in pushed or other in pushed}
            xy = _free_spot(rng, radius, placed, radii, low, high, in_lane)
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
    in_lane: Set[str],
) -> NDArray[np.float64] | None:
    for _ in range(50):
        xy = rng.uniform(low, high)
        gaps = (float(np.linalg.norm(xy - other.xy)) - radius - radii[name] for name, other in placed.items())
        beside = (abs(float(xy[0] - placed[name].xy[0])) - radius - radii[name] for name in in_lane)
        if all(gap > FINGER_ROOM_M for gap in gaps) and all(gap > LANE_ROOM_M for gap in beside):
            return xy
    return None
