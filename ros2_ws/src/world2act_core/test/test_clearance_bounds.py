"""The distances that are skipped, against measuring every pair every time."""

from __future__ import annotations

from functools import cache

import mujoco
import numpy as np
import pytest

from world2act_core.robot.find import find_profile
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.pair_levers import UNBOUNDED_M, pair_levers
from world2act_core.safety.types import Vector

ARMS = ("fr3", "xarm7", "ur5e")


@cache
def arm_of(name: str) -> MujocoArm:
    return MujocoArm(find_profile(name))


class Plain:
    """Measures every pair of an arm each time, with data of its own."""

    def __init__(self, arm: MujocoArm) -> None:
        self.model, self.data = arm.model, mujoco.MjData(arm.model)
        self.pairs, self.names = arm._clearance._pairs, arm.pairs

    def all(self, position: Vector, limit: float) -> list[tuple[float, str]]:
        """Distances beyond the margins, nearest first, those below `limit` only."""
        self.data.qpos[:] = position
        mujoco.mj_kinematics(self.model, self.data)
        found = []
        for (first, second, margin), names in zip(self.pairs, self.names):
            distance = self._distance(first, second, limit + margin)
            if distance < limit + margin:
                found.append((distance - margin, " and ".join(names)))
        return sorted(found)

    def _distance(self, first: int, second: int, limit: float) -> float:
        """MuJoCo's search makes up a distance of 0 now and then; a micrometre aside it does not."""
        found = []
        for nudge in np.vstack([np.zeros(3), 1e-6 * np.eye(3)]):
            self.data.geom_xpos[first] += nudge
            found.append(mujoco.mj_geomDistance(self.model, self.data, first, second, limit, None))
            self.data.geom_xpos[first] -= nudge
            if found[-1] != 0.0:
                break
        return max(found)


def walks(name: str, count: int, steps: int, seed: int = 0) -> list[Vector]:
    """Random walks [steps, N] of an arm; each begins somewhere else."""
    limits, home = find_profile(name).limits, find_profile(name).home_position
    rng = np.random.default_rng(seed)
    starts = [0.5 * home + 0.5 * rng.uniform(limits.position_low, limits.position_high) for _ in range(count)]
    ways = [start + np.cumsum(np.tile(rng.normal(0, 0.02, len(home)), (steps, 1)), axis=0) for start in starts]
    return [np.clip(way, limits.position_low, limits.position_high) for way in ways]


@pytest.mark.parametrize("name", ARMS)
def test_the_smallest_distance_is_that_of_all_pairs(name: str) -> None:
    arm = arm_of(name)
    plain, near = Plain(arm), 0
    for way in walks(name, 12, 25):
        for position in way:
            for limit in (0.1, 0.001):
                distance, what = arm.clearance(position, limit)
                found = plain.all(position, limit)
                near += bool(found)
                least = found[0][0] if found else limit
                assert distance == pytest.approx(least, abs=1e-6)
                if found and (len(found) == 1 or found[1][0] > least + 1e-6):
                    assert what == found[0][1]
                elif not found:
                    assert what == ""
    assert near > 20


@pytest.mark.parametrize("name", ARMS)
def test_the_first_position_that_is_near_is_found(name: str) -> None:
    arm, plain, limit = arm_of(name), Plain(arm_of(name)), 0.02
    hits = 0
    for way in walks(name, 40, 15, seed=1):
        # As the way's first pose has been measured before, in the filter.
        arm.clearance(way[0], limit + 0.1)
        near = [bool(plain.all(position, limit)) for position in way]
        first = arm.first_near(way, limit)
        hits += 0 < first < len(way)
        assert first == next((index for index, hit in enumerate(near) if hit), len(way))
    assert hits > 0


@pytest.mark.parametrize("name", ARMS)
def test_where_all_is_clear_nothing_is_near(name: str) -> None:
    arm, plain, limit = arm_of(name), Plain(arm_of(name)), 0.002
    one_ended = MujocoArm(find_profile(name))
    rng, answers, with_one_end = np.random.default_rng(3), [], []
    for way in walks(name, 40, 15, seed=4):
        for begin in range(0, len(way) - 3, 3):
            part = way[begin : begin + 4]
            low, high = span = np.stack([part.min(0), part.max(0)])
            answers.append(arm.clear_between(part[0], part[-1], span, limit))
            with_one_end.append(one_ended.clear_between(part[0], part[0], span, limit))
            if answers[-1]:
                between = rng.uniform(low, high, (6, len(low)))
                assert not any(plain.all(position, limit) for position in (*part, low, high, *between))
    assert any(answers) and not all(answers)
    assert all(answer >= one for answer, one in zip(answers, with_one_end)) and sum(answers) > sum(with_one_end)


