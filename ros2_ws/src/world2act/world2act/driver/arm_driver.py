"""The sending end of a driver interface: one call per period, and one at the end."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from world2act.driver.adapter import CommandAdapter
from world2act.driver.gripper import GripperSender
from world2act_core.robot.joint_motion import JointMotion, JointPoint, is_at_rest

Vector = NDArray[np.float64]


class ArmDriver:
    """Sends what the safety filter decided to arm and gripper; made by `open_driver`.

    gripper: None when the gripper travels with the arm's own message. silent_at_rest: send nothing while the arm stands
    still, for drivers that hold by themselves; the message that says so is sent once.
    """

    def __init__(
        self, adapter: CommandAdapter, publisher: Any, gripper: GripperSender | None, silent_at_rest: bool = False
    ) -> None:
        self.adapter = adapter
        self._publisher, self._gripper, self._silent_at_rest = publisher, gripper, silent_at_rest
        self.start()

    def start(self) -> None:
        """Forget what came before; call on activation."""
        self.adapter.start()
        if self._gripper is not None:
            self._gripper.start()
        self._last: JointMotion | None = None
        self._last_gripper = -1.0
        self._resting_message_sent = False

    def send(self, motion: JointMotion, gripper: float | None, measured: Vector | None, stamp_ns: int) -> None:
        """The command of this period.

        motion: position, velocity, acceleration [N], for instance a `SafetyDecision`; gripper: [-1, 1], +1 closes, None
        as long as nobody has said: a gripper with an interface of its own is then left alone; measured: joint positions
        [N], None when they are not known or must not correct anything; stamp_ns: now, wall clock.
        """
        self._last = motion
        if gripper is not None:
            self._last_gripper = gripper
            if self._gripper is not None:
                self._gripper.send(gripper, time.monotonic())
        resting = is_at_rest(motion)
        if not (resting and self._silent_at_rest and self._resting_message_sent):
            self._publisher.publish(self.adapter.message(motion, self._last_gripper, measured, stamp_ns))
        self._resting_message_sent = resting

    def stop(self, stamp_ns: int) -> None:
        """The last word, before publishers are disabled: stay where the last command was.

        Bring the arm to rest first: this stops a moving arm abruptly. Does nothing before the first command.
        """
        if self._last is None:
            return
        message = self.adapter.last_message(JointPoint.at_rest(self._last.position), self._last_gripper, stamp_ns)
        self._publisher.publish(message)
        self._last = None
