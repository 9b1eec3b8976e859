"""eef_pose for arms whose driver does not publish it: forward kinematics of the measured joints."""

from __future__ import annotations

from geometry_msgs.msg import PoseStamped

from world2act.conversions import stamped_pose_to_message
from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_reading import JointReading


class EefPoseSource:
    """Measured joints -> PoseStamped with the measurement's own stamp, in the profile's base frame."""

    def __init__(self, model: ArmModel, frame: str) -> None:
        self._model, self._frame = model, frame

    def message(self, reading: JointReading) -> PoseStamped:
        """Where the end effector was when the joints were measured."""
        return stamped_pose_to_message(self._model.forward(reading.position), reading.stamp_ns, self._frame)
