"""A scripted expert: solves every skill from privileged state.

Each action is a function of the present state alone (no timers, no phases), with heights that fall smoothly as the
horizontal error falls. A policy that clones it therefore sees one answer for one picture, and every slip is followed
by a recovery without anybody having scripted one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from world2act_core.skill import Skill
from world2act_core.types import FloatArray
from world2act_sim.bodies import SceneBody
from world2act_sim.catalogue import CATALOGUE
from world2act_sim.expert_button import press_button
from world2act_sim.expert_drawer import close_drawer, open_drawer
from world2act_sim.expert_push import push_aside
from world2act_sim.motion import CLOSE, OPEN, RETREAT_HEIGHT_M, Motion, ramp
from world2act_sim.tabletop_env import TABLE_HEIGHT
from world2act_sim.world import TabletopWorld

CARRY_BOTTOM_M = 0.10
LIFT_BOTTOM_M = 0.09
FINGER_CLEARANCE_M = 0.012
SLOTS_M = ((-0.036, 0.0), (0.036, 0.0), (0.0, 0.04), (0.0, -0.04))
"""Places in a container, relative to its middle, in the order of use: the fingers open along y, so neighbours along x
stay out of their way."""
SLOT_ROOM_M = 0.055


class ScriptedExpert:
    """Acts for one skill at a time. All positions are in the world frame, metres, until the action is made."""

    def __init__(self, world: TabletopWorld) -> None:
        self._world = world
        self._motion = Motion(world)
        self._home_axis = self._motion.home_axis

    def act(self, skill: Skill) -> FloatArray:
        """The action float32 [7] (contract units) that this skill needs now."""
        if skill.kind == "open":
            return open_drawer(self._motion)
        if skill.kind == "close":
            return close_drawer(self._motion)
        if skill.kind == "press":
            return press_button(self._motion)
        if skill.kind == "push":
            return push_aside(self._motion, skill)
        target = self._world.scene.bodies[skill.target]
        held = self._world.scene.grasped(skill.target)
        if skill.kind == "pick":
            return self._lift(target) if held else self._grasp(target)
        if self._delivered(skill, target):
            return self._let_go(target)
        return self._deliver(skill, target) if held else self._grasp(target)

    # Reaching and grasping

    def _grasp(self, target: SceneBody) -> FloatArray:
        data, position = self._world.data, self._motion.position()
        centre, top = target.centre(data), target.top(data)
        grasp_z = max(top - CATALOGUE[target.name].grasp_below_top, TABLE_HEIGHT + FINGER_CLEARANCE_M)
        axis, turn = self._closing_axis(target)
        error = float(np.linalg.norm(position[:2] - centre[:2]))
        apart = max(ramp(error, 0.008, 0.035), ramp(abs(turn), 0.1, 0.5))
        hover = top + 0.04 + 0.07 * ramp(error, 0.04, 0.12)
        height = grasp_z + apart * (hover - grasp_z)
        near = error < 0.012 and abs(turn) < 0.15 and position[2] - grasp_z < 0.010
        return self._motion.action(np.array([*centre[:2], height]), axis, CLOSE if near else OPEN)

    def _lift(self, target: SceneBody) -> FloatArray:
        rise = TABLE_HEIGHT + LIFT_BOTTOM_M - target.bottom(self._world.data)
        return self._motion.action(self._motion.position() + [0.0, 0.0, rise], self._motion.axis_now(), CLOSE)

    def _closing_axis(self, target: SceneBody) -> tuple[NDArray[np.float64], float]:
        """Horizontal axis [2] along which to close on the object, and the turn (rad) still needed to get there."""
        period = CATALOGUE[target.name].yaw_period
        home = float(np.arctan2(self._home_axis[1], self._home_axis[0]))
        now = self._motion.axis_now()
        if period == 0.0:
            angle = home
        else:
            rotation = target.rotation(self._world.data)
            short = rotation[:2, 1] if target.half_extents[1] <= target.half_extents[0] else rotation[:2, 0]
            base = self._world.to_base(self._world.to_world(np.zeros(3)) + [short[0], short[1], 0.0])
            angle = float(np.arctan2(base[1], base[0]))
            angle = home + (angle - home + period / 2.0) % period - period / 2.0
        turn = angle - float(np.arctan2(now[1], now[0]))
        return np.array([np.cos(angle), np.sin(angle)]), float((turn + np.pi) % (2 * np.pi) - np.pi)

    # Carrying and releasing

    def _deliver(self, skill: Skill, target: SceneBody) -> FloatArray:
        goal, floor, tolerance = self._goal(skill, target)
        data = self._world.data
        centre, bottom = target.centre(data), target.bottom(data)
        error = float(np.linalg.norm(centre[:2] - goal))
        approach = CARRY_BOTTOM_M + TABLE_HEIGHT if skill.kind == "place" else floor + 0.05
        carry = approach + max(0.0, 0.03 * ramp(error, 0.05, 0.12))
        height = floor + ramp(error, tolerance * 0.6, tolerance * 3.0) * (carry - floor)
        # Up first, sideways later: nothing on the way is swept off the table.
        low = ramp(carry - bottom, 0.02, 0.06) * ramp(error, 0.04, 0.08)
        sideways = (goal - centre[:2]) * (1.0 - low)
        ready = error < tolerance and bottom - floor < 0.008
        move = np.array([*sideways, height - bottom])
        return self._motion.action(self._motion.position() + move, self._home_axis, OPEN if ready else CLOSE)

    def _goal(self, skill: Skill, target: SceneBody) -> tuple[NDArray[np.float64], float, float]:
        """Where the object's middle goes (xy), how low its underside goes, and the horizontal tolerance."""
        scene = self._world.scene
        if skill.kind == "stack":
            support = scene.bodies[skill.support or ""]
            return support.centre(self._world.data)[:2], support.top(self._world.data) + 0.003, 0.007
        container = scene.containers[skill.support or ""]
        floor = container[2] + (0.045 if skill.support == "bin" else 0.018)
        return self._free_slot(container[:2], target), floor, 0.016

    def _free_slot(self, middle: NDArray[np.float64], target: SceneBody) -> NDArray[np.float64]:
        """The first place in the container where nothing lies yet, or the one farthest from what does."""
        scene, data = self._world.scene, self._world.data
        others = [scene.bodies[name].centre(data)[:2] for name in scene.present if name != target.name]
        slots = [middle + np.array(offset) for offset in SLOTS_M]
        room = [min((float(np.linalg.norm(slot - xy)) for xy in others), default=np.inf) for slot in slots]
        free = [slot for slot, distance in zip(slots, room, strict=True) if distance > SLOT_ROOM_M]
        return free[0] if free else slots[int(np.argmax(room))]

    def _delivered(self, skill: Skill, target: SceneBody) -> bool:
        """The object is where it belongs, whether or not the fingers still touch it."""
        goal, floor, _ = self._goal(skill, target)
        data = self._world.data
        if skill.kind == "stack":
            error = float(np.linalg.norm(target.centre(data)[:2] - goal))
            # What is still held can be moved; what stands there, if not quite in the middle, is better left alone.
            enough = 0.010 if self._world.scene.grasped(target.name) else 0.027
            return error < enough and -0.012 < target.bottom(data) - floor < 0.004
        centre = self._world.scene.containers[skill.support or ""]
        error = float(np.linalg.norm(target.centre(data)[:2] - centre[:2]))
        settled = 0.03 if skill.support == "bin" else 0.020
        return error < 0.075 and target.bottom(data) < TABLE_HEIGHT + settled

    def _let_go(self, target: SceneBody) -> FloatArray:
        position = self._motion.position()
        open_enough = not self._world.scene.grasped(target.name)
        height = TABLE_HEIGHT + RETREAT_HEIGHT_M if open_enough else position[2]
        return self._motion.action(np.array([*position[:2], height]), self._home_axis, OPEN)
