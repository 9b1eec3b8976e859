"""The way to rest, against a sampled integration and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.braking import Braking, MotionState
from world2act_core.safety.tracking import feedback


def one_joint(acceleration: float, jerk: float) -> JointLimits:
    return JointLimits(("a",), *(np.array([value]) for value in (-9.0, 9.0, 5.0, acceleration, jerk)))


def state(position: float, velocity: float, acceleration: float) -> MotionState:
    return MotionState(np.array([[position], [velocity], [acceleration]]))


def test_by_hand() -> None:
    """From 1 rad/s with 2 rad/s^2 and 4 rad/s^3: half a second in, none at 2 rad/s^2, half a second out."""
    path = Braking(one_joint(2.0, 4.0)).plan(state(1.0, 1.0, 0.0))
    assert path is not None
    assert path.duration_s == pytest.approx(1.0)
    assert path.end == pytest.approx([1.5])
    assert path.at(0.5).acceleration == pytest.approx([-2.0])
    assert path.at(7.0).velocity == [0.0] and path.at(7.0).position == path.end


@settings(max_examples=80, deadline=None)
@given(
    position=st.floats(-3, 3), velocity=st.floats(-2, 2), share=st.floats(-1, 1),
    most=st.floats(0.5, 20), jerk=st.floats(5, 6000),
)  # fmt: skip
def test_extremes_are_those_of_the_samples(
    position: float, velocity: float, share: float, most: float, jerk: float
) -> None:
    path = Braking(one_joint(most, jerk)).plan(state(position, velocity, share * most))
    assert path is not None
    sampled = np.array([path.at(time).position[0] for time in np.linspace(0, path.duration_s, 150)])
    low, high = path.span
    assert low[0] == pytest.approx(sampled.min(), abs=2e-3) and low[0] <= sampled.min() + 1e-9
    assert high[0] == pytest.approx(sampled.max(), abs=2e-3) and high[0] >= sampled.max() - 1e-9


@pytest.mark.parametrize(("bandwidth", "period"), [(8.0, 0.01), (8.0, 0.002), (3.0, 0.03)])
def test_the_servo_has_the_poles_it_promises(bandwidth: float, period: float) -> None:
    """The closed loop of three integrators, in seconds and not in units of the period."""
    chain = np.array([[1, period, period**2 / 2], [0, 1, period], [0, 0, 1]])
    jerk = np.array([period**3 / 6, period**2 / 2, period])
    gains = feedback(bandwidth, period) / np.array([period**3, period**2, period])
    poles = np.linalg.eigvals(chain - np.outer(jerk, gains))
    # A triple root is known to the cube root of rounding only.
    np.testing.assert_allclose(poles, np.exp(-2 * np.pi * bandwidth * period), atol=1e-3)
