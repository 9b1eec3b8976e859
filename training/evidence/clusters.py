"""Success rates of episodes that are not independent: intervals and p-values by cluster.

Episodes of one kind and seed have the same task, words and table whatever the split, and the other kinds of task draw
objects and places from the same seed: what is hard for one is hard for the others. So the seed is the cluster. Spread
is measured between clusters (sandwich estimate with G / (G - 1), G clusters), the counts of episodes are divided by
what this costs, and the usual formulas take it from there. Where every cluster has one episode nothing is divided and
the results are the usual ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, t

from training.evaluation.rollout import Episode
from world2act_core.statistics import PairedComparison, newcombe_paired, paired_comparison, wilson_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def clusters_of(episodes: Sequence[Episode]) -> Ints:
    """[n] number of the cluster of each episode: its seed."""
    return number_clusters([episode.seed for episode in episodes])


def number_clusters(names: Sequence[Hashable]) -> Ints:
    """[n] the clusters' names as numbers 0 .. G - 1, in order of appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def cluster_count(clusters: Ints) -> int:
    """G, how many clusters there are."""
    return len(np.unique(clusters))


def standard_error(values: ArrayLike, clusters: Ints) -> float:
    """Of the mean of values [n]: sandwich estimate over clusters [n]; 0 for fewer than two clusters."""
    numbers = np.asarray(values, dtype=np.float64)
    count = cluster_count(clusters)
    if count < 2:
        return 0.0
    sums = np.bincount(clusters, numbers - numbers.mean())
    return float(np.sqrt(count / (count - 1) * (sums**2).sum()) / len(numbers))


def effective_share(values: ArrayLike, clusters: Ints, confidence: float = 0.95) -> float:
    """What part of n episodes counts in an interval of the mean of values [n] in clusters [n]; in [0, 1].

    1 when every cluster has one episode. Else the ratio of the variances with and without clusters, never above 1, and
    smaller by what Student's t with G - 1 degrees of freedom is wider than the normal distribution. Values that do not
    differ say nothing of how alike clusters are: then every cluster counts as one. A single cluster counts nothing.
    """
    numbers = np.asarray(values, dtype=np.float64)
    n, count = len(numbers), cluster_count(clusters)
    if count == n:
        return 1.0
    if count < 2:
        return 0.0
    alone = standard_error(numbers, np.arange(n)) ** 2
    share = count / n if alone < 1e-15 else alone / max(alone, standard_error(numbers, clusters) ** 2)
    part = 0.5 + confidence / 2
    return share * float(norm.ppf(part) / t.ppf(part, count - 1)) ** 2


def rate_interval(successes: Sequence[bool], clusters: Ints, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a success rate, n successes in clusters [n]."""
    share = effective_share(successes, clusters, confidence)
    return wilson_interval(share * sum(map(bool, successes)), share * len(successes), confidence)


def clustered_comparison(
    a: Sequence[bool], b: Sequence[bool], clusters: Ints, confidence: float = 0.95
) -> PairedComparison:
    """``paired_comparison`` of two policies on the same n episodes, in clusters [n].

    Interval: Newcombe's with counts that are smaller by the clusters' effect on the difference. p: sign-flip test of
    the clusters (:func:`sign_flip_p`). With one episode per cluster both are what ``paired_comparison`` gives.
    """
    plain = paired_comparison(a, b, confidence)
    difference = np.asarray(a, dtype=np.int64) - np.asarray(b, dtype=np.int64)
    share = effective_share(difference, clusters, confidence)
    both = round(plain.rate_a * plain.n) - plain.only_a
    neither = plain.n - both - plain.only_a - plain.only_b
    sums = np.rint(np.bincount(clusters, difference)).astype(np.int64)
    interval = newcombe_paired(share * both, share * plain.only_a, share * plain.only_b, share * neither, confidence)
    return replace(plain, interval=interval, p_value=sign_flip_p(sums))


def sign_flip_p(sums: Ints) -> float:
    """Two-sided p-value of the clusters' whole-numbered differences, any of which could as well be its opposite.

    Exact: the share of all 2^G choices of signs whose total is at least as far from 0. Differences of 1 and -1 alone
    make it McNemar's exact test.
    """
    sizes = np.abs(sums[sums != 0])
    chances = np.ones(1)  # of every total from -reach to reach, in steps of one
    for size in sizes.tolist():
        wider = np.zeros(len(chances) + 2 * size)
        wider[: len(chances)] += 0.5 * chances
        wider[2 * size :] += 0.5 * chances
        chances = wider
    reach = int(sizes.sum())
    totals = np.abs(np.arange(-reach, reach + 1))
    return min(1.0, float(chances[totals >= abs(int(sums.sum()))].sum()))
