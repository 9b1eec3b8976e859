"""The scripted expert opens, closes, presses and pushes, with other arms."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from world2act_sim.fixtures import FIXTURES
from world2act_sim.tasks import FIXTURE_TASK_KINDS, Task, sample_task
from world2act_sim.world import TabletopWorld, WorldConfig

Solve = Callable[[TabletopWorld, Task, int], bool]


@pytest.mark.parametrize("robot", ["UR5e", "XArm7"])
def test_the_expert_works_on_other_arms(robot: str, solve: Solve) -> None:
    world = TabletopWorld(WorldConfig(robot=robot, render="none", fixtures=FIXTURES))
    for kind in FIXTURE_TASK_KINDS:
        solved = [solve(world, sample_task(kind, seed), seed) for seed in range(2)]
        assert any(solved), f"{robot} solved none of two {kind} tasks"
