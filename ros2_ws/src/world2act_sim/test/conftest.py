"""One world per test session: building a model takes two seconds, a reset takes none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from world2act_core.pose import apply_action
from world2act_sim.expert import ScriptedExpert
from world2act_sim.judge import EpisodeJudge
from world2act_sim.tasks import Task
from world2act_sim.world import TabletopWorld, WorldConfig

TICKS_PER_SKILL = 120


@pytest.fixture(scope="session")
def world() -> Iterator[TabletopWorld]:
    """A Panda at the table, rendering fast pictures of 64 pixels."""
    built = TabletopWorld(WorldConfig(image_size=64))
    yield built
    built.close()


@pytest.fixture(scope="session")
def fixture_world() -> Iterator[TabletopWorld]:
    """A Panda at the table with drawer and button, without pictures."""
    built = TabletopWorld(WorldConfig(render="none", fixtures=("drawer", "button")))
    yield built
    built.close()


@pytest.fixture(scope="session")
def solve() -> Callable[[TabletopWorld, Task, int], bool]:
    """A function that says whether the expert achieves a task of a seed within its time."""

    def achieved(world: TabletopWorld, task: Task, seed: int) -> bool:
        world.reset(seed, task, render=False)
        expert, judge = ScriptedExpert(world), EpisodeJudge(world, task.skills)
        for _ in range(TICKS_PER_SKILL * len(task.skills)):
            if judge.pending == len(task.skills):
                break
            action = expert.act(task.skills[judge.pending])
            world.step(apply_action(world.eef_pose(), action), render=False)
            judge.update()
        return judge.success()

    return achieved
