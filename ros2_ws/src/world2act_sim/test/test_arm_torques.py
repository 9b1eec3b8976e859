"""The torques are robosuite's own, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest

from world2act_sim.arm_torques import ArmTorques
from world2act_sim.world import TabletopWorld, WorldConfig

PERIOD = 50


@pytest.fixture(scope="module", params=["Panda", "IIWA"])
def arm_world(request: pytest.FixtureRequest, world: TabletopWorld) -> Iterator[TabletopWorld]:
    """Goals are relative to a site that stands still for a Panda and that moves with an IIWA's first link."""
    if request.param == "Panda":
        yield world
        return
    built = TabletopWorld(WorldConfig(robot=request.param, render="none"))
    yield built
    built.close()


def test_they_are_those_of_the_controller(arm_world: TabletopWorld) -> None:
    arm_world.reset(5, render=False)
    robot, model, data = arm_world._robot, arm_world.model, arm_world.data
    everything = robot.composite_controller
    torques = ArmTorques(model, data, everything.part_controllers["right"])
    motion = np.random.default_rng(0)
    biggest = 0.0
    for step in range(3 * PERIOD):
        mujoco.mj_step1(model, data)
        everything.update_state()
        if step % PERIOD == 0:
            everything.set_goal(motion.uniform(-1.0, 1.0, 7))
        expected = everything.run_controller(robot._enabled_parts)["right"]
        assert np.array_equal(torques.compute(), expected)
        biggest = max(biggest, float(np.abs(expected).max()))
        arm_world._tell(arm_world.arm.actuators, expected)
        mujoco.mj_step2(model, data)
    assert biggest > 10.0  # the arm was made to move


def test_a_controller_of_another_kind_is_refused(world: TabletopWorld) -> None:
    world.reset(5, render=False)
    controller = world._robot.composite_controller.part_controllers["right"]
    controller.impedance_mode = "variable"
    with pytest.raises(ValueError, match="without fixed gains must be evaluated by robosuite itself"):
        ArmTorques(world.model, world.data, controller)
    world.reset(5, render=False)  # has a new one
