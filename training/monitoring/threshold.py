"""The rule that chooses threshold and window, on the calibration half alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.monitoring.episodes import ScoredEpisode
from training.monitoring.judgements import Floats, judge_all
from training.monitoring.separation import equal_length_wins


@dataclass(frozen=True)
class Choice:
    """limit: signed, an alarm is a running mean below it; None when none detects anything within the limit of false
    alarms. hysteresis: by how much more the mean must rise for the alarm to end. Shares are those of the calibration.
    """

    window: int
    limit: float | None
    hysteresis: float
    detection: float
    false_alarms: float


def choose_limit(failures: Floats, successes: Floats, allowed: float) -> tuple[float | None, float, float]:
    """(limit, share of failures below it, share of successes below it).

    Of the limits halfway between neighbouring values, the one with the most failures below it among those with at most
    ``allowed`` of the successes; of several, the one with the fewest successes below it, then the lowest.
    """
    values = np.unique(np.concatenate([failures, successes]))
    values = values[np.isfinite(values)]
    if not len(values):
        return None, 0.0, 0.0
    limits = np.append((values[1:] + values[:-1]) / 2, np.nextafter(values[-1], np.inf))
    detections = np.searchsorted(np.sort(failures), limits, side="left") / len(failures)
    false_alarms = np.searchsorted(np.sort(successes), limits, side="left") / len(successes)
    possible = np.flatnonzero((false_alarms <= allowed) & (detections > 0))
    if not len(possible):
        return None, 0.0, 0.0
    best = min(possible, key=lambda i: (-detections[i], false_alarms[i], limits[i]))
    return float(limits[best]), float(detections[best]), float(false_alarms[best])


def choose(
    episodes: Sequence[ScoredEpisode], windows: Sequence[int], minimum_chunks: int, sign: float, allowed: float
) -> Choice:
    """Try every window: the one that detects most; of several, the one that separates best at equal length."""
    tried = [_choose_for(episodes, window, minimum_chunks, sign, allowed) for window in sorted(set(windows))]
    return max(tried, key=lambda pair: (pair[0].detection, pair[1]))[0]


def _choose_for(
    episodes: Sequence[ScoredEpisode], window: int, minimum_chunks: int, sign: float, allowed: float
) -> tuple[Choice, float]:
    judged = judge_all(episodes, window, minimum_chunks, sign)
    bad = [one for one in judged if not one.episode.success]
    good = [one for one in judged if one.episode.success]
    successes = np.array([one.worst for one in good])
    limit, detection, false_alarms = choose_limit(np.array([one.worst for one in bad]), successes, allowed)
    area = float(equal_length_wins(bad, good).mean())
    return Choice(window, limit, _hysteresis(limit, successes), detection, false_alarms), area


def _hysteresis(limit: float | None, successes: Floats) -> float:
    """A quarter of the way from the limit to the middle of the successful episodes' worst values."""
    finite = successes[np.isfinite(successes)]
    if limit is None or not len(finite):
        return 0.0
    return max(0.0, float(np.median(finite)) - limit) / 4
