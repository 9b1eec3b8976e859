"""An independent judge of the commands an arm is sent: every one against the joint limits, and when the last one moved.

It stands at the receiver and knows nothing of the filter that is meant to keep the limits, nor of the period that the
sender believes in: it looks at the times, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.pace import Pace

Vector = NDArray[np.float64]

MAX_VIOLATIONS = 100
RATES = ("velocity", "acceleration", "jerk")
AT_LIMIT = 1.0 - 1e-9
"""Below this share of a limit nothing can be outside it, whatever the rounding."""


@dataclass(frozen=True)
class Violation:
    """A limit that a command broke. time_s: of the command; value and limit: rad and s, or m and s."""

    time_s: float
    joint: str
    quantity: str
    value: float
    limit: float


@dataclass
class Findings:
    """What the referee has seen since it was started.

    worst: for position, velocity, acceleration and jerk the largest share of a joint's limit; 1 is at the limit (a
    position's share is counted from the middle of its range). violation_count goes on when `violations`, the first
    MAX_VIOLATIONS, is full. last_motion_s: when the last command that moved the arm came; None: none did.
    restarts: how often a stream began anew at the arm's measured position. refused: not finite or of another size.
    pace: the smallest share of the nominal period that really passed between commands, judged over many of them; 1:
    none came too soon. lost: that were sent and did not arrive; over them only the velocity can be judged.
    """

    commands: int = 0
    worst: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("position", *RATES), 0.0))
    violation_count: int = 0
    violations: list[Violation] = field(default_factory=list)
    last_motion_s: float | None = None
    restarts: int = 0
    refused: int = 0
    pace: float = 1.0
    lost: int = 0


class CommandReferee:
    """Judges a stream of joint commands that come one per `period_s` by intention.

    Times jitter, and differences over jittered times would find what nobody commanded: velocities, accelerations and
    jerks are differences of consecutive commands over the nominal period. A sender whose commands come more often than
    that moves the arm faster than it says, so when less time has passed over the last commands than their periods (see
    Pace for what is forgiven), the differences are taken over what did pass. After `pause_s` without a command the next
    one begins a new stream; it must be where the arm is, or it is a jump ("start"). A sender that has been at rest may
    also begin anew where the arm is, as after a cleared fault.

    Times are when commands were sent, by any clock that the receiver trusts (the middleware's stamps): when they are
    received depends on how busy the receiver is.

    Args:
        limits: of the arm. period_s: nominal time between commands. tolerance: share of a limit that is forgiven.
        still: a joint velocity below this is no motion [rad/s]. start_tolerance: of a new stream's beginning [rad].
        rest_s: after so long without motion a sender may begin anew.
    """

    def __init__(
        self, limits: JointLimits, period_s: float, tolerance: float = 0.01, still: float = 1e-3, pause_s: float = 0.5,
        start_tolerance: float = 0.05, rest_s: float = 0.1,
    ) -> None:  # fmt: skip
        if not period_s > 0 or not pause_s > period_s:
            raise ValueError(f"need 0 < period_s < pause_s, got {period_s} and {pause_s}")
        self._limits, self._period_s = limits, period_s
        self._tolerance, self._still, self._pause_s = tolerance, still, pause_s
        self._start_tolerance, self._rest_s = start_tolerance, rest_s
        self._pace = Pace(period_s)
        self._violations_before = self._commands_before = self._lost_before = 0
        self.findings = Findings()
        self._middle = (limits.position_high + limits.position_low) / 2.0
        self._half = (limits.position_high - limits.position_low) / 2.0
        self.restart()

    def restart(self) -> None:
        """Forget everything seen, but for how much it was."""
        self._violations_before += self.findings.violation_count
        self._commands_before += self.findings.commands
        self._lost_before += self.findings.lost
        self.findings = Findings()
        self.new_stream()

    @property
    def violations_ever(self) -> int:
        """Violations since it was made, however often it was restarted."""
        return self._violations_before + self.findings.violation_count

    @property
    def commands_ever(self) -> int:
        """Commands since it was made, however often it was restarted."""
        return self._commands_before + self.findings.commands

    @property
    def lost_ever(self) -> int:
        """Commands that were lost since it was made, however often it was restarted."""
        return self._lost_before + self.findings.lost

    def new_stream(self) -> None:
        """The next command has nothing to do with those before."""
        self._last: list[Vector] = []
        """Of the last command: what was commanded, its difference to the one before, the difference of those, ..."""
        self._sent_s: float | None = None
        self._real_period_s = self._period_s
        self._missing = 0
        self._pace.restart()

    def lost(self, count: int) -> None:
        """So many commands before the next one were sent, and lost on the way."""
        self.findings.lost += count
        self._missing += count

    def see_position(
        self, time_s: float, position: Vector, measured: Vector | None = None, velocity: Vector | None = None,
        acceleration: Vector | None = None,
    ) -> None:  # fmt: skip
        """A commanded position [N] sent at `time_s`, with what the message says of velocity and acceleration.

        measured: where the arm is, to judge the beginning of a stream; None: that is not judged.
        """
        carried = [item for item in (velocity, acceleration) if item is not None]
        if not self._begin(time_s, position, *carried):
            return
        if measured is not None and self._begins_anew(time_s, position, measured):
            self.findings.restarts += 1
            self._last = []
        if not self._last and measured is not None:
            self._judge(time_s, "start", position - measured, np.full(len(position), self._start_tolerance))
        leap = self._leap(time_s, position)
        self._judge_position(time_s, position)
        changes = self._differences(position, len(RATES))[1:]
        rates = self._rates([change / self._real_period_s for change in changes])
        carries = (("velocity", velocity), ("acceleration", acceleration))
        rates += [(quantity, value) for quantity, value in carries if value is not None]
        self._judge_rates(time_s, rates)
        moved = bool(changes) and self._moves(changes[0] / self._period_s)
        if moved or leap or (velocity is not None and self._moves(velocity)):
            self.findings.last_motion_s = time_s

    def _leap(self, time_s: float, position: Vector) -> bool:
        """After lost commands: what is between the last position and this one; whether it is a motion."""
        periods, self._missing = self._missing + 1, 0
        if periods == 1 or not self._last:
            return False
        velocity = (position - self._last[0]) / (periods * self._real_period_s)
        self._judge_rates(time_s, [("velocity", velocity)])
        self._last = []
        return self._moves(velocity)

    def see_velocity(self, time_s: float, velocity: Vector) -> None:
        """A commanded velocity [N] sent at `time_s`."""
        if not self._begin(time_s, velocity):
            return
        if self._missing:
            self._last = []
            self._missing = 0
        self._judge_rates(time_s, self._rates(self._differences(velocity, len(RATES) - 1)))
        if self._moves(velocity):
            self.findings.last_motion_s = time_s

    def _differences(self, command: Vector, orders: int) -> list[Vector]:
        """The command, its difference to the last one, the difference of those: as far as the stream goes back."""
        levels = [command]
        for before in self._last[:orders]:
            levels.append(levels[-1] - before)
        self._last = levels
        return levels

    def _rates(self, values: Sequence[Vector]) -> list[tuple[str, Vector]]:
        """A velocity, and its differences that still have to be divided by time: once, twice."""
        return [
            (name, value / self._real_period_s**order)
            for order, (name, value) in enumerate(zip(RATES, values, strict=False))
        ]

    def _begins_anew(self, time_s: float, position: Vector, measured: Vector) -> bool:
        moved_s = self.findings.last_motion_s
        if not self._last or (moved_s is not None and time_s - moved_s < self._rest_s):
            return False
        before, now = np.abs(self._last[0] - measured).max(), np.abs(position - measured).max()
        jumps = (np.abs(position - self._last[0]) > self._limits.velocity * self._period_s).any()
        return bool(jumps and now < min(before, self._start_tolerance))

    def see_tail(self, time_s: float, position: Vector, velocity: Vector | None) -> None:
        """A later point of a trajectory: it must be inside the limits too, though it is rarely reached."""
        if np.isfinite(position).all() and position.shape == self._middle.shape:
            self._judge_position(time_s, position)
        if velocity is not None and np.isfinite(velocity).all() and velocity.shape == self._middle.shape:
            self._judge_rates(time_s, [("velocity", velocity)])

    def _begin(self, time_s: float, *vectors: Vector) -> bool:
        """Count the command; False for one that is no command: of another size or not finite."""
        self.findings.commands += 1
        if self._sent_s is not None and abs(time_s - self._sent_s) > self._pause_s:
            self.new_stream()
        self._sent_s = time_s
        pace = self._pace.see(time_s)
        self.findings.pace = min(self.findings.pace, pace)
        self._real_period_s = pace * self._period_s
        if all(vector.shape == self._middle.shape and np.isfinite(vector).all() for vector in vectors):
            return True
        self.findings.refused += 1
        return False

    def _judge_position(self, time_s: float, position: Vector) -> None:
        if self._note_worst("position", float((np.abs(position - self._middle) / self._half).max())) < AT_LIMIT:
            return
        outside = np.maximum(position - self._limits.position_high, self._limits.position_low - position)
        limit = np.where(position > self._middle, self._limits.position_high, self._limits.position_low)
        self._record(time_s, "position", outside > self._tolerance * self._half, position, limit)

    def _judge_rates(self, time_s: float, rates: Sequence[tuple[str, Vector]]) -> None:
        # Together, and one by one only where something is near a limit: this runs beside the arm it judges.
        if not rates:
            return
        limits: list[Vector] = [getattr(self._limits, quantity) for quantity, _ in rates]
        shares = (np.abs([value for _, value in rates]) / limits).max(axis=1)
        for (quantity, value), limit, share in zip(rates, limits, shares.tolist(), strict=True):
            if self._note_worst(quantity, share) >= AT_LIMIT:
                self._judge(time_s, quantity, value, limit * (1.0 + self._tolerance))

    def _judge(self, time_s: float, quantity: str, value: Vector, limit: Vector) -> None:
        self._record(time_s, quantity, np.abs(value) > limit, value, limit)

    def _note_worst(self, quantity: str, share: float) -> float:
        self.findings.worst[quantity] = max(self.findings.worst[quantity], share)
        return share

    def _record(self, time_s: float, quantity: str, broken: NDArray[np.bool_], value: Vector, limit: Vector) -> None:
        for index in np.flatnonzero(broken):
            self.findings.violation_count += 1
            if len(self.findings.violations) < MAX_VIOLATIONS:
                name = self._limits.names[index]
                self.findings.violations.append(
                    Violation(time_s, name, quantity, float(value[index]), float(limit[index]))
                )

    def _moves(self, velocity: Vector) -> bool:
        return bool(np.abs(velocity).max() > self._still)
