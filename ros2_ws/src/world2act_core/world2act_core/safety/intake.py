"""The first checks of a period: its length, what is known about the arm, what is asked for."""

from __future__ import annotations

import math

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import checks, inputs
from world2act_core.safety.flags import FlagBoard
from world2act_core.safety.motion import JointMotion
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import Joints, MotionRequest, Situation

_SHORTEST_S = 1e-4


class Intake:
    """Writes what it finds on the board, and hands on what can be used."""

    def __init__(self, limits: JointLimits, settings: SafetySettings, flags: FlagBoard) -> None:
        self._limits = limits
        self._settings = settings
        self._flags = flags
        self._measured: Joints | None = None
        self.forget()

    def forget(self) -> None:
        """The next reference is a first one: it has to begin where the arm is."""
        self._last: Joints | None = None

    @property
    def measured(self) -> Joints | None:
        """The measured position [N] that `arm` was told last; None when it could not be used."""
        return self._measured

    def period(self, period_s: float, situation: Situation) -> float:
        """The period to move for [s]: the given one if it makes sense."""
        settings, now_s = self._settings, situation.now_s
        if not _SHORTEST_S <= period_s < math.inf:
            text = f"the period is {period_s} s: taken as {settings.nominal_period_s:g}; see the caller's clock"
            self._flags.found(checks.PERIOD, text, now_s)
            return settings.nominal_period_s
        really_s = max(period_s, situation.since_last_s)
        if really_s > settings.max_period_s:
            text = f"the period was {really_s:.3f} s, most {settings.max_period_s:g}: the arm lags; is the CPU busy?"
            self._flags.found(checks.PERIOD, text, now_s)
        return min(period_s, settings.max_period_s)

    def arm(self, situation: Situation, commanded: Joints) -> None:
        """Emergency stop, joint states, and whether the arm is where it was told to be: `commanded` [N]."""
        now_s, limit = situation.now_s, self._settings.tracking_error_rad
        if situation.e_stop:
            self._flags.found(checks.E_STOP, situation.e_stop_reason or checks.PRESSED, now_s)
        self._measured, problem = inputs.measured(situation, self._limits, self._settings)
        if self._measured is None:
            self._flags.found(checks.STATE_LOST, problem, now_s)
            return
        joint, apart = inputs.farthest(self._measured, commanded, self._limits)
        if apart > limit:
            text = (
                f"{joint} is {apart:.3f} rad from where it was told to be, limit {limit:g}: the arm holds; is it "
                "blocked, or its driver not active?"
            )
            self._flags.found(checks.TRACKING_ERROR, text, now_s)

    def request(self, request: MotionRequest, situation: Situation, motion: JointMotion) -> Joints | None:
        """The reference [N], inside or outside the limits, if the arm is to move and it can be used."""
        if situation.hold_reason:
            self.forget()
            return None
        wanted, finding = inputs.wanted(request, self._limits)
        for name, text in ([finding] if finding else []) + inputs.stale(request, self._settings):
            self._flags.found(name, text, situation.now_s)
        # An arm that rests for another reason is left behind by its reference: that is no fault of the reference.
        resting = self._flags.must_rest and checks.COMMAND_JUMP not in self._flags.latched()
        if wanted is not None and not resting:
            self._check_jump(wanted, motion, situation.now_s)
        self._last = None if self._flags.must_rest else wanted
        return wanted

    def _check_jump(self, wanted: Joints, motion: JointMotion, now_s: float) -> None:
        """A first reference begins where the arm is; the next ones do not leap."""
        if self._last is not None:
            origin, limit, of = self._last, self._settings.jump_rad, "the last reference"
        else:
            limit, of = self._settings.start_jump_rad, "where the arm is"
            # While the arm moves, what was measured is a little behind.
            known = self._measured if motion.at_rest else None
            origin = motion.state.position if known is None else known
        joint, apart = inputs.farthest(wanted, origin, self._limits)
        if apart > limit:
            text = f"{joint}: the reference is {apart:.3f} rad from {of}, limit {limit:g}: plan from the measured pose"
            self._flags.found(checks.COMMAND_JUMP, text, now_s)
