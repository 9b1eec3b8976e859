"""Is the present skill going wrong? The decision, chunk by chunk, from a score that comes with each."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal

import numpy as np

from world2act_core.monitor_config import MonitorConfig, ScoreName

Verdict = Literal["ok", "alarm"]
MonitorMode = Literal["off", "warn", "retry"]
MONITOR_MODES = ("auto", "off", "warn", "retry")
"""What can be asked for; "auto" is "retry" when the bundle has an enabled monitor and "off" otherwise."""

# The message and the core's chunk need not use the same word.
_FIELDS: dict[ScoreName, tuple[str, ...]] = {
    "alignment_score": ("alignment_score", "alignment"),
    "residual_size": ("residual_size",),
}


class MonitorError(ValueError):
    """A monitor was asked for that the bundle does not have; the message says why and what to do."""


class RunningScore:
    """Mean of the last `window` known scores of one skill after the other; a score that is not finite is unknown.

    Calibration and monitor both go through here, so that the threshold is compared with what it was chosen for.
    """

    def __init__(self, window: int, minimum_chunks: int) -> None:
        self.skill: int | None = None
        """The skill that was fed last."""
        self._minimum = minimum_chunks
        self._scores: deque[float] = deque(maxlen=window)
        self._known = 0

    @property
    def mean(self) -> float:
        """The mean, in the score's unit; NaN before the skill's first known score."""
        return sum(self._scores) / len(self._scores) if self._scores else math.nan

    @property
    def count(self) -> int:
        """How many scores the mean is of."""
        return len(self._scores)

    def feed(self, skill: int, score: float) -> float:
        """Take the score of one chunk; another `skill` starts anew.

        Returns the mean, or NaN when there is nothing to judge: this score is unknown, or too few came before it.
        """
        if skill != self.skill:
            self.skill, self._known = skill, 0
            self._scores.clear()
        if not math.isfinite(score):
            return math.nan
        self._scores.append(score)
        self._known += 1
        return self.mean if self._known >= self._minimum else math.nan


class SkillMonitor:
    """Watches one skill after the other, as `config` says. What is not known raises no alarm."""

    def __init__(self, config: MonitorConfig) -> None:
        if config.threshold is None:
            raise MonitorError(f"this monitor has no threshold: {config.reason}")
        self.config = config
        # Scores that are good when small are watched with their sign changed, so that an alarm is always "below".
        self._sign = 1.0 if config.alarm_when == "below" else -1.0
        self._limit = self._sign * config.threshold
        self.running = RunningScore(config.window, config.minimum_chunks)
        self._alarm = False

    def explain(self) -> str:
        """The mean and the threshold in words."""
        config = self.config
        return (
            f"its {config.score.replace('_', ' ')} was {self.running.mean:.3f} on average over the last "
            f"{self.running.count} chunk(s), and the alarm is for {config.alarm_when} {config.threshold:.3f}"
        )

    def feed(self, skill: int, score: float) -> Verdict:
        """Take the score of one chunk. skill: whatever identifies the skill and its attempt; a new one starts anew."""
        self._alarm = self._alarm and skill == self.running.skill
        mean = self.running.feed(skill, score)
        if math.isnan(mean):
            return "ok"
        margin = self.config.hysteresis if self._alarm else 0.0
        self._alarm = self._sign * mean < self._limit + margin
        return "alarm" if self._alarm else "ok"


def monitor_mode(asked: str, monitor: MonitorConfig | None) -> MonitorMode:
    """What a graph or an evaluation does that was asked for `asked`, one of `MONITOR_MODES`.

    Raises MonitorError when "warn" or "retry" is asked of a bundle without an enabled monitor.
    """
    if asked == "off" or (asked == "auto" and (monitor is None or not monitor.enabled)):
        return "off"
    if monitor is None:
        raise MonitorError(
            f"monitor '{asked}' was asked for, but the bundle has no monitor: make one with "
            "`python -m training calibrate-monitor`, or ask for 'auto' or 'off'"
        )
    if not monitor.enabled:
        raise MonitorError(
            f"monitor '{asked}' was asked for, but the bundle's is not enabled: {monitor.reason}; ask for 'auto' or "
            "'off'"
        )
    return "warn" if asked == "warn" else "retry"


def chunk_score(chunk: Any, name: ScoreName) -> float:
    """The score called `name` of an action chunk or its message; NaN where it has none.

    Rounded to float32, as the message carries it: graph and in-process evaluation must decide alike.
    """
    found = (getattr(chunk, field) for field in _FIELDS[name] if hasattr(chunk, field))
    return float(np.float32(next(found, math.nan)))
