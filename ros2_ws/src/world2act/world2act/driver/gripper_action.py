"""control_msgs/GripperCommand, the action of most gripper drivers. Never run here: PyPI has no control_msgs."""

from __future__ import annotations

import importlib
from typing import Any

from world2act.driver.gripper import GripperSender
from world2act.errors import ConfigurationError
from world2act_core.robot.parts import GripperSpec


class ActionGripper(GripperSender):
    """A goal per change of the command; what becomes of it shows in the measured opening.

    Raises ConfigurationError when control_msgs is not installed.
    """

    def __init__(self, spec: GripperSpec, node: Any, action: str) -> None:
        self._action_type = gripper_command_action()
        from rclpy.action import ActionClient

        self._client = ActionClient(node, self._action_type, action)
        node.own(self._client.destroy)
        super().__init__(spec)

    def send(self, gripper: float, now_s: float) -> None:
        """The command of this period; a goal that was taken is not repeated, it would interrupt the one before."""
        if gripper != self._sent:
            super().send(gripper, now_s)

    def deliver(self, value: float, duration_s: float) -> bool:
        """Send the goal; False while nobody serves the action."""
        if not self._client.server_is_ready():
            return False
        goal = self._action_type.Goal()
        goal.command.position = float(value)
        goal.command.max_effort = float(self._spec.max_effort)
        self._client.send_goal_async(goal)
        return True


def gripper_command_action() -> Any:
    """The action type control_msgs/action/GripperCommand; ConfigurationError when the package is not there."""
    try:
        return importlib.import_module("control_msgs.action").GripperCommand
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the profile's gripper takes the action control_msgs/GripperCommand, which cannot be imported: {error}",
            "install it with ROS 2 (ros-<distro>-control-msgs; PyPI has none), or give the gripper a controller with a "
            "topic and set gripper.command.interface to joint_trajectory or forward_position",
        ) from error
