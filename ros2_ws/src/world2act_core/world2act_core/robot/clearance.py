"""Distances of an arm to itself and to the table: every pair of parts that could touch, near ones measured exactly."""

from __future__ import annotations

import mujoco
import numpy as np

from world2act_core.robot.model_file import TABLE
from world2act_core.robot.parts import CollisionSpec, ModelSpec

_NUDGE_M = 1e-6
_SMALLEST_LIMIT_M = 1e-3


class ClearanceCheck:
    """The pairs of geometries of one model, and how much farther apart they are than they have to be."""

    def __init__(self, model: mujoco.MjModel, spec: ModelSpec, margins: CollisionSpec) -> None:
        self._model = model
        pairs = [
            (first, second)
            for first in range(model.ngeom)
            for second in range(first + 1, model.ngeom)
            if _may_touch(model, spec, first, second)
        ]
        self._first, self._second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        table = [TABLE in (model.geom(first).name, model.geom(second).name) for first, second in pairs]
        self._margin = np.where(table, margins.table_margin, margins.self_margin)
        self._reach = model.geom_rbound[self._first] + model.geom_rbound[self._second]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs that are looked at, by name."""
        return [(self._name(a), self._name(b)) for a, b in zip(self._first, self._second, strict=True)]

    def smallest(self, data: mujoco.MjData, limit: float) -> tuple[float, str]:
        """Smallest distance beyond the pair's margin [m] below `limit` and between what; else (limit, "").

        Negative when a margin is not kept.
        """
        # Bounding spheres first, nearest first: a few pairs at most are worth the exact distance.
        between = data.geom_xpos[self._first] - data.geom_xpos[self._second]
        bound = np.sqrt(np.einsum("ij,ij->i", between, between)) - self._reach - self._margin
        best, names = limit, ""
        for index in np.argsort(bound):
            if bound[index] >= best:
                break
            first, second = int(self._first[index]), int(self._second[index])
            margin = float(self._margin[index])
            horizon = max(best + margin, _SMALLEST_LIMIT_M)
            distance = self._distance(data, first, second, horizon)
            # MuJoCo answers with the horizon itself when nothing is nearer. Less the margin that is `best` but for
            # rounding, which would give these two the blame for the pair that is nearest.
            if distance < horizon and distance - margin < best:
                best, names = distance - margin, f"{self._name(first)} and {self._name(second)}"
        return best, names

    def _distance(self, data: mujoco.MjData, first: int, second: int, limit: float) -> float:
        """Distance of two geometries [m], at most `limit`.

        One in a hundred times MuJoCo 3.9 answers exactly 0 for shapes that are centimetres apart; a micrometre to the
        side it does not. Shapes that do touch at distance 0 answer so from every side.
        """
        distance = mujoco.mj_geomDistance(self._model, data, first, second, limit, None)
        for axis in range(3):
            if distance != 0.0:
                break
            here = data.geom_xpos[first, axis]
            data.geom_xpos[first, axis] = here + _NUDGE_M
            distance = mujoco.mj_geomDistance(self._model, data, first, second, limit, None)
            data.geom_xpos[first, axis] = here
        return float(distance)

    def _name(self, geom: int) -> str:
        return part_name(self._model, geom)


def part_name(model: mujoco.MjModel, geom: int) -> str:
    """The table and boxes of the tool by their own name, links by that of their body."""
    name = model.geom(geom).name
    is_box = model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX
    return str(name if name and is_box else model.body(model.geom_bodyid[geom]).name)


def _may_touch(model: mujoco.MjModel, spec: ModelSpec, first: int, second: int) -> bool:
    bodies = [_rigid_root(model, int(model.geom_bodyid[geom])) for geom in (first, second)]
    if bodies[0] == bodies[1]:
        return False
    if TABLE in (model.geom(first).name, model.geom(second).name):
        # The first link cannot leave the base: whether it clears the table is decided when the arm is mounted.
        other = bodies[1] if model.geom(first).name == TABLE else bodies[0]
        return _rigid_root(model, int(model.body_parentid[other])) != 0
    for body, other in (bodies, bodies[::-1]):
        if _rigid_root(model, int(model.body_parentid[body])) == other:
            return False
    parts = [{part_name(model, geom), str(model.body(model.geom_bodyid[geom]).name)} for geom in (first, second)]
    return not any(
        one in names and other in others for names, others in (parts, parts[::-1]) for one, other in spec.ignore_pairs
    )


def _rigid_root(model: mujoco.MjModel, body: int) -> int:
    """The first body up the tree that `body` cannot move against: bodies without a joint belong to their parent."""
    return int(model.body_weldid[body])
