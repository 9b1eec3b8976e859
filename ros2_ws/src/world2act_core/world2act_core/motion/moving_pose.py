"""A pose and how it moves, and the recent past of a measured one."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.types import EefPose

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MovingPose:
    """A pose in the base frame with its velocity [6]: linear (m/s), then angular (rad/s); at rest by default."""

    pose: EefPose
    velocity: Vector = field(default_factory=lambda: np.zeros(6))


class PoseHistory:
    """The measured poses of the last `span_s` seconds: a chunk is relative to where the arm was, not to where it is.

    Velocities are differences over `window_s`. Raises ValueError when the two are not positive or the window is longer.
    """

    def __init__(self, span_s: float = 2.0, window_s: float = 0.05) -> None:
        if not 0 < window_s <= span_s < math.inf:
            raise ValueError(f"need 0 < window_s <= span_s, got window_s {window_s} and span_s {span_s}")
        self.span_s = span_s
        self.window_s = window_s
        self._times: list[float] = []
        self._poses: list[EefPose] = []

    def clear(self) -> None:
        """Forget everything."""
        self._times.clear()
        self._poses.clear()

    def add(self, time_s: float, pose: EefPose) -> bool:
        """A measured pose. False, and nothing is kept, when it is not newer than the last one.

        A stamp that is more than the whole span older means that the clock was set back: the past is forgotten.
        """
        if self._times and time_s <= self._times[-1]:
            if self._times[-1] - time_s <= self.span_s:
                return False
            self.clear()
        self._times.append(time_s)
        self._poses.append(pose)
        # The last one that is older than the span stays, so that the whole span can be interpolated.
        old = max(bisect_right(self._times, time_s - self.span_s) - 1, 0)
        del self._times[:old], self._poses[:old]
        return True

    def at(self, time_s: float, patience_s: float = 0.1) -> MovingPose | None:
        """Pose and velocity at `time_s`; the newest ones up to `patience_s` later; None when nothing is known."""
        if not self._times or time_s < self._times[0] or time_s > self._times[-1] + patience_s:
            return None
        now_s = min(time_s, self._times[-1])
        before_s = max(now_s - self.window_s, self._times[0])
        here, before = self._pose_at(now_s), self._pose_at(before_s)
        if now_s <= before_s:
            return MovingPose(here)
        turn = Rotation.from_quat(here.quaternion) * Rotation.from_quat(before.quaternion).inv()
        moved = np.concatenate([here.position - before.position, turn.as_rotvec()])
        return MovingPose(here, moved / (now_s - before_s))

    def _pose_at(self, time_s: float) -> EefPose:
        index = bisect_right(self._times, time_s) - 1
        if index + 1 == len(self._times):
            return self._poses[index]
        first, second = self._poses[index], self._poses[index + 1]
        share = (time_s - self._times[index]) / (self._times[index + 1] - self._times[index])
        start = Rotation.from_quat(first.quaternion)
        turn = (Rotation.from_quat(second.quaternion) * start.inv()).as_rotvec()
        position = first.position + share * (second.position - first.position)
        return EefPose(position, (Rotation.from_rotvec(share * turn) * start).as_quat(canonical=True))
