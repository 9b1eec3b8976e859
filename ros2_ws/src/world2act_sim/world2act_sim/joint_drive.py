"""The controller inside a simulated arm: motor torques that make the joints follow a position and a velocity."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_sim.arm_handles import ArmHandles

Vector = NDArray[np.float64]

BANDWIDTH_RAD_PER_S = 60.0
"""Natural frequency of the control error, critically damped; the servo loops of real arms are of this order (10 Hz)."""
MOTOR_RESERVE = 3.0
"""Links and rotors of robosuite's Panda are several times as heavy as a real arm's (7 kg m^2 about the first joint).
With the motors of the model alone it could not accelerate at 10 rad/s^2, which the real arm can."""


class JointDrive:
    """Computed torque on the arm's motors: gravity and inertia are compensated, the error decays like a damped spring.

    Torques are cut at MOTOR_RESERVE times what the model says, so a reference that no arm could follow is not followed.
    Changes the model for joint-level use: its motors lose their own limits, and the world its air. MuJoCo takes a
    body's drag from its inertia, and with robosuite's the hand would need 27 N m to turn with 2 rad/s.
    """

    def __init__(self, model: mujoco.MjModel, arm: ArmHandles, bandwidth: float = BANDWIDTH_RAD_PER_S) -> None:
        self._model, self._arm = model, arm
        self._stiffness, self._damping = bandwidth**2, 2.0 * bandwidth
        self._torque = MOTOR_RESERVE * np.abs(model.actuator_ctrlrange[arm.actuators]).max(axis=1)
        model.actuator_ctrllimited[arm.actuators] = 0
        model.opt.density = model.opt.viscosity = 0.0
        self._inertia = np.zeros((model.nv, model.nv))
        self._joints = np.ix_(arm.velocities, arm.velocities)

    def apply(self, data: mujoco.MjData, position: Vector, velocity: Vector) -> None:
        """Set the torques for one physics step towards joint position and velocity [N]; call after `mj_step1`."""
        arm = self._arm
        error = position - data.qpos[arm.positions]
        error_rate = velocity - data.qvel[arm.velocities]
        mujoco.mj_fullM(self._model, self._inertia, data.qM)
        inertia = self._inertia[self._joints]
        opposing = data.qfrc_bias[arm.velocities] - data.qfrc_passive[arm.velocities]
        torque = inertia @ (self._stiffness * error + self._damping * error_rate) + opposing
        data.ctrl[arm.actuators] = np.minimum(np.maximum(torque, -self._torque), self._torque)
