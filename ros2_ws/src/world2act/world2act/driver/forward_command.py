"""std_msgs/Float64MultiArray for ros2_control's forward_command_controller: joint positions or joint velocities."""

from __future__ import annotations

import array
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Float64MultiArray

from world2act.driver.adapter import CommandAdapter
from world2act.driver.drift import DriftCorrection
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.joint_motion import JointMotion, JointPoint, is_at_rest

Vector = NDArray[np.float64]


class ForwardPositionAdapter(CommandAdapter):
    """Joint positions, in the order of the controller's `joints` parameter, which must be the profile's.

    Hold: the same position again. The controller keeps the last one for ever, so it stays where it is when this process
    dies, but stops abruptly if it was moving.
    """

    message_type: ClassVar[type] = Float64MultiArray

    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> Float64MultiArray:
        """The positions of this period."""
        return numbers(motion.position)


class ForwardVelocityAdapter(CommandAdapter):
    """Joint velocities, in the order of the controller's `joints` parameter, which must be the profile's.

    The measured position corrects the drift, see `DriftCorrection`. Hold: the velocities fall to zero with the motion
    and stay zero. ros2_control's controller has no time-out of its own: if this process dies, a driver that has none
    either goes on moving.
    """

    message_type: ClassVar[type] = Float64MultiArray

    def __init__(self, topic: str, limits: JointLimits, period_s: float, position_gain: float) -> None:
        self._drift = DriftCorrection(position_gain, limits.velocity, limits.acceleration, period_s)
        self._largest, self._change = limits.velocity, limits.acceleration * period_s
        super().__init__(topic)

    def start(self) -> None:
        """Begin at rest."""
        self._drift.start()
        self._sent = np.zeros_like(self._largest)

    def message(self, motion: JointMotion, gripper: float, measured: Vector | None, stamp_ns: int) -> Float64MultiArray:
        """The velocities of this period."""
        error = np.zeros_like(motion.position) if measured is None else motion.position - measured
        wanted = motion.velocity + self._drift.next(error, is_at_rest(motion))
        # The motion alone is inside the limits; with the correction it must be as well.
        wanted = np.clip(wanted, -self._largest, self._largest)
        self._sent = self._sent + np.clip(wanted - self._sent, -self._change, self._change)
        return numbers(self._sent)

    def last_message(self, last: JointMotion, gripper: float, stamp_ns: int) -> Float64MultiArray:
        """Zeros."""
        return numbers(JointPoint.at_rest(last.position).velocity)


def numbers(values: Vector) -> Float64MultiArray:
    """Numbers [N] -> message without layout, as the forward command controllers want it."""
    return Float64MultiArray(data=array.array("d", np.asarray(values, dtype=np.float64).tolist()))
