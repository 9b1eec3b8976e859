"""When a claim holds: rules and tests against cases computed by hand or by other means."""

from __future__ import annotations

import math
from math import comb

import numpy as np
import pytest
from scipy.stats import ttest_rel

from training.evidence.correlation import rank_correlation
from training.evidence.latency import added_share
from training.evidence.trend import paired_trend
from training.evidence.verdict import Rules, is_at_most, is_greater, is_within
from world2act_core.statistics import paired_comparison

RULES = Rules()


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Successes of two policies on the same episodes with these counts."""
    pairs = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    return [a for a, _ in pairs], [b for _, b in pairs]


@pytest.mark.parametrize(
    ("counts", "p", "verdict"),
    [
        # 2 * P(X <= 12), X ~ Binomial(42, 1/2), in whole numbers: 0.0080; +3 points of 600.
        ((330, 30, 12, 228), 2 * sum(comb(42, k) for k in range(13)) / 2**42, "holds"),
        # 3 against 10 of 13: 2 * (1 + 13 + 78 + 286) / 8192 = 0.0923, not enough.
        ((400, 10, 3, 187), 756 / 8192, "cannot tell"),
        # The other way round by as much: significant, and against the claim.
        ((330, 12, 30, 228), 2 * sum(comb(42, k) for k in range(13)) / 2**42, "does not hold"),
        # Nearly the same answers everywhere: a gain of two points is excluded.
        ((400, 2, 2, 196), 1.0, "does not hold"),
        # The same share of pairs, but too few of them to say so.
        ((33, 3, 1, 23), 2 * (1 + 4) / 16, "cannot tell"),
        # No difference in rate, many differences in episodes: a gain of two points is not excluded.
        ((250, 60, 60, 230), 1.0, "cannot tell"),
    ],
)
def test_comparisons_by_hand(counts: tuple[int, int, int, int], p: float, verdict: str) -> None:
    result = paired_comparison(*outcomes(*counts))
    assert result.p_value == pytest.approx(p, rel=1e-9)
    assert result.difference == pytest.approx((counts[1] - counts[2]) / sum(counts))
    assert is_greater(result.interval, result.p_value, result.n, RULES) == verdict


def test_interval_and_p_must_agree() -> None:
    assert is_greater((0.001, 0.05), 0.06, 600, RULES) == "cannot tell"
    assert is_greater((-0.001, 0.05), 0.04, 600, RULES) == "cannot tell"
    assert is_greater((0.001, 0.05), 0.04, 499, RULES) == "cannot tell"
    assert is_greater((0.001, 0.05), None, 500, RULES) == "holds"
    assert is_greater((0.001, 0.015), 0.04, 500, RULES) == "holds"  # small, but there
    assert is_greater((-0.03, 0.0199), 0.5, 500, RULES) == "does not hold"
    assert is_greater((-0.03, -0.01), 0.01, 500, Rules(500, 0.0)) == "does not hold"


def test_ranges_and_limits() -> None:
    assert is_within((0.55, 0.62), 0.5, 0.85, 500, RULES) == "holds"
    assert is_within((0.48, 0.55), 0.5, 0.85, 500, RULES) == "cannot tell"
    assert is_within((0.40, 0.48), 0.5, 0.85, 500, RULES) == "does not hold"
    assert is_within((0.55, 0.62), 0.5, 0.85, 20, RULES) == "cannot tell"
    assert [is_at_most(i, 0.1) for i in ((0.05, 0.1), (0.05, 0.12), (0.11, 0.2))] == [
        "holds",
        "cannot tell",
        "does not hold",
    ]


def test_a_trend_of_two_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=40)
    second = first + rng.normal(0.3, 0.5, 40)
    trend, expected = paired_trend([list(first), list(second)]), ttest_rel(second, first)
    interval = expected.confidence_interval()
    assert trend.rise == pytest.approx(float((second - first).mean()))
    assert trend.p_value == pytest.approx(float(expected.pvalue)) and trend.n == 40
    assert trend.interval == pytest.approx((float(interval.low), float(interval.high)))


def test_a_trend_is_the_line_through_the_rates() -> None:
    rng = np.random.default_rng(1)
    rates = (0.5, 0.52, 0.6, 0.58)
    table = [list(rng.random(600) < rate) for rate in rates]
    trend = paired_trend(table)
    slope = np.polyfit(range(4), [float(np.mean(row)) for row in table], 1)[0]
    assert trend.rise == pytest.approx(3 * slope) and trend.means == tuple(float(np.mean(row)) for row in table)
    assert trend.interval[0] < trend.rise < trend.interval[1]
    same = paired_trend([[True, False] * 50] * 3)
    assert (same.rise, same.interval, same.p_value) == (0.0, (-0.03, 0.03), 1.0)
    with pytest.raises(ValueError, match="two or more conditions"):
        paired_trend([[1.0, 2.0], [1.0]])


def test_rank_correlation_by_hand() -> None:
    # Ranks 1..5 against 2, 1, 4, 3, 5: sum of squared differences 4, so rho = 1 - 6 * 4 / (5 * 24) = 0.8.
    result = rank_correlation([0.1, 0.2, 0.3, 0.4, 0.5], [20, 10, 40, 30, 50])
    assert result is not None and result.rho == pytest.approx(0.8) and result.n == 5
    half = 1.959964 * math.sqrt((1 + 0.8**2 / 2) / 2)
    low, high = math.tanh(math.atanh(0.8) - half), math.tanh(math.atanh(0.8) + half)
    assert result.interval == pytest.approx((low, high), abs=1e-6)
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None and rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None
    perfect = rank_correlation([1, 2, 3, 4], [1, 2, 3, 4])
    assert perfect is not None and perfect.rho == pytest.approx(1.0) and perfect.interval[1] <= 1.0
    with pytest.raises(ValueError, match="equally long"):
        rank_correlation([1.0], [])


def test_added_latency_is_a_ratio_of_medians() -> None:
    rng = np.random.default_rng(2)
    base = 1e-3 * rng.uniform(0.9, 1.1, 300)
    share, low, high = added_share(base, 1.08 * base, seed=0)
    assert share == pytest.approx(0.08) and low == pytest.approx(0.08, abs=0.02) and low <= share <= high
