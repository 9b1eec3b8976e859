"""When the policy is to be run: pure decisions, so that lockstep can be tested without ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SkillRequest:
    """The planner's newest word. acknowledged: sequence of the last chunk it has judged; not_before_ns: see Skill.

    index: the skill's place in its plan, from 0.
    """

    plan_id: int
    skill_id: int
    prompt: str
    active: bool
    acknowledged: int
    not_before_ns: int = 0
    index: int = 0


@dataclass(frozen=True)
class Job:
    """One inference: this observation under this skill."""

    stamp_ns: int
    observation: Any
    skill: SkillRequest


class InferenceSchedule:
    """Decides when to infer.

    Lockstep: at the first observation of a plan, then every `execute_ns`; never before the planner has judged the chunk
    before, because its judgement may change the skill. Real time: on the newest observation, every `interval_ns`
    (half a step of jitter forgiven), at once when the skill has changed.

    chunk_ns: how long a chunk lasts; 0: whatever it is, `execute_ns` is the interval. reserve_ns: how long before a
    chunk's end the next one should be out.
    """

    def __init__(self, lockstep: bool, execute_ns: int, step_ns: int, chunk_ns: int = 0, reserve_ns: int = 0) -> None:
        self._lockstep = lockstep
        self._execute_ns = execute_ns
        self._step_ns = step_ns
        self._chunk_ns = chunk_ns
        self._reserve_ns = reserve_ns
        self._delay_ns = 0
        self._jitter_ns = 0 if lockstep else step_ns // 2
        self._skill: SkillRequest | None = None
        self._observation: tuple[int, Any] | None = None
        self._last: tuple[int, int, int] | None = None  # plan, skill, stamp of the last inference
        self._sequence: int | None = None
        self._tried_ns: int | None = None

    def observe(self, stamp_ns: int, observation: Any) -> None:
        """A new observation; the one before is forgotten."""
        self._observation = (stamp_ns, observation)

    def set_skill(self, skill: SkillRequest) -> None:
        """The planner spoke."""
        if self._skill is None or skill.plan_id != self._skill.plan_id:
            self._last = None
            self._sequence = None
            self._tried_ns = None
        self._skill = skill

    @property
    def skill(self) -> SkillRequest | None:
        """The planner's newest word."""
        return self._skill

    def expect_delay(self, delay_ns: int) -> None:
        """How long it takes from an observation's stamp until its chunk is out, as measured."""
        self._delay_ns = delay_ns

    @property
    def interval_ns(self) -> int:
        """From one inferred observation to the next: `execute_ns`, or less when the chunk would come too late.

        Whole steps, because observations come at that rate; at least one.
        """
        if self._lockstep or not self._chunk_ns:
            return self._execute_ns
        left = (self._chunk_ns - self._reserve_ns - self._delay_ns) // self._step_ns * self._step_ns
        return max(self._step_ns, min(self._execute_ns, left))

    @property
    def too_slow(self) -> bool:
        """Real time: even with one inference after the other, a chunk runs out before the next one is out."""
        next_ns = self._delay_ns + max(self._delay_ns, self._step_ns)
        return not self._lockstep and self._chunk_ns > 0 and next_ns > self._chunk_ns - self._reserve_ns

    def due(self) -> Job | None:
        """The inference to run now, or None. Calling it again without `ran` gives the same answer."""
        skill, seen = self._skill, self._observation
        if skill is None or not skill.active or seen is None:
            return None
        stamp_ns, observation = seen
        if stamp_ns == self._tried_ns or stamp_ns < skill.not_before_ns:
            return None
        if self._lockstep and self._sequence is not None and skill.acknowledged != self._sequence:
            return None
        if self._last is not None:
            _, last_skill, last_ns = self._last
            changed = not self._lockstep and last_skill != skill.skill_id
            if stamp_ns <= last_ns or (not changed and stamp_ns - last_ns < self.interval_ns - self._jitter_ns):
                return None
        return Job(stamp_ns, observation, skill)

    def ran(self, job: Job, sequence: int) -> None:
        """Job done: its chunk went out with this sequence."""
        if self._skill is not None and self._skill.plan_id == job.skill.plan_id:
            self._last = (job.skill.plan_id, job.skill.skill_id, job.stamp_ns)
            self._sequence = sequence

    def failed(self, job: Job) -> None:
        """The inference failed: the same observation is not tried again."""
        self._tried_ns = job.stamp_ns
