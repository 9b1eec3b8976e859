"""The numbers of a calibration against hand-computed cases, plain loops and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, spearmanr

from training.monitoring.episodes import ScoredEpisode
from training.monitoring.halves import split_by_seed
from training.monitoring.held_out import detect
from training.monitoring.judgements import Judgements, judge, judge_all
from training.monitoring.separation import equal_length_wins, roc_curve, separation, spearman, wins
from training.monitoring.threshold import choose, choose_limit

NAN = math.nan


def episode(
    scores: list[float], success: bool = True, attempts: list[int] | None = None, seed: int = 0
) -> ScoredEpisode:
    numbers = attempts or [0] * len(scores)
    times = tuple(0.4 * i for i in range(len(scores)))
    return ScoredEpisode("pick", "seen", seed, success, tuple(numbers), times, tuple(scores))


def judged(values: list[float], success: bool = True, seed: int = 0) -> Judgements:
    """An episode with these signed means."""
    return Judgements(episode([*values, 0.0], success, seed=seed), np.array(values), 0.4 * np.arange(len(values)))


def test_judgements_are_what_the_monitor_compares() -> None:
    # Attempt 0: means -, 0.5, 0.4, and its last chunk is not judged; attempt 1 begins anew: -, 0.2, last.
    one = judge(episode([0.4, 0.6, 0.2, 0.0, 0.1, 0.3, 0.9], attempts=[0, 0, 0, 0, 1, 1, 1]), 2, 2, 1.0)
    np.testing.assert_allclose(one.signed, [0.5, 0.4, 0.2])
    np.testing.assert_allclose(one.seconds, [0.4, 0.8, 2.0])
    assert one.worst == pytest.approx(0.2)
    assert one.first_alarm_s(0.45) == pytest.approx(0.8) and one.first_alarm_s(0.2) is None
    np.testing.assert_allclose(judge(one.episode, 1, 1, -1.0).signed, [-0.4, -0.6, -0.2, -0.1, -0.3])


def test_what_is_unknown_is_not_judged() -> None:
    assert judge(episode([0.1, NAN, NAN, 0.1]), 1, 1, 1.0).signed.tolist() == [0.1]
    assert judge(episode([NAN, 0.1]), 1, 1, 1.0).worst == math.inf


def test_the_area_of_a_hand_computed_case() -> None:
    # Failures 0.1, 0.4, 0.5 and successes 0.4, 0.6: 6 pairs, five in order (0.1 twice, 0.4 < 0.6, 0.5 < 0.6), one tie.
    table = wins(np.array([0.1, 0.4, 0.5]), np.array([0.4, 0.6]))
    assert table.tolist() == [[1, 1], [0.5, 1], [0, 1]] and table.mean() == pytest.approx(4.5 / 6)
    assert wins(np.array([np.inf]), np.array([np.inf, 0.1])).tolist() == [[0.5, 0.0]]


def test_the_area_is_that_of_a_plain_double_loop_and_of_scipy() -> None:
    rng = np.random.default_rng(3)
    bad = [judged(rng.normal(0.4, 0.2, rng.integers(1, 9)).round(1).tolist(), False, i) for i in range(23)]
    good = [judged(rng.normal(0.6, 0.2, rng.integers(1, 9)).round(1).tolist(), True, 50 + i) for i in range(31)]
    whole = equal = 0.0
    for failure in bad:
        for success in good:
            whole += float(min(failure.signed) < min(success.signed)) + 0.5 * (
                min(failure.signed) == min(success.signed)
            )
            count = min(len(failure.signed), len(success.signed))
            left, right = min(failure.signed[:count]), min(success.signed[:count])
            equal += float(left < right) + 0.5 * float(left == right)
    pairs = len(bad) * len(good)
    area = separation(bad, good, False, 200, np.random.default_rng(0))
    assert area.auc == pytest.approx(whole / pairs) and (area.failures, area.successes) == (23, 31)
    scipy_area = mannwhitneyu([one.worst for one in good], [one.worst for one in bad]).statistic / pairs
    assert area.auc == pytest.approx(scipy_area)
    assert area.interval[0] < area.auc < area.interval[1]
    assert equal_length_wins(bad, good).mean() == pytest.approx(equal / pairs)
    # The area under the curve that is drawn is the same number.
    curve = roc_curve(np.array([one.worst for one in bad]), np.array([one.worst for one in good]))
    steps = (curve[0][1:] - curve[0][:-1]) * (curve[1][1:] + curve[1][:-1]) / 2
    assert steps.sum() == pytest.approx(area.auc)
    assert [end[[0, -1]].tolist() for end in curve] == [[0, 1], [0, 1]]


def test_the_interval_covers_the_true_area_about_as_often_as_it_says() -> None:
    # Two normals one standard deviation apart: AUC = Phi(1 / sqrt 2) = 0.760.
    rng, covered = np.random.default_rng(1), 0
    for _ in range(100):
        bad = [judged([value], False, i) for i, value in enumerate(rng.normal(0, 1, 30))]
        good = [judged([value], True, 100 + i) for i, value in enumerate(rng.normal(1, 1, 40))]
        low, high = separation(bad, good, False, 300, rng).interval
        covered += low <= 0.760 <= high
    assert 87 <= covered <= 100


def test_longer_failures_separate_only_while_length_counts() -> None:
    rng = np.random.default_rng(0)
    bad = [judged(rng.normal(0, 1, 50).tolist(), False, i) for i in range(60)]
    good = [judged(rng.normal(0, 1, 10).tolist(), True, 100 + i) for i in range(60)]
    whole = separation(bad, good, False, 500, rng)
    equal = separation(bad, good, True, 500, rng)
    # The smallest of 60 numbers is among the 50 with probability 5/6.
    assert whole.auc == pytest.approx(5 / 6, abs=0.06) and whole.interval[0] > 0.5
    assert equal.interval[0] < 0.5 < equal.interval[1]


def test_the_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    success = rng.random(80) < 0.6
    scores = (success + rng.normal(0, 1, 80)).round(1)
    assert spearman(scores, success) == pytest.approx(spearmanr(scores, success).statistic)
    assert spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True])) == pytest.approx(
        # Ranks 1 2 3 4 against 1.5 1.5 3.5 3.5: covariance 1, variances 1.25 and 1.
        1 / math.sqrt(1.25)
    )
    assert math.isnan(spearman(np.ones(5), np.array([True, False, True, True, False])))


def test_the_limit_of_a_hand_computed_case() -> None:
    failures, successes = np.array([0.1, 0.2, 0.3, 0.8]), np.array([0.25, 0.5, 0.6, 0.7, 0.9])
    # No false alarm: the limit is between 0.2 and 0.25 and detects two of four.
    assert choose_limit(failures, successes, 0.05) == (pytest.approx(0.225), 0.5, 0.0)
    # One of five: between 0.3 and 0.5 it detects three.
    assert choose_limit(failures, successes, 0.2) == (pytest.approx(0.4), 0.75, 0.2)
    # All may be false alarms: everything is detected, and 0.85 does it with the fewest.
    assert choose_limit(failures, successes, 1.0) == (pytest.approx(0.85), 1.0, 0.8)
    assert choose_limit(np.array([0.9]), np.array([0.1, 0.5]), 0.05) == (None, 0.0, 0.0)
    assert choose_limit(np.array([np.inf]), np.array([np.inf]), 0.05) == (None, 0.0, 0.0)


def test_the_window_that_detects_most_is_chosen() -> None:
    # Failures sit at 0.5 throughout; successes drop to 0 now and then, which only a mean of four forgives.
    bad = [episode([0.5] * 12, False, seed=i) for i in range(10)]
    good = [episode([0.9, 0.9, 0.9, 0.9, 0.0, 0.9, 0.9, 0.9, 0.9], True, seed=20 + i) for i in range(20)]
    best = choose([*bad, *good], (1, 2, 4), 2, 1.0, 0.05)
    # Between the failures' 0.5 and the successes' (0.9 * 3 + 0) / 4 = 0.675; a mean of two falls to 0.45.
    assert (best.window, best.detection, best.false_alarms) == (4, 1.0, 0.0) and best.limit == pytest.approx(0.5875)
    assert best.hysteresis == pytest.approx((0.675 - 0.5875) / 4)
    assert choose([*bad, *good], (1,), 2, 1.0, 0.05).limit is None


def test_detections_of_a_hand_computed_case() -> None:
    bad = judge_all([episode([0.9, 0.2, 0.2, 0.2], False), episode([0.9, 0.9, 0.9, 0.9], False)], 1, 1, 1.0)
    good = judge_all([episode([0.8, 0.8]), episode([0.3, 0.9, 0.9]), episode([0.7, 0.3])], 1, 1, 1.0)
    found = detect(bad, good, 0.5)
    # The third success's 0.3 came with its end. Alarm at 0.4 s of an episode that ends at 1.2 s.
    assert (found.detection.rate, found.detection.n) == (0.5, 2)
    assert (found.false_alarms.rate, found.false_alarms.n) == (pytest.approx(1 / 3), 3)
    assert (found.precision.rate, found.precision.n) == (0.5, 2)
    assert found.lead_seconds == (pytest.approx(0.8),) and found.lead_quartiles() == pytest.approx((0.8, 0.8, 0.8))
    nothing = detect(bad, good, -1.0)
    assert nothing.precision.rate is None and nothing.lead_quartiles() is None and nothing.precision.interval == (0, 1)


def test_no_seed_is_in_both_halves() -> None:
    everything = [
        ScoredEpisode(kind, split, seed, True, (0,), (0.0,), (0.5,))
        for kind in ("pick", "place") for split in ("seen", "light") for seed in range(41)
    ]  # fmt: skip
    calibration, held_out = split_by_seed(everything, 0)
    ours, theirs = ({one.seed for one in half} for half in (calibration, held_out))
    assert not ours & theirs and ours | theirs == set(range(41)) and len(ours) == 20
    assert len(calibration) + len(held_out) == len(everything) and len(calibration) == 4 * 20
    assert split_by_seed(everything[::-1], 0)[0] == calibration[::-1], "the order of episodes does not matter"
    assert {one.seed for one in split_by_seed(everything, 1)[0]} != ours
