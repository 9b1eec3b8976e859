"""What the graph says while it works: commands and observations, faults, holds, the simulator's judgement."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from world2act import topics
from world2act.health import FAULT
from world2act.recording.definitions import message_class
from world2act.soak.counts import Counts
from world2act.soak.gaps import GapMeter
from world2act.soak.timing import read_timing
from world2act.sparing_node import SparingNode
from world2act.supervision.node_lost import NODE_LOST, SUPERVISOR
from world2act_core.robot.find import find_profile
from world2act_interfaces.msg import EpisodeStatus, NodeHealth, Observation, SafetyStatus

COMMAND_QUEUE, PICTURE_QUEUE = 400, 40
"""Messages that may wait while this process measures: some seconds of them."""


class Listener:
    """Subscriptions of `node`; call `look` often. Messages that only count are not unpacked, and their writer's clock
    times them: what this process does meanwhile is no gap. All times are wall clock [s]."""

    def __init__(self, node: SparingNode, profile: str, counts: Counts) -> None:
        self._node = node
        now_s = time.time()
        self.commands, self.observations, self.progress = GapMeter(now_s), GapMeter(now_s), GapMeter(now_s)
        self.working = False
        """Whether an instruction is being carried out."""
        self.achieved = False
        self.timing: dict[str, float] = {}
        """What arm_commander said last, see `timing.py`."""
        self._counts = counts
        self._moving = False
        self._latched: frozenset[str] = frozenset()
        self._faults: dict[str, str] = {}
        command = find_profile(profile).command
        self._count(node, message_class(command.message), command.topic, COMMAND_QUEUE, self.commands)
        self._count(node, Observation, topics.OBSERVATION, PICTURE_QUEUE, self.observations)
        node.create_subscription(SafetyStatus, topics.SAFETY_STATUS, self._on_status, topics.reliable(50))
        node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable(50))
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, topics.reliable(50))
        node.create_subscription(EpisodeStatus, topics.EPISODE_STATUS, self._on_episode, topics.latched())

    def _count(self, node: Any, kind: type, topic: str, queue: int, meter: GapMeter) -> None:
        def on_bytes(_: bytes, info: dict[str, int]) -> None:
            meter.seen(info["source_timestamp"] / 1e9)

        node.poll(kind, topic, on_bytes, topics.reliable(queue), raw=True)

    def look(self) -> None:
        """Count what has come."""
        self._node.polled.take()

    @property
    def latched(self) -> frozenset[str]:
        """Names of what waits to be cleared, by the safety filter or by supervision."""
        return self._latched | {NODE_LOST} if self._faults.get(SUPERVISOR) == NODE_LOST else self._latched

    def _on_status(self, message: SafetyStatus) -> None:
        held = message.mode >= SafetyStatus.HOLDING
        self._counts.holds += held and self._moving and self.working
        self._moving = not held
        latched = frozenset(flag.name for flag in message.flags if flag.latched)
        self._counts.faults.update(latched - self._latched)
        self._latched = latched

    def _on_health(self, message: NodeHealth) -> None:
        name = message.node.rsplit("/", 1)[-1]
        fault = message.fault if message.level == FAULT else ""
        if fault and fault != self._faults.get(name):
            self._counts.faults[f"{name}: {fault}"] += 1
        self._faults[name] = fault

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.timing |= read_timing(message)

    def _on_episode(self, message: EpisodeStatus) -> None:
        self.achieved = bool(message.success)
