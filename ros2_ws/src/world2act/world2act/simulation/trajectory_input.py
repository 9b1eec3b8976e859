"""JointTrajectory as joint_trajectory_controller reads it, with its refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from world2act.conversions import NANOSECONDS, ConversionError
from world2act.simulation.command_input import as_vector

Vector = NDArray[np.float64]

SMALLEST_VELOCITY = 1.2e-7
"""What the controller takes for zero at a trajectory's end (the epsilon of a 32-bit float)."""


@dataclass(frozen=True, eq=False)
class TrajectoryPoint:
    """One point in the arm's order of joints: seconds after the start, position [N], and what else it carries [N]."""

    time_s: float
    position: Vector
    velocity: Vector | None
    acceleration: Vector | None


def read_trajectory(message: JointTrajectory, names: Sequence[str]) -> list[TrajectoryPoint]:
    """The points of a trajectory for the joints `names`, at least one.

    Raises ConversionError: other joints, no points, times that do not rise, a value that is missing or not finite, an
    end that is not at rest.
    """
    if sorted(message.joint_names) != sorted(names):
        raise ConversionError(f"JointTrajectory is for {list(message.joint_names)}, this arm has {list(names)}")
    if not message.points:
        raise ConversionError("JointTrajectory has no points")
    order = [list(message.joint_names).index(name) for name in names]
    points = [_read_point(point, order) for point in message.points]
    times = [0.0, *(point.time_s for point in points)]
    if any(later <= earlier for earlier, later in zip(times[:-1], times[1:], strict=True)):
        raise ConversionError(f"JointTrajectory: times must rise and be above zero, got {times[1:]}")
    end = points[-1].velocity
    if end is not None and np.abs(end).max() > SMALLEST_VELOCITY:
        raise ConversionError(f"JointTrajectory does not end at rest: velocities {end.tolist()}")
    return points


def _read_point(point: JointTrajectoryPoint, order: list[int]) -> TrajectoryPoint:
    time_s = point.time_from_start.sec + point.time_from_start.nanosec / NANOSECONDS

    def field(name: str) -> Vector | None:
        values = getattr(point, name)
        return as_vector(f"JointTrajectoryPoint.{name}", values, len(order))[order] if len(values) else None

    position = as_vector("JointTrajectoryPoint.positions", point.positions, len(order))[order]
    return TrajectoryPoint(time_s, position, field("velocities"), field("accelerations"))
