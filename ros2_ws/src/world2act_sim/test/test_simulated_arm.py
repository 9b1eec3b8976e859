"""The simulated arm follows what a driver is told, as fast as a real arm may be, and no other way."""

from __future__ import annotations

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from world2act_core.robot.joint_limits import JointLimits
from world2act_core.types import EefPose
from world2act_sim.cartesian_controllers import PoseController, TwistController
from world2act_sim.controllers import PositionController, TrajectoryController, VelocityController, Waypoint
from world2act_sim.simulated_arm import SimulatedArm
from world2act_sim.site_kinematics import SiteKinematics
from world2act_sim.world import TabletopWorld, WorldConfig

# The vendor's figures for the FR3.
FR3 = JointLimits(
    tuple(f"joint{number}" for number in range(1, 8)),
    np.array([-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159]),
    np.array([2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159]),
    np.array([2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26]),
    np.full(7, 10.0),
    np.full(7, 5000.0),
)
WAY = np.array([0.10, -0.06, 0.08, 0.12, -0.10, 0.07, 0.15])
PERIOD_S = 0.01


@pytest.fixture(scope="module")
def joint_world() -> Iterator[TabletopWorld]:
    """A world of its own: joint-level control takes the limits off the model's motors."""
    built = TabletopWorld(WorldConfig(render="none"))
    yield built
    built.close()


def arm_with(world: TabletopWorld, controller: PositionController | VelocityController | TrajectoryController):
    world.reset(3, render=False)
    return SimulatedArm(world, controller)


def rising(share: float) -> tuple[float, float, float]:
    """A smooth step from 0 to 1: position, velocity and acceleration at a share of its way (minimum jerk)."""
    position = share**3 * (10 - 15 * share + 6 * share**2)
    return position, 30 * share**2 * (1 - share) ** 2, 60 * share * (1 - share) * (1 - 2 * share)


@pytest.mark.parametrize("joint", range(7))
def test_each_joint_follows_at_the_limits_of_an_fr3(joint_world: TabletopWorld, joint: int) -> None:
    """Half a radian with 10 rad/s^2 at its peak: never farther behind than 10 mrad, and there in the end."""
    arm = arm_with(joint_world, TrajectoryController(FR3))
    begin = arm.position
    way = np.zeros(7)
    way[joint] = -0.5 if begin[joint] > 0 else 0.5
    duration_s = np.sqrt(5.7735 * 0.5 / 10.0)
    points = []
    for step in range(1, 41):
        position, velocity, _ = rising(step / 40)
        points.append(Waypoint(step / 40 * duration_s, begin + way * position, way * velocity / duration_s))
    arm.controller.command(points, arm.time_s)
    worst = 0.0
    while arm.time_s < duration_s:
        arm.advance(0.004)
        worst = max(worst, np.abs(arm.controller.position - arm.position).max())
    assert worst < 0.010
    arm.advance(0.3)
    assert arm.position == pytest.approx(begin + way, abs=5e-4)


def test_positions_are_followed_no_faster_than_the_joints_may(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, PositionController(FR3))
    goal = arm.position + 4 * WAY
    arm.controller.command(goal, arm.time_s)
    fastest = np.zeros(7)
    for _ in range(100):
        arm.advance(PERIOD_S)
        assert (np.abs(arm.controller.velocity) <= FR3.velocity).all()
        fastest = np.maximum(fastest, np.abs(arm.velocity))
    assert (fastest < 1.3 * FR3.velocity).all() and fastest.max() > 1.0
    assert arm.position == pytest.approx(goal, abs=1e-3)


def test_a_velocity_is_kept_until_it_is_too_old(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, VelocityController(FR3, timeout_s=0.1))
    begin = arm.position
    for _ in range(50):
        arm.controller.command(WAY, arm.time_s)
        arm.advance(PERIOD_S)
    # Half a second, less what speeding up costs: v^2 / 2a.
    assert arm.controller.position - begin == pytest.approx(0.5 * WAY, abs=0.002)
    arm.advance(0.08)
    assert np.abs(arm.velocity - WAY).max() < 0.02
    arm.advance(0.3)
    assert np.abs(arm.velocity).max() < 1e-3


def test_a_joint_ends_at_its_stop(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, VelocityController(FR3, timeout_s=np.inf))
    arm.controller.command(np.array([0, 0, 0, 0, 0, 0, 4.0]), arm.time_s)
    arm.advance(2.0)
    assert arm.position[6] == pytest.approx(FR3.position_high[6], abs=0.02) or arm.position[6] < FR3.position_high[6]
    assert arm.controller.position[6] == FR3.position_high[6] and arm.controller.velocity[6] == 0.0


