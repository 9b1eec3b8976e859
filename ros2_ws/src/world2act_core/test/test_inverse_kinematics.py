from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.robot import find
from world2act_core.robot.inverse_kinematics import CartesianToJoint, JointReference
from world2act_core.robot.profile import ProfileError, RobotProfile
from world2act_core.types import EefPose

ARMS = ("fr3", "ur5e", "xarm7")
PERIOD_S = 0.01


@cache
def find_profile(name: str) -> RobotProfile:
    """Read once: the YAML of a profile takes longer to read than hundreds of ticks."""
    return find.find_profile(name)


@cache
def solver_of(name: str) -> CartesianToJoint:
    """Solvers keep no state: one each for all tests."""
    return CartesianToJoint(find_profile(name))


def moved(pose: EefPose, way: list[float], turn: list[float] | None = None) -> EefPose:
    rotation = Rotation.from_rotvec(turn or [0.0, 0.0, 0.0]) * Rotation.from_quat(pose.quaternion)
    return EefPose(pose.position + way, rotation.as_quat())


def check(name: str, before: np.ndarray, result: JointReference) -> None:
    """What holds for every answer: finite, inside the position limits, no faster than the joints may go."""
    limits = find_profile(name).limits
    assert np.isfinite(result.position).all()
    assert np.all(result.position >= limits.position_low) and np.all(result.position <= limits.position_high)
    assert np.all(np.abs(result.position - before) <= limits.velocity * PERIOD_S + 1e-9)


def follow(
    name: str, target: EefPose, ticks: int, start: np.ndarray | None = None
) -> tuple[np.ndarray, JointReference]:
    """Every joint reference on the way [ticks + 1, N], and the last answer."""
    position = find_profile(name).home_position if start is None else start
    path = [position]
    for _ in range(ticks):
        result = solver_of(name).step(target, path[-1], PERIOD_S)
        check(name, path[-1], result)
        path.append(result.position)
    return np.array(path), result


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize(
    ("way", "turn"),
    [
        ([0.08, 0.0, 0.05], [0.0, 0.0, 0.0]),
        ([0.0, 0.15, 0.08], [0.0, 0.0, 0.5]),
        ([0.05, -0.12, 0.1], [0.2, -0.2, 0.0]),
        ([0.0, 0.0, -0.04], [0.0, 0.0, -0.8]),
    ],
)
def test_reachable_targets_are_reached_from_home(name: str, way: list[float], turn: list[float]) -> None:
    home = solver_of(name).arm.forward(find_profile(name).home_position)
    target = moved(home, way, turn)
    path, result = follow(name, target, 80)
    assert result.reached and not result.problem
    # Judged by the model, not by the solver's own word.
    pose = solver_of(name).arm.forward(path[-1])
    assert np.linalg.norm(pose.position - target.position) < 1e-3
    assert (Rotation.from_quat(pose.quaternion).inv() * Rotation.from_quat(target.quaternion)).magnitude() < 0.01


@pytest.mark.parametrize("name", ARMS)
def test_a_moving_target_is_followed_within_a_millimetre(name: str) -> None:
    arm, position = solver_of(name).arm, find_profile(name).home_position
    home = arm.forward(position)
    for tick in range(1, 121):  # 24 cm along y at 0.2 m/s, while the hand turns
        share = tick / 120
        target = moved(home, [0.0, 0.24 * share, 0.06 * share], [0.0, 0.0, 0.3 * share])
        result = solver_of(name).step(target, position, PERIOD_S)
        check(name, position, result)
        position = result.position
        assert np.linalg.norm(arm.forward(position).position - target.position) < 1e-3
        assert result.position_error_m < 1e-3 and result.rotation_error_rad < 0.01


@pytest.mark.parametrize("name", ARMS)
def test_a_jump_becomes_a_straight_way_at_the_profiles_speed(name: str) -> None:
    arm, profile = solver_of(name).arm, find_profile(name)
    home = arm.forward(profile.home_position)
    target = moved(home, [0.0, 0.15, 0.08])
    path, _ = follow(name, target, 40)
    points = np.array([arm.forward(position).position for position in path])
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).max() / PERIOD_S < profile.speed.max_eef * 1.05
    direction = (target.position - home.position) / np.linalg.norm(target.position - home.position)
    off = points - home.position - np.outer((points - home.position) @ direction, direction)
    assert np.linalg.norm(off, axis=1).max() < 2e-3


