"""The scripted `push`: an object along the table to the left or to the right."""

from __future__ import annotations

from world2act_core.skill import Skill
from world2act_core.types import FloatArray
from world2act_sim.bodies import SceneBody
from world2act_sim.catalogue import CATALOGUE
from world2act_sim.motion import Motion
from world2act_sim.shove import Shove, shove
from world2act_sim.sides import SIDE_LINE_M, SIDES
from world2act_sim.tabletop_env import TABLE_HEIGHT
from world2act_sim.world import TabletopWorld

BEYOND_M = 0.015
"""So far past the line the object is pushed."""
FINGERTIP_M = 0.014
"""Least height over the table at which the fingers push."""
PALM_M = 0.030
"""The palm, which is above the object, leaves the fingers this much below its top."""


def push_aside(motion: Motion, skill: Skill) -> FloatArray:
    """The action float32 [7] that pushes the target to its side now."""
    world = motion.world
    target, data = world.scene.bodies[skill.target], world.data
    middle, sign = target.centre(data), SIDES[skill.support or ""]
    return shove(
        motion,
        Shove(
            middle=middle,
            reach=_half_width(world, target),
            sign=sign,
            top=target.top(data),
            low=max(TABLE_HEIGHT + FINGERTIP_M, target.top(data) - PALM_M),
            remaining=SIDE_LINE_M + BEYOND_M - sign * float(middle[1]),
        ),
    )


def _half_width(world: TabletopWorld, target: SceneBody) -> float:
    """Half the object's extent along y as it lies now, metres."""
    if CATALOGUE[target.name].yaw_period == 0.0:
        return target.footprint_radius
    return float(abs(target.rotation(world.data)[1]) @ target.half_extents)
