"""The safety filter: the only way from what a policy wants to what an arm is told."""

from __future__ import annotations

import contextlib
import math
import time

import numpy as np

from world2act_core.robot.arm_model import ArmModel
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety import checks, inputs
from world2act_core.safety.flags import FlagBoard
from world2act_core.safety.gripper import GripperRule
from world2act_core.safety.guard import Guard
from world2act_core.safety.intake import Intake
from world2act_core.safety.motion import Candidate, JointMotion
from world2act_core.safety.reference import Reference, ReferenceState
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.speed import Pace
from world2act_core.safety.types import (
    ClearResult,
    Joints,
    MotionRequest,
    Reaction,
    SafetyDecision,
    SafetyMode,
    SafetyReport,
    Situation,
    Vector,
)

NOTHING_FRESH = "there is nothing fresh to execute"
SETTLED_S = 0.2
"""So long the command has been at rest before it may be put where the arm is. Sooner, what drives the arm would be sent
from the last of a motion to another pose within one period."""
_POSE_IN_DOUBT = frozenset({checks.STATE_LOST, checks.TRACKING_ERROR, checks.E_STOP})
_GEOMETRY = (checks.WORKSPACE, checks.ELBOW, checks.KEEP_OUT, checks.SELF_COLLISION, checks.TABLE_COLLISION)


