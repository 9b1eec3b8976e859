"""One period of an arm with a profile: the joint path proposes, the safety filter decides."""

from __future__ import annotations

import time
from dataclasses import dataclass

from world2act_core.commanding.joint_path import JointPath, PathPoint
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.types import ClearResult, MotionRequest, SafetyDecision, Situation, Vector
from world2act_core.types import ActionChunk, EefPose


@dataclass(frozen=True, eq=False)
class Step:
    """What a period came to. point: what was asked of the filter; None when nothing was. gripper: its command, [-1, 1];
    None until a chunk has said the first one: an arm that is taken over may have something in its hand. filter_s,
    filter_busy_s: how long the filter took, and how much of it this thread had a processor."""

    decision: SafetyDecision
    point: PathPoint | None
    gripper: float | None
    filter_s: float
    filter_busy_s: float


class ProfiledArm:
    """Joins path and filter so that there is no way around the filter. `start` first, then `step` once per period."""

    def __init__(self, path: JointPath, safety: SafetyFilter) -> None:
        self.path = path
        self.safety = safety
        self._gripper, self._gripper_known = -1.0, False

    def start(self, position: Vector) -> None:
        """The arm stands still at the measured `position` [N]; ValueError when it is far outside its limits."""
        self.safety.start(position)
        self.path.start(position)
        self._gripper, self._gripper_known = -1.0, False

    def measure(self, stamp_s: float, position: Vector) -> EefPose:
        """The joints were measured at `position` [N]; returns where the end effector was."""
        return self.path.measure(stamp_s, position)

    def push(self, chunk: ActionChunk) -> bool:
        """Take a chunk; False when it came too late, twice or out of order. Raises ChunkError when it is wrong."""
        return self.path.push(chunk)

    def step(self, situation: Situation, period_s: float, observation_age_s: float, expects_chunk: bool) -> Step:
        """The command at the end of this period.

        observation_age_s: of the newest one, inf before the first. expects_chunk: when no chunk covers this period, the
        arm rests and goes on with the next one, and the newest being too old is a fault; otherwise it only waits.
        """
        point = self.path.sample(situation.now_s, period_s)
        if situation.hold_reason:
            point = None
        chunk_age_s = self.path.chunk_age_s(situation.now_s) if expects_chunk else 0.0
        request = self._request(point, observation_age_s, chunk_age_s)
        began_s, busy_s = time.perf_counter(), time.thread_time()
        decision = self.safety.step(request, situation, period_s)
        busy_s, filter_s = time.thread_time() - busy_s, time.perf_counter() - began_s
        follows = point is not None and not decision.hold_reason
        self.path.commanded(decision.position, point if follows else None)
        self._gripper_known |= follows
        return Step(decision, point, decision.gripper if self._gripper_known else None, filter_s, busy_s)

    def clear(self, situation: Situation) -> ClearResult:
        """End what is latched in the filter, if its causes are gone."""
        return self.safety.clear(situation)

    def _request(self, point: PathPoint | None, observation_age_s: float, chunk_age_s: float) -> MotionRequest:
        if point is None:
            return MotionRequest(None, self._gripper, observation_age_s, chunk_age_s)
        self._gripper = point.reference.gripper
        return MotionRequest(point.joints.position, self._gripper, observation_age_s, point.reference.age_s)
