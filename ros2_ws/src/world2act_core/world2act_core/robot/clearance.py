"""Distances of an arm to itself and to the table: every pair of parts that could touch, near ones measured exactly."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

from world2act_core.robot.arm_model import JointValues, Vector
from world2act_core.robot.model_file import TABLE
from world2act_core.robot.pair_bounds import PairBounds
from world2act_core.robot.pair_levers import pair_levers
from world2act_core.robot.parts import CollisionSpec, ModelSpec

_NUDGE_M = 1e-6
_SMALLEST_LIMIT_M = 1e-3
_SLOPE_LIMIT_M = 0.05
_LOOK_M = 1.0
"""How much farther than asked for a pair is measured, so that its answer lasts for a while."""
_FEW = 8
"""Distances that are measured sooner than it is worked out which of them could be too small."""


class ClearanceCheck:
    """The pairs of geometries of one model, and how much farther apart they are than they have to be.

    What was once measured for a pair bounds its distance nearby (`bounds`): mostly one or two pairs are left that are
    worth another exact distance.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, spec: ModelSpec, margins: CollisionSpec) -> None:
        """data: what is moved; `smallest` answers for where its geometries are at that time."""
        self._model, self._data = model, data
        pairs = [
            (first, second)
            for first in range(model.ngeom)
            for second in range(first + 1, model.ngeom)
            if _may_touch(model, spec, first, second)
        ]
        self._first, self._second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        table = [TABLE in (model.geom(first).name, model.geom(second).name) for first, second in pairs]
        wide = [margins.table_margin if of_table else margins.self_margin for of_table in table]
        self._pairs = [(first, second, margin) for (first, second), margin in zip(pairs, wide)]
        self.pairs = [(part_name(model, first), part_name(model, second)) for first, second in pairs]
        """The pairs that are looked at, by name."""
        self.bounds = PairBounds(pair_levers(model, pairs))

    def smallest(self, position: Vector, limit: float) -> tuple[float, str]:
        """Smallest distance beyond the pair's margin [m] below `limit` and between what; else (limit, "").

        position: [N], where the data is. Negative when a margin is not kept.
        """
        best, nearest = self._nearest(position, limit)
        return (best, " and ".join(self.pairs[nearest])) if nearest >= 0 else (limit, "")

    def slope(self, position: Vector) -> Vector:
        """[N] m/rad: how `smallest` changes with each joint; zeros when nothing is within `_SLOPE_LIMIT_M`.

        position: [N], where the data is, velocities included (`mj_comPos`). By the Jacobians of the two nearest points.
        """
        spare, pair = self._nearest(position, _SLOPE_LIMIT_M)
        if pair < 0:
            return np.zeros(self._model.nv)
        first, second, margin = self._pairs[pair]
        ends, slope = np.zeros(6), np.zeros(self._model.nv)
        # Not looking farther than needed: see `_measure`.
        farthest = max(spare + margin, 0.0) + _SMALLEST_LIMIT_M
        distance = self._distance(first, second, farthest, ends)
        if distance == 0.0:  # the points coincide, and have no direction
            return slope
        towards = (ends[3:] - ends[:3]) / distance
        jacobian = np.zeros((3, self._model.nv))
        for geom, point, sign in ((first, ends[:3], -1.0), (second, ends[3:], 1.0)):
            mujoco.mj_jac(self._model, self._data, jacobian, None, point, int(self._model.geom_bodyid[geom]))
            slope += sign * (towards @ jacobian)
        return slope

    def _nearest(self, position: Vector, limit: float) -> tuple[float, int]:
        """Smallest distance beyond the pair's margin [m] below `limit`, and the pair; (limit, -1) if there is none."""
        near, _ = self.bounds.look(np.stack([position, position]), limit)
        best, nearest = limit, -1
        for bound, pair in sorted((float(self.bounds.bounds[pair]), pair) for pair in near):
            if bound >= best:
                break
            spare = self._measure(pair, position, best)
            if spare < best:
                best, nearest = spare, pair
        return best, nearest

    def clear_between(
        self,
        here: JointValues,
        there: JointValues,
        span: Vector,
        limit: float,
        move: Callable[[JointValues], None],
    ) -> bool:
        """Whether every pair is surely `limit` or more beyond its margin while the joints are in a span [2, N].

        Pairs that could be nearer are measured at `here`, to which `move` brings the data, and if that is not enough at
        `there`. Where there is none, one that is due is measured, so that not all of them fall due in the same period.
        """
        near, due = self.bounds.look(span, limit)
        if not near and not due:
            return True
        move(here)
        for pair in near or due:
            self.bounds.remember(pair, here, self._spare(pair, _LOOK_M))
        if near:
            near, _ = self.bounds.look(span, limit)
        if not near:
            return True
        # Each end bounds the distance at a position between them; the mean of both bounds needs but half of the turns
        # from one end by that position to the other, at most `both`.
        both = [max(b - h + abs(b - t), h - a + abs(t - a)) for h, t, a, b in zip(here, there, *span.tolist())]
        move(there)
        for pair in near:
            if self.bounds.known[pair] + self._spare(pair, _LOOK_M) - self.bounds.travel(pair, both) < 2 * limit:
                return False
        return True

    def first_near(self, positions: Vector, limit: float, move: Callable[[JointValues], None]) -> int:
        """Index of the first of joint positions [S, N] with a pair less than `limit` beyond its margin; else S.

        move: brings the data to joint positions [N].
        """
        near, _ = self.bounds.look(np.stack([positions.min(0), positions.max(0)]), limit)
        if not near:
            return len(positions)
        if len(near) * len(positions) <= _FEW:
            return self._first_measured_near(near, positions, limit, move)
        doubtful = np.array(near)
        # What is measured where the way begins, less how far both parts move from there, mostly leaves enough.
        data = self._data
        centres = np.empty((len(positions), *data.geom_xpos.shape))
        axes = np.empty((len(positions), *data.geom_xmat.shape))
        for index in range(len(positions) - 1, -1, -1):  # so that the data is at the first in the end
            move(positions[index])
            centres[index], axes[index] = data.geom_xpos, data.geom_xmat
        for pair in near:
            if (self.bounds.known_at[pair] != positions[0]).any():  # else it was just measured
                self.bounds.remember(pair, positions[0], self._spare(pair, _LOOK_M))
        moved = self._moved(centres, axes)
        left = self.bounds.known[doubtful] - moved[:, self._first[doubtful]] - moved[:, self._second[doubtful]] < limit
        for index in np.flatnonzero(left.any(-1)).tolist():
            move(positions[index])
            if any(self._spare(pair, limit) < limit for pair in doubtful[left[index]].tolist()):
                return int(index)
        return len(positions)

    def _first_measured_near(
        self, pairs: list[int], positions: Vector, limit: float, move: Callable[[JointValues], None]
    ) -> int:
        """The same for these pairs, by measuring each at every one of the positions."""
        for index, position in enumerate(positions):
            if index == 0 and all(self._is_known(pair, position, limit) for pair in pairs):
                continue
            move(position)
            if any(self._spare(pair, limit) < limit for pair in pairs):
                return index
        return len(positions)

    def _is_known(self, pair: int, position: Vector, limit: float) -> bool:
        """Whether a pair was measured at joint positions [N] and found `limit` or more beyond its margin."""
        return bool(self.bounds.known[pair] >= limit and (self.bounds.known_at[pair] == position).all())

    def _moved(self, centres: Vector, axes: Vector) -> Vector:
        """[S, G] m: at most so far is any point of a geometry from where it was in the first of S postures."""
        shift, turn = centres - centres[0], axes - axes[0]
        # The spectral norm of a difference of rotations is its Frobenius norm by the square root of two.
        turned = np.sqrt(np.einsum("sgi,sgi->sg", turn, turn) / 2)
        moved: Vector = np.sqrt(np.einsum("sgi,sgi->sg", shift, shift)) + turned * self._model.geom_rbound
        return moved

    def _measure(self, pair: int, position: Vector, limit: float) -> float:
        """Distance of a pair beyond its margin [m] when it is below `limit`, else any number that is not."""
        # What looks farther is at times too small, never too large: good enough for a bound, not for an answer.
        spare = self._spare(pair, limit + _LOOK_M)
        self.bounds.remember(pair, position, spare)
        return spare if spare >= limit else self._spare(pair, limit)

    def _spare(self, pair: int, limit: float) -> float:
        """Distance of a pair beyond its margin [m] when it is below `limit`, else any number that is not."""
        first, second, margin = self._pairs[pair]
        farthest = max(limit + margin, _SMALLEST_LIMIT_M)
        distance = self._distance(first, second, farthest)
        # Beyond, the answer is `farthest`, of which rounding could leave less than the limit.
        return distance - margin if distance < farthest else max(limit, farthest - margin)

    def _distance(self, first: int, second: int, limit: float, ends: Vector | None = None) -> float:
        """Distance of two geometries [m], at most `limit`; into `ends` [6] go the two nearest points.

        One in a hundred times MuJoCo 3.9 answers exactly 0 for shapes that are centimetres apart; a micrometre to the
        side it does not. Shapes that do touch at distance 0 answer so from every side.
        """
        data = self._data
        distance = mujoco.mj_geomDistance(self._model, data, first, second, limit, ends)
        for axis in range(3):
            if distance != 0.0:
                break
            here = data.geom_xpos[first, axis]
            data.geom_xpos[first, axis] = here + _NUDGE_M
            distance = mujoco.mj_geomDistance(self._model, data, first, second, limit, ends)
            data.geom_xpos[first, axis] = here
        return float(distance)


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
