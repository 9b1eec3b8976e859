"""This project's own ArmCommand: an absolute pose of the end effector and the gripper, for a driver that takes it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from world2act.conversions import arm_target_to_message
from world2act.driver.adapter import CommandAdapter
from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_motion import JointMotion
from world2act_core.types import ArmTarget
from world2act_interfaces.msg import ArmCommand

Vector = NDArray[np.float64]


class ArmCommandAdapter(CommandAdapter):
    """Where the end effector is at the motion's joint positions. Hold: the same pose again.

    The driver keeps the last pose when this process dies. How its joints get there is its own affair.
    """

    message_type: ClassVar[type] = ArmCommand

    def __init__(self, topic: str, model: ArmModel, frame_id: str) -> None:
        self._model, self._frame_id = model, frame_id
        super().__init__(topic)

    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> ArmCommand:
        """The target of this period; the caller may fill in which chunk it is from and why it holds."""
        message = arm_target_to_message(ArmTarget(self._model.forward(motion.position), gripper), stamp_ns)
        message.header.frame_id = self._frame_id
        return message
