"""Delays are found again that were put in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from world2act_core.motion import DelayEstimator, Lookahead, MotionDelayEstimator


def test_the_quantile_of_what_was_measured() -> None:
    estimator = DelayEstimator(0.2, quantile=0.9, window=100)
    for delay in np.linspace(0.1, 0.2, 101):
        estimator.add(float(delay))
    assert len(estimator) == 100, "the first one is forgotten"
    assert estimator.value_s == pytest.approx(0.1901, abs=1e-3)


def test_outliers_do_not_move_it() -> None:
    steady, disturbed = DelayEstimator(0.0), DelayEstimator(0.0)
    for index in range(50):
        steady.add(0.15)
        disturbed.add(5.0 if index % 15 == 7 else 0.15)  # three of fifty
    assert disturbed.value_s == steady.value_s == pytest.approx(0.15)


def test_it_says_the_initial_value_until_it_knows_better() -> None:
    estimator = DelayEstimator(0.3, minimum=3)
    assert estimator.value_s == 0.3
    for _ in range(3):
        assert estimator.value_s == 0.3
        estimator.add(0.1)
    assert estimator.value_s == pytest.approx(0.1)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_it_stays_in_its_bounds_whatever_is_measured(delays: list[float]) -> None:
    estimator = DelayEstimator(0.1, low_s=0.05, high_s=0.4)
    for delay in delays:
        estimator.add(delay)
        assert 0.05 <= estimator.value_s <= 0.4
    assert estimator.ignored == sum(not (math.isfinite(delay) and delay >= 0) for delay in delays)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"initial_s": 2.0}, "initial_s"),
        ({"initial_s": 0.1, "low_s": 0.2}, "low_s"),
        ({"initial_s": 0.1, "quantile": 1.2}, "quantile"),
        ({"initial_s": 0.1, "minimum": 0}, "minimum"),
    ],
)
def test_settings_that_make_no_sense(bad: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        DelayEstimator(**bad)  # type: ignore[arg-type]


def test_the_lookahead_never_hurries() -> None:
    lookahead = Lookahead(0.1, rate=0.02)
    values = [lookahead.step(0.2 if tick < 900 else 0.05, 0.01) for tick in range(1800)]
    assert np.abs(np.diff([0.1, *values])).max() <= 0.02 * 0.01 + 1e-12
    assert values[899] == pytest.approx(0.2)
    assert values[-1] == pytest.approx(0.05, abs=0.03)
    with pytest.raises(ValueError, match="rate"):
        Lookahead(0.1, rate=1.0)


def wandering(count: int, seed: int = 0) -> np.ndarray:
    """A smooth way [count, 3] as an arm goes: sums of slow sines, m, at 100 Hz."""
    rng = np.random.default_rng(seed)
    times = np.arange(count) * 0.01
    waves = [rng.uniform(0.02, 0.06, 3) * np.sin(2 * np.pi * f * times[:, None] + rng.uniform(0, 6, 3)) for f in
             (0.3, 0.7, 1.3)]  # fmt: skip
    return np.asarray(sum(waves))


def fed(estimator: MotionDelayEstimator, commanded: np.ndarray, measured: np.ndarray) -> MotionDelayEstimator:
    for told, was in zip(commanded, measured):
        estimator.add(told, was)
    return estimator


@pytest.mark.parametrize("delay_s", [0.0, 0.055, 0.14, 0.3])
def test_a_delay_that_was_put_in_is_found(delay_s: float) -> None:
    """Between samples, with encoder noise, and with a command that goes on faster than the arm answers."""
    commanded = wandering(800)
    times = np.arange(800) * 0.01
    measured = np.stack([np.interp(times - delay_s, times, commanded[:, axis]) for axis in range(3)], axis=1)
    noise = np.random.default_rng(1).normal(0.0, 5e-5, measured.shape)
    estimator = fed(MotionDelayEstimator(0.01, 0.1), commanded, measured + noise)
    assert estimator.correlation > 0.9
    assert estimator.value_s == pytest.approx(delay_s, abs=0.01)


def test_the_lag_of_a_damped_spring_is_found() -> None:
    """A critically damped arm of 14.1 rad/s follows slow motion 2 / 14.1 = 0.14 s late."""
    frequency, h = 14.1, 0.001
    commanded = wandering(900, seed=3)
    position, speed, measured = commanded[0].copy(), np.zeros(3), []
    for goal in commanded:
        measured.append(position.copy())
        for _ in range(10):
            speed = speed + h * (frequency**2 * (goal - position) - 2 * frequency * speed)
            position = position + h * speed
    assert fed(MotionDelayEstimator(0.01), commanded, np.array(measured)).value_s == pytest.approx(0.142, abs=0.015)


def test_an_arm_that_stands_or_does_something_else_teaches_nothing() -> None:
    commanded = wandering(600)
    still = fed(MotionDelayEstimator(0.01, 0.12), commanded, np.zeros_like(commanded))
    assert math.isnan(still.correlation) and still.value_s == 0.12
    other = fed(MotionDelayEstimator(0.01, 0.12), commanded, -commanded)
    assert other.value_s == 0.12


def test_a_delay_beyond_what_is_looked_for_is_not_taken_for_the_longest() -> None:
    commanded = wandering(800)
    late = np.concatenate([np.repeat(commanded[:1], 50, axis=0), commanded[:-50]])
    assert fed(MotionDelayEstimator(0.01, 0.12, high_s=0.4), commanded, late).value_s == 0.12


def test_after_clear_old_positions_are_not_compared_with_new_ones() -> None:
    estimator = MotionDelayEstimator(0.01)
    fed(estimator, wandering(150), wandering(150))
    estimator.clear()
    fed(estimator, wandering(150), wandering(150))
    assert math.isnan(estimator.correlation), "two seconds have to come together first"


def test_a_window_shorter_than_the_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="window_s"):
        MotionDelayEstimator(0.01, high_s=0.5, window_s=0.4)
