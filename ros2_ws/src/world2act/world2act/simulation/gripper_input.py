"""The receiving end of a gripper's command interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from world2act.driver.gripper_action import gripper_command_action
from world2act.simulation.command_input import as_vector
from world2act.simulation.trajectory_input import read_trajectory
from world2act_core.robot import commands
from world2act_core.robot.parts import GripperSpec
from world2act_interfaces.msg import ArmCommand


@dataclass(frozen=True)
class GripperInput:
    """What the gripper listens to. `opening` reads a message; joint: of a trajectory, empty for other messages.

    is_action: message_type is the action control_msgs/GripperCommand, whose goals' commands are read.
    """

    spec: GripperSpec
    message_type: type
    topic: str
    joint: str = ""
    is_action: bool = False

    def opening(self, message: Any) -> float:
        """Share of the gripper's way: 1 open, 0 closed; ConversionError for a message that a driver would refuse."""
        if isinstance(message, ArmCommand):
            return (1.0 - float(as_vector("ArmCommand.gripper", [message.gripper], 1)[0])) / 2.0
        if isinstance(message, JointTrajectory):
            value = float(read_trajectory(message, [self.joint])[-1].position[0])
        elif self.is_action:
            value = float(as_vector("GripperCommand.position", [message.position], 1)[0])
        else:
            value = float(as_vector("Float64MultiArray.data", message.data, 1)[0])
        closed = self.spec.command_closed
        return (value - closed) / (self.spec.command_open - closed)

    def position(self, opening: float) -> float:
        """The driver's own value [its unit] of a share of its way."""
        return self.spec.command_closed + opening * (self.spec.command_open - self.spec.command_closed)

    def reading(self, opening: float) -> list[float]:
        """Positions of the gripper's joints in joint_states at a share of its way, each the same."""
        spec = self.spec
        total = spec.reading_closed + opening * (spec.reading_open - spec.reading_closed)
        return [total / len(spec.joints)] * len(spec.joints)


def make_gripper_input(spec: GripperSpec, arm_topic: str) -> GripperInput:
    """The input of a profile's gripper; arm_topic: where its command comes from when it travels with the arm's.

    Raises ConfigurationError for the action interface on a machine without control_msgs.
    """
    command = spec.command
    if isinstance(command, commands.GripperTrajectoryCommand):
        return GripperInput(spec, JointTrajectory, command.topic, command.joint)
    if isinstance(command, commands.GripperPositionCommand):
        return GripperInput(spec, Float64MultiArray, command.topic)
    if isinstance(command, commands.GripperInArmCommand):
        return GripperInput(spec, ArmCommand, arm_topic)
    return GripperInput(spec, gripper_command_action(), command.topic, is_action=True)
