"""Chunks become a joint reference: the smooth Cartesian reference, ahead of the arm's delay, through the kinematics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from world2act_core.commanding.room import Room
from world2act_core.contract import Contract
from world2act_core.motion import DEFAULT_BLEND, DISPLACEMENTS, Blend, GoalResponse, Reference, SmoothMotion
from world2act_core.robot.inverse_kinematics import CartesianToJoint, JointReference
from world2act_core.robot.profile import RobotProfile
from world2act_core.types import ActionChunk, EefPose

Vector = NDArray[np.float64]

WALL_M = 0.006
"""From the faces of the workspace: a millimetre more than the safety filter keeps by default."""
TABLE_M = 0.002
"""From the table's margin, likewise."""


@dataclass(frozen=True)
class PathSettings:
    """blend: seams between chunks. response: how far a delta took the arm of the demonstrations.

    delay_s: assumed between command and motion until it has been measured.
    """

    blend: Blend = DEFAULT_BLEND
    response: GoalResponse = DISPLACEMENTS
    delay_s: float = 0.05


@dataclass(frozen=True, eq=False)
class PathPoint:
    """Where the joints should be in this period.

    reference: the Cartesian point it comes from. observation_ns: stamp of the observation behind its chunk.
    """

    joints: JointReference
    reference: Reference
    observation_ns: int


class JointPath:
    """Follows chunks with the joints of a profile's arm; times are seconds on the clock that stamps observations.

    Each period: `measure` what came, `push` what came, `sample`, let the safety filter decide, then `commanded`.
    """

    def __init__(self, contract: Contract, profile: RobotProfile, settings: PathSettings) -> None:
        """Raises ProfileError (no usable model) or ContractError (actions that are not an end effector's deltas)."""
        self.kinematics = CartesianToJoint(profile)
        self.model = self.kinematics.arm
        self._arguments = contract, profile.period_s, settings.blend, settings.response, settings.delay_s
        self.motion = SmoothMotion(*self._arguments)
        self._room = Room(profile, WALL_M, TABLE_M)

    def start(self, position: Vector) -> None:
        """The arm stands still at the measured `position` [N]; forgets everything else."""
        self.motion = SmoothMotion(*self._arguments)
        self.commanded_pose = self.model.forward(position)
        self._joints = np.array(position, dtype=np.float64)
        self._observations: dict[int, int] = {}
        self._newest_chunk_s = -math.inf
        self.motion.hold(self.commanded_pose)

    def measure(self, stamp_s: float, position: Vector) -> EefPose:
        """The joints were measured at `position` [N]; returns the end effector's pose there."""
        pose = self.model.forward(position)
        self.motion.measure(stamp_s, pose)
        return pose

    def push(self, chunk: ActionChunk) -> bool:
        """Take a chunk. False: it came too late, twice or out of order. Raises ChunkError when it makes no sense."""
        taken = self.motion.push(chunk)
        if taken:
            self._observations = {**dict([*self._observations.items()][-3:]), chunk.sequence: chunk.start_ns}
            self._newest_chunk_s = chunk.start_time_s
        return taken

    def chunk_age_s(self, now_s: float) -> float:
        """Age of the newest chunk that was taken, since its observation; inf before the first."""
        return now_s - self._newest_chunk_s

    def sample(self, now_s: float, period_s: float) -> PathPoint | None:
        """The reference of this period; None when no chunk covers it. Call it while the arm holds, too."""
        reference = self.motion.step(now_s)
        if reference is None:
            return None
        reference = replace(reference, pose=self._room.keep(reference.pose))
        joints = self.kinematics.step(reference.pose, self._joints, period_s)
        return PathPoint(joints, reference, self._observations.get(reference.chunk_sequence, 0))

    def commanded(self, position: Vector, point: PathPoint | None) -> None:
        """The arm is told `position` [N]; point: what is followed, None while it comes to rest or holds."""
        self.commanded_pose = self.model.forward(position)
        if point is not None:
            self.motion.told(self.commanded_pose)
            self._joints = point.joints.position
            return
        self._joints = np.array(position, dtype=np.float64)
        self.motion.hold(self.commanded_pose)
