"""What lies on the table: putting it there at a reset, and what is true of it afterwards (privileged state)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_sim.appearance import Appearance
from world2act_sim.bodies import SceneBody, find_bodies
from world2act_sim.catalogue import CATALOGUE, CONTAINERS, DISTRACTOR_OBJECTS
from world2act_sim.fixtures import FixtureError, Fixtures
from world2act_sim.gripper import GripperState
from world2act_sim.placement import Area, Placement, PlacementError, place_objects
from world2act_sim.sides import FIXTURE_LAYOUT, PLAIN_LAYOUT, SIDE_LINE_M, SIDES, start_areas
from world2act_sim.tabletop_env import TABLE_HEIGHT, TabletopEnv

if TYPE_CHECKING:
    from world2act_core.skill import Skill
    from world2act_sim.perturbation import Perturbation
    from world2act_sim.tasks import Task

ARM_NOISE_RAD = 0.04
"""Standard deviation of the initial joint angles around the home pose: some 3 cm at the fingertips."""
LIFT_HEIGHT_M = 0.05
STILL_M_PER_S = 0.08


class Scene:
    """Objects, containers, lights and camera of one environment, and the predicates over them.

    Positions are in the world frame (metres); `TabletopWorld` converts.
    """

    def __init__(self, env: TabletopEnv) -> None:
        self._env = env
        self._model, self._data = env.mj_model, env.mj_data
        self.bodies: dict[str, SceneBody] = find_bodies(env)
        self.gripper = GripperState(self._model, env.robots[0].gripper["right"])
        self._appearance = Appearance(self._model, self.bodies)
        self.fixtures = Fixtures(self._model, self._data, tuple(env.fixtures))
        self._layout = FIXTURE_LAYOUT if env.fixtures else PLAIN_LAYOUT
        self.present: tuple[str, ...] = ()
        self.containers: dict[str, NDArray[np.float64]] = {}

    def arrange(self, rng: np.random.Generator, task: Task, perturbation: Perturbation) -> None:
        """Bring the arm, the objects, the containers, the lights and the camera into a random initial state."""
        self._appearance.apply(rng, perturbation)
        distractors = [spec.name for spec in DISTRACTOR_OBJECTS[: perturbation.distractors]]
        self.containers = self._place_containers(rng)
        self.fixtures.arrange(rng, TABLE_HEIGHT, task.skills)
        placements = self._place(rng, list(task.objects), distractors, start_areas(task.skills))
        self.present = tuple(placements)
        for name, body in self.bodies.items():
            if name in CATALOGUE:
                self._put(body, placements.get(name))
        robot = self._env.robots[0]
        joints = np.array(robot._ref_joint_pos_indexes)
        self._data.qpos[joints] += rng.normal(0.0, ARM_NOISE_RAD, len(joints)).clip(-0.1, 0.1)
        mujoco.mj_forward(self._model, self._data)

    def check(self, task: Task) -> None:
        """Raise FixtureError when the task has a skill that this table has no fixture for."""
        for skill in task.skills:
            needs_fixture = skill.kind in ("open", "close", "press") and skill.target not in self._env.fixtures
            no_side = skill.kind == "push" and (not self._env.fixtures or skill.support not in SIDES)
            if needs_fixture or no_side:
                there = ", ".join(self._env.fixtures) or "none"
                raise FixtureError(
                    f"'{skill.prompt}' cannot be done at this table (fixtures: {there}); "
                    f"make the world with WorldConfig(fixtures=('drawer', 'button'))"
                )

    def positions(self) -> dict[str, NDArray[np.float64]]:
        """Middle of every object on the table and of each container's floor, where fixtures are touched; world, m."""
        found = {name: self.bodies[name].centre(self._data) for name in self.present}
        containers = {name: position.copy() for name, position in self.containers.items()}
        return {**found, **containers, **self.fixtures.positions()}

    def grasped(self, name: str) -> bool:
        """Whether both fingers touch the object."""
        return self.gripper.holds(self._data, self.bodies[name].geoms)

    def satisfied(self, skill: Skill) -> bool:
        """Whether a skill's condition holds now; False for objects that are not on the table."""
        if skill.kind in ("open", "close", "press"):
            return self.fixtures.satisfied(skill, self.gripper)
        if skill.target not in self.present:
            return False
        target = self.bodies[skill.target]
        if skill.kind == "pick":
            return target.bottom(self._data) > TABLE_HEIGHT + LIFT_HEIGHT_M and self.grasped(skill.target)
        if self.gripper.touches(self._data, target.geoms) or target.speed(self._data) > STILL_M_PER_S:
            return False
        if skill.kind == "place":
            return self._inside(target, skill.support or "")
        if skill.kind == "push":
            return self._aside(target, skill.support or "")
        return skill.support in self.present and self._stacked(target, self.bodies[skill.support])

    def _inside(self, target: SceneBody, container: str) -> bool:
        if container not in self.containers:
            return False
        offset = target.centre(self._data) - self.containers[container]
        reach = 0.085 if container == "bin" else 0.08
        near = np.abs(offset[:2]).max() < reach if container == "bin" else np.linalg.norm(offset[:2]) < reach
        return bool(near and target.bottom(self._data) < self.containers[container][2] + 0.03)

    def _stacked(self, target: SceneBody, support: SceneBody) -> bool:
        above, below = target.centre(self._data), support.centre(self._data)
        gap = target.bottom(self._data) - support.top(self._data)
        return bool(abs(gap) < 0.012 and np.linalg.norm(above[:2] - below[:2]) < 0.035)

    def _aside(self, target: SceneBody, side: str) -> bool:
        """On the table (not lifted, not in a container), beyond the line of that side."""
        beyond = SIDES[side] * float(target.centre(self._data)[1]) >= SIDE_LINE_M
        return beyond and abs(target.bottom(self._data) - TABLE_HEIGHT) < 0.006

    def _place(
        self, rng: np.random.Generator, objects: list[str], distractors: list[str], pushed: dict[str, Area]
    ) -> dict[str, Placement]:
        """Poses of all objects and of as many distractors as fit; raises PlacementError when the objects do not."""
        while True:
            names = [*objects, *distractors]
            try:
                radii = {name: self.bodies[name].footprint_radius for name in names}
                return place_objects(rng, radii, area=self._layout.area, pushed=pushed)
            except PlacementError:
                if not distractors:
                    raise
                distractors = distractors[:-1]

    def _place_containers(self, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        placed = {}
        for name, side in zip(CONTAINERS, (1.0, -1.0), strict=True):
            middle, spread = self._layout.container_x[name]
            xy = np.array([middle, side * 0.298]) + rng.uniform([-spread, -0.01], [spread, 0.01])
            self._model.body_pos[self.bodies[name].body] = [*xy, TABLE_HEIGHT]
            placed[name] = np.array([*xy, TABLE_HEIGHT])
        return placed

    def _put(self, body: SceneBody, placement: Placement | None) -> None:
        """Lay a body on the table, or park it out of sight where nothing touches it and it hardly falls."""
        model, data = self._model, self._data
        on_table = placement is not None
        body.set_active(model, on_table)
        if placement is None:
            data.qpos[body.qpos : body.qpos + 7] = [4.0, 0.2 * body.body, -2.0, 1, 0, 0, 0]
        else:
            height = TABLE_HEIGHT + 0.002 - body.lowest
            half = placement.yaw / 2.0
            data.qpos[body.qpos : body.qpos + 7] = [*placement.xy, height, np.cos(half), 0, 0, np.sin(half)]
        data.qvel[body.qvel : body.qvel + 6] = 0.0
