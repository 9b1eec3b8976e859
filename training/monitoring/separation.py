"""How well a score tells failures from successes: ROC curve, area under it, rank correlation, with intervals.

Intervals are percentile bootstraps over seeds, because episodes of one seed share their table. A perfect separation has
no spread: its interval is a point, whatever the number of episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.monitoring.judgements import Floats, Judgements
from world2act_core.monitor_config import Separation

Interval = tuple[float, float]


def wins(failures: Floats, successes: Floats) -> Floats:
    """[F, S]: 1 where the failure's value is smaller than the success's, 1/2 where they are equal."""
    left, right = failures[:, None], successes[None, :]
    return np.where(left < right, 1.0, np.where(left == right, 0.5, 0.0))


def equal_length_wins(failures: Sequence[Judgements], successes: Sequence[Judgements]) -> Floats:
    """:func:`wins` of the worst judgements, of each pair only as many as both have.

    Failures last longer, and the worst of more numbers is worse even when they say nothing. This is without that.
    """
    bad, bad_counts = _worst_so_far(failures)
    good, good_counts = _worst_so_far(successes)
    shared = np.minimum(bad_counts[:, None], good_counts[None, :])
    left = bad[np.arange(len(failures))[:, None], shared]
    right = good[np.arange(len(successes))[None, :], shared]
    return np.where(left < right, 1.0, np.where(left == right, 0.5, 0.0))


def _worst_so_far(judged: Sequence[Judgements]) -> tuple[Floats, NDArray[np.int64]]:
    """Column j: the worst of the first j judgements (infinite for none); and how many each has."""
    counts = np.array([len(one.signed) for one in judged], np.int64)
    table = np.full((len(judged), 1 + int(counts.max(initial=0))), np.inf)
    for row, one in enumerate(judged):
        table[row, 1 : 1 + len(one.signed)] = np.minimum.accumulate(one.signed)
    return table, counts


def separation(
    failures: Sequence[Judgements],
    successes: Sequence[Judgements],
    equal_length: bool,
    draws: int,
    rng: np.random.Generator,
) -> Separation:
    """Area under the ROC curve of the worst judgement, with its interval; both lists must have an episode."""
    if equal_length:
        table = equal_length_wins(failures, successes)
    else:
        table = wins(np.array([one.worst for one in failures]), np.array([one.worst for one in successes]))
    seeds = np.array([one.episode.seed for one in (*failures, *successes)])
    weights = seed_weights(seeds, draws, rng)
    left, right = weights[:, : len(failures)], weights[:, len(failures) :]
    pairs = left.sum(axis=1) * right.sum(axis=1)
    drawn = np.einsum("df,df->d", left, right @ table.T)
    low, high = percentile_interval(drawn[pairs > 0] / pairs[pairs > 0])
    area = float(table.mean())
    return Separation(
        auc=area, interval=(min(low, area), max(high, area)), failures=len(failures), successes=len(successes)
    )


def seed_weights(seeds: NDArray[np.int64], draws: int, rng: np.random.Generator) -> Floats:
    """[draws, episodes]: how often each episode is in a bootstrap sample of the seeds."""
    distinct, index = np.unique(seeds, return_inverse=True)
    picked = rng.multinomial(len(distinct), np.full(len(distinct), 1 / len(distinct)), size=draws)
    return picked[:, index].astype(np.float64)


def percentile_interval(values: Floats) -> Interval:
    """The middle 95 % of bootstrap values."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def spearman(scores: Floats, success: NDArray[np.bool_]) -> float:
    """Rank correlation of scores [N] with success [N] in [-1, 1]; ties share their rank. NaN when one is constant."""
    if np.ptp(scores) == 0 or len(np.unique(success)) < 2:
        return float("nan")
    return float(np.corrcoef(rankdata(scores), rankdata(success))[0, 1])


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    seeds: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """Interval of ``statistic(indices of episodes)`` over samples of the seeds; NaN values are left out."""
    episodes = np.arange(len(seeds))
    weights = seed_weights(seeds, draws, rng).astype(np.int64)
    values = np.array([statistic(np.repeat(episodes, row)) for row in weights])
    return percentile_interval(values[~np.isnan(values)])


def roc_curve(failures: Floats, successes: Floats) -> tuple[Floats, Floats]:
    """(false alarms, detections) in [0, 1], both [N] and rising: an alarm is a value below a limit that grows."""
    limits = np.concatenate([[-np.inf], np.unique(np.concatenate([failures, successes]))])
    # "Not above" each value in turn is "below" a limit just behind it.
    false_alarms = np.searchsorted(np.sort(successes), limits, side="right") / len(successes)
    detections = np.searchsorted(np.sort(failures), limits, side="right") / len(failures)
    return false_alarms, detections
