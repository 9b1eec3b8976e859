"""Success is judged from physics."""

from __future__ import annotations

import numpy as np

from world2act_core.skill import Skill
from world2act_core.types import ArmTarget
from world2act_sim.judge import HOLD_TICKS, EpisodeJudge
from world2act_sim.tasks import task_for
from world2act_sim.world import TabletopWorld


def _teleport(world: TabletopWorld, name: str, position: np.ndarray) -> None:
    body = world.scene.bodies[name]
    world.data.qpos[body.qpos : body.qpos + 7] = [*position, 1, 0, 0, 0]
    world.data.qvel[body.qvel : body.qvel + 6] = 0
    hold = ArmTarget(world.eef_pose(), -1.0)
    for _ in range(4):
        world.step(hold, render=False)


def test_in_the_bin_on_the_plate_and_stacked(world: TabletopWorld) -> None:
    in_bin, on_plate = Skill("place", "red cube", "bin"), Skill("place", "red cube", "plate")
    stacked, picked = Skill("stack", "red cube", "green cube"), Skill("pick", "red cube")
    world.reset(0, task_for((stacked,), "stack", 0), render=False)
    assert not any(world.satisfied(skill) for skill in (in_bin, on_plate, stacked, picked))
    scene = world.scene
    _teleport(world, "red cube", scene.containers["bin"] + [0.02, 0, 0.04])
    assert world.satisfied(in_bin) and not world.satisfied(on_plate) and not world.satisfied(stacked)
    _teleport(world, "red cube", scene.containers["plate"] + [0.0, 0.02, 0.04])
    assert world.satisfied(on_plate) and not world.satisfied(in_bin)
    support = scene.bodies["green cube"].centre(world.data)
    _teleport(world, "red cube", support + [0.005, 0, 0.046])
    assert world.satisfied(stacked) and not world.satisfied(on_plate)
    _teleport(world, "red cube", support + [0.06, 0.03, -0.0])
    assert not world.satisfied(stacked)


def test_lying_beside_the_bin_or_hovering_does_not_count(world: TabletopWorld) -> None:
    skill = Skill("place", "can", "bin")
    world.reset(1, task_for((skill,), "place", 1), render=False)
    body = world.scene.bodies["can"]
    world.data.qpos[body.qpos : body.qpos + 3] = world.scene.containers["bin"] + [0, 0, 0.3]
    world.step(ArmTarget(world.eef_pose(), -1.0), render=False)
    assert not world.satisfied(skill)


def test_skills_are_achieved_in_order_and_must_last(world: TabletopWorld) -> None:
    first, second = Skill("place", "red cube", "bin"), Skill("place", "can", "plate")
    world.reset(2, task_for((first, second), "both", 2), render=False)
    judge = EpisodeJudge(world, (first, second))
    _teleport(world, "can", world.scene.containers["plate"] + [0, 0, 0.06])
    for _ in range(HOLD_TICKS + 1):
        judge.update()
    assert judge.achieved == [False, False], "the second skill counts only after the first"
    _teleport(world, "red cube", world.scene.containers["bin"] + [0, 0, 0.04])
    assert [judge.update() for _ in range(HOLD_TICKS)] == [False, False, True]
    for _ in range(HOLD_TICKS):
        judge.update()
    assert judge.achieved == [True, True] and judge.success()
    _teleport(world, "red cube", np.array([0.0, 0.0, 0.83]))
    assert judge.achieved == [True, True] and not judge.success()
