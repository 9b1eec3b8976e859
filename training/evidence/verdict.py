"""When a claim holds, does not hold, or cannot be told: rules on an interval, a p-value and a number of episodes.

Every rule wants a 95 % interval wholly on one side. "Does not hold" is a finding, not the absence of one: the interval
must exclude what the claim says. Whatever lies between, or rests on too little, cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "does not hold", "cannot tell"]
Interval = tuple[float, float]

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Rules:
    """minimum: fewest episodes (pairs) that a verdict may rest on. smallest: the least effect that matters."""

    minimum: int = 500
    smallest: float = 0.02


def is_greater(interval: Interval, p: float | None, n: int, rules: Rules) -> Verdict:
    """For "this is more than that": interval and two-sided p-value of the difference (p None: the interval alone).

    holds: the interval is above 0 and p < 0.05. does not hold: the interval ends below ``smallest``, so that a
    difference worth having is excluded.
    """
    low, high = interval
    if n < rules.minimum:
        return "cannot tell"
    if low > 0.0 and (p is None or p < SIGNIFICANT):
        return "holds"
    if high < rules.smallest:
        return "does not hold"
    return "cannot tell"


def is_within(interval: Interval, low: float, high: float, n: int, rules: Rules) -> Verdict:
    """For "this lies between these": the interval is inside, outside, or neither."""
    if n < rules.minimum:
        return "cannot tell"
    if low <= interval[0] and interval[1] <= high:
        return "holds"
    if interval[1] < low or interval[0] > high:
        return "does not hold"
    return "cannot tell"


def is_at_most(interval: Interval, limit: float) -> Verdict:
    """For "this is no more than that"."""
    if interval[1] <= limit:
        return "holds"
    return "does not hold" if interval[0] > limit else "cannot tell"
