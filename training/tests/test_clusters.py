"""Intervals and p-values of clustered episodes: against other means, and in simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t

from training.evidence.clusters import (
    clustered_comparison,
    clusters_of,
    effective_share,
    number_clusters,
    rate_interval,
    sign_flip_p,
    standard_error,
)
from training.evidence.groups import episodes_of
from training.evidence.trend import paired_trend
from world2act_core.statistics import mcnemar_exact, paired_comparison, wilson_interval

CLUSTERS = np.repeat(np.arange(128), 4)
"""512 episodes, four to a cluster."""


def test_clusters_are_seeds() -> None:
    perturbed = episodes_of("perturbed", 510, 10_000)
    numbers = clusters_of(perturbed)
    assert len(set(numbers.tolist())) == 43
    for number in (0, 5, 42):
        members = [episode for episode, mine in zip(perturbed, numbers) if mine == number]
        assert len({e.seed for e in members}) == 1 and len(set(members)) == len(members) == (6 if number == 42 else 12)
    assert len(set(clusters_of(episodes_of("seen", 510, 10_000)).tolist())) == 510
    assert len(set(clusters_of(episodes_of("unseen", 510, 10_000)).tolist())) == 170
    assert number_clusters(["b", "a", "b"]).tolist() == [0, 1, 0]


def test_one_episode_per_cluster_is_the_usual_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = (list(rng.random(200) < rate) for rate in (0.6, 0.5))
    alone = rng.permutation(200)
    assert rate_interval(a, alone) == wilson_interval(sum(a), 200)
    clustered, usual = clustered_comparison(a, b, alone), paired_comparison(a, b)
    assert clustered.p_value == pytest.approx(usual.p_value, rel=1e-9)
    assert clustered.interval == usual.interval and clustered.difference == usual.difference
    trend, expected = paired_trend([b, a], clusters=alone), paired_trend([b, a])
    assert trend.p_value == pytest.approx(expected.p_value) and trend.interval == pytest.approx(expected.interval)


def test_the_error_is_that_of_cluster_means() -> None:
    values = np.random.default_rng(1).normal(size=24)
    groups = np.repeat(np.arange(6), 4)
    means = values.reshape(6, 4).mean(axis=1)
    assert standard_error(values, groups) == pytest.approx(means.std(ddof=1) / np.sqrt(6))
    assert standard_error(values, np.arange(24)) == pytest.approx(values.std(ddof=1) / np.sqrt(24))
    assert standard_error(values, np.zeros(24, np.int64)) == 0.0
    # With equal sizes the trend over clusters is the trend of the clusters' means.
    rows = [values, values + np.random.default_rng(2).normal(0.2, 1, 24)]
    trend = paired_trend([row.tolist() for row in rows], clusters=groups)
    expected = paired_trend([row.reshape(6, 4).mean(axis=1).tolist() for row in rows])
    assert trend.n == 24 and trend.interval == pytest.approx(expected.interval)
    assert trend.p_value == pytest.approx(expected.p_value)


def test_episodes_that_repeat_each_other_count_once() -> None:
    once = np.random.default_rng(3).random(40) < 0.6
    four, groups = np.repeat(once, 4), np.repeat(np.arange(40), 4)
    share = effective_share(four, groups)
    narrower = (1.959964 / t.ppf(0.975, 39)) ** 2
    assert share * 160 == pytest.approx(40 * narrower, rel=0.02)
    low, high = rate_interval(list(four), groups)
    plain = wilson_interval(int(once.sum()), 40)
    assert high - low > plain[1] - plain[0] > 1.5 * np.ptp(wilson_interval(int(four.sum()), 160))
    # All alike, or a single cluster: as little as that is worth.
    assert effective_share([True] * 160, groups) * 160 == pytest.approx(40 * narrower)
    assert rate_interval([True, False], np.zeros(2, np.int64)) == (0.0, 1.0)
    single = clustered_comparison([True] * 4, [False] * 4, np.zeros(4, np.int64))
    assert single.interval == (-1.0, 1.0) and single.p_value == 1.0
    assert paired_trend([[0, 0], [1, 1]], clusters=np.zeros(2, np.int64)).p_value == 1.0


def test_sign_flips_against_all_of_them() -> None:
    sums = np.array([3, -1, 0, 2, 4, -2, 1, 1], np.int64)
    totals = [abs(sum(s * x for s, x in zip(signs, sums))) for signs in itertools.product((1, -1), repeat=len(sums))]
    assert sign_flip_p(sums) == pytest.approx(np.mean(np.array(totals) >= abs(sums.sum())))
    assert sign_flip_p(np.array([1] * 9 + [-1] * 2 + [0] * 5)) == pytest.approx(mcnemar_exact(9, 2))
    assert sign_flip_p(np.zeros(3, np.int64)) == 1.0


def alike(rng: np.random.Generator, rate: float, weight: float) -> NDArray[np.bool_]:
    """[512] successes of 128 clusters: an episode takes its cluster's outcome with probability ``weight``."""
    shared = np.repeat(rng.random(128) < rate, 4)
    return np.where(rng.random(512) < weight, shared, rng.random(512) < rate)


def test_intervals_of_a_rate_cover_it() -> None:
    rng, rate = np.random.default_rng(4), 0.55
    clustered = naive = 0
    for _ in range(1000):
        good = alike(rng, rate, 0.6)
        low, high = rate_interval(good.tolist(), CLUSTERS)
        clustered += low <= rate <= high
        low, high = wilson_interval(int(good.sum()), 512)
        naive += low <= rate <= high
    assert clustered / 1000 >= 0.93
    assert naive / 1000 < 0.90  # what counting every episode would do


def test_intervals_and_p_of_a_difference() -> None:
    rng, true = np.random.default_rng(5), 0.0
    covered = wrongly = naive_covered = naive_wrongly = 0
    draws = 600
    for _ in range(draws):
        # Between clusters the difference varies, and which clusters are drawn is chance.
        favours = np.repeat(rng.choice([0.4, -0.4], 128), 4)
        a, b = (rng.random(512) < 0.5 + favours / 2).tolist(), (rng.random(512) < 0.5 - favours / 2).tolist()
        clustered, naive = clustered_comparison(a, b, CLUSTERS), paired_comparison(a, b)
        covered += clustered.interval[0] <= true <= clustered.interval[1]
        naive_covered += naive.interval[0] <= true <= naive.interval[1]
        wrongly += clustered.p_value < 0.05
        naive_wrongly += naive.p_value < 0.05
    assert covered / draws >= 0.93 and wrongly / draws <= 0.065
    assert naive_covered / draws < 0.91 and naive_wrongly / draws > 0.085


def test_a_rise_over_clusters_is_rarely_found_where_there_is_none() -> None:
    rng = np.random.default_rng(6)
    wrongly = naive_wrongly = 0
    for _ in range(600):
        rows = [alike(rng, 0.55, 0.6).tolist() for _ in range(3)]
        wrongly += paired_trend(rows, clusters=CLUSTERS).p_value < 0.05
        naive_wrongly += paired_trend(rows).p_value < 0.05
    assert wrongly / 600 <= 0.07 < 0.1 < naive_wrongly / 600
