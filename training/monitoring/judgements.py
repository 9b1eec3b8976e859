"""What the monitor would have judged of an episode: the running mean, chunk by chunk, as it decides on the robot.

Legend: J judgements of an episode; badness: the mean with the sign that makes small values bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.monitoring.episodes import ScoredEpisode
from world2act_core.monitor import RunningScore
from world2act_core.monitor_config import AlarmSide, ScoreName

Floats = NDArray[np.float64]
ALARM_SIDE: dict[ScoreName, AlarmSide] = {"alignment_score": "below", "residual_size": "above"}
"""Low agreement is bad; so is a large correction."""


def sign_of(score: ScoreName) -> float:
    """+1 when small values are bad, -1 when large ones are."""
    return 1.0 if ALARM_SIDE[score] == "below" else -1.0


@dataclass(frozen=True)
class Judgements:
    """One episode under one window. signed: [J] sign * running mean; seconds: [J] when; both in order."""

    episode: ScoredEpisode
    signed: Floats
    seconds: Floats

    @property
    def worst(self) -> float:
        """The smallest one; infinite when nothing was judged, which never raises an alarm."""
        return float(self.signed.min(initial=np.inf))

    def first_alarm_s(self, limit: float) -> float | None:
        """When the alarm is raised for the first time under ``signed < limit``."""
        hits = np.flatnonzero(self.signed < limit)
        return float(self.seconds[hits[0]]) if len(hits) else None


def judge(episode: ScoredEpisode, window: int, minimum_chunks: int, sign: float) -> Judgements:
    """All judgements of an episode.

    The last chunk of each attempt is left out: at it the skill was done or its time was over, which comes first.
    """
    running = RunningScore(window, minimum_chunks)
    means = [running.feed(attempt, score) for attempt, score in zip(episode.attempts, episode.scores)]
    last = [now != after for now, after in zip(episode.attempts, (*episode.attempts[1:], None))]
    kept = ~(np.isnan(means) | np.array(last))
    return Judgements(episode, sign * np.array(means)[kept], np.array(episode.seconds)[kept])


def judge_all(
    episodes: Sequence[ScoredEpisode], window: int, minimum_chunks: int, sign: float
) -> tuple[Judgements, ...]:
    """Judgements of each episode."""
    return tuple(judge(episode, window, minimum_chunks, sign) for episode in episodes)
