"""An arm with its driver's controller, brakes and gripper, in the Tabletop world: joint-level control."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_sim.controllers import Controller
from world2act_sim.joint_drive import JointDrive
from world2act_sim.world import TabletopWorld

Vector = NDArray[np.float64]

CONTROL_DECIMATION = 2
"""Physics runs at 500 Hz; the arm's controller, which costs as much again, at 250 Hz."""
BRAKE_SHARE = 2.0
"""Brakes decelerate with this many times the acceleration limit: an emergency stop of category 1."""


class SimulatedArm:
    """Moves the arm of a world by a controller's reference, step by step of physics.

    gripper_speed: share of its whole way that the gripper moves in a second [1/s]. Time is the arm's own: it stands
    still while nobody calls `advance`.
    """

    def __init__(self, world: TabletopWorld, controller: Controller, gripper_speed: float = 1.0) -> None:
        self._model, self._data, self._arm = world.model, world.data, world.arm
        self._drive = JointDrive(world.model, world.arm)
        self.controller = controller
        self._gripper_speed = gripper_speed
        ranges = world.model.actuator_ctrlrange[world.arm.fingers]
        far = np.abs(ranges).argmax(axis=1)
        self._open = np.take_along_axis(ranges, far[:, None], axis=1)[:, 0]
        self._closed = np.take_along_axis(ranges, 1 - far[:, None], axis=1)[:, 0]
        self.restart()

    def restart(self) -> None:
        """After the world was reset: the controller stands where the arm is, the gripper opens, the brakes are free."""
        self.time_s = self._owed_s = 0.0
        self.stopped = False
        self._opening = self._wanted_opening = 1.0
        self.controller.restart(self.position)

    @property
    def position(self) -> Vector:
        """Measured joint positions [N], rad."""
        return self._data.qpos[self._arm.positions].copy()

    @property
    def velocity(self) -> Vector:
        """Measured joint velocities [N], rad/s."""
        return self._data.qvel[self._arm.velocities].copy()

    def set_gripper(self, opening: float) -> None:
        """Open the gripper to a share of its whole way: 1 open, 0 closed. Ignored while the arm is stopped."""
        if not self.stopped:
            self._wanted_opening = float(np.clip(opening, 0.0, 1.0))

    def stop(self) -> None:
        """Emergency stop: brake, whatever is commanded, until `release`."""
        self.stopped = True
        self._wanted_opening = self._opening

    def release(self) -> None:
        """Free the brakes; the arm stays where it is until it is commanded again."""
        if self.stopped:
            self.stopped = False
            self.controller.restart(self.controller.position)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, in whole periods of the arm's controller (4 ms); what is left over comes next time."""
        period_s = CONTROL_DECIMATION * self._model.opt.timestep
        self._owed_s += seconds
        while self._owed_s >= period_s:
            self._owed_s -= period_s
            self.time_s += period_s
            if self.stopped:
                self._brake(period_s)
            else:
                self.controller.advance(self.time_s, period_s)
            change = self._gripper_speed * period_s
            self._opening += min(max(self._wanted_opening - self._opening, -change), change)
            self._move()

    def _brake(self, period_s: float) -> None:
        controller = self.controller
        change = BRAKE_SHARE * controller.limits.acceleration * period_s
        controller.velocity = controller.velocity - np.clip(controller.velocity, -change, change)
        controller.position = controller.position + controller.velocity * period_s

    def _move(self) -> None:
        """One period of physics towards the controller's reference."""
        data = self._data
        data.ctrl[self._arm.fingers] = self._closed + self._opening * (self._open - self._closed)
        for step in range(CONTROL_DECIMATION):
            mujoco.mj_step1(self._model, data)
            if step == 0:
                self._drive.apply(data, self.controller.position, self.controller.velocity)
            mujoco.mj_step2(self._model, data)
