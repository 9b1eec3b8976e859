"""geometry_msgs/TwistStamped for MoveIt Servo: the end effector's velocity that goes with the joints'."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from geometry_msgs.msg import TwistStamped
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act.conversions import ns_to_stamp
from world2act.driver.adapter import CommandAdapter
from world2act.driver.drift import DriftCorrection
from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_motion import JointMotion, is_at_rest

Vector = NDArray[np.float64]

DRIFT_SPEED = np.array([0.5, 0.5, 0.5, 2.0, 2.0, 2.0])
DRIFT_ACCELERATION = np.array([2.0, 2.0, 2.0, 10.0, 10.0, 10.0])
"""What the shares of a drift correction are of: m/s over rad/s, m/s^2 over rad/s^2."""
POSITION_GAIN = 2.0


class TwistAdapter(CommandAdapter):
    """End-effector velocities (Servo's `command_in_type: speed_units`), m/s and rad/s.

    Servo turns them into joint velocities by itself, so of an arm with seven joints the elbow may go another way than
    the joint motion says, and joint limits are Servo's to keep. Hold: the velocities fall to zero with the motion and
    stay zero; Servo also stops by itself after its `incoming_command_timeout`.

    frame_id: name of the frame that `axes` means; axes: whether velocities are along the base's or the end effector's.
    """

    message_type: ClassVar[type] = TwistStamped

    def __init__(self, topic: str, model: ArmModel, period_s: float, frame_id: str, axes: str = "base") -> None:
        self._model, self._frame_id, self._axes = model, frame_id, axes
        self._drift = DriftCorrection(POSITION_GAIN, DRIFT_SPEED, DRIFT_ACCELERATION, period_s)
        super().__init__(topic)

    def start(self) -> None:
        """Begin without a correction."""
        self._drift.start()

    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> TwistStamped:
        """The twist of this period."""
        twist = self._model.jacobian(motion.position) @ motion.velocity
        twist = twist + self._drift.next(self._error(motion, measured), is_at_rest(motion))
        where = motion.position if measured is None else measured
        return self._stamped(twist, where, stamp_ns)

    def last_message(self, last: JointMotion, gripper: float, stamp_ns: int) -> TwistStamped:
        """Zeros."""
        return self._stamped(np.zeros(6), last.position, stamp_ns)

    def _error(self, motion: JointMotion, measured: Vector | None) -> Vector:
        """How far the end effector is from where the joints should have brought it: m over rad, [6], base frame."""
        if measured is None:
            return np.zeros(6)
        goal, here = self._model.forward(motion.position), self._model.forward(measured)
        turn = Rotation.from_quat(goal.quaternion) * Rotation.from_quat(here.quaternion).inv()
        return np.concatenate([goal.position - here.position, turn.as_rotvec()])

    def _stamped(self, twist: Vector, position: Vector, stamp_ns: int) -> TwistStamped:
        linear, angular = twist[:3], twist[3:]
        if self._axes == "end_effector":
            turn = Rotation.from_quat(self._model.forward(position).quaternion).inv()
            linear, angular = turn.apply(linear), turn.apply(angular)
        message = TwistStamped()
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.header.frame_id = self._frame_id
        part = message.twist
        part.linear.x, part.linear.y, part.linear.z = (float(value) for value in linear)
        part.angular.x, part.angular.y, part.angular.z = (float(value) for value in angular)
        return message
