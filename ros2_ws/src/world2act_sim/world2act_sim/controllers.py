"""What drivers make of joint commands: each controller turns what it is told into a moving joint reference.

They stand for joint_trajectory_controller and for the forward command controllers of ros2_control.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from world2act_core.robot.joint_limits import JointLimits

Vector = NDArray[np.float64]

SMOOTHING_S = 0.02
"""A streamed position is approached over this long, as drivers filter what they are sent."""
JUMP_ACCELERATION = 2.0
"""A position far away is approached with this many times the acceleration limit: a stream inside the limits that comes
with jitter needs more than once."""


class Controller(ABC):
    """A joint reference `position`, `velocity` [N] that `advance` moves on; times are the arm's own seconds."""

    def __init__(self, limits: JointLimits) -> None:
        self.limits = limits
        self.restart(np.clip(np.zeros(limits.size), limits.position_low, limits.position_high))

    def restart(self, position: Vector) -> None:
        """Forget every command and stand at `position` [N]."""
        self.position = np.array(position, dtype=np.float64)
        self.velocity = np.zeros(self.limits.size)
        self.forget()

    @abstractmethod
    def forget(self) -> None:
        """Forget every command."""

    @abstractmethod
    def advance(self, now_s: float, period_s: float) -> None:
        """Move the reference on by one physics step that ends at `now_s`."""


class PositionController(Controller):
    """forward_command_controller on position: follows the last position, however old, no faster than the joints may."""

    def forget(self) -> None:
        """Nothing to go to."""
        self._target: Vector | None = None

    def command(self, position: Vector, now_s: float) -> None:
        """Go to `position` [N]."""
        self._target, self._due_s = np.array(position), now_s + SMOOTHING_S

    def advance(self, now_s: float, period_s: float) -> None:
        """Approach the target."""
        if self._target is None:
            return
        target = np.clip(self._target, self.limits.position_low, self.limits.position_high)
        way = target - self.position
        acceleration = JUMP_ACCELERATION * self.limits.acceleration
        # What can still be braked in time; the last stretch is shorter than a period's.
        fastest = np.minimum(self.limits.velocity, np.sqrt(2.0 * acceleration * np.abs(way)))
        wanted = np.clip(way / max(self._due_s - now_s + period_s, period_s), -fastest, fastest)
        change = acceleration * period_s
        self.velocity = self.velocity + np.clip(wanted - self.velocity, -change, change)
        self.position = self.position + self.velocity * period_s


class VelocityController(Controller):
    """forward_command_controller on velocity: follows the last velocity until it is older than `timeout_s`."""

    def __init__(self, limits: JointLimits, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        super().__init__(limits)

    def forget(self) -> None:
        """Stand still."""
        self._wanted = np.zeros(self.limits.size)
        self._commanded_s = -np.inf

    def command(self, velocity: Vector, now_s: float) -> None:
        """Move with `velocity` [N] from now on."""
        self._wanted, self._commanded_s = np.array(velocity), now_s

    def advance(self, now_s: float, period_s: float) -> None:
        """Accelerate towards the wanted velocity, or to rest when it is too old."""
        timed_out = now_s - self._commanded_s > self._timeout_s
        self.move(np.zeros(self.limits.size) if timed_out else self._wanted, period_s)

    def move(self, wanted: Vector, period_s: float) -> None:
        """One step towards velocity `wanted` [N] within the limits; a joint at its stop stands still."""
        allowed = np.clip(wanted, -self.limits.velocity, self.limits.velocity)
        change = self.limits.acceleration * period_s
        velocity = self.velocity + np.clip(allowed - self.velocity, -change, change)
        position = np.clip(self.position + velocity * period_s, self.limits.position_low, self.limits.position_high)
        self.velocity = (position - self.position) / period_s
        self.position = position


@dataclass(frozen=True, eq=False)
class Waypoint:
    """Where to be `time_s` after the trajectory's start; velocity None: straight lines between positions."""

    time_s: float
    position: Vector
    velocity: Vector | None = None


class TrajectoryController(Controller):
    """joint_trajectory_controller: a new trajectory replaces the old one, beginning where the reference is."""

    def forget(self) -> None:
        """No trajectory."""
        self._waypoints: list[Waypoint] = []

    def command(self, waypoints: Sequence[Waypoint], start_s: float) -> None:
        """Follow `waypoints` (times rising, above 0) from now on; `start_s` is their time 0."""
        self._start_s = start_s
        self._waypoints = [Waypoint(0.0, self.position, self.velocity), *waypoints]

    def advance(self, now_s: float, period_s: float) -> None:
        """Where the trajectory is now; at its end stand still."""
        if not self._waypoints:
            return
        time_s = now_s - self._start_s
        while len(self._waypoints) > 1 and self._waypoints[1].time_s <= time_s:
            self._waypoints.pop(0)
        if len(self._waypoints) == 1:
            position = self._waypoints.pop().position
            self.velocity = np.zeros(self.limits.size)
        else:
            position, self.velocity = _between(self._waypoints[0], self._waypoints[1], time_s)
        self.position = np.minimum(np.maximum(position, self.limits.position_low), self.limits.position_high)


def _between(first: Waypoint, second: Waypoint, time_s: float) -> tuple[Vector, Vector]:
    """Position and velocity [N] on the cubic (with velocities) or straight line between two waypoints."""
    length = second.time_s - first.time_s
    step = second.position - first.position
    share = max(0.0, time_s - first.time_s) / length
    if first.velocity is None or second.velocity is None:
        return first.position + share * step, step / length
    start, end = first.velocity * length, second.velocity * length
    cubic, square = start + end - 2.0 * step, 3.0 * step - 2.0 * start - end
    position = first.position + share * (start + share * (square + share * cubic))
    return position, (start + share * (2.0 * square + 3.0 * share * cubic)) / length
