"""Talking to a running graph: reset an episode, carry out an instruction, follow what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.parameter import Parameter

from world2act import topics
from world2act.conversions import error_name
from world2act.errors import GraphError
from world2act.supervision.session import Session
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.srv import ClearFault, ResetEpisode

OnFeedback = Callable[[Any], None]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """How an instruction ended. error: "NONE" or the name of the error; seconds: on the graph's clock."""

    success: bool
    error: str
    message: str
    skills_completed: int
    skills_total: int
    seconds: float


@dataclass(frozen=True)
class Cleared:
    """What a node said when its latched fault was to be cleared. fault: its name, "" when there was none."""

    node: str
    ok: bool
    fault: str
    message: str


class GraphClient:
    """A client of one graph, on the session's domain. Every method raises GraphError when nobody answers."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._actions = ActionClient(session.node, ExecuteInstruction, topics.EXECUTE_INSTRUCTION)
        session.own(self._actions.destroy)
        self._resets = session.node.create_client(ResetEpisode, topics.RESET_EPISODE)

    def wait_for_graph(self, timeout_s: float = 5.0) -> None:
        """Until the planner's action is there."""
        if not self._session.wait(self._actions.server_is_ready, timeout_s):
            raise GraphError(
                f"no running graph answers on ROS domain {self._session.domain}: start one with `world2act up sim`, "
                f"or give the --domain it runs on"
            )

    def reset(
        self, seed: int, instruction: str = "", kind: str = "", split: str = "", timeout_s: float = 60.0
    ) -> ResetEpisode.Response:
        """Set up an episode of the simulator. Raises GraphError when it is refused."""
        if not self._session.wait(self._resets.service_is_ready, 5.0):
            raise GraphError(
                f"no simulator answers on ROS domain {self._session.domain}: only what `world2act up sim` started can "
                f"be reset; give the --domain it runs on"
            )
        request = ResetEpisode.Request(seed=int(seed), instruction=instruction, task_kind=kind, split=split)
        response = self._session.call(self._resets, request, timeout_s)
        if not response.ok:
            raise GraphError(response.message)
        return response

    def set_parameter(self, node: str, name: str, value: bool | int | float | str) -> None:
        """Change a live parameter of a node that runs. Raises GraphError when it refuses, or is not there."""
        client = self._session.node.create_client(SetParameters, f"{node}/set_parameters")
        try:
            if not self._session.wait(client.service_is_ready, 5.0):
                raise GraphError(
                    f"no node {node!r} answers on ROS domain {self._session.domain}: `world2act monitor` shows which "
                    f"nodes run, --domain names another one"
                )
            request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
            (result,) = self._session.call(client, request, 10.0).results
        finally:
            self._session.node.destroy_client(client)
        if not result.successful:
            raise GraphError(f"{node} does not set {name} to {value!r}: {result.reason}")

    def clear_faults(self) -> list[Cleared]:
        """Clear what is latched, in the arm's safety filter and in supervision; one answer per node that serves it.

        Raises GraphError when there is no such node.
        """
        node = self._session.node
        # The filter first: while its fault is there, the end of supervision's hold moves nothing.
        services = {"arm_commander": topics.CLEAR_FAULT, "supervisor": topics.CLEAR_NODE_LOST}
        clients = {name: node.create_client(ClearFault, service) for name, service in services.items()}
        try:
            if not self._session.wait(lambda: any(client.service_is_ready() for client in clients.values()), 10.0):
                raise GraphError(
                    f"no node that latches faults answers on ROS domain {self._session.domain}: start a graph with "
                    f"`world2act up`, or give the --domain it runs on"
                )
            # Not every graph has both; the second may only be found a moment later.
            self._session.wait(lambda: all(client.service_is_ready() for client in clients.values()), 1.0)
            return [self._clear(name, client) for name, client in clients.items() if client.service_is_ready()]
        finally:
            for client in clients.values():
                node.destroy_client(client)

    def _clear(self, name: str, client: Any) -> Cleared:
        answer = self._session.call(client, ClearFault.Request(), 10.0)
        return Cleared(name, bool(answer.ok), str(answer.fault), str(answer.message))

    def execute(
        self,
        instruction: str,
        on_feedback: OnFeedback = lambda feedback: None,
        tick: Tick = lambda: None,
        not_before: Time | None = None,
        timeout_s: float = 0.0,
    ) -> Outcome:
        """Carry out `instruction`; `tick` is called at least ten times a second and may raise to give up.

        Whatever makes this function leave early (Ctrl-C too), the goal is cancelled first.
        """
        self.wait_for_graph()
        goal = ExecuteInstruction.Goal(instruction=instruction, timeout_seconds=float(timeout_s))
        if not_before is not None:
            goal.not_before = not_before
        sent = self._actions.send_goal_async(goal, feedback_callback=lambda message: on_feedback(message.feedback))
        if not self._session.wait(sent.done, 10.0):
            raise GraphError("skill_planner did not take the instruction within 10 s; see its log")
        handle = sent.result()
        result = handle.get_result_async()
        try:
            while not result.done():
                tick()
                self._session.spin(0.05)
        except BaseException:
            self._cancel(handle)
            raise
        answer = result.result().result
        return Outcome(
            bool(answer.success), error_name(int(answer.error_code)), answer.message,
            int(answer.skills_completed), int(answer.skills_total), float(answer.seconds),
        )  # fmt: skip

    def _cancel(self, handle: Any) -> None:
        future = handle.cancel_goal_async()
        self._session.wait(future.done, 2.0)
