"""A vla_policy of our own, in a namespace of its own: it is given one recorded observation after another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from world2act import topics
from world2act.conversions import stamp_to_ns
from world2act.errors import GraphError
from world2act.graph import GraphSpec, NodeSpec, ParameterValue, graph_environment
from world2act.health import FAULT
from world2act.replay.steps import Step
from world2act.supervision.bring_up import BringUp
from world2act.supervision.processes import ProcessGroup
from world2act.supervision.session import Session
from world2act_interfaces.msg import ActionChunk, Observation, Skill

AGAIN_S = 1.0
"""Unanswered inputs are sent again after this long: a repetition changes nothing."""
ANSWER_S = 120.0
"""How long one inference may take."""


class PolicyProcess:
    """`with PolicyProcess(parameters, folder) as policy: chunk = policy.infer(step)`.

    A graph that runs on the same domain neither hears it nor is heard: the namespace is this process's own.
    """

    def __init__(self, parameters: dict[str, ParameterValue], folder: Path) -> None:
        namespace = f"/world2act_replay_{os.getpid()}"
        fixed: dict[str, ParameterValue] = {
            "lockstep": True, "every_observation": True, "require_robot_contract": False
        }  # fmt: skip
        spec = NodeSpec("vla_policy", "vla_policy", {**parameters, **fixed}, namespace=namespace)
        self._processes = ProcessGroup(GraphSpec("real", (spec,), {}), folder, graph_environment())
        self._live: dict[str, Any] = dict(parameters)
        self._session = Session("world2act_replay", namespace)
        node = self._session.node
        self._chunk: ActionChunk | None = None
        self._answered = -1
        self._observations = node.create_publisher(Observation, topics.OBSERVATION, topics.reliable())
        self._skills = node.create_publisher(Skill, topics.SKILL, topics.latched())
        self._bring = BringUp(self._session, ["vla_policy"])
        self._setter = node.create_client(SetParameters, "vla_policy/set_parameters")
        node.create_subscription(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())

    def __enter__(self) -> Self:
        try:
            self._processes.start()
            self._bring.run(alive=self._check)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and our node."""
        try:
            self._processes.stop()
        finally:
            self._session.close()

    def _check(self) -> None:
        for node in self._processes.ended():
            raise GraphError(f"vla_policy ended with status {node.process.returncode}; its log:\n{node.log_tail()}")
        health = self._bring.health.get("vla_policy")
        if health is not None and health.level == FAULT:
            raise GraphError(f"vla_policy: {health.fault}: {health.message}")

    def _on_chunk(self, message: ActionChunk) -> None:
        self._chunk = message

    def infer(self, step: Step) -> ActionChunk:
        """The chunk for a step. Raises GraphError when the process dies, refuses, or does not answer."""
        self._set(step.parameters)
        wanted_ns = stamp_to_ns(step.chunk.header.stamp)
        skill = step.skill
        # The planner's part in lockstep: this chunk was judged, and nothing older than the next observation counts.
        skill.active = True
        skill.chunk_sequence = self._answered
        skill.header.stamp = step.chunk.header.stamp
        self._chunk = None
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            self._skills.publish(skill)
            self._observations.publish(step.observation)
            if self._session.wait(lambda: self._has(wanted_ns), AGAIN_S):
                assert self._chunk is not None
                self._answered = int(self._chunk.sequence)
                return self._chunk
            self._check()
        raise GraphError(f"vla_policy did not answer within {ANSWER_S:g} s")

    def _has(self, stamp_ns: int) -> bool:
        return self._chunk is not None and stamp_to_ns(self._chunk.header.stamp) == stamp_ns

    def _set(self, parameters: dict[str, Any]) -> None:
        changed = {name: value for name, value in parameters.items() if self._live.get(name) != value}
        if not changed:
            return
        items = [Parameter(name, value=value).to_parameter_msg() for name, value in changed.items()]
        results = self._session.call(self._setter, SetParameters.Request(parameters=items), 10.0, self._check).results
        refused = [result.reason for result in results if not result.successful]
        if refused:
            raise GraphError(f"vla_policy does not take {changed}: {'; '.join(refused)}")
        self._live.update(changed)
