from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from world2act_core.pose import (
    action_between,
    apply_action,
    pose_from_state,
    quaternion_to_rotation_6d,
    rotation_6d_to_quaternion,
    state_vector,
)
from world2act_core.types import EefPose

quaternions = st.integers(0, 2**31).map(lambda seed: _unit(np.random.default_rng(seed).normal(size=4)))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _matrix(quaternion: np.ndarray) -> np.ndarray:
    """Rotation matrix from the textbook formula, independent of scipy's Rotation."""
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _skew(v: np.ndarray) -> np.ndarray:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def test_quarter_turn_about_z() -> None:
    half = np.sqrt(0.5)
    np.testing.assert_allclose(quaternion_to_rotation_6d([0, 0, half, half]), [0, 1, 0, -1, 0, 0], atol=1e-12)


@given(quaternions)
def test_rotation_6d_holds_the_first_two_columns_and_comes_back(quaternion: np.ndarray) -> None:
    six = quaternion_to_rotation_6d(quaternion)
    matrix = _matrix(quaternion)
    np.testing.assert_allclose(six, np.concatenate([matrix[:, 0], matrix[:, 1]]), atol=1e-9)
    back = rotation_6d_to_quaternion(six * 1.7)  # scale does not matter
    assert abs(back @ quaternion) == pytest.approx(1.0, abs=1e-9)


def test_batches_and_degenerate_rotations() -> None:
    both = quaternion_to_rotation_6d([[0, 0, 0, 1], [1, 0, 0, 0]])
    assert both.shape == (2, 6) and rotation_6d_to_quaternion(both).shape == (2, 4)
    with pytest.raises(ValueError, match="degenerate"):
        rotation_6d_to_quaternion([1, 0, 0, 2, 0, 0])


@given(quaternions, st.integers(0, 2**31))
def test_action_is_applied_in_the_base_frame(quaternion: np.ndarray, seed: int) -> None:
    action = np.random.default_rng(seed).uniform(-1, 1, size=7) * [0.05, 0.05, 0.05, 0.5, 0.5, 0.5, 1]
    pose = EefPose(np.array([0.4, -0.1, 0.3]), quaternion)
    target = apply_action(pose, action)
    np.testing.assert_allclose(target.pose.position, pose.position + action[:3])
    expected = expm(_skew(action[3:6])) @ _matrix(quaternion)  # left: the axis is fixed in the base frame
    np.testing.assert_allclose(_matrix(target.pose.quaternion), expected, atol=1e-9)
    np.testing.assert_allclose(action_between(pose, target.pose, target.gripper), action, atol=1e-6)


def test_long_steps_are_shortened_without_turning() -> None:
    pose = EefPose(np.zeros(3), np.array([0, 0, 0, 1]))
    goal = EefPose(np.array([0.2, -0.1, 0.0]), np.array([0, 0, 1, 0]))  # half a turn about z
    action = action_between(pose, goal, 5.0)
    np.testing.assert_allclose(action[:3], [0.05, -0.025, 0.0], atol=1e-7)
    np.testing.assert_allclose(np.abs(action[3:6]), [0, 0, 0.5], atol=1e-7)
    assert action[6] == 1.0 and action.dtype == np.float32


@given(quaternions)
def test_state_round_trip(quaternion: np.ndarray) -> None:
    state = state_vector(EefPose(np.array([0.1, 0.2, 0.3]), quaternion), 0.04)
    assert state.shape == (10,) and state.dtype == np.float32
    pose, width = pose_from_state(state)
    np.testing.assert_allclose(pose.position, [0.1, 0.2, 0.3], atol=1e-7)
    assert abs(pose.quaternion @ quaternion) == pytest.approx(1.0, abs=1e-6)
    assert width == pytest.approx(0.04)
