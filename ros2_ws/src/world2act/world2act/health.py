"""What a node says about itself: one named fault at a time, on /diagnostics and as a heartbeat on node_health."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from world2act_interfaces.msg import NodeHealth

OK: Final[int] = NodeHealth.OK
DEGRADED: Final[int] = NodeHealth.DEGRADED
FAULT: Final[int] = NodeHealth.FAULT
NODE_LOST: Final = "NODE_LOST"
"""The supervisor's fault; its reasons to hold begin with it."""

_DIAGNOSTIC_LEVEL = {OK: DiagnosticStatus.OK, DEGRADED: DiagnosticStatus.WARN, FAULT: DiagnosticStatus.ERROR}


@dataclass(frozen=True)
class Condition:
    """How a node is: level (OK, DEGRADED, FAULT), a short upper-case name, and a sentence for a person."""

    level: int = OK
    name: str = ""
    message: str = ""


def wall_time() -> Time:
    """The wall clock as a ROS time: heartbeats are stamped with it even when time is simulated."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return Time(sec=seconds, nanosec=nanoseconds)


def health_message(node: str, state: str, condition: Condition) -> NodeHealth:
    """The heartbeat of `node` (fully qualified name) in lifecycle `state`."""
    message = NodeHealth(
        node=node, pid=os.getpid(), state=state, level=condition.level, fault=condition.name, message=condition.message
    )
    message.header.stamp = wall_time()
    return message


def diagnostics_message(node: str, state: str, condition: Condition, values: dict[str, str]) -> DiagnosticArray:
    """The same for /diagnostics, with the node's measured values."""
    text = f"{condition.name}: {condition.message}" if condition.name else state
    status = DiagnosticStatus(level=_DIAGNOSTIC_LEVEL[condition.level], name=f"world2act: {node}", message=text)
    status.values = [KeyValue(key="state", value=state)]
    status.values.extend(KeyValue(key=key, value=value) for key, value in sorted(values.items()))
    array = DiagnosticArray(status=[status])
    array.header.stamp = wall_time()
    return array
