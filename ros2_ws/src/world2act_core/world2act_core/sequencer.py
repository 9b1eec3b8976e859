"""Which skill is current: advances when the policy reports, often enough, that the current one is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from world2act_core.monitor import SkillMonitor
from world2act_core.skill import Skill

SequencerStatus = Literal["running", "advanced", "finished", "timeout", "retry", "stopped"]


class SkillSequencer:
    """Walks through `skills`; shared by the ROS planner and the in-process evaluator.

    A skill is done after `consecutive` updates in a row with done >= done_threshold. It times out when it has not
    been done `timeout_s` seconds after it became current (counted from the first update, or from `start`).
    monitor: watches the chunks' scores. acts: on its alarm the current skill starts again, as often as the monitor's
    `max_retries` says, and then everything is over; without it an alarm changes nothing.
    """

    def __init__(
        self, skills: Sequence[Skill], done_threshold: float = 0.5, consecutive: int = 2, timeout_s: float = 20.0,
        monitor: SkillMonitor | None = None, acts: bool = True,
    ) -> None:  # fmt: skip
        if not skills:
            raise ValueError("SkillSequencer needs at least one skill")
        if consecutive < 1 or not timeout_s > 0:
            raise ValueError(f"need consecutive >= 1 and timeout_s > 0, got {consecutive} and {timeout_s}")
        self.skills = tuple(skills)
        self.done_threshold = done_threshold
        self.consecutive = consecutive
        self.timeout_s = timeout_s
        self.monitor = monitor
        self.retries = 0
        """How often the current skill was started again."""
        self.total_retries = 0
        """How often any skill was."""
        self.alarm = False
        """Whether the last chunk's skill was going wrong, as the monitor sees it."""
        self._acts = acts
        self._index = 0
        self._streak = 0
        self._since_s: float | None = None
        self._outcome: SequencerStatus | None = None

    @property
    def index(self) -> int:
        """Position of the current skill in `skills`; stays on the last one when finished."""
        return self._index

    @property
    def current(self) -> Skill:
        """The skill the policy should be asked for now."""
        return self.skills[self._index]

    @property
    def finished(self) -> bool:
        """True once every skill was done."""
        return self._outcome == "finished"

    @property
    def number(self) -> int:
        """Number of the current attempt, never used twice: `index` at a skill's first, len(skills) on for retries."""
        return self._index if self.retries == 0 else len(self.skills) + self.total_retries - 1

    def start(self, time_s: float) -> None:
        """Begin the current skill's time-out at `time_s` instead of at its first update."""
        self._since_s = time_s

    def update(self, done: float, time_s: float, score: float = math.nan) -> SequencerStatus:
        """Take the `done` and the monitored score of one chunk, made at `time_s` (s).

        `advanced` means that `current` has changed, `retry` that it starts again. `finished`, `timeout` and `stopped`
        (by the monitor) are final: later calls repeat them.
        """
        if self._outcome is not None:
            return self._outcome
        self.alarm = self.monitor is not None and self.monitor.feed(self.number, score) == "alarm"
        if self._since_s is None:
            self._since_s = time_s
        self._streak = self._streak + 1 if done >= self.done_threshold else 0
        if self._streak >= self.consecutive:
            return self._advance(time_s)
        if time_s - self._since_s >= self.timeout_s:
            self._outcome = "timeout"
            return "timeout"
        if self.alarm and self._acts:
            return self._retry_or_stop(time_s)
        return "running"

    def _retry_or_stop(self, time_s: float) -> SequencerStatus:
        assert self.monitor is not None
        if self.retries >= self.monitor.config.max_retries:
            self._outcome = "stopped"
            return "stopped"
        self.retries += 1
        self.total_retries += 1
        self._streak = 0
        self._since_s = time_s
        return "retry"

    def _advance(self, time_s: float) -> SequencerStatus:
        if self._index + 1 == len(self.skills):
            self._outcome = "finished"
            return "finished"
        self._index += 1
        self.retries = 0
        self.alarm = False
        self._streak = 0
        self._since_s = time_s
        return "advanced"