@pytest.mark.parametrize("name", ARMS)
def test_out_of_reach_it_stretches_comes_to_rest_and_comes_back(name: str) -> None:
    home = solver_of(name).arm.forward(find_profile(name).home_position)
    path, result = follow(name, EefPose(np.array([2.0, 0.3, 0.4]), home.quaternion), 400)
    assert not result.reached and result.position_error_m > 0.5 and result.near_singularity
    # At rest, or creeping along the null space: no chatter at the end of the reach.
    assert np.abs(np.diff(path[-50:], axis=0)).max() < 0.2 * PERIOD_S
    assert np.abs(np.diff(path[-50:], n=2, axis=0)).max() < 1e-3
    _, back = follow(name, moved(home, [0.05, 0.0, 0.1]), 400, start=path[-1])
    assert back.reached


def test_through_the_wrist_singularity_of_the_ur5e() -> None:
    """Wrist joints 1 and 3 line up where wrist 2 is zero; the way goes right through, then on."""
    solver = solver_of("ur5e")
    start = np.array([0.0, -1.6, 1.9, -1.9, -0.35, 0.0])
    pose = solver.arm.forward(start)
    beyond = solver.arm.forward(np.array([0.0, -1.6, 1.9, -1.9, 0.35, 0.0]))
    position, measures = start, []
    for tick in range(1, 201):
        share = tick / 200
        turn = (Rotation.from_quat(beyond.quaternion) * Rotation.from_quat(pose.quaternion).inv()).as_rotvec() * share
        target = moved(pose, list((beyond.position - pose.position) * share), list(turn))
        result = solver.step(target, position, PERIOD_S)
        check("ur5e", position, result)
        position = result.position
        measures.append(result.manipulability)
        assert result.near_singularity == (result.manipulability < solver.settings.singular_below)
    assert min(measures) < 0.015, "the way did not lead through the singularity"
    _, result = follow("ur5e", beyond, 150, start=position)
    assert result.position_error_m < 5e-3


@pytest.mark.parametrize("name", ARMS)
def test_a_singular_posture_is_left_again(name: str) -> None:
    """The arm stretched out, where the Jacobian has all but lost a direction."""
    profile, solver = find_profile(name), solver_of(name)
    stretched = {"fr3": [0, 0.9, 0, -0.5, 0, 1.6, 0.8], "ur5e": [0, -1.57, 0, -1.57, 0, 0], "xarm7": [0] * 7}[name]
    start = np.clip(np.array(stretched, dtype=np.float64), profile.limits.position_low, profile.limits.position_high)
    assert solver.manipulability(start) < 2 * solver.settings.singular_below
    home = solver.arm.forward(profile.home_position)
    _, result = follow(name, home, 600, start=start)
    assert result.position_error_m < 0.02, "the arm did not come back"


@pytest.mark.parametrize("name", ARMS)
def test_random_targets_never_break_a_promise(name: str) -> None:
    generator, position = np.random.default_rng(5), find_profile(name).home_position
    for _ in range(40):
        pose = EefPose(generator.uniform(-1.5, 1.5, 3), generator.normal(size=4))
        path, _ = follow(name, pose, 6, start=position)
        position = path[-1]


@pytest.mark.parametrize(
    ("position", "quaternion"),
    [
        ([np.nan, 0, 0], [0, 0, 0, 1]),
        ([np.inf, 0, 0], [0, 0, 0, 1]),
        ([0.4, 0, 0.2], [0, 0, 0, np.nan]),
        ([0.4, 0, 0.2], [0, 0, 0, 0]),
        ([1e300, 0, 0], [0, 0, 0, 1]),
    ],
)
def test_a_target_that_is_no_pose_changes_nothing_for_the_worse(position: list[float], quaternion: list[float]) -> None:
    home = find_profile("fr3").home_position
    result = solver_of("fr3").step(EefPose(np.array(position), np.array(quaternion)), home, PERIOD_S)
    check("fr3", home, result)
    assert not result.reached
    if not np.isfinite([*position, *quaternion]).all() or not any(quaternion):
        np.testing.assert_array_equal(result.position, home)
        assert "not a pose" in result.problem and result.position_error_m == np.inf


def test_a_reference_outside_the_limits_comes_back_inside() -> None:
    limits = find_profile("fr3").limits
    outside = limits.position_high + 0.05
    home = solver_of("fr3").arm.forward(find_profile("fr3").home_position)
    result = solver_of("fr3").step(home, outside, PERIOD_S)
    assert np.all(result.position <= limits.position_high) and np.all(result.position >= limits.position_low)


def test_a_reference_that_is_no_position_is_refused() -> None:
    home = solver_of("fr3").arm.forward(find_profile("fr3").home_position)
    with pytest.raises(ValueError, match="need 7 finite joint positions"):
        solver_of("fr3").step(home, np.full(7, np.nan), PERIOD_S)


def test_without_a_model_it_is_refused() -> None:
    with pytest.raises(ProfileError, match="so101: kinematics needs a MuJoCo model"):
        CartesianToJoint(find_profile("so101"))
