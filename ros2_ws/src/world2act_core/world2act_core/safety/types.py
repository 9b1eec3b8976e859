"""What goes into the safety filter and what comes out of it. Times are seconds on the caller's clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
Joints = list[float]
"""One number per joint [N], never changed in place. Between the compiled functions of `arithmetic.py`, which want
arrays, these are lists: N is about seven, and there a NumPy call costs more than the arithmetic in it, most of all the
first one after a pause."""


class Level(IntEnum):
    """How bad a finding is; the numbers of SafetyFlag.msg."""

    OK = 0
    WARNING = 1
    """The command was changed and goes on."""
    ERROR = 2
    """The arm holds or stops."""


class Reaction(StrEnum):
    """What the filter does when a check finds something, mildest first; the words of SafetyFlag.msg."""

    CLIP = "clip"
    SLOW = "slow_down"
    HOLD = "hold"
    STOP = "stop"

    @property
    def severity(self) -> int:
        """0 (clip) to 3 (stop)."""
        return _SEVERITY[self]

    @property
    def level(self) -> Level:
        """ERROR when the arm comes to rest, WARNING when it goes on."""
        return Level.ERROR if self.severity >= Reaction.HOLD.severity else Level.WARNING


_SEVERITY = {reaction: severity for severity, reaction in enumerate(Reaction)}


class SafetyMode(IntEnum):
    """What the filter is doing; the numbers of SafetyStatus.msg."""

    RUNNING = 0
    SLOWED = 1
    HOLDING = 2
    STOPPED = 3


@dataclass(frozen=True, eq=False)
class MotionRequest:
    """Where the arm should be at the end of this period.

    position: joint reference [N], rad; None: there is nothing fresh, hold. gripper: [-1, 1], +1 closes.
    observation_age_s, chunk_age_s: how old the newest observation and the chunk in use are; inf when there is none.
    Whatever these hold, the filter's answer stays inside the limits.
    """

    position: Vector | None
    gripper: float
    observation_age_s: float
    chunk_age_s: float


@dataclass(frozen=True, eq=False)
class Situation:
    """What is known about the arm.

    position: measured [N], rad, None when nothing has been measured; state_age_s: its age. e_stop: pressed now.
    hold_reason: why the caller wants the arm to hold though nothing is wrong ("no skill is active"); empty: it moves.
    e_stop_reason: what is said about the emergency stop; empty: that it is pressed. since_last_s: how long ago the last
    period really began, 0 when the caller does not know.
    """

    now_s: float
    position: Vector | None
    state_age_s: float
    e_stop: bool = False
    hold_reason: str = ""
    e_stop_reason: str = ""
    since_last_s: float = 0.0


@dataclass(frozen=True)
class SafetyEvent:
    """A check that began to find something in this period. message: what, where, what to do."""

    name: str
    level: Level
    reaction: Reaction
    message: str


@dataclass(frozen=True, eq=False)
class SafetyDecision:
    """The command of one period.

    position [N] rad, velocity [N] rad/s, acceleration [N] rad/s^2: the state at the end of the period of one motion
    whose jerk is piecewise constant. gripper: [-1, 1]. hold_reason: empty unless mode is HOLDING or STOPPED.
    """

    position: Vector
    velocity: Vector
    acceleration: Vector
    gripper: float
    mode: SafetyMode
    events: tuple[SafetyEvent, ...] = ()
    hold_reason: str = ""


@dataclass(frozen=True)
class ClearResult:
    """Answer of `SafetyFilter.clear`. ok: nothing is latched any more; faults: what was; message: what is left."""

    ok: bool
    faults: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class FlagReport:
    """One check, as SafetyFlag.msg. last_s: when it last began to find something, 0 when `count` is 0."""

    name: str
    level: Level
    reaction: Reaction
    active: bool
    latched: bool
    count: int
    last_s: float
    message: str


@dataclass(frozen=True)
class SafetyReport:
    """What SafetyStatus.msg wants to know. clearance: m, NaN without a model; filter_seconds_max: s since `start`."""

    mode: SafetyMode
    speed_scale: float
    max_eef_speed: float
    clearance: float = math.nan
    filter_seconds_max: float = 0.0
    flags: tuple[FlagReport, ...] = field(default=())
