from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.robot import find
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.profile import ProfileError, RobotProfile

ARMS = ("fr3", "ur5e", "xarm7")


@cache
def find_profile(name: str) -> RobotProfile:
    """Read once: the YAML of a profile takes longer to read than hundreds of ticks."""
    return find.find_profile(name)


@cache
def arm_of(name: str) -> MujocoArm:
    """Models are compiled once for all tests: nothing in them changes an answer."""
    return MujocoArm(find_profile(name))


def with_changes(name: str, **parts: dict[str, Any]) -> RobotProfile:
    """A shipped profile with fields of its parts replaced."""
    data = find_profile(name).model_dump()
    for part, fields in parts.items():
        data[part] |= fields
    return RobotProfile.model_validate(data)


def configurations(name: str, count: int) -> np.ndarray:
    limits = find_profile(name).limits
    return np.random.default_rng(3).uniform(limits.position_low, limits.position_high, (count, limits.size))


def franka_hand(position: np.ndarray) -> np.ndarray:
    """The frame of Franka's hand by the vendor's Denavit-Hartenberg table (Craig), 4 x 4, independent of any model."""
    a = [0, 0, 0, 0.0825, -0.0825, 0, 0.088, 0]
    d = [0.333, 0, 0.316, 0, 0.384, 0, 0, 0.107]
    alpha = np.array([0, -1, 1, 1, -1, 1, 1, 0]) * np.pi / 2
    result = np.eye(4)
    for row, theta in enumerate([*position, -np.pi / 4]):
        step = np.eye(4)
        step[:3, :3] = (Rotation.from_euler("x", alpha[row]) * Rotation.from_euler("z", theta)).as_matrix()
        step[:3, 3] = Rotation.from_euler("x", alpha[row]).apply([0, 0, d[row]]) + [a[row], 0, 0]
        result = result @ step
    return result


def test_the_fr3_agrees_with_the_vendors_denavit_hartenberg_table() -> None:
    arm = arm_of("fr3")
    for position in configurations("fr3", 20):
        hand = franka_hand(position)
        pose = arm.forward(position)
        # robosuite's hand sits half a millimetre lower; the end effector is 97 mm in front, turned by -90 degrees.
        np.testing.assert_allclose(pose.position, hand[:3, 3] + hand[:3, 2] * 0.097, atol=6e-4)
        turned = Rotation.from_matrix(hand[:3, :3]) * Rotation.from_euler("z", -np.pi / 2)
        assert (Rotation.from_quat(pose.quaternion).inv() * turned).magnitude() < 2e-3


def test_the_elbow_of_a_straight_fr3() -> None:
    np.testing.assert_allclose(arm_of("fr3").hand_and_elbow(np.zeros(7))[1], [0.0825, 0.0, 0.649], atol=1e-6)


@pytest.mark.parametrize("name", ARMS)
def test_the_jacobian_is_the_derivative_of_the_pose(name: str) -> None:
    arm, step = arm_of(name), 1e-6
    for position in configurations(name, 5):
        jacobian = arm.jacobian(position)
        for joint in range(len(position)):
            there, back = position.copy(), position.copy()
            there[joint] += step
            back[joint] -= step
            after, before = arm.forward(there), arm.forward(back)
            linear = (after.position - before.position) / (2 * step)
            turn = Rotation.from_quat(after.quaternion) * Rotation.from_quat(before.quaternion).inv()
            np.testing.assert_allclose(jacobian[:3, joint], linear, atol=1e-6)
            np.testing.assert_allclose(jacobian[3:, joint], turn.as_rotvec() / (2 * step), atol=1e-6)


@pytest.mark.parametrize("name", ARMS)
def test_at_home_every_arm_keeps_its_own_margins(name: str) -> None:
    profile, arm = find_profile(name), arm_of(name)
    distance, between = arm.clearance(profile.home_position, 0.05)
    assert distance > max(profile.collision.self_margin, profile.collision.table_margin), between
    box, pose = profile.workspace, arm.forward(profile.home_position)
    assert np.all(pose.position > box.low) and np.all(pose.position < box.high)


