"""What nodes are told about the arm's joint states, and what they read of its gripper there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sensor_msgs.msg import JointState

from world2act import topics
from world2act.conversions import gripper_reading
from world2act.errors import ConfigurationError
from world2act.parameters import Parameter, ParameterValues
from world2act_core.robot.gripper_scale import GripperScale

JOINT_STATES_PARAMETER = Parameter(
    "joint_states", topics.JOINT_STATES, "Topic of the arm's sensor_msgs/JointState: state.joint_states of its profile"
)
READING_LIMIT = 1e4
"""Readings are metres or radians; some drivers count the motor's steps."""

GRIPPER_PARAMETERS = (
    Parameter(
        "finger_joints",
        ("finger_joint1", "finger_joint2"),
        "Joints whose positions add up to the reading of the gripper's opening [m or rad]",
    ),
    Parameter("reading_open", 0.08, "That sum when the gripper is open", "m or rad", -READING_LIMIT, READING_LIMIT),
    Parameter("reading_closed", 0.0, "That sum when it is closed", "m or rad", -READING_LIMIT, READING_LIMIT),
    Parameter("width_open", 0.08, "Distance between the fingertips when open", "m", 0.0, 1.0),
    Parameter("width_closed", 0.0, "Distance between the fingertips when closed", "m", 0.0, 1.0),
)
"""Of a gripper whose joints are its fingers, unless a robot profile says something else."""


@dataclass(frozen=True)
class GripperReader:
    """Joint states -> distance between the fingertips, which is what policies are trained with."""

    joints: tuple[str, ...]
    scale: GripperScale

    @classmethod
    def of_parameters(cls, values: ParameterValues) -> Self:
        """As GRIPPER_PARAMETERS say; ConfigurationError for two ends that are the same."""
        ends = (values.number(name) for name in ("reading_open", "reading_closed", "width_open", "width_closed"))
        try:
            return cls(values.texts("finger_joints"), GripperScale(*ends))
        except ValueError as error:
            raise ConfigurationError(
                f"the gripper's parameters cannot be: {error}",
                "give those of the robot profile's gripper (docs/reference/robot-profiles.md)",
            ) from error

    def width(self, message: JointState) -> float:
        """Distance between the fingertips [m]; ConversionError when a joint is missing."""
        return self.scale.width(gripper_reading(message, self.joints))
