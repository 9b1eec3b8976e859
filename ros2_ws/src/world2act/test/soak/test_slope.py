"""Slopes of synthetic series whose true slope is known, and what is said about them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from world2act.soak.slope import TooShortError, block_means, fit_slope
from world2act.soak.verdict import judge_growth, judge_leak

TIMES_S = np.arange(660) * 10.0
"""Two hours without a warm-up of ten minutes, a sample each ten seconds."""
HOURS = TIMES_S / 3600.0


def correlated(seed: int, correlation: float, n: int = 660) -> NDArray[np.float64]:
    """Noise of unit variance in which each sample is like the one before."""
    white = np.random.default_rng(seed).normal(size=n + 500)
    return np.asarray(lfilter([np.sqrt(1 - correlation**2)], [1, -correlation], white)[500:])


def test_a_line_is_found_exactly_whatever_the_block() -> None:
    for n in (24, 59, 60, 661):
        hours = np.arange(n) / 360.0
        found = fit_slope(hours, 100.0 + 3.0 * hours)
        assert found.slope == pytest.approx(3.0) and found.theil_sen == pytest.approx(3.0)
        assert found.low == pytest.approx(3.0, abs=1e-6) and found.high == pytest.approx(3.0, abs=1e-6)
        assert found.blocks == min(20, n // 3)


def test_a_constant_has_no_slope_and_missing_samples_do_not_matter() -> None:
    values = np.full(660, 80.0)
    values[100:130] = np.nan
    found = fit_slope(HOURS, values)
    assert (found.slope, found.low, found.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_block_means_by_hand() -> None:
    times, means = block_means(np.arange(6.0), np.array([1.0, 3.0, 5.0, 5.0, 0.0, 2.0]), 3)
    assert times.tolist() == [0.5, 2.5, 4.5] and means.tolist() == [2.0, 5.0, 1.0]


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.97])
def test_the_interval_holds_the_true_slope_as_often_as_it_says(correlation: float) -> None:
    """Of 300 series with slope 2, 95 % should; five minutes of memory (0.97) may cost some."""
    series = (fit_slope(HOURS, 2.0 * HOURS + correlated(seed, correlation)) for seed in range(300))
    covered = np.mean([found.low <= 2.0 <= found.high for found in series])
    assert covered >= 0.90


def test_plain_least_squares_would_have_been_wrong() -> None:
    """Why blocks: with samples that are alike, the ordinary interval misses the truth most of the time."""
    missed = 0
    for seed in range(100):
        noise = correlated(seed, 0.9)
        centred = HOURS - HOURS.mean()
        slope = centred @ noise / (centred @ centred)
        residuals = noise - noise.mean() - slope * centred
        half = 1.96 * np.sqrt(residuals @ residuals / 658 / (centred @ centred))
        missed += abs(slope) > half
    assert missed > 40


def test_one_outlier_does_not_move_the_theil_sen_slope() -> None:
    values = 1.5 * HOURS
    values[-30:] += 500.0
    found = fit_slope(HOURS, values)
    assert found.slope > 50 and found.theil_sen == pytest.approx(1.5, abs=0.1)


def test_what_comes_and_goes_does_not_lift_the_floor() -> None:
    """Two states of an allocator, the higher one ever more often, and the same with a leak below."""
    rng = np.random.default_rng(4)
    states = 137.0 + 2.5 * (rng.random(660) < 0.2 + 0.5 * np.arange(660) / 660)
    found = fit_slope(HOURS, states)
    assert found.low > 0.0 and found.floor == pytest.approx(0.0, abs=0.1)
    assert fit_slope(HOURS, states + 3.0 * HOURS).floor == pytest.approx(3.0, abs=0.1)


def saw_tooth(seed: int) -> NDArray[np.float64]:
    """105 to 165: a buffer that fills within a minute and is emptied at random moments, two minutes apart or so."""
    rng, values, age = np.random.default_rng(seed), [], 0
    for _ in TIMES_S:
        age = 0 if rng.random() < 0.08 else age + 1
        values.append(105.0 + 10.0 * min(age, 6))
    return np.array(values)


def test_a_ceiling_that_rises_is_seen_where_the_mean_swings_too_widely() -> None:
    full = saw_tooth(1)
    steady, rising = judge_growth(TIMES_S, full, 1.0), judge_growth(TIMES_S, full + 4.0 * HOURS, 1.0)
    assert steady.verdict == "no growth" and steady.slope is not None and rising.slope is not None
    assert (steady.slope.ceiling, steady.slope.ceiling_high) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert rising.slope.low < 0.0 < rising.slope.ceiling_low < 4.1
    assert rising.verdict == "grows"


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(TooShortError, match="23 samples; at least 24"):
        fit_slope(HOURS[:23], HOURS[:23])


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [
        (0.0, 0.3, "no growth"),  # nothing but noise
        (10.0, 0.3, "grows"),
        (2.0, 0.05, "grows"),
        (0.5, 0.01, "no growth"),  # certainly there, and certainly below the bound
        (-5.0, 0.3, "no growth"),  # what shrinks does not grow
        (1.2, 20.0, "no growth"),  # lost in the noise: the interval says how much there could be
    ],
)
def test_verdicts(slope: float, noise: float, verdict: str) -> None:
    found = judge_growth(TIMES_S, 90.0 + slope * HOURS + noise * correlated(3, 0.8), 1.0)
    assert found.verdict == verdict and found.failed == (verdict == "grows")
    assert found.slope is not None and found.slope.low <= slope <= found.slope.high


def test_minutes_say_nothing_about_hours() -> None:
    few = judge_growth(TIMES_S[:10], 90.0 + HOURS[:10], 1.0)
    assert few.verdict == "too short" and few.slope is None and not few.failed
    short = judge_growth(TIMES_S[:180], 90.0 + 100.0 * HOURS[:180], 1.0)
    assert short.verdict == "too short" and short.slope is not None


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([16.0] * 100, "no leak"),
        ([16.0, 17.0] * 50, "no leak"),  # a file that is opened and closed
        ([16.0] * 50 + [17.0] * 50, "leak"),  # one thread that stayed
        ([16.0] * 50 + [19.0] * 20 + [16.0] * 30, "no leak"),  # they went again
        ([16.0 + i // 10 for i in range(100)], "leak"),
        ([20.0] * 50 + [18.0] * 50, "no leak"),  # fewer
        ([17.0] * 5 + [18.0] * 5, "too short"),
        ([20.0, 21.0, float("nan"), 20.0] * 20 + [22.0, 23.0] * 20, "leak"),
    ],
)
def test_leaks(values: list[float], verdict: str) -> None:
    found = judge_leak(np.array(values))
    assert found.verdict == verdict and found.failed == (verdict == "leak")


def test_nothing_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="no sample"):
        judge_leak(np.array([np.nan]))