def lowest_corner(name: str, position: np.ndarray) -> float:
    """Height of the lowest corner of the tool's boxes in the base frame, from the pose and the profile alone."""
    pose, spec = arm_of(name).forward(position), find_profile(name).model
    assert spec is not None
    to_hand = Rotation.from_quat(pose.quaternion) * Rotation.from_quat(spec.eef_offset.quaternion).inv()
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
    boxes = [np.array(box.centre) + signs * np.array(box.size) / 2 - spec.eef_offset.position for box in spec.tool]
    return float((pose.position + to_hand.apply(np.concatenate(boxes)))[:, 2].min())


@pytest.mark.parametrize("gap", [0.012, 0.003, -0.004])
def test_the_distance_to_the_table_is_that_of_the_lowest_corner(gap: float) -> None:
    home = find_profile("fr3").home_position
    arm = MujocoArm(with_changes("fr3", workspace={"table_height": lowest_corner("fr3", home) - gap}))
    distance, between = arm.clearance(home, 0.015)
    assert between == "table and fingers" and distance == pytest.approx(gap - 0.003, abs=1e-6)


def test_parts_that_are_far_apart_are_not_blamed_for_the_nearest() -> None:
    """A hand one millimetre into the table's margin; rounding once made that the base and the forearm."""
    profile = find_profile("sim_panda")
    arm = MujocoArm(profile)
    rng = np.random.default_rng(0)
    down = np.array([0.1812, 0.7452, 0.0008, -2.5562, 0.0421, 3.1662, 0.9093])
    near = [arm.clearance(down + rng.uniform(-3e-3, 3e-3, 7), 0.05) for _ in range(300)]
    assert sum(distance < 0 for distance, _ in near) > 30
    assert {between for _, between in near} == {"table and fingers"}


def test_no_distance_to_the_table_is_made_up() -> None:
    """MuJoCo's own search says 0 for one in a hundred of these postures, which would stop the arm in mid-air."""
    home, generator = find_profile("fr3").home_position, np.random.default_rng(0)
    low, high = find_profile("fr3").limits.position_low, find_profile("fr3").limits.position_high
    measured = 0
    for _ in range(1500):
        position = np.clip(home + generator.normal(0.0, 0.25, 7), low, high)
        distance, between = arm_of("fr3").clearance(position, 0.05)
        if between in ("table and fingers", "table and hand"):
            measured += 1
            assert distance == pytest.approx(lowest_corner("fr3", position) - 0.003, abs=1e-5)
    assert measured > 300


def test_a_folded_arm_touches_itself_and_neighbours_do_not_count() -> None:
    arm = arm_of("fr3")
    folded = np.array([0.0, 0.0, 0.0, -3.0, 0.0, 0.6, 0.8])
    distance, between = arm.clearance(folded, 0.05)
    assert distance < -0.003 and between == "link2 and fingers"
    assert not {("link4", "link5"), ("link7", "hand"), ("table", "link0"), ("table", "link1")} & set(arm.pairs)
    assert ("link5", "fingers") in arm.pairs and ("table", "fingers") in arm.pairs
    assert not {("link5", "link7"), ("link5", "hand"), ("link2", "link5")} & set(arm.pairs), "the profile says so"
    everything = MujocoArm(with_changes("fr3", model={"ignore_pairs": []}))
    ignoring = MujocoArm(with_changes("fr3", model={"ignore_pairs": [["link7", "link5"], ["hand", "link5"]]}))
    assert set(everything.pairs) - set(ignoring.pairs) == {("link5", "link7"), ("link5", "hand")}


def test_beyond_the_limit_nothing_is_measured() -> None:
    arm = arm_of("fr3")
    assert arm.clearance(find_profile("fr3").home_position, 0.01) == (0.01, "")


def test_no_call_changes_the_answer_of_another() -> None:
    arm = arm_of("fr3")
    first, second = configurations("fr3", 2)
    before = arm.jacobian(first), arm.forward(first).position, arm.clearance(first, 0.2)
    arm.clearance(second, 0.2), arm.jacobian(second), arm.hand_and_elbow(second)
    np.testing.assert_array_equal(arm.jacobian(first), before[0])
    np.testing.assert_array_equal(arm.forward(first).position, before[1])
    assert arm.clearance(first, 0.2) == before[2]