def test_a_trajectory_ends_where_its_last_point_is_and_a_new_one_takes_over(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, TrajectoryController(FR3))
    begin = arm.position
    arm.controller.command([Waypoint(0.2, begin + WAY)], arm.time_s)
    arm.advance(0.1)
    assert arm.controller.position == pytest.approx(begin + WAY / 2, abs=0.004)  # the controller's period is 4 ms
    arm.controller.command([Waypoint(0.1, begin, np.zeros(7))], arm.time_s)
    arm.advance(0.5)
    assert arm.controller.position == pytest.approx(begin) and not arm.controller.velocity.any()
    assert arm.position == pytest.approx(begin, abs=1e-3)


def test_a_twist_moves_the_hand_along_the_axes_it_names(joint_world: TabletopWorld) -> None:
    kinematics = SiteKinematics(joint_world.model, joint_world.arm)
    for frame in ("base", "end_effector"):
        arm = arm_with(joint_world, TwistController(FR3, kinematics, 0.1, frame))
        before = joint_world.eef_pose()
        for _ in range(50):
            arm.controller.command(np.array([0, 0, -0.1, 0, 0, 0]), arm.time_s)
            arm.advance(PERIOD_S)
        arm.advance(0.5)
        mujoco.mj_forward(joint_world.model, joint_world.data)
        moved = joint_world.eef_pose().position - before.position
        down = np.array([0.0, 0.0, -1.0])
        along = down if frame == "base" else Rotation.from_quat(before.quaternion).apply(down)
        # 0.5 s and the time-out of 0.1 s, at 0.1 m/s.
        assert moved == pytest.approx(0.06 * along, abs=0.003), frame


def test_a_pose_is_reached(joint_world: TabletopWorld) -> None:
    kinematics = SiteKinematics(joint_world.model, joint_world.arm)
    arm = arm_with(joint_world, PoseController(FR3, kinematics))
    before = joint_world.eef_pose()
    turn = Rotation.from_rotvec([0, 0, 0.2]) * Rotation.from_quat(before.quaternion)
    arm.controller.go_to(EefPose(before.position + [0.04, -0.03, 0.05], turn.as_quat()))
    arm.advance(1.5)
    mujoco.mj_forward(joint_world.model, joint_world.data)
    after = joint_world.eef_pose()
    assert after.position - before.position == pytest.approx([0.04, -0.03, 0.05], abs=1e-3)
    assert (Rotation.from_quat(after.quaternion) * turn.inv()).magnitude() < 0.01


def test_brakes_stop_the_arm_whatever_it_is_told(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, VelocityController(FR3, timeout_s=np.inf))
    fast = np.array([1.0, 0, 0, 0, 0, 0, -2.0])
    arm.controller.command(fast, arm.time_s)
    arm.advance(0.4)
    assert np.abs(arm.velocity).max() > 1.5
    arm.stop()
    arm.advance(0.15)
    assert np.abs(arm.velocity).max() < 0.05, "2 rad/s at 20 rad/s^2 take 0.1 s"
    stood = arm.position
    arm.set_gripper(0.0)
    arm.controller.command(fast, arm.time_s)
    arm.advance(0.5)
    assert arm.position == pytest.approx(stood, abs=2e-3) and joint_world.gripper_width() > 0.07
    arm.release()
    arm.advance(0.3)
    assert arm.position == pytest.approx(stood, abs=2e-3), "released brakes are no command"


def test_the_gripper_takes_its_time(joint_world: TabletopWorld) -> None:
    arm = arm_with(joint_world, PositionController(FR3))
    arm.set_gripper(0.0)
    arm.advance(0.5)
    assert 0.02 < joint_world.gripper_width() < 0.06
    arm.advance(1.0)
    assert joint_world.gripper_width() < 0.005
    arm.set_gripper(1.0)
    arm.advance(1.5)
    assert joint_world.gripper_width() > 0.075


def test_kinematics_agree_with_the_world_and_with_finite_differences(joint_world: TabletopWorld) -> None:
    joint_world.reset(5, render=False)
    kinematics = SiteKinematics(joint_world.model, joint_world.arm)
    position = joint_world.observe(render=False).joint_position
    pose = kinematics.forward(position)
    assert pose.position == pytest.approx(joint_world.eef_pose().position, abs=1e-9)
    jacobian = kinematics.jacobian(position)
    for joint in range(7):
        step = np.zeros(7)
        step[joint] = 1e-6
        there = kinematics.forward(position + step)
        turn = Rotation.from_quat(there.quaternion) * Rotation.from_quat(pose.quaternion).inv()
        found = np.concatenate([there.position - pose.position, turn.as_rotvec()]) / 1e-6
        assert jacobian[:, joint] == pytest.approx(found, abs=1e-5)
