"""Where the arm is in a compiled MuJoCo model: what joint-level control of it needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ArmHandles:
    """Addresses in MjModel and MjData. All but `fingers` are in the order of the arm's N joints.

    positions, velocities: [N] into qpos and qvel; actuators: [N] torque motors; fingers: actuators of the gripper, each
    a position servo; site: the end effector; base: the body that the base frame is fixed to; names: in the model.
    """

    names: tuple[str, ...]
    positions: Indices
    velocities: Indices
    actuators: Indices
    fingers: Indices
    site: int
    base: int

    @classmethod
    def of(cls, model: mujoco.MjModel, robot: Any) -> ArmHandles:
        """The handles of a robosuite robot with one arm."""
        actuators = robot._ref_actuators_indexes_dict
        return cls(
            names=tuple(robot.robot_joints),
            positions=np.array(robot._ref_joint_pos_indexes),
            velocities=np.array(robot._ref_joint_vel_indexes),
            actuators=np.array(actuators["right"]),
            fingers=np.array(actuators["right_gripper"]),
            site=int(robot.eef_site_id["right"]),
            base=int(model.body(robot.robot_model.root_body).id),
        )
