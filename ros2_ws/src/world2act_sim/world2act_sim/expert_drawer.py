"""The scripted `open` (pull the handle) and `close` (push it with closed fingers) of the drawer."""

from __future__ import annotations

import numpy as np

from world2act_core.types import FloatArray
from world2act_sim.fixtures import DRAWER_CLOSED_M, DRAWER_OPEN_M, Drawer, FixtureError
from world2act_sim.motion import CLOSE, OPEN, RETREAT_HEIGHT_M, Motion, ramp
from world2act_sim.shove import Shove, shove
from world2act_sim.tabletop_env import TABLE_HEIGHT

CLEAR_M = 0.03
"""The fingertips are so far above the handle before the hand turns or travels sideways."""


def open_drawer(motion: Motion) -> FloatArray:
    """The action float32 [7] that opens the drawer now."""
    world, drawer = motion.world, _drawer(motion)
    data, position = world.data, motion.position()
    handle = drawer.handle(data)
    top = float(handle[2] + drawer.handle_half_extents[2])
    across = np.array([motion.home_axis[1], -motion.home_axis[0]])
    if drawer.opening(data) > DRAWER_OPEN_M + 0.01:
        held = world.scene.gripper.touches(data, drawer.geoms)
        height = position[2] if held else TABLE_HEIGHT + RETREAT_HEIGHT_M
        axis = motion.home_axis if position[2] > top + CLEAR_M else across
        return motion.action(np.array([*position[:2], height]), axis, OPEN)
    if world.scene.gripper.holds(data, drawer.handle_geoms):
        step = min(0.6 * (DRAWER_OPEN_M + 0.02 - drawer.opening(data)) + 0.01, 0.03)
        return motion.action(np.array([handle[0], position[1] - step, handle[2]]), across, CLOSE)
    error = float(np.linalg.norm(position[:2] - handle[:2]))
    now = motion.axis_now()
    turn = float(np.arctan2(now[0] * across[1] - now[1] * across[0], now @ across))
    apart = max(ramp(error, 0.008, 0.035), ramp(abs(turn), 0.1, 0.5))
    hover = top + CLEAR_M + 0.04 * ramp(error, 0.04, 0.12)
    height = float(handle[2]) + apart * (hover - float(handle[2]))
    near = error < 0.012 and abs(turn) < 0.15 and position[2] - handle[2] < 0.010
    return motion.action(np.array([*handle[:2], height]), across, CLOSE if near else OPEN)


def close_drawer(motion: Motion) -> FloatArray:
    """The action float32 [7] that closes the drawer now."""
    drawer = _drawer(motion)
    handle = drawer.handle(motion.world.data)
    _, reach, half_height = drawer.handle_half_extents
    return shove(
        motion,
        Shove(
            middle=handle,
            reach=float(reach),
            sign=1.0,
            top=float(handle[2] + half_height),
            low=float(handle[2]),
            remaining=drawer.opening(motion.world.data) - DRAWER_CLOSED_M / 2,
        ),
    )


def _drawer(motion: Motion) -> Drawer:
    drawer = motion.world.scene.fixtures.drawer
    if drawer is None:
        raise FixtureError("this world has no drawer; make it with WorldConfig(fixtures=('drawer',))")
    return drawer
