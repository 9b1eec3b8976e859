"""Whatever is asked for, the commanded positions keep every joint limit.

What that means for positions p_k sent at times t_k: n! times the divided difference over n + 1 of them is a weighted
mean of the n-th derivative of the motion they are samples of, so it can be no larger than the limit of that derivative.
For a constant period T these are (p1 - p0) / T, (p2 - 2 p1 + p0) / T^2 and (p3 - 3 p2 + 3 p1 - p0) / T^3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.filter import SafetyFilter
from world2act_core.safety.settings import SafetySettings
from world2act_core.safety.types import MotionRequest, SafetyDecision, SafetyMode, Situation, Vector

N = 3
LOOSE = {"start_jump_rad": 0.5, "jump_rad": 3.0, "tracking_error_rad": 1.0}
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(quick, max_examples=10)


@dataclass
class Rig:
    """A filter with an arm that is always where it was told to be; records what it commands."""

    limits: JointLimits
    filter: SafetyFilter
    begin: Vector
    times: list[float] = field(default_factory=list)
    decisions: list[SafetyDecision] = field(default_factory=list)
    e_stop: bool = False

    def __post_init__(self) -> None:
        self.filter.start(self.begin)
        self.times.append(0.0)
        self.positions = [np.array(self.begin)]

    @property
    def situation(self) -> Situation:
        return Situation(self.times[-1], self.positions[-1], 0.0, self.e_stop)

    def step(self, position: Any, period_s: float = 0.01, gripper: float = -1.0, age_s: float = 0.0) -> SafetyDecision:
        decision = self.filter.step(MotionRequest(position, gripper, age_s, age_s), self.situation, period_s)
        known = self.filter.settings.nominal_period_s if not period_s > 0 else period_s
        self.times.append(self.times[-1] + min(max(known, 1e-4), self.filter.settings.max_period_s))
        self.positions.append(decision.position)
        self.decisions.append(decision)
        return decision

    def assert_inside(self) -> None:
        times, limits = np.array(self.times), self.limits
        values = np.array(self.positions)
        assert np.isfinite(values).all()
        assert (values >= limits.position_low).all() and (values <= limits.position_high).all()
        difference = values
        for order, limit in enumerate((limits.velocity, limits.acceleration, limits.jerk), start=1):
            spans = (times[order:] - times[:-order])[:, None]
            difference = np.diff(difference, axis=0) / spans
            derivative = math.factorial(order) * difference
            # What rounding of positions (about 1e-15) makes of a difference of this order, for the shortest period.
            rounding = 1e-14 / float(np.diff(times).min()) ** order
            assert (np.abs(derivative) <= limit + rounding).all(), (order, np.abs(derivative).max(0), limit)


@st.composite
def drawn_limits(draw: st.DrawFn) -> JointLimits:
    rates = [draw(st.lists(st.floats(*span), min_size=N, max_size=N)) for span in ((0.2, 4), (0.5, 20), (5, 6000))]
    low = np.array(draw(st.lists(st.floats(-3, 2.5), min_size=N, max_size=N)))
    high = low + draw(st.lists(st.floats(0.4, 6), min_size=N, max_size=N))
    return JointLimits(("a", "b", "c"), low, high, *(np.array(values) for values in rates))


def middle(limits: JointLimits) -> Vector:
    return (limits.position_low + limits.position_high) / 2


def adversary(kind: str, seed: int, rig: Rig) -> Iterator[Any]:
    """References of one kind, without end."""
    rng = np.random.default_rng(seed)
    where, rate = rig.positions[-1].copy(), rng.normal(size=N)
    while True:
        here = rig.positions[-1]
        if kind == "anywhere":
            yield rng.uniform(-4, 4, N)
        elif kind == "near":
            yield here + rng.uniform(-0.45, 0.45, N)
        elif kind == "flight":  # always ahead, so that every joint runs at its limits into its end stop
            yield here + 0.4 * np.sign(rate)
        elif kind == "walk":
            where = where + rng.normal(0, 0.02, N)
            yield where
        elif kind == "flip":
            rate = -rate
            yield here + 0.4 * np.sign(rate)
        elif kind == "broken":
            bad: list[Any] = [
                None,
                np.full(N, np.nan),
                here + np.inf,
                np.zeros(N + 1),
                3.0,
                "up",
                [None] * N,
                [[1], [2, 3]],
            ]
            yield bad[rng.integers(len(bad))]
        else:
            yield 10.0 ** rng.uniform(-300, 300) * rng.normal(size=N)


KINDS = st.sampled_from(["anywhere", "near", "flight", "walk", "flip", "broken", "huge"])
SEGMENTS = st.lists(
    st.tuples(KINDS, st.integers(1, 40), st.sampled_from(["go", "go", "e_stop", "clear", "slow"])),
    min_size=1,
    max_size=8,
)
PERIODS = st.sampled_from([(0.01, 0.01), (0.002, 0.002), (0.02, 0.02), (0.004, 0.03), (0.001, 0.2)])


@quick
@given(limits=drawn_limits(), segments=SEGMENTS, periods=PERIODS, seed=st.integers(0, 2**20), strict=st.booleans())
def test_no_command_leaves_the_limits(
    limits: JointLimits, segments: list[tuple[str, int, str]], periods: tuple[float, float], seed: int, strict: bool
) -> None:
    overrides = {} if strict else {"COMMAND_JUMP": {"latched": False}, "NOT_FINITE": {"latched": False}}
    rng = np.random.default_rng(seed)
    rig = Rig(limits, SafetyFilter(limits, SafetySettings(**LOOSE, overrides=overrides)), middle(limits))
    for kind, length, event in segments:
        rig.e_stop = event == "e_stop"
        if event == "clear":
            rig.filter.clear(rig.situation)
        rig.filter.set_speed(0.2 if event == "slow" else 1.0, 0.25)
        references = adversary(kind, seed, rig)
        for _ in range(length):
            gripper = rng.choice([-1.0, 1.0, 5.0, np.nan], p=[0.45, 0.45, 0.05, 0.05])
            decision = rig.step(next(references), float(rng.uniform(*periods)), gripper)
            assert -1.0 <= decision.gripper <= 1.0
    rig.assert_inside()


@few
@given(limits=drawn_limits(), kind=KINDS, seed=st.integers(0, 2**20), stop=st.booleans())
def test_it_comes_to_rest_in_the_time_the_limits_need_and_stays(
    limits: JointLimits, kind: str, seed: int, stop: bool
) -> None:
    rig = Rig(limits, SafetyFilter(limits, SafetySettings(**LOOSE)), middle(limits))
    references = adversary(kind, seed, rig)
    for _ in range(60):
        rig.step(next(references))
    rig.e_stop = stop
    # Ramp the acceleration out, ramp it in the other way, hold it, ramp it out.
    longest = np.max(limits.velocity / limits.acceleration + 3 * limits.acceleration / limits.jerk)
    for _ in range(math.ceil(longest / 0.01) + 1):
        decision = rig.step(None)
        assert decision.mode in (SafetyMode.HOLDING, SafetyMode.STOPPED)
    assert (decision.velocity == 0).all() and (decision.acceleration == 0).all()
    for _ in range(5):
        np.testing.assert_array_equal(rig.step(None).position, decision.position)
    rig.assert_inside()


@few
@given(limits=drawn_limits(), seed=st.integers(0, 2**20), period=st.sampled_from([0.005, 0.01, 0.02]))
def test_after_a_clear_it_goes_where_it_is_told(limits: JointLimits, seed: int, period: float) -> None:
    rig = Rig(limits, SafetyFilter(limits, SafetySettings(**LOOSE)), middle(limits))
    references = adversary("walk", seed, rig)
    for _ in range(50):
        rig.step(next(references), period)
    rig.e_stop = True
    rig.step(None, period)
    assert not rig.filter.clear(rig.situation).ok
    rig.e_stop = False
    while rig.step(None, period).velocity.any():
        pass
    assert rig.decisions[-1].mode is SafetyMode.STOPPED
    result = rig.filter.clear(rig.situation)
    assert result.ok and "E_STOP" in result.faults, result
    goal = np.clip(rig.positions[-1] + 0.1, limits.position_low, limits.position_high)
    for _ in range(math.ceil(6.0 / period)):
        decision = rig.step(goal, period)
        if np.abs(decision.position - goal).max() < 1e-4 and np.abs(decision.velocity).max() < 1e-4:
            break
    np.testing.assert_allclose(decision.position, goal, atol=1e-4)
    assert decision.mode is SafetyMode.RUNNING
    rig.assert_inside()


@few
@given(seed=st.integers(0, 2**20), period=st.sampled_from([0.002, 0.005, 0.01]), jitter=st.sampled_from([0.0, 0.3]))
def test_a_reference_inside_the_limits_passes(seed: int, period: float, jitter: float) -> None:
    """A sum of slow waves that begins at rest, well inside limits like the FR3's."""
    limits = JointLimits(("a", "b", "c"), *(value * np.ones(N) for value in (-2.8, 2.8, 2.2, 10.0, 5000.0)))
    rng = np.random.default_rng(seed)
    rates, sizes = rng.uniform(0.3, 1.2, (2, N)), rng.uniform(0.05, 0.3, (2, N))
    rig = Rig(limits, SafetyFilter(limits, SafetySettings()), np.zeros(N))
    waves, now_s = [], 0.0
    for _ in range(300):
        step_s = period * (1 + jitter * rng.uniform(-1, 1))
        now_s += step_s
        begin = min(1.0, now_s)
        waves.append((sizes * np.sin(rates * now_s)).sum(0) * begin**3 * (10 - 15 * begin + 6 * begin**2))
        rig.step(waves[-1], step_s)
    np.testing.assert_allclose(rig.positions[1:], waves, atol=1e-3)
    assert {decision.mode for decision in rig.decisions} == {SafetyMode.RUNNING}
    assert not [event for decision in rig.decisions for event in decision.events]
    rig.assert_inside()


