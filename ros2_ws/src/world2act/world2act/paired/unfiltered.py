"""For comparison only: the way of the chunks as it is, without the safety filter. No node uses it."""

from __future__ import annotations

from typing import Any

import numpy as np

from world2act_core.commanding.joint_path import JointPath
from world2act_core.safety.types import SafetyDecision, SafetyMode, Situation, Vector
from world2act_core.types import ActionChunk, EefPose


class UnfilteredCommands:
    """Commands the path's joint reference; where there is none, the last one again. For a simulated arm alone."""

    def __init__(self, path: JointPath, period_s: float) -> None:
        self._path, self._period_s = path, period_s

    def start(self, position: Vector) -> None:
        """The arm stands still at `position` [N]."""
        self._path.start(position)
        self._last: Vector = np.array(position)
        self._gripper = -1.0

    def measure(self, stamp_s: float, position: Vector) -> EefPose:
        """The joints were measured at `position` [N]."""
        return self._path.measure(stamp_s, position)

    def push(self, chunk: ActionChunk) -> bool:
        """Take a chunk; ChunkError when it is wrong."""
        return self._path.push(chunk)

    def decide(self, situation: Situation, *_: Any) -> SafetyDecision:
        """The reference of this period, unchecked."""
        point = self._path.sample(situation.now_s, self._period_s)
        position = self._last if point is None else point.joints.position
        velocity = (position - self._last) / self._period_s
        self._last, mode = position, SafetyMode.HOLDING if point is None else SafetyMode.RUNNING
        if point is not None:
            self._gripper = point.reference.gripper
        self._path.commanded(position, point)
        return SafetyDecision(position, velocity, np.zeros(len(position)), self._gripper, mode)
