"""Chunks become a joint reference: the smooth Cartesian reference, ahead of the arm's delay, through the kinematics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from world2act_core.contract import Contract
from world2act_core.motion import (
    ChunkReference,
    GoalResponse,
    Lookahead,
    MotionDelayEstimator,
    PoseHistory,
    Reference,
)
from world2act_core.robot.inverse_kinematics import CartesianToJoint, JointReference
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import ActionChunk, EefPose

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class PathSettings:
    """blend_s: how long a seam between chunks takes. response: how far a delta took the arm of the demonstrations.

    delay_s: assumed between command and motion until it has been measured.
    """

    blend_s: float = 0.3
    response: GoalResponse = GoalResponse()
    delay_s: float = 0.1


@dataclass(frozen=True, eq=False)
class PathPoint:
    """Where the joints should be in this period. `reference` is the Cartesian point it comes from."""

    joints: JointReference
    reference: Reference


class JointPath:
    """Follows chunks with the joints of a profile's arm; times are seconds on the clock that stamps observations.

    Each period: `measure` what came, `push` what came, `sample`, let the safety filter decide, then `commanded`.
    """

    def __init__(self, contract: Contract, profile: RobotProfile, settings: PathSettings) -> None:
        """Raises ProfileError (no usable model) or ContractError (actions that are not an end effector's deltas)."""
        self.kinematics = CartesianToJoint(profile)
        self.model = self.kinematics.arm
        self._settings = settings
        self._period_s = profile.period_s
        self._chunks = ChunkReference(contract, settings.blend_s, settings.response)

    @property
    def delay_s(self) -> float:
        """Measured delay between command and motion."""
        return self._delay.value_s

    @property
    def dropped(self) -> dict[str, int]:
        """Chunks that were not taken, by reason."""
        return self._chunks.dropped

    def start(self, position: Vector) -> None:
        """The arm stands still at the measured `position` [N]; forgets everything else."""
        self._poses = PoseHistory()
        self._delay = MotionDelayEstimator(self._period_s, self._settings.delay_s)
        self._lookahead = Lookahead(self._settings.delay_s)
        self._measured = self._commanded = self.model.forward(position)
        self._joints = np.array(position, dtype=np.float64)
        self._chunks.rest(self._measured)
        self._sampled_s, self._moving = -math.inf, False

    def measure(self, stamp_s: float, position: Vector) -> EefPose:
        """The joints were measured at `position` [N]; returns the end effector's pose there."""
        self._measured = self.model.forward(position)
        self._poses.add(stamp_s, self._measured)
        return self._measured

    def push(self, chunk: ActionChunk) -> bool:
        """Take a chunk. False: it came too late, twice or out of order. Raises ChunkError when it makes no sense.

        While the arm stands still, the chunk begins when it can be executed, not when its observation was made: nothing
        has changed since, and running after it would only make the arm start with a jerk.
        """
        seen = self._poses.at(chunk.start_time_s)
        if seen is None:
            return False
        if not self._moving and self._sampled_s > chunk.start_time_s:
            chunk = replace(chunk, start_time_s=self._sampled_s)
        return self._chunks.push(chunk, seen)

    def sample(self, now_s: float, period_s: float) -> PathPoint | None:
        """The reference of this period; None when no chunk covers it. Call it while the arm holds, too."""
        ahead_s = self._lookahead.step(self._delay.value_s, period_s)
        self._sampled_s = now_s + ahead_s
        reference = self._chunks.sample(self._sampled_s)
        self._moving = reference is not None
        if reference is None:
            return None
        return PathPoint(self.kinematics.step(reference.pose, self._joints, period_s), reference)

    def commanded(self, position: Vector, point: PathPoint | None) -> None:
        """The arm is told `position` [N]; point: what is followed, None while it comes to rest or holds."""
        pose = self.model.forward(position)
        if point is not None:
            self._joints = point.joints.position
            self._delay.add(pose.position, self._measured.position)
            return
        self._joints = np.array(position, dtype=np.float64)
        self._chunks.rest(pose)
        self._moving = False
        self._delay.clear()

    def forget(self) -> None:
        """What is left of the chunks is not wanted any more."""
        self._chunks.clear()
