"""Where each object of the scene lives in the MuJoCo model, and its geometry."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from world2act_sim.catalogue import CATALOGUE
from world2act_sim.tabletop_env import TabletopEnv

HIDDEN_GROUP = 5
PARKED_DAMPING = 100.0


@dataclass
class SceneBody:
    """One object or container.

    body: MuJoCo body id; qpos, qvel: addresses of its free joint (-1 when fixed); geoms: ids of its colliding geoms;
    visuals: ids of the geoms that are drawn; low, high: corners of its bounding box in the body frame (m).
    """

    name: str
    body: int
    qpos: int
    qvel: int
    geoms: NDArray[np.int64]
    visuals: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    dof_damping: float = 0.0

    @property
    def lowest(self) -> float:
        """Height in metres of the object's underside over its body origin when it stands upright."""
        return float(self.low[2])

    @property
    def half_extents(self) -> NDArray[np.float64]:
        """Half the bounding box, metres."""
        return (self.high - self.low) / 2.0

    @property
    def footprint_radius(self) -> float:
        """Radius in metres of the circle around the object seen from above."""
        half = self.half_extents
        return float(max(half[:2]) if self._is_round else np.hypot(half[0], half[1]))

    @property
    def _is_round(self) -> bool:
        return self.name in CATALOGUE and CATALOGUE[self.name].yaw_period == 0.0

    def rotation(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Rotation matrix [3, 3] of the body in the world frame."""
        return data.xmat[self.body].reshape(3, 3)

    def centre(self, data: mujoco.MjData) -> NDArray[np.float64]:
        """Middle of the bounding box, world frame, metres."""
        return data.xpos[self.body] + self.rotation(data) @ ((self.low + self.high) / 2.0)

    def vertical_half_extent(self, data: mujoco.MjData) -> float:
        """Half the object's height as it lies now, metres."""
        if self.name == "orange ball":
            return float(self.half_extents[2])
        return float(np.abs(self.rotation(data)[2]) @ self.half_extents)

    def bottom(self, data: mujoco.MjData) -> float:
        """Height of the lowest point, world frame, metres."""
        return float(self.centre(data)[2]) - self.vertical_half_extent(data)

    def top(self, data: mujoco.MjData) -> float:
        """Height of the highest point, world frame, metres."""
        return float(self.centre(data)[2]) + self.vertical_half_extent(data)

    def speed(self, data: mujoco.MjData) -> float:
        """Linear speed in m/s."""
        return float(np.linalg.norm(data.qvel[self.qvel : self.qvel + 3]))

    def set_active(self, model: mujoco.MjModel, active: bool) -> None:
        """Make the object part of the world, or invisible, untouchable and (by damping) nearly motionless."""
        model.geom_contype[self.geoms] = int(active)
        model.geom_conaffinity[self.geoms] = int(active)
        model.geom_group[self.visuals] = 1 if active else HIDDEN_GROUP
        model.dof_damping[self.qvel : self.qvel + 6] = self.dof_damping if active else PARKED_DAMPING

    def measure(self, model: mujoco.MjModel) -> None:
        """Take the bounding box from the model's geoms (again, after their sizes were changed)."""
        corners = np.concatenate([_corners(model, int(geom)) for geom in self.geoms])
        self.low, self.high = corners.min(axis=0), corners.max(axis=0)


def find_bodies(env: TabletopEnv) -> dict[str, SceneBody]:
    """All objects and containers of the environment's model by name."""
    model = env.mj_model
    found = {}
    for name, item in {**env.objects, **env.containers}.items():
        body = model.body(item.root_body).id
        ids = np.flatnonzero(model.geom_bodyid == body)
        joint = int(model.body_jntadr[body])
        scene_body = SceneBody(
            name=name,
            body=body,
            qpos=int(model.jnt_qposadr[joint]) if joint >= 0 else -1,
            qvel=int(model.jnt_dofadr[joint]) if joint >= 0 else -1,
            geoms=ids[model.geom_group[ids] == 0],
            visuals=ids[model.geom_group[ids] == 1],
            low=np.zeros(3),
            high=np.zeros(3),
            dof_damping=float(model.dof_damping[model.jnt_dofadr[joint]]) if joint >= 0 else 0.0,
        )
        scene_body.measure(model)
        found[name] = scene_body
    _steady_ball(model, found["orange ball"])
    return found


def _steady_ball(model: mujoco.MjModel, ball: SceneBody) -> None:
    """Give the ball rolling friction, so that it rests where it is put."""
    model.geom_condim[ball.geoms] = 6
    model.geom_friction[ball.geoms] = [1.0, 0.02, 0.004]


def _corners(model: mujoco.MjModel, geom: int) -> NDArray[np.float64]:
    """Points [N, 3] in the body frame that span a geom."""
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        start = model.mesh_vertadr[mesh]
        points = model.mesh_vert[start : start + model.mesh_vertnum[mesh]].astype(np.float64)
    else:
        centre, half = model.geom_aabb[geom][:3], model.geom_aabb[geom][3:]
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
        points = centre + signs * half
    return points @ rotation.reshape(3, 3).T + model.geom_pos[geom]
