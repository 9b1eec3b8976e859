"""From a profile's `command` and `gripper.command` to the objects that send them."""

from __future__ import annotations

from typing import Any

from trajectory_msgs.msg import JointTrajectory

from world2act import topics
from world2act.driver.adapter import CommandAdapter
from world2act.driver.arm_command import ArmCommandAdapter
from world2act.driver.arm_driver import ArmDriver
from world2act.driver.forward_command import Float64MultiArray, ForwardPositionAdapter, ForwardVelocityAdapter
from world2act.driver.gripper import GripperSender, position_gripper, trajectory_gripper
from world2act.driver.gripper_action import ActionGripper
from world2act.driver.joint_trajectory import JointTrajectoryAdapter
from world2act.driver.twist import TwistAdapter
from world2act_core.robot import commands
from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.profile import RobotProfile


def open_driver(node: Any, profile: RobotProfile, model: ArmModel) -> ArmDriver:
    """The driver of a profile, publishing through `node` (a ManagedNode: silent unless active, freed on cleanup).

    Raises ConfigurationError when the package of the gripper's interface is missing.
    """
    adapter = make_adapter(profile, model)
    gripper = _gripper(node, profile)
    publisher = node.publisher(adapter.message_type, adapter.topic, topics.reliable())
    return ArmDriver(adapter, publisher, gripper, silent_at_rest=profile.hold.at_rest == "silent")


def make_adapter(profile: RobotProfile, model: ArmModel) -> CommandAdapter:
    """The adapter of the profile's command interface; `model` is used by Cartesian ones."""
    command = profile.command
    if isinstance(command, commands.JointTrajectoryCommand):
        return JointTrajectoryAdapter(command.topic, profile.limits, command.time_from_start_s, command.velocities)
    if isinstance(command, commands.ForwardPositionCommand):
        return ForwardPositionAdapter(command.topic)
    if isinstance(command, commands.ForwardVelocityCommand):
        return ForwardVelocityAdapter(command.topic, profile.limits, profile.period_s, command.position_gain)
    if isinstance(command, commands.TwistCommand):
        frame = profile.frames.base if command.frame == "base" else profile.frames.end_effector
        return TwistAdapter(command.topic, model, profile.period_s, frame, command.frame)
    return ArmCommandAdapter(command.topic, model, profile.frames.base)


def _gripper(node: Any, profile: RobotProfile) -> GripperSender | None:
    spec, command = profile.gripper, profile.gripper.command
    if isinstance(command, commands.GripperTrajectoryCommand):
        publisher = node.publisher(JointTrajectory, command.topic, topics.reliable(1))
        return trajectory_gripper(spec, publisher, command.joint)
    if isinstance(command, commands.GripperPositionCommand):
        return position_gripper(spec, node.publisher(Float64MultiArray, command.topic, topics.reliable(1)))
    if isinstance(command, commands.GripperActionCommand):
        return ActionGripper(spec, node, command.topic)
    return None  # with_arm, which a profile only allows for ArmCommand
