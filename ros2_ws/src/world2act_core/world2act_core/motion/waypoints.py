"""Where a chunk takes the arm: poses at the ends of its steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from world2act_core.chunks import ChunkError
from world2act_core.contract import Contract
from world2act_core.motion.moving_pose import MovingPose
from world2act_core.motion.response import GoalResponse
from world2act_core.types import ActionChunk

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Waypoints:
    """The way of one chunk in the base frame: T + 1 poses, the first one at the chunk's start.

    positions: [T + 1, 3] m; rotations: T + 1 of them; velocity: [6] m/s and rad/s at the first.
    """

    positions: Vector
    rotations: Rotation
    velocity: Vector


class DeltaReader:
    """Reads the deltas of a contract's actions. Raises ContractError when they are not those of an end effector."""

    def __init__(self, contract: Contract, response: GoalResponse) -> None:
        self._response = response
        self._position = contract.action_slice("delta_position")
        self._rotation = contract.action_slice("delta_rotation")
        self._gripper = contract.action_slice("gripper").start
        self._low, self._high = contract.action_low, contract.action_high

    def waypoints(self, chunk: ActionChunk, seen: MovingPose) -> Waypoints:
        """The way of `chunk` from where the arm was `seen` at the chunk's start.

        Actions beyond the contract's limits are clipped to them. Position deltas add up, rotation deltas are applied
        from the left, both shortened by the response. Raises ChunkError when they turn the hand by half a turn or more.
        """
        actions = np.clip(chunk.actions, self._low, self._high).astype(np.float64)
        deltas = np.concatenate([actions[:, self._position], actions[:, self._rotation]], axis=1)
        moves = self._response.displacements(deltas, seen.velocity, chunk.step_s)
        turned = float(np.sum(np.linalg.norm(moves[:, 3:], axis=1)))
        if turned >= np.pi:
            raise ChunkError(
                f"chunk {chunk.sequence}: turns the hand by {turned:.2f} rad within {len(moves) * chunk.step_s:.2f} s; "
                f"it must be less than half a turn (3.14 rad)"
            )
        positions = seen.pose.position + np.concatenate([np.zeros((1, 3)), np.cumsum(moves[:, :3], axis=0)])
        rotations = [Rotation.from_quat(seen.pose.quaternion)]
        for turn in Rotation.from_rotvec(moves[:, 3:]):
            rotations.append(turn * rotations[-1])
        return Waypoints(positions, Rotation.concatenate(rotations), seen.velocity)

    def gripper(self, chunk: ActionChunk, index: int) -> float:
        """The gripper's command of row `index`, in the contract's limits (+1 closes)."""
        return float(np.clip(chunk.actions[index], self._low, self._high)[self._gripper])
