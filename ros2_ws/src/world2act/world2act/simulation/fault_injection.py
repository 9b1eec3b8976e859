"""What goes wrong with a robot's cameras and joint states, on request. Nothing of this runs unless it is asked for.

A request is a text: `TARGET=FAULT[:SECONDS]`, several separated by commas; empty: nothing is wrong.
"""

from __future__ import annotations

import array
import copy
import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from world2act.conversions import ns_to_stamp, seconds_to_ns, stamp_to_ns

CAMERA_FAULTS = ("silent", "frozen", "black", "delayed", "wrong_size", "clock_back")
JOINT_FAULTS = ("silent", "delayed", "nan")
JOINT_STATES = "joint_states"
NEEDS_SECONDS = ("delayed", "clock_back")


class FaultRequestError(ValueError):
    """A request that cannot be read; the text says what is possible."""


@dataclass(frozen=True)
class Fault:
    """One fault of one target. seconds: of a delay, or how far a clock is set back."""

    kind: str
    seconds: float = 0.0


def parse_faults(request: str, cameras: Collection[str]) -> dict[str, Fault]:
    """The request "scene=frozen, joint_states=delayed:0.5" -> target -> fault; raises FaultRequestError."""
    faults: dict[str, Fault] = {}
    for entry in filter(None, (part.strip() for part in request.split(","))):
        target, _, rest = entry.partition("=")
        kind, _, seconds = rest.partition(":")
        possible = JOINT_FAULTS if target == JOINT_STATES else CAMERA_FAULTS if target in cameras else ()
        if kind not in possible:
            raise FaultRequestError(
                f"{entry!r}: give CAMERA=FAULT or {JOINT_STATES}=FAULT; cameras: {', '.join(cameras)}; "
                f"faults of a camera: {', '.join(CAMERA_FAULTS)}; of {JOINT_STATES}: {', '.join(JOINT_FAULTS)}"
            )
        faults[target] = Fault(kind, _seconds(entry, kind, seconds))
    return faults


def _seconds(entry: str, kind: str, text: str) -> float:
    if kind not in NEEDS_SECONDS:
        if text:
            raise FaultRequestError(f"{entry!r}: {kind} takes no seconds")
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value <= 3600.0:
        raise FaultRequestError(f"{entry!r}: {kind} needs seconds in (0, 3600], for instance {kind}:0.5")
    return value


class FaultyStream:
    """Messages of one topic on their way out: what a fault leaves of them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Any]] = deque()
        self._frozen: Any = None

    def pass_on(self, message: Any, fault: Fault | None, now_s: float) -> list[Any]:
        """What is published now instead of `message` (an Image or a JointState with a stamp), oldest first."""
        if fault is None or fault.kind != "frozen":
            self._frozen = None
        if fault is None:
            self._waiting.clear()
            return [message]
        if fault.kind == "silent":
            return []
        if fault.kind == "delayed":
            return self._late(message, now_s, fault.seconds)
        changed = copy.copy(message)
        if fault.kind == "frozen":
            self._freeze(changed)
        elif fault.kind == "black":
            changed.data = array.array("B", bytes(len(message.data)))
        elif fault.kind == "wrong_size":
            changed.height = message.height // 2
            changed.data = message.data[: changed.height * message.step]
        elif fault.kind == "clock_back":
            changed.header = copy.deepcopy(message.header)
            changed.header.stamp = ns_to_stamp(stamp_to_ns(message.header.stamp) - seconds_to_ns(fault.seconds))
        else:
            changed.position = array.array("d", [math.nan] * len(message.position))
        return [changed]

    def _late(self, message: Any, now_s: float, delay_s: float) -> list[Any]:
        self._waiting.append((now_s + delay_s, message))
        due = []
        while self._waiting and self._waiting[0][0] <= now_s:
            due.append(self._waiting.popleft()[1])
        return due

    def _freeze(self, message: Any) -> None:
        """The same picture again and again, with stamps that go on: what a stuck driver sends."""
        if self._frozen is None:
            self._frozen = message.data
        message.data = self._frozen
