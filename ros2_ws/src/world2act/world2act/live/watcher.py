"""Listens to a graph and says at any moment what is known about it. Reads nothing large: no pictures."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from world2act import topics
from world2act.live.snapshot import (
    ArmView,
    ChunkView,
    FlagView,
    NodeView,
    RecorderView,
    SafetyView,
    Snapshot,
    TaskView,
)
from world2act.supervision.session import Session
from world2act_interfaces.msg import (
    ActionChunk,
    ArmCommand,
    NodeHealth,
    RecorderStatus,
    SafetyStatus,
    Skill,
    SkillPlan,
)

LEVELS = {NodeHealth.OK: "OK", NodeHealth.DEGRADED: "DEGRADED", NodeHealth.FAULT: "FAULT"}
MODES = {
    SafetyStatus.RUNNING: "RUNNING",
    SafetyStatus.SLOWED: "SLOWED",
    SafetyStatus.HOLDING: "HOLDING",
    SafetyStatus.STOPPED: "STOPPED",
}
RECORDER_STATES = {
    RecorderStatus.IDLE: "IDLE",
    RecorderStatus.RECORDING: "RECORDING",
    RecorderStatus.BUFFERING: "BUFFERING",
    RecorderStatus.FAILED: "FAILED",
}
FLAG_LEVELS = ("OK", "WARNING", "ERROR")


class GraphWatcher:
    """The newest message of every topic that says how the graph is, with the moment it came."""

    def __init__(self, session: Session, domain: int) -> None:
        self._domain = domain
        self._newest: dict[str, tuple[float, Any]] = {}
        self._health: dict[str, tuple[float, Any]] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._node = node = session.node
        node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable(50))
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, topics.reliable(50))
        for kind, topic, qos in (
            (ArmCommand, topics.ARM_COMMAND, topics.newest(False)),
            (ActionChunk, topics.ACTION_CHUNK, topics.newest(False)),
            (Skill, topics.SKILL, topics.latched()),
            (SkillPlan, topics.SKILL_PLAN, topics.latched()),
            (SafetyStatus, topics.SAFETY_STATUS, topics.newest(False)),
            (RecorderStatus, topics.RECORDER_STATUS, topics.newest(False)),
        ):
            node.create_subscription(kind, topic, lambda message, topic=topic: self._keep(topic, message), qos)

    def _keep(self, topic: str, message: Any) -> None:
        self._newest[topic] = (time.monotonic(), message)

    def _on_health(self, message: NodeHealth) -> None:
        self._health[_short(message.node)] = (time.monotonic(), message)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith("world2act: "):
                values = {item.key: item.value for item in status.values}
                self._values[_short(status.name.removeprefix("world2act: "))] = values

    @property
    def known(self) -> int:
        """How many nodes have said something."""
        return len(self._health)

    @property
    def reporting(self) -> int:
        """How many nodes there are that have something to say."""
        return int(self._node.count_publishers(topics.NODE_HEALTH))

    def snapshot(self) -> Snapshot:
        """What is known now."""
        now_s = time.monotonic()
        nodes = tuple(
            node_view(name, message, now_s - came_s, self._values.get(name, {}))
            for name, (came_s, message) in sorted(self._health.items())
        )
        return Snapshot(
            domain=self._domain, nodes=nodes, task=self._task(), arm=self._view(topics.ARM_COMMAND, arm_view, now_s),
            chunk=self._view(topics.ACTION_CHUNK, chunk_view, now_s),
            safety=self._view(topics.SAFETY_STATUS, safety_view, now_s),
            recorder=self._view(topics.RECORDER_STATUS, recorder_view, now_s),
        )  # fmt: skip

    def _view(self, topic: str, view: Any, now_s: float) -> Any:
        if topic not in self._newest:
            return None
        came_s, message = self._newest[topic]
        return view(message, now_s - came_s)

    def _task(self) -> TaskView | None:
        if topics.SKILL not in self._newest:
            return None
        return task_view(self._newest[topics.SKILL][1], self._newest.get(topics.SKILL_PLAN, (0.0, None))[1])


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def node_view(name: str, message: NodeHealth, age_s: float, values: dict[str, str]) -> NodeView:
    """A heartbeat and the values of /diagnostics ("scene age [s]", "inference p50 [ms]", counters) -> view."""
    ages: dict[str, float] = {}
    rates: dict[str, float] = {}
    p50: dict[str, float] = {}
    p99: dict[str, float] = {}
    counts: dict[str, int] = {}
    endings = ((" age [s]", ages), (" rate [Hz]", rates), (" p50 [ms]", p50), (" p99 [ms]", p99))
    for key, text in values.items():
        for ending, found in endings:
            if key.endswith(ending):
                found[key.removesuffix(ending)] = float(text)
        if text.isdecimal():
            counts[key] = int(text)
    latencies = {stage: (p50[stage], p99[stage]) for stage in p50 if stage in p99}
    level = LEVELS.get(message.level, f"LEVEL_{message.level}")
    return NodeView(
        name, message.state, level, message.fault, message.message, age_s, ages, rates, latencies, counts
    )  # fmt: skip


def arm_view(message: ArmCommand, age_s: float) -> ArmView:
    """ArmCommand -> view."""
    return ArmView(bool(message.holding), message.hold_reason, tuple(message.limit_events), age_s)


def chunk_view(message: ActionChunk, age_s: float) -> ChunkView:
    """ActionChunk -> view."""
    return ChunkView(
        int(message.sequence), age_s, 1e3 * float(message.inference_seconds), float(message.done),
        float(message.alignment_score), float(message.residual_size),
    )  # fmt: skip


def task_view(skill: Skill, plan: SkillPlan | None) -> TaskView:
    """The present skill, with the plan it belongs to when that has been heard -> view."""
    current = int(skill.index) if skill.active else None
    attempt = int(skill.attempt) if skill.active else 0
    if plan is None or (skill.active and plan.plan_id != skill.plan_id):
        return TaskView("", (skill.prompt,) if skill.active else (), "", 0 if skill.active else None, attempt)
    return TaskView(plan.instruction, tuple(each.prompt for each in plan.skills), plan.planner, current, attempt)


def safety_view(message: SafetyStatus, age_s: float) -> SafetyView:
    """SafetyStatus -> view."""
    flags = tuple(
        FlagView(
            flag.name, FLAG_LEVELS[min(flag.level, 2)], flag.reaction, bool(flag.active), bool(flag.latched),
            int(flag.count), flag.message,
        )
        for flag in message.flags
    )  # fmt: skip
    mode = MODES.get(message.mode, f"MODE_{message.mode}")
    return SafetyView(
        mode, float(message.speed_scale), float(message.max_eef_speed), float(message.clearance), flags, age_s
    )


def recorder_view(message: RecorderStatus, age_s: float) -> RecorderView:
    """RecorderStatus -> view."""
    return RecorderView(
        RECORDER_STATES.get(message.state, f"STATE_{message.state}"), message.folder, int(message.episode),
        int(message.finished_episodes), int(message.messages), int(message.bytes), int(message.dropped),
        message.message, age_s,
    )  # fmt: skip
