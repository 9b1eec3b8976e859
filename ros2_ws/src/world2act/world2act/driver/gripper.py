"""Commands to a gripper that has an interface of its own; the profile says what closed and open are there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from trajectory_msgs.msg import JointTrajectory

from world2act.driver.forward_command import numbers
from world2act.driver.joint_trajectory import trajectory_point
from world2act_core.robot.parts import GripperSpec

REPEAT_S = 1.0
"""An unchanged command is sent again after this long, for a controller that was started later."""
SHORTEST_S = 0.1
"""No trajectory of a gripper is shorter: its controller would refuse a point in the past."""


class GripperSender(ABC):
    """Sends when the command changes, and again from time to time. Hold: the gripper keeps its command."""

    def __init__(self, spec: GripperSpec) -> None:
        self._spec = spec
        self.start()

    def start(self) -> None:
        """Forget what was sent."""
        self._sent: float | None = None
        self._sent_s = 0.0

    def send(self, gripper: float, now_s: float) -> None:
        """The command [-1, 1] of this period at `now_s` (any steady clock)."""
        if gripper == self._sent and now_s - self._sent_s < REPEAT_S:
            return
        if self.deliver(self._spec.driver_value(gripper), self._duration_s(gripper)):
            self._sent, self._sent_s = gripper, now_s

    def _duration_s(self, gripper: float) -> float:
        """How long the way to `gripper` takes at the gripper's own speed [s]."""
        share = abs(gripper - self._sent) / 2.0 if self._sent is not None else 1.0
        way = share * (self._spec.width_open - self._spec.width_closed)
        return max(SHORTEST_S, way / self._spec.max_speed)

    @abstractmethod
    def deliver(self, value: float, duration_s: float) -> bool:
        """Hand `value` [the driver's unit] over, to be reached in `duration_s`; False: it has to be tried again."""


class TopicGripper(GripperSender):
    """A gripper that takes messages; see `trajectory_gripper` and `position_gripper`."""

    def __init__(self, spec: GripperSpec, publisher: Any, make: Callable[[float, float], Any]) -> None:
        self._publisher, self._make = publisher, make
        super().__init__(spec)

    def deliver(self, value: float, duration_s: float) -> bool:
        """Publish."""
        self._publisher.publish(self._make(value, duration_s))
        return True


def trajectory_gripper(spec: GripperSpec, publisher: Any, joint: str) -> TopicGripper:
    """JointTrajectory with one joint and one point, for a gripper behind a joint_trajectory_controller."""
    return TopicGripper(
        spec,
        publisher,
        lambda value, duration_s: JointTrajectory(joint_names=[joint], points=[trajectory_point(duration_s, [value])]),
    )


def position_gripper(spec: GripperSpec, publisher: Any) -> TopicGripper:
    """Float64MultiArray with one number, for a gripper behind a forward_command_controller."""
    return TopicGripper(spec, publisher, lambda value, _: numbers(np.array([value])))
