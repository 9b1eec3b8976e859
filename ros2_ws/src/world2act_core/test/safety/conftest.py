"""Two arms to test with: a planar one whose geometry is worked out by hand, and MuJoCo's Panda above a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np
import pytest
import robosuite

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.safety.types import Vector
from world2act_core.types import EefPose

PANDA = Path(robosuite.__file__).parent / "models/assets/robots/panda/robot.xml"


class PlanarArm:
    """Three links of 0.4, 0.3 and 0.2 m in the plane z = 0; the elbow is the second joint. A wall at x = `wall`."""

    joint_names = ("shoulder", "elbow", "wrist")
    lengths = np.array([0.4, 0.3, 0.2])

    def __init__(self, wall: float | None = None) -> None:
        self.wall = wall

    def points(self, position: Vector) -> Vector:
        """[3, 3]: elbow, wrist and end effector."""
        angles = np.cumsum(position)
        steps = self.lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles), np.zeros(3)])
        return np.cumsum(steps, axis=0)

    def forward(self, position: Vector) -> EefPose:
        return EefPose(self.points(position)[2], np.array([0.0, 0.0, 0.0, 1.0]))

    def hand_and_elbow(self, position: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
        elbow, _, hand = self.points(position).tolist()
        return tuple(hand), tuple(elbow)

    def jacobian(self, position: Vector) -> Vector:
        ends = self.points(position)
        lever = ends[2] - np.vstack([np.zeros(3), ends[:2]])
        jacobian = np.zeros((6, 3))
        jacobian[0], jacobian[1], jacobian[5] = -lever[:, 1], lever[:, 0], 1.0
        return jacobian

    def clearance(self, position: Vector, limit: float) -> tuple[float, str]:
        if self.wall is None:
            return limit, ""
        distance = self.wall - float(self.points(position)[:, 0].max())
        return min(distance, limit), "a link and the table"


class MujocoPanda:
    """robosuite's Panda before a table whose top is at the height of its foot."""

    def __init__(self, table_z: float = 0.0) -> None:
        spec = mujoco.MjSpec.from_file(str(PANDA))
        spec.worldbody.add_geom(
            name="table", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.4, 0.6, 0.05], pos=[0.7, 0.0, table_z - 0.05]
        )
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self._jacobian = np.zeros((6, self.model.nv))
        self.joint_names = tuple(self.model.joint(index).name for index in range(7))
        self._hand = self.model.body("right_hand").id
        self._elbow = self.model.body("link4").id
        self._pairs = list(self._far_pairs())

    def _far_pairs(self) -> Iterator[tuple[int, int]]:
        """Geoms that may touch: links at least three joints apart, and the table with everything above link 1."""
        solid = [geom for geom in range(self.model.ngeom) if self.model.geom_contype[geom]]
        for a, b in itertools.combinations(solid, 2):
            low, high = sorted((int(self.model.geom_bodyid[a]), int(self.model.geom_bodyid[b])))
            if high - low > 2 and not (low == 0 and high <= self.model.body("link1").id):
                yield a, b

    def _pose(self, position: Vector) -> None:
        self.data.qpos[:7] = position
        mujoco.mj_kinematics(self.model, self.data)

    def forward(self, position: Vector) -> EefPose:
        self._pose(position)
        x, y, z, w = 1, 2, 3, 0
        return EefPose(self.data.xpos[self._hand].copy(), self.data.xquat[self._hand][[x, y, z, w]])

    def hand_and_elbow(self, position: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
        self._pose(position)
        return tuple(self.data.xpos[self._hand].tolist()), tuple(self.data.xpos[self._elbow].tolist())

    def jacobian(self, position: Vector) -> Vector:
        self._pose(position)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_jacBody(self.model, self.data, self._jacobian[:3], self._jacobian[3:], self._hand)
        return self._jacobian[:, :7].copy()

    def clearance(self, position: Vector, limit: float) -> tuple[float, str]:
        self._pose(position)
        nearest, what = limit, ""
        for a, b in self._pairs:
            distance = mujoco.mj_geomDistance(self.model, self.data, a, b, nearest, None)
            if distance < nearest:
                nearest, what = distance, f"{self.model.geom(a).name} and {self.model.geom(b).name}"
        return nearest, what


@pytest.fixture(scope="session")
def planar_limits() -> JointLimits:
    three = np.ones(3)
    return JointLimits(PlanarArm.joint_names, -2.5 * three, 2.5 * three, 2.0 * three, 8.0 * three, 400.0 * three)


@pytest.fixture(scope="session")
def panda() -> MujocoPanda:
    return MujocoPanda()


@pytest.fixture(scope="session")
def panda_limits(panda: MujocoPanda) -> JointLimits:
    low, high = panda.model.jnt_range[:7].T
    velocity = np.array([2.175] * 4 + [2.61] * 3)
    return JointLimits(panda.joint_names, low, high, velocity, np.full(7, 10.0), np.full(7, 5000.0))


@pytest.fixture(scope="session")
def planar_arm() -> PlanarArm:
    return PlanarArm()
