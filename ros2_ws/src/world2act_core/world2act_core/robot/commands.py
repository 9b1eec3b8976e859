"""How a driver takes commands: one model per interface, told apart by `interface`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from world2act_core.robot.fields import ProfileModel, Topic

KIND = "Which interface this is"


class JointTrajectoryCommand(ProfileModel):
    """One point per tick for a joint_trajectory_controller (or a driver with its topic)."""

    interface: Literal["joint_trajectory"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the trajectories")
    time_from_start_s: float = Field(
        default=0.02, gt=0, le=1, description="When the point is to be reached, after the message's time [s]"
    )
    velocities: bool = Field(default=True, description="Whether the point also carries velocities")
    message: ClassVar[str] = "trajectory_msgs/msg/JointTrajectory"


class ForwardPositionCommand(ProfileModel):
    """Joint positions [rad or m] for a forward_command_controller."""

    interface: Literal["forward_position"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the positions")
    message: ClassVar[str] = "std_msgs/msg/Float64MultiArray"


class ForwardVelocityCommand(ProfileModel):
    """Joint velocities [rad/s or m/s] for a forward_command_controller."""

    interface: Literal["forward_velocity"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the velocities")
    position_gain: float = Field(
        default=2.0, ge=0, le=20,
        description="Added velocity per position error between command and measurement [1/s], against drift",
    )  # fmt: skip
    message: ClassVar[str] = "std_msgs/msg/Float64MultiArray"


class TwistCommand(ProfileModel):
    """End-effector velocities [m/s, rad/s] for MoveIt Servo."""

    interface: Literal["twist"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the twists")
    frame: Literal["base", "end_effector"] = Field(
        default="base", description="Whether velocities are given along the axes of the base or of the end effector"
    )
    message: ClassVar[str] = "geometry_msgs/msg/TwistStamped"


class ArmCommandCommand(ProfileModel):
    """Absolute end-effector targets in our own message, which also carries the gripper."""

    interface: Literal["arm_command"] = Field(description=KIND)
    topic: Topic = Field(default="arm_command", description="Topic of the targets")
    message: ClassVar[str] = "world2act_interfaces/msg/ArmCommand"


ArmInterface = Annotated[
    JointTrajectoryCommand | ForwardPositionCommand | ForwardVelocityCommand | TwistCommand | ArmCommandCommand,
    Field(discriminator="interface"),
]


class GripperTrajectoryCommand(ProfileModel):
    """The gripper's joint through a joint_trajectory_controller."""

    interface: Literal["joint_trajectory"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the trajectories")
    joint: str = Field(min_length=1, description="Name of the joint that is commanded")
    message: ClassVar[str] = "trajectory_msgs/msg/JointTrajectory"


class GripperPositionCommand(ProfileModel):
    """The gripper's position through a forward_command_controller."""

    interface: Literal["forward_position"] = Field(description=KIND)
    topic: Topic = Field(description="Topic of the positions")
    message: ClassVar[str] = "std_msgs/msg/Float64MultiArray"


class GripperActionCommand(ProfileModel):
    """The gripper through the action GripperCommand; needs control_msgs, which a ROS 2 installation brings."""

    interface: Literal["gripper_action"] = Field(description=KIND)
    topic: Topic = Field(description="Name of the action")
    message: ClassVar[str] = "control_msgs/action/GripperCommand"


class GripperInArmCommand(ProfileModel):
    """The gripper's command travels inside ArmCommand; only with the arm's interface arm_command."""

    interface: Literal["with_arm"] = Field(description=KIND)
    message: ClassVar[str] = ""


GripperInterface = Annotated[
    GripperTrajectoryCommand | GripperPositionCommand | GripperActionCommand | GripperInArmCommand,
    Field(discriminator="interface"),
]
