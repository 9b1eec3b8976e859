"""The commanded motion of the joints: it follows a reference inside the limits, and from every state it can stop.

Three ways lead to the next state, tried in this order: the servo (`tracking.py`) for a reference inside the limits, the
way after any other (`chase.py`), and, joint by joint, the braking path that belongs to the present state. A next state
counts only if a braking path from it stays inside the position limits; the present state's braking path passed that
test a period before, so one of the three always counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import arithmetic
from world2act_core.safety.braking import Braking, BrakingPath, MotionState
from world2act_core.safety.chase import Chase
from world2act_core.safety.reference import ReferenceState
from world2act_core.safety.speed import Pace
from world2act_core.safety.tracking import Tracker
from world2act_core.safety.types import Joints

INSET = 1e-6
"""Share of every limit that is left for rounding."""
_ROUNDING_RAD = 1e-9


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
        self._chase = Chase(limits)
        self._braking = Braking(limits)
        self._span = np.stack([limits.position_low, limits.position_high])
        self._good = np.ones(limits.size, dtype=np.bool_)
        self.start(self._span.mean(0).tolist())

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

    def towards(self, reference: ReferenceState, period_s: float, pace: Pace) -> tuple[Candidate, float]:
        """One period towards the reference, not faster than `pace`: an arm that is slows down to it.

        Also returns how fast [m/s] the end effector would be without its cap.
        """
        share, asked = pace.look(reference.values[1])
        if share == 1.0:
            following = self._tracker.step(self.state, reference, period_s, pace.velocity)
            if following is not None:
                return self._with_a_way_to_stop(following, period_s), asked
        else:
            self._tracker.lose()
        return self._after(reference, period_s, pace)

    def along(self, reference: ReferenceState, period_s: float, pace: Pace, away: Joints) -> Candidate:
        """As `towards`, for a reference behind something: past it. away: see `Chase.step`."""
        self._tracker.lose()
        return self._after(reference, period_s, pace, away)[0]

    def commit(self, candidate: Candidate) -> None:
        """Make a candidate of this period the present state."""
        self.state, self._path, self._since_s = candidate

    def _after(
        self, reference: ReferenceState, period_s: float, pace: Pace, away: Joints | None = None
    ) -> tuple[Candidate, float]:
        """What the chase leads to, and how fast [m/s] the end effector would be without its cap."""
        wanted, good, speed = self._chase.step(self.state, reference, period_s, pace, away)
        if not good.all():
            wanted = wanted.where(good, self.stopping(period_s).state)
        return self._with_a_way_to_stop(wanted, period_s), speed

    def _with_a_way_to_stop(self, wanted: MotionState, period_s: float) -> Candidate:
        brake = self._braking.plan(wanted)
        if brake is None:
            return self.stopping(period_s)
        if self._is_inside(brake):
            return Candidate(wanted, brake)
        stop = self.stopping(period_s)
        mixed = wanted.where(self._good, stop.state)
        brake = self._braking.plan(mixed)
        return stop if brake is None or not self._is_inside(brake) else Candidate(mixed, brake)

    def _is_inside(self, brake: BrakingPath) -> bool:
        """Whether the way to rest keeps the position limits; for which joints it does is in `_good` [N]."""
        # An arm that begins outside its limits may come back, not go further out.
        return arithmetic.stays_inside(brake.span, self.state.values[0], self._span, _ROUNDING_RAD, self._good)
