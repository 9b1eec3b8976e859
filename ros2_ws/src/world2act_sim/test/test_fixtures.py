"""The drawer, the button and the sides of the table: where they stand, and when a skill on them is done."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
import pytest

from world2act_core.pose import apply_action
from world2act_core.skill import Skill
from world2act_core.types import ArmTarget
from world2act_core.vocabulary import FIXTURE_VOCABULARY, PUSHABLE_NAMES, TABLETOP_VOCABULARY
from world2act_sim.catalogue import CATALOGUE
from world2act_sim.expert import ScriptedExpert
from world2act_sim.fixtures import BUTTON_PRESSED_M, DRAWER_CLOSED_M, DRAWER_OPEN_M, FIXTURES, FixtureError
from world2act_sim.sides import SIDE_LINE_M, SIDES
from world2act_sim.tasks import FIXTURE_TASK_KINDS, TASK_KINDS, Task, sample_task, task_for, task_kinds
from world2act_sim.world import TabletopWorld

Solve = Callable[[TabletopWorld, Task, int], bool]


def _stand_still(world: TabletopWorld) -> None:
    world.step(ArmTarget(world.eef_pose(), -1.0), render=False)


def test_a_drawer_is_open_or_closed_when_it_stands_still_and_is_let_go(fixture_world: TabletopWorld) -> None:
    world = fixture_world
    world.reset(0, sample_task("open", 0), render=False)
    opened, closed = Skill("open", "drawer"), Skill("close", "drawer")
    slide = world.model.joint("drawer_slide")
    for out, expected in (
        (0.0, (False, True)),
        (DRAWER_CLOSED_M - 0.002, (False, True)),
        (DRAWER_CLOSED_M + 0.002, (False, False)),
        (DRAWER_OPEN_M - 0.002, (False, False)),
        (DRAWER_OPEN_M + 0.002, (True, False)),
    ):
        world.data.qpos[slide.qposadr], world.data.qvel[slide.dofadr] = out, 0.0
        _stand_still(world)
        assert (world.satisfied(opened), world.satisfied(closed)) == expected, out
    world.data.qvel[slide.dofadr] = -0.2
    assert not world.satisfied(opened), "it still moves"


def test_a_button_is_pressed_while_it_is_down_and_springs_back(fixture_world: TabletopWorld, solve: Solve) -> None:
    world, pressed = fixture_world, Skill("press", "button")
    task = sample_task("press", 1)
    world.reset(1, task, render=False)
    spring = world.model.joint("button_spring")
    assert not world.satisfied(pressed) and abs(world.scene.fixtures.button.depth(world.data)) < 0.001  # type: ignore[union-attr]
    world.data.qpos[spring.qposadr] = -BUTTON_PRESSED_M - 0.001
    assert world.satisfied(pressed)
    _stand_still(world)
    assert not world.satisfied(pressed), "nobody holds it down"
    assert solve(world, task, 1), "a press that is over is still a success"


def test_an_object_is_aside_when_it_lies_beyond_the_line(fixture_world: TabletopWorld) -> None:
    world, name = fixture_world, "red cube"
    left, right = Skill("push", name, "left"), Skill("push", name, "right")
    world.reset(2, task_for((left,), left.prompt, 2), render=False)
    body = world.scene.bodies[name]
    for y, height, expected in (
        (SIDE_LINE_M - 0.003, 0.822, (False, False)),
        (SIDE_LINE_M + 0.003, 0.822, (True, False)),
        (-SIDE_LINE_M - 0.003, 0.822, (False, True)),
        (SIDE_LINE_M + 0.003, 0.84, (False, False)),
    ):
        world.data.qpos[body.qpos : body.qpos + 7] = [-0.09, y, height, 1, 0, 0, 0]
        world.data.qvel[body.qvel : body.qvel + 6] = 0.0
        mujoco.mj_forward(world.model, world.data)
        assert (world.satisfied(left), world.satisfied(right)) == expected, (y, height)


def test_what_is_to_be_done_is_not_done_yet_and_has_room(fixture_world: TabletopWorld) -> None:
    world = fixture_world
    for seed in range(12):
        for kind in FIXTURE_TASK_KINDS:
            task = sample_task(kind, seed)
            world.reset(seed, task, render=False)
            (skill,) = task.skills
            assert not world.satisfied(skill), (kind, seed)
            places = world.object_positions()
            names = [name for name in places if name in world.scene.present]
            assert 2 <= len(names) <= 3 and {"drawer", "button", "bin", "plate"} < set(places)
            for name in names:
                others = [other for other in (*names, "drawer", "button") if other != name]
                gaps = [np.linalg.norm(places[name][:2] - places[other][:2]) for other in others]
                assert min(gaps) > 0.06, (kind, seed, name)
            if kind == "push":
                start = world.scene.bodies[skill.target].centre(world.data)
                assert SIDES[skill.support or ""] * start[1] <= 0.002
                aside = [abs(float(places[n][0] - places[skill.target][0])) for n in names if n != skill.target]
                assert min(aside) > 0.05, "something lies in its way"


def test_a_reset_is_a_function_of_its_seed(fixture_world: TabletopWorld) -> None:
    world = fixture_world

    def trace(seed: int) -> list[np.ndarray]:
        task = sample_task("close", seed)
        world.reset(seed, task, render=False)
        parts = [world.data.qpos.copy(), world.model.body_pos.copy()]
        expert = ScriptedExpert(world)
        for _ in range(3):
            world.step(apply_action(world.eef_pose(), expert.act(task.skills[0])), render=False)
            parts.append(world.data.qpos.copy())
        return parts

    first = trace(5)
    world.reset(6, sample_task("push", 6), render=False)
    assert all(np.array_equal(a, b) for a, b in zip(first, trace(5), strict=True))
    assert not np.array_equal(first[1], trace(7)[1]), "another seed, another place of drawer and button"


def test_positions_are_named_for_every_target_and_support(fixture_world: TabletopWorld) -> None:
    world = fixture_world
    world.reset(3, sample_task("push", 3), render=False)
    named = world.named_positions()
    assert {"drawer", "button", "left", "right"} <= set(named)
    assert named["left"][1] > named["right"][1] and "left" not in world.object_positions()
    handle = world.scene.fixtures.drawer.handle(world.data)  # type: ignore[union-attr]
    np.testing.assert_allclose(world.to_world(named["drawer"]), handle)


def test_a_table_without_fixtures_refuses_and_stays_as_it_is(world: TabletopWorld) -> None:
    assert world.vocabulary is TABLETOP_VOCABULARY and world.named_positions().keys() == world.object_positions().keys()
    world.reset(0, sample_task("pick", 0), render=False)
    before = world.data.qpos.copy()
    for kind in FIXTURE_TASK_KINDS:
        with pytest.raises(FixtureError, match=r"fixtures: none.*WorldConfig\(fixtures="):
            world.reset(1, sample_task(kind, 1), render=False)
    assert np.array_equal(before, world.data.qpos)


def test_kinds_vocabulary_and_world_agree(fixture_world: TabletopWorld) -> None:
    assert fixture_world.vocabulary == FIXTURE_VOCABULARY == fixture_world.contract.vocabulary
    assert task_kinds(()) == TASK_KINDS and task_kinds(FIXTURES) == TASK_KINDS + FIXTURE_TASK_KINDS
    assert task_kinds(("button",)) == (*TASK_KINDS, "press", "push")
    assert set(PUSHABLE_NAMES) < set(CATALOGUE)
    for kind in FIXTURE_TASK_KINDS:
        for seed in range(100):
            task = sample_task(kind, seed, "heldout")
            assert task == sample_task(kind, seed, "heldout")
            for skill in task.skills:
                skill.validate(FIXTURE_VOCABULARY)