@pytest.mark.parametrize("name", ARMS)
def test_end_effector_and_elbow_move_no_farther_than_their_levers_say(name: str) -> None:
    arm, rng, used = arm_of(name), np.random.default_rng(5), 0.0
    limits = find_profile(name).limits
    for _ in range(300):
        before, after = rng.uniform(limits.position_low, limits.position_high, (2, limits.size))
        after = before + rng.uniform(0, 1) * (after - before)
        ends = [np.array(arm.hand_and_elbow(position)) for position in (before, after)]
        moved, allowed = np.linalg.norm(ends[1] - ends[0], axis=1).max(), arm.levers @ np.abs(after - before)
        assert moved <= allowed + 1e-9
        used = max(used, moved / allowed)
    assert used > 0.2 and arm.levers[-1] < 0.5 * arm.levers[0], "a bound that is never nearly reached says nothing"


@pytest.mark.parametrize("name", ARMS)
def test_no_two_points_come_nearer_than_the_levers_say(name: str) -> None:
    model, rng = arm_of(name).model, np.random.default_rng(2)
    pairs = [(first, second) for first, second, _ in arm_of(name)._clearance._pairs]
    levers, limits = pair_levers(model, pairs), find_profile(name).limits
    data = mujoco.MjData(model)

    def distances(position: Vector, points: Vector) -> Vector:
        data.qpos[:] = position
        mujoco.mj_kinematics(model, data)
        placed = data.geom_xpos + np.einsum("gij,gj->gi", data.geom_xmat.reshape(-1, 3, 3), points)
        return np.array([np.linalg.norm(placed[first] - placed[second]) for first, second in pairs])

    used = 0.0
    for _ in range(300):
        before, after = rng.uniform(limits.position_low, limits.position_high, (2, limits.size))
        after = before + rng.uniform(0, 1) * (after - before)
        directions = rng.normal(size=(model.ngeom, 3))
        points = model.geom_rbound[:, None] * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        change = np.abs(distances(after, points) - distances(before, points))
        allowed = levers @ np.abs(after - before)
        assert (change <= allowed + 1e-9).all()
        used = max(used, float((change / np.maximum(allowed, 1e-9)).max()))
    assert 0.3 < used <= 1.0 + 1e-6, "a bound that is never nearly reached says nothing"


def test_parts_that_move_together_have_no_lever_and_the_last_joint_moves_the_hand() -> None:
    arm = arm_of("fr3")
    levers = dict(zip(arm.pairs, arm._clearance.bounds.levers))
    own = levers["link2", "fingers"]
    assert own[:2].max() == 0 < own[2:].min(), "both hang on the first two joints"
    table = levers["table", "fingers"]
    assert (table > 0).all() and table[0] >= table[3] >= table[6], "the farther down the chain, the shorter the lever"


def test_the_pair_that_is_named_is_the_nearest() -> None:
    """The second nearest pair, 66 mm farther apart, was named once: by a rounding of its limit."""
    arm = arm_of("xarm7")
    position = np.array([-0.36539042, 0.36539042, 0.36539042, 0.85983071, -0.36539042, 1.41360087, -0.36539042])
    for limit in (0.101, 0.001):
        distance, what = arm.clearance(position, limit)
        assert what == "table and fingers" and distance == pytest.approx(-0.00089, abs=1e-5)


def test_a_sliding_joint_shifts_by_as_much_and_promises_nothing_above_it() -> None:
    model = mujoco.MjModel.from_xml_string("""<mujoco><worldbody><geom name="floor" type="box" size="1 1 .1"/>
      <body name="a" pos="0 0 1"><joint name="turn"/><geom size=".1"/>
        <body name="b" pos="1 0 0"><joint name="slide" type="slide" axis="1 0 0"/><geom size=".1"/>
          <body name="c" pos="1 0 0"><joint name="wrist"/><geom size=".1" pos=".5 0 0"/></body></body></body>
      </worldbody></mujoco>""")
    levers = pair_levers(model, [(0, 1), (0, 2), (0, 3), (1, 3)])
    np.testing.assert_allclose(levers[0], [0.1, 0.0, 0.0])
    np.testing.assert_allclose(levers[1], [UNBOUNDED_M, 1.0, 0.0])
    np.testing.assert_allclose(levers[2], [UNBOUNDED_M, 1.0, 0.6])
    np.testing.assert_allclose(levers[3], [0.0, 1.0, 0.6])
    assert np.isfinite(levers * 0.0).all()
