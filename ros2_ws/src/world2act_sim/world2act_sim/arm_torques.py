"""robosuite's operational-space controller, evaluated without looking everything up anew."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray
from robosuite.controllers.parts.arm.osc import OperationalSpaceController
from robosuite.utils.control_utils import nullspace_torques, opspace_matrices, orientation_error

Vector = NDArray[np.float64]


class ArmTorques:
    """What a robosuite `OperationalSpaceController` would answer, bit for bit, and sooner.

    `OperationalSpaceController.run_controller` finds sites by name and computes every Jacobian of the end effector and
    of the base twice, which was the most expensive part of an episode. Goals are still set with the controller itself.

    Raises ValueError for a controller that is configured otherwise than the Tabletop's: fixed gains, goals in the base
    frame, position and orientation decoupled, no interpolator.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, controller: OperationalSpaceController) -> None:
        expected = {
            "fixed gains": controller.impedance_mode == "fixed",
            "goals in the base frame": controller.input_ref_frame == "base",
            "position and orientation decoupled": controller.uncoupling,
            "no interpolator": controller.interpolator_pos is None and controller.interpolator_ori is None,
        }
        if missing := [name for name, there in expected.items() if not there]:
            raise ValueError(f"a controller without {', '.join(missing)} must be evaluated by robosuite itself")
        self._model, self._data, self._controller = model, data, controller
        self._tip = SiteMotion(model, data, controller.ref_name)
        self._base = SiteMotion(model, data, f"{controller.naming_prefix}{controller.part_name}_center")
        self._position = np.asarray(controller.qpos_index)
        self._velocity = np.asarray(controller.qvel_index)
        size = len(self._velocity)
        self._jacobian = np.zeros((3, size)), np.zeros((3, size)), np.zeros((6, size))
        self._mass = np.zeros((model.nv, model.nv))

    def compute(self) -> Vector:
        """Torques [N] of the arm's joints in N m towards the controller's goal, before the motors' limits."""
        model, data, controller, tip, base = self._model, self._data, self._controller, self._tip, self._base
        velocity, spin = tip.velocity()
        if not base.fixed:
            base_velocity, base_spin = base.velocity()
            velocity, spin = velocity - base_velocity, spin - base_spin
        position_error = base.position + np.dot(base.axes, controller.goal_pos) - tip.position
        rotation_error = orientation_error(np.dot(base.axes, controller.goal_ori), tip.axes)
        force = position_error * controller.kp[:3] - velocity * controller.kd[:3]
        torque = rotation_error * controller.kp[3:6] - spin * controller.kd[3:6]
        linear, angular, full = self._jacobian
        linear[:] = full[:3] = tip.linear[:, self._velocity]
        angular[:] = full[3:] = tip.angular[:, self._velocity]
        mujoco.mj_fullM(model, self._mass, data.qM)
        mass = self._mass[self._velocity, :][:, self._velocity]
        _, for_position, for_rotation, nullspace = opspace_matrices(mass, full, linear, angular)
        wrench = np.concatenate([np.dot(for_position, force), np.dot(for_rotation, torque)])
        joints, speeds = data.qpos[self._position], data.qvel[self._velocity]
        posture = nullspace_torques(mass, nullspace, controller.initial_joint, joints, speeds)
        return np.asarray(np.dot(full.T, wrench) + data.qfrc_bias[self._velocity] + posture)


class SiteMotion:
    """A site of the model: where it is in the world, and how joints move it.

    position: [3] metres; axes: [3, 3]; both are views that physics keeps up to date. linear, angular: [3, nv], its
    Jacobian at the last `velocity`. fixed: no joint moves it.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, name: str) -> None:
        self._model, self._data, self._id = model, data, int(model.site(name).id)
        self.position: Vector = data.site_xpos[self._id]
        self.axes: Vector = data.site_xmat[self._id].reshape(3, 3)
        self.linear, self.angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        self.fixed = bool(model.body_weldid[model.site_bodyid[self._id]] == 0)

    def velocity(self) -> tuple[Vector, Vector]:
        """(metres, radians) per second, [3] each, in the world frame."""
        mujoco.mj_jacSite(self._model, self._data, self.linear, self.angular, self._id)
        return np.dot(self.linear, self._data.qvel), np.dot(self.angular, self._data.qvel)
