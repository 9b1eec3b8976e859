"""The commanded motion of the joints: it follows a reference inside the limits, and from every state it can stop.

Three ways lead to the next state of a joint, tried in this order: the servo (`tracking.py`) for a reference inside the
limits, the time-optimal way to the reference (ruckig) for any other, and the braking path that belongs to the present
state. A next state counts only if a braking path from it stays inside the position limits; the present state's braking
path passed that test a period before, so one of the three always counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ruckig

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.braking import Braking, BrakingPath, MotionState
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.tracking import Tracker
from world2act_core.safety.types import Mask, Vector

INSET = 1e-6
"""Share of every limit that is left for rounding."""
_ROUNDING_RAD = 1e-9
_SHARE = 0.95
"""Share of a joint's velocity that the frame in which a way is planned may have."""
_SLOWEST = 0.01
"""Share of a joint's velocity below which no bound is set: ruckig needs a positive one."""


@dataclass(frozen=True, eq=False)
class Candidate:
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
        self.limits = inset(limits)
        self._tracker = Tracker(self.limits, tracking_hz)
        self._braking = Braking(self.limits)
        self._planner = ruckig.Ruckig(limits.size)
        self._input = ruckig.InputParameter(limits.size)
        # Joints that arrive together keep the hand near its way; each at its own pace would swing it aside.
        self._input.synchronization = ruckig.Synchronization.Phase
        self._input.max_acceleration = self.limits.acceleration.tolist()
        self._input.max_jerk = self.limits.jerk.tolist()
        self.start((limits.position_low + limits.position_high) / 2)

    def start(self, position: Vector) -> None:
        """Begin at rest at `position` [N]."""
        self.state = MotionState.resting(position)
        self._tracker.start()
        path = self._braking.plan(self.state)
        if path is None:
            raise ValueError(f"no motion can begin at {position.tolist()}: every position must be finite")
        self._path, self._since_s = path, 0.0

    @property
    def at_rest(self) -> bool:
        """Whether the arm has come to the end of its braking path."""
        return self._since_s >= self._path.duration_s

    def stopping(self, period_s: float) -> Candidate:
        """One period further along the present braking path."""
        since_s = self._since_s + period_s
        return Candidate(self._path.at(since_s), self._path, since_s)

    def towards(self, reference: ReferenceState, period_s: float, velocity: Vector) -> Candidate:
        """One period towards the reference, no joint faster than `velocity` [N] (a joint that is slows down to it)."""
        velocity = np.minimum(np.maximum(velocity, _SLOWEST * self.limits.velocity), self.limits.velocity)
        wanted, good = self._tracker.step(self.state, reference, period_s, velocity)
        stop = self.stopping(period_s)
        if not good.all():
            fastest = self._fastest(reference, period_s, velocity)
            wanted = wanted.where(good, stop.state) if fastest is None else fastest
        return self._with_a_way_to_stop(wanted, stop)

    def commit(self, candidate: Candidate) -> None:
        """Make a candidate of this period the present state."""
        self.state, self._path, self._since_s = candidate.state, candidate.brake, candidate.since_s

    def _fastest(self, reference: ReferenceState, period_s: float, velocity: Vector) -> MotionState | None:
        """The first period of the time-optimal way to the reference; None when the library finds none."""
        limits, state, wanted = self.limits, self.state, self._input
        # Planned in a frame that moves with the reference, where the reference rests: the way meets it, and does not
        # chase it. A reference that is too fast is met by a frame that is not.
        frame = np.where(reference.smooth, np.clip(reference.velocity, -_SHARE * velocity, _SHARE * velocity), 0.0)
        room = np.abs(frame) * (np.abs(frame) / limits.acceleration + limits.acceleration / limits.jerk) / 2
        end = reference.next_position + np.sign(frame) * room
        frame[(end < limits.position_low) | (end > limits.position_high)] = 0.0
        target = np.clip(reference.next_position, limits.position_low, limits.position_high) - frame * period_s
        wanted.max_velocity = (velocity - frame).tolist()
        wanted.min_velocity = (-velocity - frame).tolist()
        wanted.current_position = state.position.tolist()
        wanted.current_velocity = (state.velocity - frame).tolist()
        wanted.current_acceleration = state.acceleration.tolist()
        wanted.target_position = target.tolist()
        trajectory = ruckig.Trajectory(limits.size)
        try:
            result = self._planner.calculate(wanted, trajectory)
        except (ruckig.RuckigError, ValueError):  # ValueError: an error code without a name in the binding
            return None
        if result != ruckig.Result.Working:
            return None
        position, speed, acceleration = (np.array(values) for values in trajectory.at_time(period_s))
        return MotionState(position + frame * period_s, speed + frame, acceleration)

    def _with_a_way_to_stop(self, wanted: MotionState, stop: Candidate) -> Candidate:
        brake = self._braking.plan(wanted)
        if brake is None:
            return stop
        bad = self._beyond(brake)
        if not bad.any():
            return Candidate(wanted, brake)
        mixed = stop.state.where(bad, wanted)
        brake = self._braking.plan(mixed)
        return stop if brake is None or self._beyond(brake).any() else Candidate(mixed, brake)

    def _beyond(self, brake: BrakingPath) -> Mask:
        low, high = brake.extremes
        # An arm that begins outside its limits may come back, not go further out.
        lowest = np.minimum(self.limits.position_low, self.state.position) - _ROUNDING_RAD
        highest = np.maximum(self.limits.position_high, self.state.position) + _ROUNDING_RAD
        return (low < lowest) | (high > highest)
