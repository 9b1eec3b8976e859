"""Claims about the alignment score: does it say how a policy will do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.evidence.arms import seed_range
from training.evidence.correlation import rank_correlation
from training.evidence.groups import GroupName
from training.evidence.measurements import Measurements
from training.evidence.row import RHO, RHO_CHECKPOINTS, Row, too_few
from training.evidence.verdict import Rules, is_greater

SMALLEST_RHO = 0.1
ALIKE = "checkpoints of one training resemble each other: the true interval is wider"
Pairs = list[tuple[float, float]]
"""(alignment score, success)."""


@dataclass(frozen=True)
class ScorePredictsSuccess:
    """Episodes of an arm with a higher alignment score succeed more often."""

    claim: str
    arm: str
    group: GroupName = "seen"

    def judge(self, measured: Measurements) -> Row:
        """Spearman's rho of score and success over episodes."""
        row = Row(self.claim, RHO, measured.command(f"evaluate-{self.arm}"))
        pairs = scored_episodes(measured, self.arm, self.group)
        if not pairs:
            return replace(row, note="no episode of this arm has a score")
        row = replace(row, seeds=seed_range(measured.shared((self.arm,), self.group)))
        return _correlated(row, pairs, Rules(measured.rules.minimum, SMALLEST_RHO))


@dataclass(frozen=True)
class ScorePredictsCheckpoint:
    """Checkpoints with a higher mean alignment score succeed more often."""

    claim: str
    arms: tuple[str, ...]
    group: GroupName = "seen"
    minimum: int = 6
    """Checkpoints that a verdict needs."""

    def judge(self, measured: Measurements) -> Row:
        """Spearman's rho of mean score and success rate over checkpoints."""
        command = measured.command(*(f"evaluate-{name}" for name in self.arms))
        row = Row(self.claim, RHO_CHECKPOINTS, command)
        pairs = checkpoint_points(measured, self.arms, self.group)
        if not pairs:
            return replace(row, note=measured.absent(self.arms))
        there = [name for name in self.arms if name in measured.arms]
        row = replace(row, seeds=seed_range(measured.shared(there, self.group)))
        row = _correlated(row, pairs, Rules(self.minimum, SMALLEST_RHO))
        return row if row.note else replace(row, note=ALIKE)


def scored_episodes(measured: Measurements, arm: str, group: GroupName) -> Pairs:
    """Score and success (0 or 1) of every episode of an arm that has a score."""
    episodes = measured.shared((arm,), group)
    if not episodes:
        return []
    known = measured.arms[arm]
    pairs = zip(known.scores(episodes), known.successes(episodes))
    return [(score, float(success)) for score, success in pairs if score is not None]


def checkpoint_points(measured: Measurements, arms: Sequence[str], group: GroupName) -> Pairs:
    """Mean score and success rate per arm, over the scored ones of the episodes that all arms there share."""
    there = [name for name in arms if name in measured.arms]
    episodes = measured.shared(there, group)
    points = []
    for name in there:
        arm = measured.arms[name]
        scored = [(s, good) for s, good in zip(arm.scores(episodes), arm.successes(episodes)) if s is not None]
        if scored:
            points.append((sum(s for s, _ in scored) / len(scored), sum(good for _, good in scored) / len(scored)))
    return points


def _correlated(row: Row, pairs: Pairs, rules: Rules) -> Row:
    scores, successes = [score for score, _ in pairs], [success for _, success in pairs]
    result = rank_correlation(scores, successes)
    if result is None:
        return replace(row, n=len(pairs), note="fewer than four, or they do not differ in score or success")
    return replace(
        row,
        estimate=result.rho,
        n=result.n,
        interval=result.interval,
        p=result.p_value,
        verdict=is_greater(result.interval, result.p_value, result.n, rules),
        note=too_few(result.n, rules),
    )
