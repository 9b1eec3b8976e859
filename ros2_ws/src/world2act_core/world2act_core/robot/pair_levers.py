"""How much two parts of an arm can come nearer to each other while its joints turn."""

from __future__ import annotations

import mujoco
import numpy as np

from world2act_core.robot.arm_model import Vector

_SLIDE = mujoco.mjtJoint.mjJNT_SLIDE
_HINGE = mujoco.mjtJoint.mjJNT_HINGE
UNBOUNDED_M = 1e12
"""Finite: no turn times infinity would be no number, and no number is below any limit."""


def pair_levers(model: mujoco.MjModel, pairs: list[tuple[int, int]]) -> Vector:
    """[P, N] m per rad (or per m), for pairs of geometries of a model.

    The distance of pair p shrinks by at most the sum over n of lever[p, n] * |turn n|.

    Joints turned one after the other: each turns what hangs on it about its axis, so no point of it moves farther than
    the turn times its distance from that axis; and for a pair of which both parts hang on the joint, or none, nothing
    changes. That distance is bounded by the stretched chain, for every posture. Where a sliding joint can stretch the
    chain, or the joint is of another kind, the lever is UNBOUNDED_M: nothing is promised once it has moved.
    """
    reach = np.array([[_reach(model, joint, geom) for joint in range(model.njnt)] for geom in range(model.ngeom)])
    one, other = reach[[first for first, _ in pairs]], reach[[second for _, second in pairs]]
    levers: Vector = np.where((one > 0) != (other > 0), np.maximum(one, other), 0.0)
    return levers


def point_levers(model: mujoco.MjModel, points: list[tuple[int, Vector]]) -> Vector:
    """[N] m per rad (or per m): no point moves farther than the sum over n of lever[n] * |turn n|.

    points: body and place on it [3] m. Where nothing is promised, the lever is UNBOUNDED_M.
    """
    return np.array(
        [max(_distance(model, joint, body, _length(at)) for body, at in points) for joint in range(model.njnt)]
    )


def _reach(model: mujoco.MjModel, joint: int, geom: int) -> float:
    """Largest distance [m] of a point of the geometry from the joint's axis; 0 when it does not hang on the joint."""
    length = _length(model.geom_pos[geom]) + float(model.geom_rbound[geom])
    return _distance(model, joint, int(model.geom_bodyid[geom]), length)


def _distance(model: mujoco.MjModel, joint: int, body: int, length: float) -> float:
    """The same for a point at most `length` [m] from the origin of a body."""
    carrier = int(model.jnt_bodyid[joint])
    stretches = False
    while body not in (carrier, 0):
        length += _length(model.body_pos[body])
        for between in _joints(model, body):
            # Turning about a point beside the body's origin moves the origin.
            length += 2 * _length(model.jnt_pos[between])
            stretches |= model.jnt_type[between] != _HINGE
        body = int(model.body_parentid[body])
    if body != carrier:
        return 0.0
    others = [between for between in _joints(model, carrier) if between != joint]
    if model.jnt_type[joint] == _SLIDE:
        return 1.0
    if stretches or others or model.jnt_type[joint] != _HINGE:
        return UNBOUNDED_M
    return length + _length(model.jnt_pos[joint])


def _joints(model: mujoco.MjModel, body: int) -> range:
    start = int(model.body_jntadr[body])
    return range(start, start + int(model.body_jntnum[body]))


def _length(vector: Vector) -> float:
    return float(np.linalg.norm(vector))
