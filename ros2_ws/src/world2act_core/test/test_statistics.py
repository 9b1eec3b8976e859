from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from world2act_core.statistics import mcnemar_exact, paired_comparison, summarise, wilson_interval


@pytest.mark.parametrize("n", [1, 7, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_agrees_with_scipy(n: int, confidence: float) -> None:
    for successes in range(n + 1):
        reference = binomtest(successes, n).proportion_ci(confidence, method="wilson")
        low, high = wilson_interval(successes, n, confidence)
        assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-12)
        assert low <= successes / n <= high


def test_wilson_known_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81/263, 15/148, 0/20, 1/29 (method 3).
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (1, 5, 1.0)])
def test_wilson_refuses_nonsense(arguments: tuple) -> None:
    with pytest.raises(ValueError, match="need"):
        wilson_interval(*arguments)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 0), (3, 9), (10, 10), (1, 0), (40, 21)])
def test_mcnemar_is_the_two_sided_sign_test(only_a: int, only_b: int) -> None:
    n = only_a + only_b
    expected = binomtest(only_a, n, 0.5).pvalue if n else 1.0
    assert mcnemar_exact(only_a, only_b) == pytest.approx(expected)


def test_mcnemar_by_hand() -> None:
    assert mcnemar_exact(6, 0) == pytest.approx(2 / 64)
    assert mcnemar_exact(1, 5) == pytest.approx(2 * 7 / 64)


def test_paired_comparison_by_hand() -> None:
    a = [True] * 12 + [True] * 9 + [False] * 2 + [False] * 21
    b = [True] * 12 + [False] * 9 + [True] * 2 + [False] * 21
    result = paired_comparison(a, b)
    assert (result.n, result.only_a, result.only_b) == (44, 9, 2)
    assert result.difference == pytest.approx(7 / 44)
    assert (result.rate_a, result.rate_b) == pytest.approx((21 / 44, 14 / 44))
    assert result.p_value == pytest.approx(mcnemar_exact(9, 2))
    # His formula written out once more, with phi = (12 * 21 - 9 * 2 - 22) / sqrt(21 * 23 * 14 * 30).
    phi = 212 / np.sqrt(21 * 23 * 14 * 30)
    (low_a, high_a), (low_b, high_b) = wilson_interval(21, 44), wilson_interval(14, 44)
    d1, u2 = 21 / 44 - low_a, high_b - 14 / 44
    d2, u1 = 14 / 44 - low_b, high_a - 21 / 44
    assert result.interval[0] == pytest.approx(7 / 44 - np.sqrt(d1**2 - 2 * phi * d1 * u2 + u2**2))
    assert result.interval[1] == pytest.approx(7 / 44 + np.sqrt(d2**2 - 2 * phi * d2 * u1 + u1**2))
    low, high = paired_comparison(b, a).interval
    assert (-high, -low) == pytest.approx(result.interval)


def test_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Exact coverage over all outcomes of 20 pairs: P(both) 0.5, only a 0.25, only b 0.1, neither 0.15.
    n, (p_both, p_a, p_b, p_no) = 20, (0.5, 0.25, 0.1, 0.15)
    covered = 0.0
    for only_a, only_b in itertools.product(range(n + 1), repeat=2):
        rest = n - only_a - only_b
        if rest < 0:
            continue
        p_discordant = binom.pmf(only_a, n, p_a) * binom.pmf(only_b, n - only_a, p_b / (1 - p_a))
        for both in range(rest + 1):
            weight = p_discordant * binom.pmf(both, rest, p_both / (p_both + p_no))
            a = [True] * both + [True] * only_a + [False] * (n - both - only_a)
            b = [True] * both + [False] * only_a + [True] * only_b + [False] * (rest - both)
            low, high = paired_comparison(a, b).interval
            covered += weight * (low <= p_a - p_b <= high)
    assert 0.93 <= covered <= 0.99


def test_extreme_pairs_stay_in_range() -> None:
    same = paired_comparison([True] * 10, [True] * 10)
    assert same.difference == 0 and same.p_value == 1.0 and same.interval[0] < 0 < same.interval[1]
    opposite = paired_comparison([True] * 10, [False] * 10)
    assert opposite.difference == 1.0 and opposite.interval[1] == 1.0
    with pytest.raises(ValueError, match="equally long"):
        paired_comparison([True], [True, False])
    with pytest.raises(ValueError, match="non-empty"):
        paired_comparison([], [])


def test_summary() -> None:
    summary = summarise(np.arange(101))
    assert (summary.n, summary.mean, summary.maximum) == (101, 50, 100)
    assert (summary.p50, summary.p95, summary.p99) == (50, 95, 99)
    with pytest.raises(ValueError, match="at least one"):
        summarise([])