class SafetyFilter:
    """Turns requests into joint commands that keep every limit. `start`, then `step` once per period.

    limits: of the N joints; settings: thresholds; model: the arm's geometry, without which the checks of speed, boxes
    and distances are not there. Raises ValueError when the settings have boxes and there is no model, or the model has
    other joints than the limits.
    """

    def __init__(self, limits: JointLimits, settings: SafetySettings, model: ArmModel | None = None) -> None:
        boxes = settings.workspace is not None or settings.elbow is not None or bool(settings.keep_out)
        if model is None and boxes:
            raise ValueError("the settings have boxes but there is no model of the arm: give one, or leave them out")
        if model is not None and tuple(model.joint_names) != tuple(limits.names):
            raise ValueError(f"joints of the model {list(model.joint_names)} are not the limits' {list(limits.names)}")
        self.limits = limits
        self.settings = settings
        self._velocity: Vector = limits.rates[0]
        self._guard = None if model is None else Guard(model, settings)
        self._motion = JointMotion(limits, settings.tracking_hz)
        self._reference = Reference(limits)
        self._gripper = GripperRule(settings.gripper_toggle_s)
        self._flags = FlagBoard(settings)
        self._intake = Intake(limits, settings, self._flags)
        self._speed_scale = settings.speed_scale
        self._max_eef_speed = settings.max_eef_speed
        self._mode = SafetyMode.HOLDING
        self._seconds_max = 0.0
        self._rested_s = 0.0
        self._started = False

    def start(self, position: Vector, gripper: float = -1.0) -> None:
        """Begin at rest at the measured `position` [N] with gripper command `gripper`; forgets every finding.

        Raises ValueError when the position is not N finite numbers, or is farther than `limit_slack_rad` outside the
        limits, or the model's Jacobian is not [6, N] numbers.
        """
        joints = inputs.beginning(position, self.limits, self.settings)
        self._flags.reset()
        self._gripper.start(gripper if math.isfinite(gripper) else -1.0)
        self._seconds_max = 0.0
        self._mode = SafetyMode.HOLDING
        self._rested_s = 0.0
        self._begin_at(joints)
        self._started = True

    def set_speed(self, scale: float, max_eef_speed: float) -> None:
        """Change the share of the joints' velocities, (0, 1], and the end effector's cap [m/s], smoothly.

        Raises ValueError for values that `SafetySettings` would refuse.
        """
        SafetySettings(speed_scale=scale, max_eef_speed=max_eef_speed)
        self._speed_scale, self._max_eef_speed = scale, max_eef_speed

    def step(self, request: MotionRequest, situation: Situation, period_s: float) -> SafetyDecision:
        """The command for the end of this period. Never raises for what a request or a situation holds.

        Raises RuntimeError before `start`: the arm's pose is not known then.
        """
        began = time.perf_counter()
        if not self._started:
            raise RuntimeError("call start(measured position) before step")
        now_s = situation.now_s
        request = inputs.as_numbers(request)
        self._flags.begin()
        period_s = self._intake.period(period_s, situation)
        self._intake.arm(situation, self._motion.state.position)
        if situation.e_stop:
            self._go_along()
        wanted = self._intake.request(request, situation, self._motion)
        following = None
        if wanted is not None and not self._flags.must_rest:
            reference = self._follow(wanted, period_s, now_s)
            following = self._towards(reference, period_s, now_s)
        else:
            self._reference.reset()
            if wanted is not None:
                self._look_ahead(wanted, now_s)
        self._motion.commit(self._motion.stopping(period_s) if following is None else following)
        self._rested_s = self._rested_s + period_s if self._motion.at_rest else 0.0
        if self._guard is not None:
            self._guard.settle(self._motion.state.position, checked=following is not None)
        gripper = self._grip(request, wanted, period_s, now_s)
        decision = self._decide(situation, wanted, gripper)
        self._seconds_max = max(self._seconds_max, time.perf_counter() - began)
        return decision

    def clear(self, situation: Situation) -> ClearResult:
        """End every latched reaction if the causes are gone, which the last `step` and this situation tell.

        When the arm is not where it was told to be (it was moved by hand), it begins again where it is: half of what a
        first reference may be off is taken for that, anything less for a servo that gives a little.
        """
        faults = self._flags.latched()
        left = [] if self._motion.at_rest else ["the arm still moves: wait until it is at rest"]
        if situation.e_stop:
            left.append(f"E_STOP: {situation.e_stop_reason or checks.PRESSED}")
        position, problem = inputs.measured(situation, self.limits, self.settings)
        if position is None:
            left.append(f"{checks.STATE_LOST}: {problem}")
        seen_now = (checks.E_STOP, checks.STATE_LOST, checks.TRACKING_ERROR)
        left += [f"{name}: {text}" for name, text in self._flags.still_there() if name not in seen_now]
        if left or position is None:
            return ClearResult(False, faults, "; ".join(left))
        if self._was_moved_to(position):
            if self._rested_s < SETTLED_S:
                return ClearResult(False, faults, "the arm has come to rest only now: clear again in a moment")
            try:
                self._begin_at(inputs.beginning(position, self.limits, self.settings))
            except ValueError as error:
                return ClearResult(False, faults, str(error))
        self._flags.clear()
        return ClearResult(True, faults, "")

    def status(self) -> SafetyReport:
        """What the filter is doing and what every check has found, as SafetyStatus.msg has it."""
        return SafetyReport(
            mode=self._mode,
            speed_scale=self._scale,
            max_eef_speed=self._max_eef_speed,
            clearance=math.nan if self._guard is None else self._guard.clearance_m,
            filter_seconds_max=self._seconds_max,
            flags=self._flags.report(),
        )

    @property
    def trusts_pose(self) -> bool:
        """Whether a driver may correct commands by the measured pose: it is known, the arm goes where it is told, and
        nobody has stopped it. From the first doubt on until it is cleared it may not."""
        return not self._flags.any_in_force(_POSE_IN_DOUBT)

    @property
    def _scale(self) -> float:
        # The cap itself is how SPEED slows the arm down.
        slowing = any(name != checks.SPEED for name in self._flags.slowing())
        return self._speed_scale * (self.settings.slow_scale if slowing else 1.0)

    def _begin_at(self, position: Joints) -> None:
        self._motion.start(position)
        self._reference.reset()
        self._intake.forget()
        if self._guard is not None:
            self._guard.start(position)

    def _go_along(self) -> None:
        """While the emergency stop is pressed somebody may move the arm by hand. The command goes along, or the arm
        would leap back as soon as its drives are on again."""
        position = self._intake.measured
        if position is None or self._rested_s < SETTLED_S or not self._was_moved_to(position):
            return
        with contextlib.suppress(ValueError):  # outside its limits it is not followed; `clear` says so
            self._begin_at(inputs.beginning(position, self.limits, self.settings))

    def _was_moved_to(self, position: Joints) -> bool:
        apart = inputs.farthest(position, self._motion.state.position, self.limits)[1]
        return apart > self.settings.start_jump_rad / 2

    def _follow(self, wanted: Joints, period_s: float, now_s: float) -> ReferenceState:
        reference = self._reference.push(wanted, period_s)
        for name, text in self._reference.findings(reference, self._speed_scale):
            self._flags.found(name, text, now_s)
        return reference

    def _towards(self, reference: ReferenceState, period_s: float, now_s: float) -> Candidate | None:
        """The next state on the way to the reference; None when the arm must brake instead."""
        scale, cap = self._scale, self._max_eef_speed
        rows = None if self._guard is None else self._guard.rows
        pace = Pace(scale * self._velocity, rows, cap)
        candidate, wanted = self._motion.towards(reference, period_s, pace)
        if wanted > cap:
            text = f"the reference asks for {wanted:.3f} m/s at the end effector, allowed {cap:.3f}: slowed down"
            self._flags.found(checks.SPEED, text, now_s)
        if self._guard is None:
            return candidate
        finding = self._guard.check(candidate, cap)
        if finding is None:
            return candidate
        self._flags.found(*finding, now_s)
        stuck = self._motion.at_rest and not self._flags.must_rest
        away = self._guard.way_out(finding, candidate) if stuck else None
        if away is None:
            return None
        # What stops at a table for as long as its way begins by a hair's breadth downwards never leaves it.
        past = self._motion.along(reference, period_s, pace, away)
        return past if self._guard.check(past, cap) is None else None

    def _look_ahead(self, wanted: Joints, now_s: float) -> None:
        """While the arm rests because of where it would have gone: is it still sent there?"""
        if self._guard is None or not any(name in _GEOMETRY for name in self._flags.latched()):
            return
        inside = np.clip(wanted, self.limits.position_low, self.limits.position_high)
        finding = self._guard.look_at(inside.tolist())
        if finding is not None:
            self._flags.found(*finding, now_s)

    def _grip(self, request: MotionRequest, wanted: Joints | None, period_s: float, now_s: float) -> float:
        if wanted is None or self._flags.must_rest:
            return self._gripper.hold(period_s)
        command, problem = self._gripper.step(request.gripper, period_s)
        if problem:
            self._flags.found(checks.GRIPPER, problem, now_s)
        return command

    def _decide(self, situation: Situation, wanted: Joints | None, gripper: float) -> SafetyDecision:
        reaction, message = self._flags.strictest()
        reason = ""
        if reaction is Reaction.STOP:
            self._mode, reason = SafetyMode.STOPPED, message
        elif reaction is Reaction.HOLD or wanted is None:
            self._mode, reason = SafetyMode.HOLDING, message if reaction is Reaction.HOLD else ""
            reason = reason or situation.hold_reason or NOTHING_FRESH
        else:
            self._mode = SafetyMode.SLOWED if reaction is Reaction.SLOW else SafetyMode.RUNNING
        position, velocity, acceleration = self._motion.state.values.copy()
        return SafetyDecision(position, velocity, acceleration, gripper, self._mode, self._flags.events, reason)
