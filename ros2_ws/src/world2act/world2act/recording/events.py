"""What went wrong during an episode, and how its instruction ended: from health, safety and goal messages."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from action_msgs.msg import GoalStatus, GoalStatusArray

from world2act.conversions import stamp_to_ns
from world2act_core.recording.layout import Outcome
from world2act_interfaces.msg import NodeHealth, SafetyFlag, SafetyStatus

MAX_EVENTS = 1000
_ENDS = {
    GoalStatus.STATUS_SUCCEEDED: "succeeded",
    GoalStatus.STATUS_CANCELED: "canceled",
    GoalStatus.STATUS_ABORTED: "aborted",
}
Event = dict[str, Any]


class EpisodeLog:
    """What one recording will say about itself at its end. Filled by one thread, read by another when it ends."""

    def __init__(self, instruction: str = "") -> None:
        self.instruction = instruction
        self._lock = threading.Lock()
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._goals: dict[bytes, tuple[int, str]] = {}

    def add(self, events: list[Event]) -> None:
        """Note what happened; of very many the last MAX_EVENTS are kept."""
        with self._lock:
            self._events.extend(events)

    def goals(self, ended: dict[bytes, tuple[int, str]]) -> None:
        """Goals that ended meanwhile."""
        with self._lock:
            self._goals.update(ended)

    def outcome(self, end: str, messages: int = 0, dropped: int = 0) -> Outcome:
        """Everything so far; `end`: why the recording ends."""
        # The oldest goal is the one that was carried out: one that is refused meanwhile came later.
        with self._lock:
            goal = min(self._goals.values())[1] if self._goals else "unknown"
            return Outcome(end, goal, self.instruction, messages, dropped, list(self._events))


class GoalWatch:
    """Follows the status of the planner's action."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def see(self, message: GoalStatusArray) -> dict[bytes, tuple[int, str]]:
        """Goals that ended since the last message: identifier -> (when it was accepted [ns], how it ended)."""
        ended = {}
        present = set()
        for status in message.status_list:
            identifier = bytes(status.goal_info.goal_id.uuid)
            if status.status not in _ENDS:
                continue
            present.add(identifier)
            if identifier not in self._known:
                ended[identifier] = (stamp_to_ns(status.goal_info.stamp), _ENDS[status.status])
        self._known = present
        return ended


class FaultWatch:
    """Tells changes from repetitions. Every method returns (events, whether one of them is a fault that is new)."""

    def __init__(self) -> None:
        self._health: dict[str, tuple[int, str]] = {}
        self._flags: dict[str, tuple[int, bool, bool]] = {}

    def health(self, message: NodeHealth) -> tuple[list[Event], bool]:
        """A heartbeat."""
        now = (int(message.level), message.fault)
        before = self._health.get(message.node, (NodeHealth.OK, ""))
        self._health[message.node] = now
        if now == before:
            return [], False
        event = {
            "time_ns": stamp_to_ns(message.header.stamp), "source": message.node, "name": message.fault,
            "level": now[0], "message": message.message,
        }  # fmt: skip
        return [event], now[0] == NodeHealth.FAULT

    def safety(self, message: SafetyStatus) -> tuple[list[Event], bool]:
        """The safety filter's report."""
        events: list[Event] = []
        fault = False
        for flag in message.flags:
            now = (int(flag.level), bool(flag.active), bool(flag.latched))
            before = self._flags.get(flag.name, (SafetyFlag.OK, False, False))
            self._flags[flag.name] = now
            if now == before:
                continue
            events.append(
                {
                    "time_ns": stamp_to_ns(message.header.stamp), "source": "safety", "name": flag.name,
                    "level": now[0], "active": now[1], "latched": now[2], "reaction": flag.reaction,
                    "message": flag.message,
                }
            )  # fmt: skip
            fault = fault or (now[0] == SafetyFlag.ERROR and before[0] != SafetyFlag.ERROR)
        return events, fault
