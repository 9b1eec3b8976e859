"""The scripted expert solves every kind of task, with every arm."""

from __future__ import annotations

import numpy as np
import pytest

from world2act_core.pose import apply_action
from world2act_sim.expert import ScriptedExpert
from world2act_sim.judge import EpisodeJudge
from world2act_sim.tasks import TASK_KINDS, Task, sample_task
from world2act_sim.world import TabletopWorld, WorldConfig

TICKS_PER_SKILL = 150


def solve(world: TabletopWorld, task: Task, seed: int, noise: float = 0.0) -> bool:
    """Whether the expert achieves the task within its time."""
    world.reset(seed, task, render=False)
    expert, judge, rng = ScriptedExpert(world), EpisodeJudge(world, task.skills), np.random.default_rng(seed)
    for _ in range(TICKS_PER_SKILL * len(task.skills)):
        if judge.pending == len(task.skills):
            break
        action = expert.act(task.skills[judge.pending])
        action[:3] += rng.normal(0, noise, 3) if noise else 0.0
        world.step(apply_action(world.eef_pose(), action), render=False)
        judge.update()
    return judge.success()


@pytest.mark.parametrize("kind", TASK_KINDS)
def test_expert_solves_every_kind_with_the_panda(world: TabletopWorld, kind: str) -> None:
    solved = [solve(world, sample_task(kind, seed), seed) for seed in range(5)]  # type: ignore[arg-type]
    assert sum(solved) >= 4, solved


def test_expert_recovers_from_disturbed_execution(world: TabletopWorld) -> None:
    solved = [solve(world, sample_task("place", seed), seed, noise=0.008) for seed in range(4)]
    assert sum(solved) >= 3, solved


@pytest.mark.parametrize("robot", ["UR5e", "Sawyer", "IIWA", "Kinova3", "XArm7"])
def test_expert_works_on_other_arms(robot: str) -> None:
    world = TabletopWorld(WorldConfig(robot=robot, render="none"))
    for kind in ("pick", "place", "stack"):
        solved = [solve(world, sample_task(kind, seed), seed) for seed in range(2)]  # type: ignore[arg-type]
        assert any(solved), f"{robot} solved none of two {kind} tasks"
