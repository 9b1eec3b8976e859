"""One scripted demonstration: reset, let the expert act through disturbances, record, judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.data.episode import EpisodeBuffer, EpisodeInfo, SkillSegment
from training.data.noise import ActionNoise, NoiseConfig
from world2act_core.pose import apply_action

if TYPE_CHECKING:
    from training.data.takeover import PolicyDriver
    from world2act_core.skill import Skill
    from world2act_sim.expert import ScriptedExpert
    from world2act_sim.judge import EpisodeJudge
    from world2act_sim.perturbation import Perturbation
    from world2act_sim.tasks import Task
    from world2act_sim.world import TabletopWorld, WorldObservation


def record_demonstration(
    world: TabletopWorld,
    task: Task,
    perturbation: Perturbation,
    noise: NoiseConfig,
    *,
    seed: int,
    kind: str,
    split: str,
    done_frames: int,
    skill_seconds: float,
    driver: PolicyDriver | None = None,
) -> tuple[EpisodeBuffer, EpisodeInfo]:
    """Let the expert do ``task``; each skill ends ``done_frames`` frames after its condition first holds for good.

    A skill that takes the expert longer than ``skill_seconds`` ends the episode as failed. With a ``driver`` a policy
    begins the skills; a skill's segment begins where the expert takes over.
    """
    from world2act_sim.expert import ScriptedExpert
    from world2act_sim.judge import EpisodeJudge

    observation = world.reset(seed, task, perturbation)
    expert = ScriptedExpert(world)
    judge = EpisodeJudge(world, task.skills)
    recorder = _Recorder(world, expert, judge, ActionNoise(noise, np.random.default_rng([seed, 2])), observation)
    segments: list[SkillSegment] = []
    ticks = round(skill_seconds * world.contract.control_hz)
    for index, skill in enumerate(task.skills):
        if driver is not None:
            driver.begin(task.prompts[index], index)
            recorder.let_drive(driver, skill, index)
        start = len(recorder.buffer)
        achieved = recorder.run_skill(skill, index, done_frames, ticks)
        stop = len(recorder.buffer)
        segments.append(SkillSegment(skill.kind, skill.target, skill.support, skill.prompt, start, stop, achieved))
        if not achieved:
            break
    success = len(segments) == len(task.skills) and segments[-1].achieved and judge.success()
    objects = tuple(world.object_positions())
    info = EpisodeInfo(seed, kind, split, task.instruction, success, tuple(segments), objects)
    return recorder.buffer, info


class _Recorder:
    """Steps the world with the disturbed action and records the clean one."""

    def __init__(
        self,
        world: TabletopWorld,
        expert: ScriptedExpert,
        judge: EpisodeJudge,
        noise: ActionNoise,
        first: WorldObservation,
    ) -> None:
        self.buffer = EpisodeBuffer()
        self._world = world
        self._expert = expert
        self._judge = judge
        self._noise = noise
        self._observation = first
        self._closed = False

    def let_drive(self, driver: PolicyDriver, skill: Skill, index: int) -> None:
        """Record what a policy does until its time is up or the skill's condition holds."""
        while not self._world.satisfied(skill):
            executed = driver.act(self._observation)
            if executed is None:
                return
            self._advance(skill, index, False, np.asarray(self._expert.act(skill), np.float32), executed)

    def run_skill(self, skill: Skill, index: int, done_frames: int, ticks: int) -> bool:
        """Record one skill; returns whether its condition held for ``done_frames`` frames in a row."""
        held = 0
        for _ in range(ticks):
            done = self._world.satisfied(skill)
            held = held + 1 if done else 0
            label = np.asarray(self._expert.act(skill), np.float32)
            self._advance(skill, index, done, label, self._noise.disturb(label))
            if held >= done_frames:
                return True
        return False

    def _advance(
        self, skill: Skill, index: int, done: bool, label: NDArray[np.float32], executed: NDArray[np.float32]
    ) -> None:
        """Record the present frame, then do what is ``executed`` for one control period."""
        self._record(skill, index, done, label, executed)
        self._observation = self._world.step(apply_action(self._observation.eef_pose, executed))
        self._judge.update()
        self._closed = bool(executed[6] > 0)

    def _record(
        self, skill: Skill, index: int, done: bool, label: NDArray[np.float32], executed: NDArray[np.float32]
    ) -> None:
        positions = self._world.named_positions()
        nowhere = np.full(3, np.nan)
        self.buffer.add(
            dict(self._observation.images),
            {
                "observation.state": self._observation.state,
                "observation.gripper": float(self._closed),
                "action": label,
                "executed_action": executed,
                "done": done,
                "skill_index": index,
                "target_position": positions[skill.target],
                "support_position": positions[skill.support] if skill.support else nowhere,
            },
        )
