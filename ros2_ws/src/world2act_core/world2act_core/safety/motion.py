"""The commanded motion of the joints: it follows a reference inside the limits, and from every state it can stop.

Three ways lead to the next state of a joint, tried in this order: the servo (`tracking.py`) for a reference inside the
limits, the time-optimal way to the reference (ruckig) for any other, and the braking path that belongs to the present
state. A next state counts only if a braking path from it stays inside the position limits; the present state's braking
path passed that test a period before, so one of the three always counts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.braking import Braking, BrakingPath, MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.tracking import Tracker
from world2act_core.safety.types import Joints

INSET = 1e-6
"""Share of every limit that is left for rounding."""
_ROUNDING_RAD = 1e-9
_SHARE = 0.95
"""Share of a joint's velocity that the frame in which a way is planned may have."""
_SLOWEST = 0.01
"""Share of a joint's velocity below which no bound is set: ruckig needs a positive one."""


class Candidate(NamedTuple):
    """A next state inside the limits, and how the arm would stop from it: along `brake`, from `since_s` on."""

    state: MotionState
    brake: BrakingPath
    since_s: float = 0.0


def inset(limits: JointLimits) -> JointLimits:
    """Limits that are tighter by the share INSET."""
    span = INSET * (limits.position_high - limits.position_low)
    rates = (values * (1 - INSET) for values in (limits.velocity, limits.acceleration, limits.jerk))
    return JointLimits(limits.names, limits.position_low + span, limits.position_high - span, *rates)


class JointMotion:
    """State of the commanded motion of N joints."""

    def __init__(self, limits: JointLimits, tracking_hz: float) -> None:
        limits = inset(limits)
        self._tracker = Tracker(limits, tracking_hz)
        self._braking = Braking(limits)
        self._low: Joints = limits.position_low.tolist()
        self._high: Joints = limits.position_high.tolist()
        self._velocity: Joints = limits.velocity.tolist()
        self._acceleration: Joints = limits.acceleration.tolist()
        self._jerk: Joints = limits.jerk.tolist()
        self._planner = ruckig.Ruckig(limits.size)
        self._input = ruckig.InputParameter(limits.size)
        # Joints that arrive together keep the hand near its way; each at its own pace would swing it aside.
        self._input.synchronization = ruckig.Synchronization.Phase
        self._input.max_acceleration = self._acceleration
        self._input.max_jerk = self._jerk
        self.start([(low + high) / 2 for low, high in zip(self._low, self._high)])

    def start(self, position: Joints) -> None:
        """Begin at rest at `position` [N]."""
        self.state = MotionState.resting(position)
        self._tracker.start()
        path = self._braking.plan(self.state)
        if path is None:
            raise ValueError(f"no motion can begin at {position}: every position must be finite")
        self._path, self._since_s = path, 0.0

    @property
    def at_rest(self) -> bool:
        """Whether the arm has come to the end of its braking path."""
        return self._since_s >= self._path.duration_s

    def stopping(self, period_s: float) -> Candidate:
        """One period further along the present braking path."""
        since_s = self._since_s + period_s
        return Candidate(self._path.at(since_s), self._path, since_s)

    def towards(self, reference: ReferenceState, period_s: float, velocity: Joints) -> Candidate:
        """One period towards the reference, no joint faster than `velocity` [N] (a joint that is slows down to it)."""
        velocity = [min(max(rate, _SLOWEST * most), most) for rate, most in zip(velocity, self._velocity)]
        wanted, good = self._tracker.step(self.state, reference, period_s, velocity)
        if not all(good):
            fastest = self._fastest(reference, period_s, velocity)
            wanted = wanted.where(good, self.stopping(period_s).state) if fastest is None else fastest
        return self._with_a_way_to_stop(wanted, period_s)

    def commit(self, candidate: Candidate) -> None:
        """Make a candidate of this period the present state."""
        self.state, self._path, self._since_s = candidate

    def _fastest(self, reference: ReferenceState, period_s: float, velocity: Joints) -> MotionState | None:
        """The first period of the time-optimal way to the reference; None when the library finds none."""
        state, wanted = self.state, self._input
        frame = self._moving_frame(reference, velocity)
        targets = zip(reference.next_position, self._low, self._high, frame)
        wanted.max_velocity = [most - moves for most, moves in zip(velocity, frame)]
        wanted.min_velocity = [-most - moves for most, moves in zip(velocity, frame)]
        wanted.current_position = state.position
        wanted.current_velocity = [rate - moves for rate, moves in zip(state.velocity, frame)]
        wanted.current_acceleration = state.acceleration
        wanted.target_position = [min(max(to, low), high) - moves * period_s for to, low, high, moves in targets]
        trajectory = ruckig.Trajectory(len(frame))
        try:
            result = self._planner.calculate(wanted, trajectory)
        except (ruckig.RuckigError, ValueError):  # ValueError: an error code without a name in the binding
            return None
        if result != ruckig.Result.Working:
            return None
        position, rates, acceleration = trajectory.at_time(period_s)
        return MotionState(
            [there + moves * period_s for there, moves in zip(position, frame)],
            [rate + moves for rate, moves in zip(rates, frame)],
            acceleration,
        )

    def _moving_frame(self, reference: ReferenceState, velocity: Joints) -> Joints:
        """Velocities [N] of a frame that moves with the reference, where the reference rests: the way meets it there,
        and does not chase it. A reference that is too fast is met by a frame that is not."""
        frame = []
        for joint, (smooth, rate, most) in enumerate(zip(reference.smooth, reference.velocity, velocity)):
            moves = min(max(rate, -_SHARE * most), _SHARE * most) if smooth else 0.0
            # The room that the joint needs to come to rest from this speed.
            acceleration, jerk = self._acceleration[joint], self._jerk[joint]
            room = abs(moves) * (abs(moves) / acceleration + acceleration / jerk) / 2
            end = reference.next_position[joint] + math.copysign(room, moves)
            frame.append(moves if self._low[joint] <= end <= self._high[joint] else 0.0)
        return frame

    def _with_a_way_to_stop(self, wanted: MotionState, period_s: float) -> Candidate:
        brake = self._braking.plan(wanted)
        if brake is None:
            return self.stopping(period_s)
        good = self._inside(brake)
        if all(good):
            return Candidate(wanted, brake)
        stop = self.stopping(period_s)
        mixed = wanted.where(good, stop.state)
        brake = self._braking.plan(mixed)
        return stop if brake is None or not all(self._inside(brake)) else Candidate(mixed, brake)

    def _inside(self, brake: BrakingPath) -> list[bool]:
        """For which joints [N] the way to rest keeps the position limits."""
        # An arm that begins outside its limits may come back, not go further out.
        joints = zip(*brake.extremes, self.state.position, self._low, self._high)
        return [
            lowest >= min(low, here) - _ROUNDING_RAD and highest <= max(high, here) + _ROUNDING_RAD
            for lowest, highest, here, low, high in joints
        ]