def test_limits_are_the_profiles_and_not_the_models() -> None:
    arm = arm_of("fr3")  # the model is a Panda's
    np.testing.assert_array_equal(arm.model.jnt_range[:, 0], find_profile("fr3").limits.position_low)


@pytest.mark.parametrize("position", [np.zeros(6), np.full(7, np.nan), np.zeros((1, 7))])
def test_a_position_of_the_wrong_kind_is_refused(position: np.ndarray) -> None:
    with pytest.raises(ValueError, match="need 7 finite joint positions for .*fr3_joint1"):
        arm_of("fr3").forward(position)


def test_without_a_model_it_is_refused() -> None:
    with pytest.raises(ProfileError, match="robot profile so101: kinematics needs a MuJoCo model.*model.mjcf"):
        MujocoArm(find_profile("so101"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mjcf": "robosuite:pando"}, "robosuite has no such arm; it has: .*panda"),
        ({"mjcf": "/nowhere/arm.xml"}, "there is no file /nowhere/arm.xml"),
        ({"elbow_body": "elbow"}, "model.elbow_body 'elbow' is not in robosuite:panda; its bodies are: .*link4"),
        ({"ignore_pairs": [["link5", "link9"]]}, "ignore_pairs.0 'link9'"),
    ],
)
def test_what_the_model_lacks_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        MujocoArm(with_changes("fr3", model=fields))


def test_joints_that_the_model_lacks_or_has_in_another_order() -> None:
    names = {f"fr3_joint{number}": f"joint{number}" for number in range(1, 8)}
    with pytest.raises(ProfileError, match="model.joints names axis1, not in robosuite:panda; its joints are: joint1"):
        MujocoArm(with_changes("fr3", model={"joints": names | {"fr3_joint1": "axis1"}}))
    swapped = names | {"fr3_joint1": "joint2", "fr3_joint2": "joint1"}
    with pytest.raises(ProfileError, match="must be in the model's order, from the base to the hand"):
        MujocoArm(with_changes("fr3", model={"joints": swapped}))


def test_files_that_are_no_models_of_the_arm(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody><body name='a'><geom size='-1'/></body></worldbody>")
    with pytest.raises(ProfileError, match="broken.xml is not a usable MuJoCo model"):
        MujocoArm(with_changes("fr3", model={"mjcf": str(broken)}))


def test_a_model_with_joints_beyond_the_arms(tmp_path: Path) -> None:
    data = find_profile("fr3").model_dump()
    data["joints"], data["home"] = data["joints"][:6], data["home"][:6]
    data["model"]["joints"].pop("fr3_joint7")
    with pytest.raises(
        ProfileError, match="has 7 joints, 7 coordinates; the profile has 6 joints. Use a model of the arm"
    ):
        MujocoArm(RobotProfile.model_validate(data))


def test_a_users_own_model_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "arm.xml").write_text(
        """<mujoco><worldbody><body name="base"><geom size=".05"/>
        <body name="upper" pos="0 0 .3"><joint name="lift" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 .3 0 0" size=".03"/>
        <body name="lower" pos=".3 0 0"><joint name="bend" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 .2 0 0" size=".02"/>
        </body></body></body></worldbody></mujoco>"""
    )
    data = find_profile("fr3").model_dump()
    data["joints"] = [data["joints"][index] | {"name": name} for index, name in ((0, "a"), (1, "b"))]
    data["home"] = [0.0, 0.0]
    data["model"] = {
        "mjcf": str(tmp_path / "arm.xml"), "elbow_body": "lower", "eef_body": "lower",
        "eef_offset": {"position": [0.2, 0.0, 0.0]}, "joints": {"a": "lift", "b": "bend"},
    }  # fmt: skip
    arm = MujocoArm(RobotProfile.model_validate(data))
    np.testing.assert_allclose(arm.forward(np.zeros(2)).position, [0.5, 0.0, 0.3], atol=1e-9)
    np.testing.assert_allclose(arm.forward(np.array([0.0, np.pi / 2])).position, [0.3, 0.0, 0.1], atol=1e-9)
    distance, between = arm.clearance(np.array([0.0, np.pi / 2]), 0.5)
    assert between == "table and lower" and distance == pytest.approx(0.1 - 0.02 - 0.003, abs=1e-5), "beyond the margin"
