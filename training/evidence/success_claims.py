"""Claims about success rates. Intervals and p-values go by cluster: episodes of one seed are one cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.evaluation.rollout import Episode
from training.evidence.arms import seed_range
from training.evidence.clusters import cluster_count, clustered_comparison, clusters_of, rate_interval
from training.evidence.groups import GroupName
from training.evidence.measurements import Measurements
from training.evidence.row import DIFFERENCE, RATE, RISE, Row, too_few
from training.evidence.trend import Trend, paired_trend
from training.evidence.verdict import is_greater, is_within
from world2act_core.statistics import PairedComparison


@dataclass(frozen=True)
class Unsaturated:
    """A policy leaves room for better and for worse: its success lies between ``low`` and ``high``."""

    claim: str
    arm: str
    group: GroupName
    low: float = 0.5
    high: float = 0.85

    def judge(self, measured: Measurements) -> Row:
        """Success rate with its Wilson interval."""
        row = Row(self.claim, RATE, measured.command(f"evaluate-{self.arm}"))
        episodes = measured.shared((self.arm,), self.group)
        if not episodes:
            return replace(row, note=measured.absent((self.arm,)))
        n, successes = len(episodes), measured.arms[self.arm].successes(episodes)
        clusters = clusters_of(episodes)
        interval = rate_interval(successes, clusters)
        return replace(
            row,
            estimate=sum(successes) / n,
            n=n,
            clusters=cluster_count(clusters),
            seeds=seed_range(episodes),
            interval=interval,
            verdict=is_within(interval, self.low, self.high, n, measured.rules),
            note=too_few(n, measured.rules),
        )


@dataclass(frozen=True)
class Better:
    """One arm succeeds more often than another on the same episodes."""

    claim: str
    better: str
    worse: str
    group: GroupName

    def judge(self, measured: Measurements) -> Row:
        """Paired difference with Newcombe's interval and the exact McNemar p-value, both by cluster."""
        pair = (self.better, self.worse)
        row = Row(self.claim, DIFFERENCE, measured.command(*(f"evaluate-{name}" for name in pair)))
        episodes = measured.shared(pair, self.group)
        if not episodes:
            return replace(row, note=measured.absent(pair))
        better, worse = (measured.arms[name].successes(episodes) for name in pair)
        result = clustered_comparison(better, worse, clusters_of(episodes))
        return replace(
            _judged(row, result, episodes, measured),
            estimate=result.difference,
            details={
                "success": {self.better: result.rate_a, self.worse: result.rate_b},
                "only_this_one_succeeded": {self.better: result.only_a, self.worse: result.only_b},
                "training": {name: measured.training_time(name) for name in pair},
            },
        )


@dataclass(frozen=True)
class Rising:
    """Success rises from the first to the last of ordered arms. levels: what they differ in, as numbers."""

    claim: str
    arms: tuple[str, ...]
    levels: tuple[int, ...]
    group: GroupName

    def judge(self, measured: Measurements) -> Row:
        """Linear contrast over the arms' order, paired by episode, its spread by cluster (``paired_trend``)."""
        row = Row(self.claim, RISE, measured.command(*(f"evaluate-{name}" for name in self.arms)))
        episodes = measured.shared(self.arms, self.group)
        if len(episodes) < 2:
            return replace(row, note=measured.absent(self.arms))
        values = [measured.arms[name].successes(episodes) for name in self.arms]
        result = paired_trend(values, clusters=clusters_of(episodes))
        return replace(
            _judged(row, result, episodes, measured),
            estimate=result.rise,
            details={"success": dict(zip(map(str, self.levels), result.means))},
        )


def _judged(row: Row, result: PairedComparison | Trend, episodes: Sequence[Episode], measured: Measurements) -> Row:
    """What every claim that something is greater says of its test."""
    return replace(
        row,
        n=result.n,
        clusters=cluster_count(clusters_of(episodes)),
        seeds=seed_range(episodes),
        interval=result.interval,
        p=result.p_value,
        verdict=is_greater(result.interval, result.p_value, result.n, measured.rules),
        note=too_few(result.n, measured.rules),
    )
