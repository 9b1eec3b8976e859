"""What the chosen monitor does on episodes that it was not chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.monitoring.judgements import Judgements
from world2act_core.monitor_config import Rate
from world2act_core.statistics import wilson_interval


@dataclass(frozen=True)
class Detection:
    """Alarms of held-out episodes. lead_seconds: how long before its end each failure was detected, sorted."""

    detection: Rate
    false_alarms: Rate
    precision: Rate
    lead_seconds: tuple[float, ...]

    def lead_quartiles(self) -> tuple[float, float, float] | None:
        """25, 50 and 75 % of the lead times in seconds; None when nothing was detected."""
        if not self.lead_seconds:
            return None
        low, middle, high = np.percentile(self.lead_seconds, [25, 50, 75])
        return float(low), float(middle), float(high)


def detect(failures: Sequence[Judgements], successes: Sequence[Judgements], limit: float) -> Detection:
    """Raise the alarm in every episode once its running mean is below ``limit`` (signed)."""
    alarms = [one.first_alarm_s(limit) for one in failures]
    found = [(one, alarm) for one, alarm in zip(failures, alarms) if alarm is not None]
    false = sum(one.first_alarm_s(limit) is not None for one in successes)
    return Detection(
        detection=_rate(len(found), len(failures)),
        false_alarms=_rate(false, len(successes)),
        precision=_rate(len(found), len(found) + false),
        lead_seconds=tuple(sorted(one.episode.end_s - alarm for one, alarm in found)),
    )


def _rate(count: int, n: int) -> Rate:
    return Rate(rate=count / n if n else None, n=n, interval=wilson_interval(count, n))
