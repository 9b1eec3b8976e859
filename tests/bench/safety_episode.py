"""An episode for the section "safety": chunks come in, the arm moves over a table, is held, stopped and cleared."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import serialize_message

from world2act.driver.factory import make_adapter
from world2act_core.commanding.joint_path import JointPath, PathSettings
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.commanding.safety_settings import safety_settings
from world2act_core.commanding.warm_up import warm_up
from world2act_core.robot.joint_limits import JointLimits
from world2act_core.robot.profile import RobotProfile
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.types import ClearResult, MotionRequest, SafetyDecision, SafetyMode, Situation
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import ActionChunk

Vector = NDArray[np.float64]
WAYPOINTS = ((0.45, -0.15, 0.3), (0.45, -0.15, 0.05), (0.5, 0.15, 0.05), (0.5, 0.15, 0.3), (0.35, 0.0, 0.4))
"""Where the hand goes, m in the base frame, round and round: down to the table, along it, up again."""
STEP_M, NOISE_M = 0.02, 0.001
"""A chunk's row moves the hand so far, as a policy at 10 Hz does, and is wrong by so much."""
LAP_S, HOLD_S, STOP_S = 12.0, (6.0, 6.6), (9.0, 9.3)
"""In every lap an operator holds the arm and the emergency stop is pressed; it is cleared when the arm is at rest."""


class Filter(Protocol):
    """What `ProfiledArm` needs of a filter."""

    def start(self, position: Vector, gripper: float = -1.0) -> None: ...
    def step(self, request: MotionRequest, situation: Situation, period_s: float) -> SafetyDecision: ...
    def clear(self, situation: Situation) -> ClearResult: ...


class Clamp:
    """What a plain joint limiter does: position and velocity are clamped, nothing can brake and nothing is smooth."""

    def __init__(self, limits: JointLimits) -> None:
        self._limits = limits

    def start(self, position: Vector, gripper: float = -1.0) -> None:
        """Begin at `position` [N]."""
        self.position = np.array(position)

    def step(self, request: MotionRequest, situation: Situation, period_s: float) -> SafetyDecision:
        """The reference as far as the velocity goes; where the arm is when there is none."""
        before, held = self.position, situation.hold_reason or ("stopped" if situation.e_stop else "")
        if request.position is None or held:
            still = np.zeros_like(before)
            return SafetyDecision(before, still, still, -1.0, SafetyMode.HOLDING, (), held or "nothing fresh")
        reach = self._limits.velocity * period_s
        wanted = np.clip(request.position, self._limits.position_low, self._limits.position_high)
        self.position = np.clip(wanted, before - reach, before + reach)
        velocity = (self.position - before) / period_s
        return SafetyDecision(self.position, velocity, np.zeros_like(velocity), -1.0, SafetyMode.RUNNING)

    def clear(self, situation: Situation) -> ClearResult:
        """There is nothing to clear."""
        return ClearResult(True, (), "")


class Timed:
    """A filter, and how long each of its steps took [s]: by the clock, and of the processor's time.

    The second leaves out when another process had the processor, which is what a shared machine adds to the first.
    """

    def __init__(self, inner: Filter) -> None:
        self.start, self.clear, self._step = inner.start, inner.clear, inner.step
        self.seconds: list[float] = []
        self.busy: list[float] = []

    def step(self, request: MotionRequest, situation: Situation, period_s: float) -> SafetyDecision:
        """The inner one's."""
        busy, began = time.thread_time(), time.perf_counter()
        decision = self._step(request, situation, period_s)
        self.seconds.append(time.perf_counter() - began)
        self.busy.append(time.thread_time() - busy)
        return decision


class Episode:
    """One arm in its episode; every call of `period` is what arm_commander does in one."""

    def __init__(self, profile: RobotProfile, plain: bool) -> None:
        """plain: with a clamp in the place of the filter."""
        self._profile, self._contract = profile, tabletop_contract("Panda")
        path = JointPath(self._contract, profile, PathSettings())
        settings = safety_settings(profile, tracking_error_rad=0.45, gripper_toggle_s=0.1)
        warm_up(path, self._contract, profile, settings)
        self.filter = Timed(Clamp(profile.limits) if plain else SafetyFilter(profile.limits, settings, path.model))
        self.arm = ProfiledArm(path, self.filter)  # type: ignore[arg-type]
        self._adapter = make_adapter(profile, path.model)
        self._position: Vector = np.array(profile.home_position)
        self.arm.start(self._position)
        # A publisher loads what the first message needs when it is made.
        serialize_message(self._adapter.message_type())
        self._noise = np.random.default_rng(0)
        self._waypoint = self._sequence = self._count = 0
        self.modes: list[SafetyMode] = []
        self.busy: list[float] = []

    def period(self) -> float:
        """The next period of the episode; how long all of it took [s]."""
        now_s = self._count * self._profile.period_s
        lap_s = now_s % LAP_S
        stopped, held = STOP_S[0] <= lap_s < STOP_S[1], HOLD_S[0] <= lap_s < HOLD_S[1]
        if self._count % round(self._contract.execute_steps * self._contract.step_s / self._profile.period_s) == 1:
            self.arm.push(self._chunk(now_s))
        busy, began = time.thread_time(), time.perf_counter()
        self.arm.measure(now_s, self._position)
        situation = Situation(now_s, self._position, 0.0, stopped, "an operator asked for it" if held else "")
        step = self.arm.step(situation, self._profile.period_s, 0.05, False)
        message = self._adapter.message(step.decision, step.decision.gripper, self._position, int(now_s * 1e9))
        serialize_message(message)
        took_s = time.perf_counter() - began
        self.busy.append(time.thread_time() - busy)
        self._position = step.decision.position
        self.modes.append(step.decision.mode)
        self._count += 1
        if step.decision.mode is SafetyMode.STOPPED and not stopped:
            self.arm.clear(Situation(now_s, self._position, 0.0))
        return took_s

    def _chunk(self, now_s: float) -> ActionChunk:
        actions = np.zeros((self._contract.chunk_length, self._contract.action_size), dtype=np.float32)
        hand = self.arm.path.commanded_pose.position.copy()
        for row in actions:
            way = np.array(WAYPOINTS[self._waypoint]) - hand
            if np.linalg.norm(way) < STEP_M:
                self._waypoint = (self._waypoint + 1) % len(WAYPOINTS)
            move = way * min(1.0, STEP_M / max(float(np.linalg.norm(way)), 1e-9))
            hand += move
            row[self._contract.action_slice("delta_position")] = move + self._noise.normal(0.0, NOISE_M, 3)
        actions[:, -1] = -1.0
        self._sequence += 1
        return ActionChunk(self._sequence, now_s, self._contract.step_s, actions)
