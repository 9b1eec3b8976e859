"""Rotations and the one place where an action becomes an arm target. All poses are in the base frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from world2act_core.types import ArmTarget, EefPose, FloatArray

MAX_TRANSLATION_M = 0.05
MAX_ROTATION_RAD = 0.5


def quaternion_to_rotation_6d(quaternion: ArrayLike) -> NDArray[np.float64]:
    """Quaternion [..., 4] (x, y, z, w) -> [..., 6]: first two columns of the rotation matrix, column after column."""
    matrix = Rotation.from_quat(np.asarray(quaternion, dtype=np.float64)).as_matrix()
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def rotation_6d_to_quaternion(rotation_6d: ArrayLike) -> NDArray[np.float64]:
    """[..., 6] -> quaternion [..., 4] (x, y, z, w, w >= 0); the columns are orthonormalised first (Gram-Schmidt).

    Raises ValueError when a column is zero or the two are parallel, because they then name no rotation.
    """
    columns = np.asarray(rotation_6d, dtype=np.float64)
    first = _unit(columns[..., :3])
    second = columns[..., 3:]
    second = _unit(second - np.sum(first * second, axis=-1, keepdims=True) * first)
    matrix = np.stack([first, second, np.cross(first, second)], axis=-1)
    return np.asarray(Rotation.from_matrix(matrix).as_quat(canonical=True), dtype=np.float64)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.all(lengths > 1e-8):
        raise ValueError("6D rotation is degenerate: a column is zero or both columns are parallel")
    return np.asarray(vectors / lengths, dtype=np.float64)


def apply_action(pose: EefPose, action: ArrayLike) -> ArmTarget:
    """The arm target of action [7] (delta m, delta axis-angle rad, gripper) taken at the measured `pose`.

    Both deltas are in the base frame: position is added, rotation is multiplied from the left.
    """
    values = np.asarray(action, dtype=np.float64).reshape(7)
    rotation = Rotation.from_rotvec(values[3:6]) * Rotation.from_quat(pose.quaternion)
    target = EefPose(pose.position + values[:3], rotation.as_quat(canonical=True))
    return ArmTarget(target, float(values[6]))


def action_between(
    pose: EefPose,
    target: EefPose,
    gripper: float,
    max_translation: float = MAX_TRANSLATION_M,
    max_rotation: float = MAX_ROTATION_RAD,
) -> FloatArray:
    """The action float32 [7] that moves from `pose` towards `target`, the inverse of `apply_action`.

    Steps that are too long are shortened without changing direction, so that no component exceeds
    max_translation (m) or max_rotation (rad); gripper is clipped to [-1, 1].
    """
    translation = _shorten(target.position - pose.position, max_translation)
    relative = Rotation.from_quat(target.quaternion) * Rotation.from_quat(pose.quaternion).inv()
    rotation = _shorten(relative.as_rotvec(), max_rotation)
    return np.concatenate([translation, rotation, [np.clip(gripper, -1.0, 1.0)]]).astype(np.float32)


def _shorten(vector: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    largest = float(np.max(np.abs(vector)))
    return vector * (limit / largest) if largest > limit else vector


def state_vector(pose: EefPose, gripper_width: float) -> FloatArray:
    """State float32 [10]: eef_position [3] (m), eef_rotation [6] (6D), gripper_width [1] (m)."""
    rotation = quaternion_to_rotation_6d(pose.quaternion)
    return np.concatenate([pose.position, rotation, [gripper_width]]).astype(np.float32)


def pose_from_state(state: ArrayLike) -> tuple[EefPose, float]:
    """State [10] -> (end-effector pose, gripper width in m), the inverse of `state_vector`."""
    values = np.asarray(state, dtype=np.float64).reshape(10)
    return EefPose(values[:3], rotation_6d_to_quaternion(values[3:9])), float(values[9])
