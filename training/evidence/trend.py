"""Whether something rises over ordered conditions that were all measured on the same episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from training.evidence.clusters import Ints, cluster_count, standard_error


@dataclass(frozen=True)
class Trend:
    """rise: what a straight line through the conditions' means gains from the first to the last one."""

    n: int
    means: tuple[float, ...]
    rise: float
    interval: tuple[float, float]
    p_value: float


def paired_trend(values: Sequence[Sequence[float]], confidence: float = 0.95, clusters: Ints | None = None) -> Trend:
    """Least-squares rise over the conditions' ranks 0 .. K - 1, its t interval over episodes and two-sided p-value.

    values: K >= 2 conditions, each with the values (successes as 0 and 1) of the same n >= 2 episodes. The rise is a
    mean over episodes of one linear contrast per episode, so that what makes an episode easy or hard cancels; with two
    conditions it is the paired t-test. clusters: the cluster of each episode [n] (default: each its own); spread and
    degrees of freedom are then those of the G clusters. When no episode differs from another, or all are one cluster,
    the interval is 3 / G to either side (the rule of three), not empty. Raises ValueError when there are fewer
    conditions or episodes, or their numbers differ.
    """
    if len(values) < 2 or len({len(row) for row in values}) != 1 or len(values[0]) < 2:
        raise ValueError(f"need two or more conditions with the same two or more episodes, got {[*map(len, values)]}")
    table = np.array(values, dtype=np.float64)  # [K, n]
    ranks = np.arange(len(table)) - (len(table) - 1) / 2
    rises = (ranks[:, None] * table).sum(axis=0) / (ranks**2).sum() * (len(table) - 1)  # [n]
    n, mean = len(rises), float(rises.mean())
    means = tuple(float(value) for value in table.mean(axis=1))
    groups = np.arange(n) if clusters is None else clusters
    count, error = cluster_count(groups), standard_error(rises, groups)
    if error < 1e-12:
        surely = count > 1 and abs(mean) > 1e-12
        return Trend(n, means, mean, (mean - 3 / count, mean + 3 / count), 0.0 if surely else 1.0)
    half = float(t.ppf(0.5 + confidence / 2, count - 1) * error)
    return Trend(n, means, mean, (mean - half, mean + half), float(2 * t.sf(abs(mean) / error, count - 1)))
