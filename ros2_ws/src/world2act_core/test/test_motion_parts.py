"""The parts of smooth motion, each against a closed form or an independent computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from world2act_core.motion import GoalResponse, MovingPose, PoseHistory
from world2act_core.motion.fade import Fade, State, gentle_duration
from world2act_core.motion.rotations import angular_acceleration, left_jacobian, unwrapped
from world2act_core.motion.smoothness import angular_velocity, linear_velocity, smoothness
from world2act_core.types import EefPose

UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


def numbers(low: float = -3.0, high: float = 3.0) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@pytest.mark.parametrize("frequency", [3.0, 14.14, 40.0])
def test_the_response_is_that_of_a_damped_spring(frequency: float) -> None:
    """Against a numerical integration of x'' = w^2 (goal - x) - 2 w x', the goal set anew from x every step."""
    deltas = np.random.default_rng(1).uniform(-0.05, 0.05, size=(8, 2))
    start = np.array([0.1, -0.2])
    position, speed, covered = np.zeros(2), start.copy(), []
    for delta in deltas:
        goal = position + delta

        def rates(_: float, state: np.ndarray, goal: np.ndarray = goal) -> np.ndarray:
            return np.concatenate([state[2:], frequency**2 * (goal - state[:2]) - 2 * frequency * state[2:]])

        end = solve_ivp(rates, (0.0, 0.1), np.concatenate([position, speed]), rtol=1e-10, atol=1e-12).y[:, -1]
        covered.append(end[:2] - position)
        position, speed = end[:2], end[2:]
    np.testing.assert_allclose(GoalResponse(frequency).displacements(deltas, start, 0.1), covered, atol=1e-8)


def test_an_arm_that_reaches_its_goals_covers_the_deltas() -> None:
    deltas = np.random.default_rng(2).uniform(-0.05, 0.05, size=(8, 6))
    np.testing.assert_array_equal(GoalResponse().displacements(deltas, np.ones(6), 0.1), deltas)
    np.testing.assert_allclose(GoalResponse(500.0).displacements(deltas, np.ones(6), 0.1), deltas, atol=1e-9)


