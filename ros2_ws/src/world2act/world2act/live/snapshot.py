"""What is known about a graph at one moment: plain values, so that showing it can be tested without a graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SILENT_S = 3.0
"""A node that has not reported for so long is shown as silent."""


@dataclass(frozen=True)
class NodeView:
    """One node. level: "OK", "DEGRADED" or "FAULT"; age_s: since its last report.

    ages_s and rates_hz: of its inputs and outputs, by name; latencies_ms: stage -> (p50, p99); counts: by name.
    """

    name: str
    state: str
    level: str
    fault: str
    message: str
    age_s: float
    ages_s: Mapping[str, float] = field(default_factory=dict)
    rates_hz: Mapping[str, float] = field(default_factory=dict)
    latencies_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """Whether its reports have stopped."""
        return self.age_s > SILENT_S

    @property
    def well(self) -> bool:
        """Active, heard of, and without a fault (degraded counts as well)."""
        return self.state == "active" and not self.silent and self.level != "FAULT"


@dataclass(frozen=True)
class ArmView:
    """What arm_commander last sent: whether the arm holds and why, and how long ago [s]."""

    holding: bool
    reason: str
    limits: tuple[str, ...]
    age_s: float


@dataclass(frozen=True)
class ChunkView:
    """The policy's newest chunk. alignment and residual: NaN where the bundle has none; done: [0, 1]."""

    sequence: int
    age_s: float
    inference_ms: float
    done: float
    alignment: float
    residual: float


@dataclass(frozen=True)
class TaskView:
    """What is to be done: the instruction, the prompts of its skills, and which of them is under way (None: none)."""

    instruction: str
    skills: tuple[str, ...]
    planner: str
    current: int | None
    attempt: int


@dataclass(frozen=True)
class FlagView:
    """One check of the safety filter; level: "OK", "WARNING" or "ERROR"."""

    name: str
    level: str
    reaction: str
    active: bool
    latched: bool
    count: int
    message: str


@dataclass(frozen=True)
class SafetyView:
    """The safety filter. mode: "RUNNING", "SLOWED", "HOLDING" or "STOPPED"; max_eef_speed [m/s]; clearance [m]."""

    mode: str
    speed_scale: float
    max_eef_speed: float
    clearance: float
    flags: tuple[FlagView, ...]
    age_s: float

    @property
    def raised(self) -> tuple[FlagView, ...]:
        """Flags that say something now."""
        return tuple(flag for flag in self.flags if flag.active or flag.latched)


@dataclass(frozen=True)
class RecorderView:
    """The recorder. state: "IDLE", "RECORDING", "BUFFERING" or "FAILED"."""

    state: str
    folder: str
    episode: int
    finished: int
    messages: int
    bytes: int
    dropped: int
    message: str
    age_s: float


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment; None for what nobody has said yet."""

    domain: int
    nodes: tuple[NodeView, ...] = ()
    arm: ArmView | None = None
    chunk: ChunkView | None = None
    task: TaskView | None = None
    safety: SafetyView | None = None
    recorder: RecorderView | None = None

    @property
    def troubles(self) -> tuple[str, ...]:
        """One line for each thing that is wrong, with what to do where somebody has said it."""
        lines = []
        for node in self.nodes:
            if node.silent:
                lines.append(f"{node.name}: silent for {node.age_s:.0f} s: it died or hangs; its log says more")
            elif node.fault:
                lines.append(f"{node.name}: {node.fault}: {node.message}")
            elif node.state != "active":
                lines.append(f"{node.name}: is {node.state}, not active")
        for flag in self.safety.raised if self.safety is not None else ():
            lines.append(f"safety: {flag.name} ({flag.reaction}{', latched' if flag.latched else ''}): {flag.message}")
        if self.recorder is not None and self.recorder.state == "FAILED":
            lines.append(f"recorder: {self.recorder.message}")
        return tuple(lines)

    @property
    def well(self) -> bool:
        """Whether there is a graph, all of its nodes are well, and no check of the safety filter is an error."""
        errors = self.safety is not None and any(flag.level == "ERROR" for flag in self.safety.raised)
        return bool(self.nodes) and all(node.well for node in self.nodes) and not errors

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is not a number becomes null."""
        return {**_plain(asdict(self)), "troubles": list(self.troubles), "well": self.well}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
