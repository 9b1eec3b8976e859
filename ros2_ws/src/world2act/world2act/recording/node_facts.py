"""What chunks and commands depend on besides the bundle: how vla_policy and arm_commander are set."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from world2act.recording.fact_history import FactHistory, Facts
from world2act_core.recording.layout import COMMANDER, POLICY

AGAIN_S = 1.0
"""A node that has not answered is asked again after this long."""


@dataclass(frozen=True)
class Subject:
    """A node, the parameters that are wanted of it, and the metadata record that they are kept in."""

    node: str
    parameters: tuple[str, ...]
    record: str


SUBJECTS = (
    Subject(
        "vla_policy",
        ("lockstep", "provider", "threads", "residual", "residual_graph", "imagined_codes", "imagined_start"),
        POLICY,
    ),
    # An arm_commander without a profile has none of these, and its answer is empty.
    Subject("arm_commander", ("response", "speed"), COMMANDER),
)


class NodeFacts:
    """Asks a node until it answers and whenever `ask` is called, and hears of changes. Nobody waits for it."""

    def __init__(self, node: Node, subject: Subject, keep_s: float, then: Callable[[str, Facts], None]) -> None:
        """keep_s: how long changes are remembered. then: called with record and facts when an answer says new ones."""
        self.subject = subject
        self.history = FactHistory(round(keep_s * 1e9))
        self._then = then
        self._name = f"{node.get_namespace().rstrip('/')}/{subject.node}"
        self._client = node.create_client(GetParameters, f"{subject.node}/get_parameters")
        self._asked: Any = None
        self._asked_s = -float("inf")
        self.destroy = partial(node.destroy_client, self._client)

    def tick(self, now_s: float) -> None:
        """Ask again when there is no answer yet; now_s: any steady clock [s]."""
        if not self.history.known and now_s - self._asked_s >= AGAIN_S:
            self._asked_s = now_s
            self.ask()

    def ask(self) -> None:
        """Ask what holds now, if the node is there."""
        if not self._client.service_is_ready():
            return
        if self._asked is not None and not self._asked.done():
            self._client.remove_pending_request(self._asked)
        self._asked = self._client.call_async(GetParameters.Request(names=list(self.subject.parameters)))
        self._asked.add_done_callback(self._answered)

    def _answered(self, future: Any) -> None:
        if future.cancelled() or future.result() is None:
            return
        values = (json.dumps(parameter_value_to_python(value)) for value in future.result().values)
        facts = dict(zip(self.subject.parameters, values))
        if self.history.answer(facts, time.time_ns()):
            self._then(self.subject.record, facts)

    def changed(self, event: ParameterEvent, now_ns: int) -> None:
        """Somebody set parameters of some node, at `now_ns` as recorded."""
        if event.node == self._name:
            items = [*event.new_parameters, *event.changed_parameters]
            changes = {item.name: json.dumps(parameter_value_to_python(item.value)) for item in items}
            self.history.change(changes, now_ns)