def test_a_jump_is_taken_without_overshoot(planar_limits: JointLimits) -> None:
    rig = Rig(planar_limits, SafetyFilter(planar_limits, SafetySettings(**LOOSE)), np.zeros(N))
    for _ in range(150):
        rig.step(np.array([0.4, -0.4, 0.1]))
    reached = np.array(rig.positions)
    np.testing.assert_allclose(reached[-1], [0.4, -0.4, 0.1], atol=1e-4)
    assert np.abs(reached).max(0) == pytest.approx([0.4, 0.4, 0.1], abs=2e-3)
    rig.assert_inside()


def test_an_arm_outside_its_limits_comes_back(planar_limits: JointLimits) -> None:
    begin = np.array([2.53, 0.0, 0.0])
    rig = Rig(planar_limits, SafetyFilter(planar_limits, SafetySettings()), begin)
    for _ in range(200):
        rig.step(begin + [0.02, 0.0, 0.0])
    shoulder = np.array(rig.positions)[:, 0]
    # A way to rest may turn: it ramps the deceleration out after the joint has stopped.
    assert (np.diff(shoulder) <= 1e-4).all() and shoulder[-1] == pytest.approx(2.5, abs=1e-4)
    with pytest.raises(ValueError, match="shoulder is measured at 2.6 rad, 0.1 outside"):
        rig.filter.start(np.array([2.6, 0.0, 0.0]))


@pytest.mark.parametrize("period", [0.0, -1.0, math.nan, math.inf])
def test_a_useless_period_is_named_and_replaced(planar_limits: JointLimits, period: float) -> None:
    rig = Rig(planar_limits, SafetyFilter(planar_limits, SafetySettings()), np.zeros(N))
    decision = rig.step(np.full(N, 0.05), period)
    assert [event.name for event in decision.events if event.name == "PERIOD"]
    assert decision.position[0] > 0
