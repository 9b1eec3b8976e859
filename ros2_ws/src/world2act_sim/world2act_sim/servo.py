"""The simulated arm with a faster command input: a new target every few milliseconds instead of every 0.1 s."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from world2act_core.pose import MAX_ROTATION_RAD, MAX_TRANSLATION_M, action_between
from world2act_core.types import ArmTarget
from world2act_sim.world import TabletopWorld, WorldObservation

SERVO_HZ = 100


class CartesianServo:
    """Drives a world at SERVO_HZ, from its last reset on; `world.step` is not to be mixed in.

    The arm's operational-space controller is evaluated twice per command (in `world.step` every 8 ms). It pulls towards
    the target as a critically damped spring does, so the arm follows a moving target about 0.14 s late. A target counts
    as at most 5 cm and 0.5 rad (per component) from the measured pose, as in `world.step`.
    """

    def __init__(self, world: TabletopWorld) -> None:
        self._world = world
        self._ticks = 0
        self._substeps = round(1.0 / (SERVO_HZ * world.model.opt.timestep))

    @property
    def time_s(self) -> float:
        """Seconds since this servo was made."""
        return self._ticks / SERVO_HZ

    def step(self, target: ArmTarget) -> None:
        """One servo period towards `target`."""
        world = self._world
        action = action_between(world.eef_pose(), target.pose, target.gripper).astype(np.float64)
        action[:3] /= MAX_TRANSLATION_M
        action[3:6] /= MAX_ROTATION_RAD
        world._advance(action, self._substeps)
        self._ticks += 1

    def observe(self, render: bool = True) -> WorldObservation:
        """The present state, with pictures unless `render` is False."""
        return replace(self._world.observe(render), time_s=self.time_s)
