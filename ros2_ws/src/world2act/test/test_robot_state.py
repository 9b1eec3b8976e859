"""The distance between the fingertips from joint states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from world2act.cameras.profile_parameters import gripper_parameters
from world2act.conversions import ConversionError, joint_state_to_message
from world2act.errors import ConfigurationError
from world2act.parameters import ParameterValues
from world2act.robot_state import GRIPPER_PARAMETERS, GripperReader
from world2act_core.pose import state_vector
from world2act_core.robot.find import find_profile
from world2act_core.types import EefPose

POSE = EefPose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def reader(ros: Any, **values: Any) -> GripperReader:
    """A reader as a node with these parameters has it."""
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = ros.add(Node("reader", context=ros.context, parameter_overrides=overrides))
    return GripperReader.of_parameters(ParameterValues(node, GRIPPER_PARAMETERS))


@pytest.mark.parametrize("name", ["fr3", "sim_panda", ""])
def test_fingers_in_metres_are_added_up_to_the_bit(name: str, ros: Any) -> None:
    """Franka's hand reports its fingers: what the policy gets is their sum and nothing else, with a profile or none."""
    made = reader(ros, **(gripper_parameters(find_profile(name)) if name else {}))
    for fingers in np.random.default_rng(5).uniform(0.0, 0.0401, (2000, 2)).tolist():
        width = made.width(joint_state_to_message(["arm", *made.joints], [2.0, *fingers], [0.0] * 3, 1))
        assert width == fingers[0] + fingers[1]
        assert state_vector(POSE, width).tobytes() == state_vector(POSE, sum(map(abs, fingers))).tobytes()


@pytest.mark.parametrize(
    ("name", "position", "width"),
    [
        ("ur5e", 0.0, 0.085), ("ur5e", 0.7929, 0.0), ("ur5e", 0.39645, 0.0425),
        ("xarm7", 0.0, 0.084), ("xarm7", 0.85, 0.0), ("so101", 1.7453, 0.1), ("so101", -0.1745, 0.0),
    ],
)  # fmt: skip
def test_an_angle_is_no_width(name: str, position: float, width: float, ros: Any) -> None:
    made = reader(ros, **gripper_parameters(find_profile(name)))
    assert made.width(joint_state_to_message(made.joints, [position], [0.0], 1)) == pytest.approx(width, abs=1e-12)


def test_what_cannot_be_read_is_named(ros: Any) -> None:
    made = reader(ros)
    with pytest.raises(ConversionError, match="no joint finger_joint2; it has: arm, finger_joint1"):
        made.width(joint_state_to_message(["arm", "finger_joint1"], [0.0, 0.0], [0.0, 0.0], 1))
    with pytest.raises(ConversionError, match="2 names but 1 positions"):
        made.width(joint_state_to_message(made.joints, [0.0], [0.0], 1))


def test_two_ends_that_are_one_are_refused(ros: Any) -> None:
    with pytest.raises(ConfigurationError, match="reading_closed are both.*What to do"):
        reader(ros, reading_open=0.5, reading_closed=0.5)
