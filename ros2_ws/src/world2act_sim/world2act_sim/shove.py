"""Pushing something along the table with closed fingers: shared by `push` and `close`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from world2act_core.types import FloatArray
from world2act_sim.motion import CLOSE, OPEN, RETREAT_HEIGHT_M, Motion, ramp
from world2act_sim.tabletop_env import TABLE_HEIGHT

BEHIND_M = 0.045
"""From the face that is pushed to where the fingers come down."""


@dataclass(frozen=True)
class Shove:
    """What is pushed along y, and how far; world frame, metres.

    middle: its middle [3]; reach: from there to the face that is pushed; sign: of the direction; top: of what must be
    cleared on the way; low: fingertip height while pushing; remaining: distance to go, 0 or less when done.
    """

    middle: NDArray[np.float64]
    reach: float
    sign: float
    top: float
    low: float
    remaining: float


def shove(motion: Motion, thing: Shove) -> FloatArray:
    """The action that pushes `thing` now: over to behind it, down, along, then back and up."""
    position = motion.position()
    gap = thing.sign * float(thing.middle[1] - position[1]) - thing.reach
    if thing.remaining <= 0.0:
        return _back_off(motion, thing, gap)
    aside = abs(float(position[0] - thing.middle[0]))
    opened = ramp(motion.world.gripper_width(), 0.012, 0.03)
    wrong = max(ramp(aside, 0.012, 0.035), ramp(0.008 - gap, 0.0, 0.015), opened)
    hover = thing.top + 0.05
    behind = np.array([thing.middle[0], thing.middle[1] - thing.sign * (thing.reach + BEHIND_M)])
    low_enough = position[2] < thing.low + 0.02
    if wrong > 0.3 or not low_enough:
        height = thing.low + max(wrong, ramp(float(np.linalg.norm(position[:2] - behind)), 0.015, 0.05)) * (
            hover - thing.low
        )
        # Up first: fingers that stand beside or around the thing would take it along.
        stuck = ramp(hover - float(position[2]), 0.02, 0.05) * ramp(wrong, 0.5, 0.9)
        goal = np.array([*(position[:2] + (1.0 - stuck) * (behind - position[:2])), height])
        around = gap < 0.0 and position[2] < thing.top + 0.02
        return motion.action(goal, motion.home_axis, OPEN if around else CLOSE)
    # Round things roll off the fingers: slower while these are not in the middle.
    step = min(0.6 * thing.remaining + 0.008, 0.022) * (1.0 - 0.8 * ramp(aside, 0.003, 0.012))
    return motion.action(
        np.array([thing.middle[0], position[1] + thing.sign * step, thing.low]), motion.home_axis, CLOSE
    )


def _back_off(motion: Motion, thing: Shove, gap: float) -> FloatArray:
    """Away from the face that was pushed, then up."""
    position = motion.position()
    free = ramp(gap, 0.025, 0.04)
    height = position[2] + free * (TABLE_HEIGHT + RETREAT_HEIGHT_M - position[2])
    back = 0.0 if position[2] > thing.top + 0.02 else 0.03 * (1.0 - free)
    return motion.action(np.array([position[0], position[1] - thing.sign * back, height]), motion.home_axis, CLOSE)