@pytest.mark.parametrize("response", [GoalResponse(), GoalResponse(3.0), GoalResponse(14.142)])
def test_the_goal_of_a_step_is_known_from_how_far_it_led(response: GoalResponse) -> None:
    delta, velocity = np.array([0.02, -0.01, 0.0, 0.1, 0.0, -0.3]), np.array([0.1, 0.0, -0.2, 0.5, 0.0, 0.0])
    (covered,) = response.displacements(delta[None], velocity, 0.1)
    np.testing.assert_allclose(response.goal(covered, velocity, 0.1), delta, atol=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_response_needs_a_frequency(bad: float) -> None:
    with pytest.raises(ValueError, match="natural_frequency must be positive"):
        GoalResponse(bad)


@given(d=numbers(), v=numbers(), a=numbers(), duration=st.floats(0.05, 2.0))
@settings(max_examples=15)
def test_a_fade_begins_and_ends_as_it_says_within_its_bound(d: float, v: float, a: float, duration: float) -> None:
    fade = Fade(1.0, duration, State(np.array([d]), np.array([v]), np.array([a])))
    first = fade.at(1.0)
    np.testing.assert_allclose([first.value[0], first.rate[0], first.acceleration[0]], [d, v, a], atol=1e-9)
    end = fade.at(1.0 + duration * (1 - 1e-7))
    np.testing.assert_allclose(np.concatenate(end) * [1.0, duration, duration**2], 0.0, atol=1e-4)
    assert fade.over(1.0 + duration) and not fade.over(1.0 + 0.99 * duration)
    inside = np.array([np.concatenate(fade.at(time_s)) for time_s in np.linspace(1.0, 1.0 + duration, 200)])
    bound = 5.78 * abs(d) / duration**2 + 3.95 * abs(v) / duration + abs(a)
    assert np.abs(inside[:, 2]).max() <= bound + 1e-9
    # The derivatives are those of the value.
    np.testing.assert_allclose(np.gradient(inside[:, 0], duration / 199)[1:-1], inside[1:-1, 1], atol=2e-2 * bound)


@given(d=st.floats(0.0, 0.5), v=st.floats(0.0, 1.0), limit=st.floats(0.5, 20.0))
def test_the_gentle_duration_uses_the_limit_up(d: float, v: float, limit: float) -> None:
    duration = gentle_duration(np.array([d, 0.0, 0.0]), np.array([0.0, v, 0.0]), limit)
    if d > 1e-6 or v > 1e-6:
        assert 5.78 * d / duration**2 + 3.95 * v / duration == pytest.approx(limit)
    else:
        assert duration < 0.01


@given(st.lists(numbers(), min_size=9, max_size=9))
@settings(max_examples=40)
def test_angular_rates_are_those_of_the_rotation(values: list[float]) -> None:
    """Against finite differences of exp(r(t)) itself."""
    r, rate, acceleration = np.reshape(values, (3, 3))
    h = 1e-4

    def omega(time_s: float) -> np.ndarray:
        before, after = (
            Rotation.from_rotvec(r + (time_s + side) * rate + (time_s + side) ** 2 / 2 * acceleration)
            for side in (-h / 2, h / 2)
        )
        return (after * before.inv()).as_rotvec() / h

    np.testing.assert_allclose(left_jacobian(r) @ rate, omega(0.0), atol=1e-4)
    np.testing.assert_allclose(
        angular_acceleration(r, rate, acceleration), (omega(1e-3) - omega(-1e-3)) / 2e-3, atol=5e-3
    )


def test_unwrapped_vectors_go_on_round_the_circle() -> None:
    axis = np.array([0.6, 0.0, 0.8])
    angles = np.arange(0.0, 11.0, 0.5)
    usual = Rotation.from_rotvec(angles[:, None] * axis).as_rotvec()
    np.testing.assert_allclose(unwrapped(usual), angles[:, None] * axis, atol=1e-9)


def test_the_history_interpolates_pose_and_velocity() -> None:
    history = PoseHistory(span_s=1.0, window_s=0.1)
    for tick in range(30):
        turn = Rotation.from_rotvec([0.0, 0.0, 0.5 * tick * 0.05]) * Rotation.from_euler("x", 2.0)
        assert history.add(tick * 0.05, EefPose(np.array([0.2 * tick * 0.05, 0.0, 0.1]), turn.as_quat()))
    found = history.at(1.02)
    assert found is not None
    np.testing.assert_allclose(found.pose.position, [0.204, 0.0, 0.1], atol=1e-12)
    np.testing.assert_allclose(found.velocity, [0.2, 0.0, 0.0, 0.0, 0.0, 0.5], atol=1e-9)
    wanted = Rotation.from_rotvec([0.0, 0.0, 0.51]) * Rotation.from_euler("x", 2.0)
    np.testing.assert_allclose((wanted.inv() * Rotation.from_quat(found.pose.quaternion)).as_rotvec(), 0.0, atol=1e-9)


def test_the_history_knows_its_ends() -> None:
    history = PoseHistory(span_s=0.5)
    assert history.at(0.0) is None
    for tick in range(20):
        history.add(tick * 0.1, EefPose(np.array([tick, 0.0, 0.0]), UPRIGHT))
    assert history.at(1.2) is None, "older than the span"
    oldest = history.at(1.45)
    assert oldest is not None and oldest.pose.position[0] == pytest.approx(14.5)
    newest = history.at(1.95)
    assert newest is not None and newest.pose.position[0] == pytest.approx(19.0), "the newest, a little later"
    assert history.at(2.05) is None, "a measured pose from long before says nothing"


def test_a_single_pose_is_at_rest() -> None:
    history = PoseHistory()
    history.add(1.0, EefPose(np.zeros(3), UPRIGHT))
    found = history.at(1.0)
    assert found is not None
    np.testing.assert_array_equal(found.velocity, 0.0)
    np.testing.assert_array_equal(MovingPose(found.pose).velocity, np.zeros(6))


def test_poses_out_of_order_are_dropped_but_a_clock_set_back_starts_anew() -> None:
    history = PoseHistory(span_s=1.0)
    pose = EefPose(np.zeros(3), UPRIGHT)
    assert history.add(100.0, pose)
    assert not history.add(100.0, pose) and not history.add(99.5, pose)
    assert history.add(3.0, pose), "more than the span back: another time"
    assert history.at(3.0) is not None and history.at(100.0) is None


@pytest.mark.parametrize("bad", [{"span_s": 0.0}, {"window_s": 0.0}, {"span_s": 0.1, "window_s": 0.2}])
def test_a_history_that_makes_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="window_s"):
        PoseHistory(**bad)


def test_smoothness_of_a_known_motion() -> None:
    """x = sin(2 t): velocity 2 cos, jerk -8 cos; one jump of 0.5 m/s put in."""
    times = np.arange(0.0, 2 * np.pi, 0.01)
    positions = np.stack([np.sin(2 * times), 0 * times, 0 * times], axis=1)
    found = smoothness(linear_velocity(positions, 0.01), 0.01, jump=0.1)
    assert (found.jumps, found.seconds) == (0, pytest.approx(6.28))
    assert found.peak_jerk == pytest.approx(8.0, rel=1e-3)
    assert found.rms_jerk == pytest.approx(8.0 / math.sqrt(2), rel=0.02)
    positions[300:, 1] += 0.5 * (times[300:] - times[299])
    jumped = smoothness(linear_velocity(positions, 0.01), 0.01, jump=0.1)
    assert (jumped.jumps, jumped.largest_jump) == (1, pytest.approx(0.5, rel=1e-2))
    assert jumped.peak_jerk == pytest.approx(0.5 / 0.01**2, rel=1e-2)
    with pytest.raises(ValueError, match="at least 3"):
        smoothness(np.zeros((2, 3)), 0.01, 0.1)


def test_angular_velocity_of_a_steady_turn() -> None:
    quaternions = (Rotation.from_rotvec(np.arange(50)[:, None] * [0.0, 0.02, 0.0])).as_quat()
    np.testing.assert_allclose(angular_velocity(quaternions, 0.01), np.tile([0.0, 2.0, 0.0], (49, 1)), atol=1e-9)
