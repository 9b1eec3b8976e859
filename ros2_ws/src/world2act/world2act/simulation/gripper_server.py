"""The action control_msgs/GripperCommand in front of a simulated gripper, with the answers that drivers give."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse

from world2act.base_node import ManagedNode
from world2act.conversions import ConversionError
from world2act.simulation.gripper_input import GripperInput

ARRIVED = 0.02
"""So close to the wanted share of its way the gripper has reached its goal."""
MOVED = 0.005
STALLED_S = 1.0
"""A gripper that has not moved by that share for so long holds something, or is at its end."""


class GripperServer:
    """Serves the profile's action until the node is cleaned up. Everything belongs to the executor's thread.

    take: called with a goal's command, which it may refuse with ConversionError. measured: share of the gripper's way,
    1 open, 0 closed. A new goal takes the place of the one before, which is aborted. The fingers go on after a cancel.
    """

    def __init__(
        self, node: ManagedNode, gripper: GripperInput, take: Callable[[Any], None], measured: Callable[[], float]
    ) -> None:
        self._node, self._gripper, self._take, self._measured = node, gripper, take, measured
        self._result_type: Any = gripper.message_type.Result  # type: ignore[attr-defined]  # made when it is built
        self._handle: Any = None
        server = ActionServer(
            node, gripper.message_type, gripper.topic,
            execute_callback=lambda handle: self._result_type(),
            goal_callback=self._judge,
            cancel_callback=lambda request: CancelResponse.ACCEPT,
            handle_accepted_callback=self._begin,
        )  # fmt: skip
        node.own(server.destroy)

    def _judge(self, goal: Any) -> GoalResponse:
        if not self._node.active:
            return GoalResponse.REJECT
        try:
            self._take(goal.command)
        except ConversionError:
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, handle: Any) -> None:
        self.give_up()
        self._handle = handle
        self._wanted = self._gripper.opening(handle.request.command)
        self._stood, self._stood_s = self._measured(), time.monotonic()

    def tick(self) -> None:
        """Look whether the goal has ended; to be called some times a second."""
        if self._handle is None:
            return
        here, now_s = self._measured(), time.monotonic()
        if abs(here - self._stood) > MOVED:
            self._stood, self._stood_s = here, now_s
        if abs(here - self._wanted) <= ARRIVED or self._handle.is_cancel_requested:
            self._end(stalled=False)
        elif now_s - self._stood_s > STALLED_S:
            self._end(stalled=True)

    def give_up(self) -> None:
        """Abort the goal that is under way, if there is one: the gripper has something else to do."""
        if self._handle is not None:
            self._end(stalled=False)

    def _end(self, stalled: bool) -> None:
        handle, self._handle = self._handle, None
        here = self._measured()
        reached = abs(here - self._wanted) <= ARRIVED
        result = self._result_type(position=self._gripper.position(here), stalled=stalled, reached_goal=reached)

        def conclude(goal: Any) -> Any:
            if goal.is_cancel_requested:
                goal.canceled()
            elif reached:
                goal.succeed()
            else:
                goal.abort()
            return result

        # Executed only now that its end is known: a coroutine that waits would keep rclpy's executor busy.
        handle.execute(conclude)
