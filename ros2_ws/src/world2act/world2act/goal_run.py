"""One accepted instruction on its way through its skills. Times come from chunk stamps, so lockstep reproduces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from world2act_core.monitor import MonitorMode, SkillMonitor
from world2act_core.monitor_config import MonitorConfig
from world2act_core.plan import Plan
from world2act_core.sequencer import SkillSequencer
from world2act_core.skill import Skill

RunStatus = Literal["running", "advanced", "finished", "timeout", "retry", "stopped", "ignored"]


@dataclass(frozen=True)
class SequencerSettings:
    """When a skill counts as done, when it has taken too long [s], and what watches it.

    monitor_mode: "off" (then `monitor` does not matter), "warn" (an alarm changes nothing) or "retry".
    """

    done_threshold: float
    consecutive: int
    skill_timeout_s: float
    monitor: MonitorConfig | None = None
    monitor_mode: MonitorMode = "off"

    def make_monitor(self) -> SkillMonitor | None:
        """A monitor for one goal, if there is to be one."""
        return SkillMonitor(self.monitor) if self.monitor is not None and self.monitor_mode != "off" else None


class GoalRun:
    """State of one goal: which skill is current, which chunk was judged last, how long it has taken.

    first_skill_id: id of the first skill; the others follow, and then those of skills that start again. handle:
    whatever the caller wants to keep with it.
    """

    def __init__(
        self, plan: Plan, plan_id: int, first_skill_id: int, settings: SequencerSettings, not_before_ns: int,
        timeout_s: float, handle: Any, now_s: float,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.plan_id = plan_id
        self.not_before_ns = not_before_ns
        self.timeout_s = timeout_s
        self.handle = handle
        self.accepted_s = now_s
        self.last_chunk_s = now_s
        self.acknowledged = -1
        self.progress = 0.0
        self.elapsed_s = 0.0
        self._first_skill_id = first_skill_id
        self._origin_ns: int | None = None
        self.monitor = settings.make_monitor()
        self._sequencer = SkillSequencer(
            plan.skills, settings.done_threshold, settings.consecutive, settings.skill_timeout_s,
            self.monitor, acts=settings.monitor_mode == "retry",
        )  # fmt: skip

    @property
    def skill(self) -> Skill:
        """The current skill."""
        return self._sequencer.current

    @property
    def index(self) -> int:
        """Its position in the plan."""
        return self._sequencer.index

    @property
    def skill_id(self) -> int:
        """Its id; another one when it starts again."""
        return self.identifier(self._sequencer.number)

    @property
    def last_skill_id(self) -> int:
        """The highest id that this goal may have given."""
        return self.identifier(len(self.plan.skills) + self._sequencer.total_retries - 1)

    @property
    def retries(self) -> int:
        """How often the current skill was started again."""
        return self._sequencer.retries

    @property
    def score(self) -> float:
        """Mean of the monitored score over the last chunks of the current attempt; NaN while it is unknown."""
        if self.monitor is None or self.monitor.running.skill != self._sequencer.number:
            return math.nan
        return self.monitor.running.mean

    @property
    def unwatched(self) -> bool:
        """Whether the monitor has not seen one known score of the current attempt, whatever chunks came."""
        return self.monitor is not None and math.isnan(self.score)

    @property
    def alarm(self) -> bool:
        """Whether the monitor sees the current skill going wrong."""
        return self._sequencer.alarm

    @property
    def completed(self) -> int:
        """How many skills were judged done."""
        return len(self.plan.skills) if self._sequencer.finished else self.index

    def identifier(self, number: int) -> int:
        """Id of attempt number `number`; the first attempt of skill i has number i."""
        return self._first_skill_id + number

    def judge(
        self, sequence: int, skill_id: int, done: float, stamp_ns: int, now_s: float, score: float = math.nan
    ) -> RunStatus:
        """Take one chunk of this plan. `ignored`: it was made for an attempt that is over, and only acknowledged."""
        self.acknowledged = sequence
        self.last_chunk_s = now_s
        if self._origin_ns is None:
            self._origin_ns = stamp_ns
        # Relative to the first chunk, in integers: the same number whatever the clock read when the goal came.
        self.elapsed_s = (stamp_ns - self._origin_ns) / 1e9
        if skill_id != self.skill_id:
            return "ignored"
        self.progress = done
        status = self._sequencer.update(done, self.elapsed_s, score)
        if status in ("advanced", "retry"):
            self.progress = 0.0
        if status in ("running", "retry") and 0 < self.timeout_s <= self.elapsed_s:
            return "timeout"
        return status
