"""One input for each command interface of a robot profile."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from geometry_msgs.msg import TwistStamped
from numpy.typing import NDArray
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from world2act.conversions import arm_target_from_message, pose_from_message
from world2act.simulation.command_input import CommandInput, as_vector, near
from world2act.simulation.trajectory_input import read_trajectory
from world2act_core.robot import commands
from world2act_core.robot.profile import RobotProfile
from world2act_core.robot.referee import CommandReferee
from world2act_interfaces.msg import ArmCommand
from world2act_sim.cartesian_controllers import PoseController, TwistController
from world2act_sim.controllers import PositionController, TrajectoryController, VelocityController, Waypoint
from world2act_sim.site_kinematics import SiteKinematics

Vector = NDArray[np.float64]

START_TOLERANCE_M = 0.05


class TrajectoryInput(CommandInput):
    """joint_trajectory_controller's topic."""

    message_type: ClassVar[type] = JointTrajectory
    controller: TrajectoryController

    def begins_at(self, message: JointTrajectory, measured: Vector) -> bool:
        """Whether its first point is where the arm is."""
        return near(read_trajectory(message, self.controller.limits.names)[0].position, measured)

    def apply(self, message: JointTrajectory, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Follow the trajectory."""
        points = read_trajectory(message, self.controller.limits.names)
        first = points[0]
        self.referee.see_position(sent_s, first.position, measured, first.velocity, first.acceleration)
        for point in points[1:]:
            self.referee.see_tail(sent_s, point.position, point.velocity)
        self.controller.command([Waypoint(p.time_s, p.position, p.velocity) for p in points], arm_s)


class PositionInput(CommandInput):
    """forward_command_controller on position."""

    message_type: ClassVar[type] = Float64MultiArray
    controller: PositionController

    def begins_at(self, message: Float64MultiArray, measured: Vector) -> bool:
        """Whether the positions are where the arm is."""
        return near(message.data, measured)

    def apply(self, message: Float64MultiArray, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Go there."""
        position = as_vector("Float64MultiArray.data", message.data, len(measured))
        self.referee.see_position(sent_s, position, measured)
        self.controller.command(position, arm_s)


class VelocityInput(CommandInput):
    """forward_command_controller on velocity."""

    message_type: ClassVar[type] = Float64MultiArray
    controller: VelocityController

    def begins_at(self, message: Float64MultiArray, measured: Vector) -> bool:
        """A velocity can begin anywhere."""
        return True

    def apply(self, message: Float64MultiArray, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Move with that velocity."""
        velocity = as_vector("Float64MultiArray.data", message.data, len(measured))
        self.referee.see_velocity(sent_s, velocity)
        self.controller.command(velocity, arm_s)


class TwistInput(CommandInput):
    """MoveIt Servo's twist topic; the referee judges the joint velocities that it makes of a twist."""

    message_type: ClassVar[type] = TwistStamped
    controller: TwistController

    def begins_at(self, message: TwistStamped, measured: Vector) -> bool:
        """A velocity can begin anywhere."""
        return True

    def apply(self, message: TwistStamped, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Move with that twist."""
        linear, angular = message.twist.linear, message.twist.angular
        values = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        twist = as_vector("TwistStamped.twist", values, 6)
        self.referee.see_velocity(sent_s, self.controller.joint_velocity(twist))
        self.controller.command(twist, arm_s)


class PoseInput(CommandInput):
    """This project's ArmCommand. Joint limits mean nothing here: the referee only counts."""

    message_type: ClassVar[type] = ArmCommand
    controller: PoseController

    def begins_at(self, message: ArmCommand, measured: Vector) -> bool:
        """Whether the pose is where the end effector is."""
        here = self.controller.pose_at(measured)
        return bool(np.abs(pose_from_message(message.pose).position - here.position).max() <= START_TOLERANCE_M)

    def apply(self, message: ArmCommand, sent_s: float, arm_s: float, measured: Vector) -> None:
        """Go there."""
        target = arm_target_from_message(message)
        self.referee.findings.commands += 1
        self.controller.go_to(target.pose)


def make_command_input(
    profile: RobotProfile, kinematics: SiteKinematics, referee: CommandReferee, timeout_s: float
) -> CommandInput:
    """The input of a profile's command interface. timeout_s: after it a velocity or a twist no longer counts."""
    command, limits = profile.command, profile.limits
    if isinstance(command, commands.JointTrajectoryCommand):
        return TrajectoryInput(command.topic, TrajectoryController(limits), referee)
    if isinstance(command, commands.ForwardPositionCommand):
        return PositionInput(command.topic, PositionController(limits), referee)
    if isinstance(command, commands.ForwardVelocityCommand):
        return VelocityInput(command.topic, VelocityController(limits, timeout_s), referee)
    if isinstance(command, commands.TwistCommand):
        return TwistInput(command.topic, TwistController(limits, kinematics, timeout_s, command.frame), referee)
    return PoseInput(command.topic, PoseController(limits, kinematics), referee)
