"""The scripted expert opens, closes, presses and pushes, with the Panda."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from world2act_core.skill import Skill
from world2act_sim.tasks import FIXTURE_TASK_KINDS, Task, sample_task, task_for
from world2act_sim.world import TabletopWorld

Solve = Callable[[TabletopWorld, Task, int], bool]
SEEDS = range(10)


@pytest.mark.parametrize("kind", FIXTURE_TASK_KINDS)
def test_the_expert_solves_every_kind_with_the_panda(fixture_world: TabletopWorld, solve: Solve, kind: str) -> None:
    solved = [solve(fixture_world, sample_task(kind, seed), seed) for seed in SEEDS]  # type: ignore[arg-type]
    assert sum(solved) >= len(SEEDS) - 1, solved


def test_the_expert_chains_them(fixture_world: TabletopWorld, solve: Solve) -> None:
    chain = (
        Skill("open", "drawer"),
        Skill("press", "button"),
        Skill("place", "red cube", "bin"),
        Skill("close", "drawer"),
    )
    solved = [solve(fixture_world, task_for(chain, "all of it", seed), seed) for seed in range(2)]
    assert any(solved)
