"""How long, how often, and what counts as too long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

WARM_UP_SHARE = 0.2


@dataclass(frozen=True)
class Settings:
    """seconds: of work. sample_s: between two samples. warm_up_s: not judged. progress_s: between two lines that tell
    people. seed: of the first episode. keep: recordings that are kept, the newest.

    The longest that may pass without a command [s], without an observation (the reset of a world takes its time) and
    without any progress at all, and the growth of memory [MiB/h] that does not matter.
    """

    seconds: float
    sample_s: float = 10.0
    warm_up_s: float = 600.0
    progress_s: float = 60.0
    seed: int = 0
    keep: int = 10
    command_gap_s: float = 1.0
    observation_gap_s: float = 10.0
    stall_s: float = 30.0
    growth_mib_per_h: float = 1.0

    def ended_after(self, seconds: float) -> Self:
        """The same for a soak that ended so early that there is nothing after its warm-up: a fifth of it is one."""
        return self if seconds > self.warm_up_s + self.sample_s else replace(self, warm_up_s=WARM_UP_SHARE * seconds)
