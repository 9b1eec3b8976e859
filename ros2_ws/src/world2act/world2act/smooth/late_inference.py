"""Inference that takes simulated time: chunks come late, skills advance, and the referee looks on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from world2act.schedule import InferenceSchedule, SkillRequest
from world2act_core.policy import BundlePolicy
from world2act_core.sequencer import SequencerStatus, SkillSequencer
from world2act_core.types import ActionChunk, Observation
from world2act_sim.judge import EpisodeJudge
from world2act_sim.servo import SERVO_HZ
from world2act_sim.tasks import Task
from world2act_sim.world import TabletopWorld

NS = 1_000_000_000
RESERVE_S = 0.2
"""As vla_policy's `chunk_reserve` by default."""


@dataclass(frozen=True)
class Timing:
    """delay_s: from a picture to the chunk's arrival; jitter_s: that it may take longer, uniformly, drawn per seed."""

    delay_s: float = 0.15
    jitter_s: float = 0.05

    def delays(self, seed: int) -> np.random.Generator:
        """The generator of one episode's delays: the same for every commander."""
        return np.random.default_rng([seed, 4])


class LateInference:
    """Policy, planner and judge of one episode, in ticks of the command rate (SERVO_HZ).

    Each tick: first `deliver` what is due, then `look`. judge: knows whether the episode succeeded.
    """

    def __init__(self, world: TabletopWorld, policy: BundlePolicy, task: Task, timing: Timing, seed: int) -> None:
        contract = policy.contract
        self._policy, self._timing = policy, timing
        self.judge = EpisodeJudge(world, task.skills)
        self._sequencer = SkillSequencer(task.skills)
        step_ns = round(NS * contract.step_s)
        self._schedule = InferenceSchedule(
            False, contract.execute_steps * step_ns, step_ns, contract.chunk_length * step_ns, round(NS * RESERVE_S)
        )
        self._schedule.expect_delay(round(NS * (timing.delay_s + timing.jitter_s)))
        self._every = round(SERVO_HZ / contract.observation_hz)
        self._delays = timing.delays(seed)
        self._coming: tuple[int, ActionChunk] | None = None
        self._ask()

    def deliver(self, tick: int) -> tuple[ActionChunk | None, SequencerStatus]:
        """The chunk that arrives at `tick`, if one does, and what the planner makes of it."""
        if self._coming is None or tick < self._coming[0]:
            return None, "running"
        chunk, self._coming = self._coming[1], None
        status = self._sequencer.update(chunk.done, chunk.start_time_s)
        self._ask()
        return chunk, status

    def look(self, tick: int, observe: Callable[[], Observation]) -> bool:
        """At the observation rate: judge, and infer if it is time to. Whether this was an observation's tick."""
        if tick % self._every:
            return False
        self.judge.update()
        if self._coming is None:
            self._infer(tick, observe)
        return True

    def _ask(self) -> None:
        prompt = self._sequencer.current.prompt_in(self._policy.contract.vocabulary)
        self._schedule.set_skill(SkillRequest(1, self._sequencer.number, prompt, True, -1))

    def _infer(self, tick: int, observe: Callable[[], Observation]) -> None:
        self._schedule.observe(tick * (NS // SERVO_HZ), None)
        job = self._schedule.due()
        if job is None:
            return
        chunk = self._policy.act(observe(), job.skill.prompt, skill_id=job.skill.skill_id)
        late_s = self._timing.delay_s + self._timing.jitter_s * self._delays.random()
        self._coming = tick + round(late_s * SERVO_HZ), chunk
        self._schedule.ran(job, chunk.sequence)
