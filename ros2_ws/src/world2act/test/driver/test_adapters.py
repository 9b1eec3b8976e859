"""What each adapter puts into its message: order, units, hold, the last word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from trajectory_msgs.msg import JointTrajectory

from world2act.driver.arm_driver import ArmDriver
from world2act.driver.drift import ACCELERATION_SHARE, CLOSE, SPEED_SHARE, DriftCorrection
from world2act.driver.factory import make_adapter, open_driver
from world2act.driver.gripper import REPEAT_S, position_gripper, trajectory_gripper
from world2act.errors import ConfigurationError
from world2act.simulation.trajectory_input import read_trajectory
from world2act_core.robot.joint_motion import JointPoint
from world2act_core.robot.kinematics import MujocoArm

from .conftest import INTERFACES, profile_with

PROFILE = profile_with(INTERFACES["joint_trajectory"])
MODEL = MujocoArm(PROFILE)
HOME = PROFILE.home_position
VELOCITY = 0.5 * PROFILE.limits.velocity * np.array([1, -1, 1, -1, 1, -1, 1])
MOVING = JointPoint(HOME, VELOCITY, np.zeros(7))
RESTING = JointPoint.at_rest(HOME)


class Outbox:
    """Takes the place of a publisher."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def publish(self, message: Any) -> None:
        self.sent.append(message)


def adapter(name: str) -> Any:
    return make_adapter(profile_with(INTERFACES[name]), MODEL)


def test_a_trajectory_begins_with_the_motion_and_ends_at_rest() -> None:
    message = adapter("joint_trajectory").message(MOVING, 0.0, None, 5)
    assert tuple(message.joint_names) == PROFILE.joint_names and message.header.stamp.sec == 0
    points = read_trajectory(message, PROFILE.joint_names)  # with joint_trajectory_controller's refusals
    assert points[0].time_s == pytest.approx(0.02)
    assert points[0].position.tolist() == HOME.tolist() and points[0].velocity.tolist() == VELOCITY.tolist()
    assert len(points) > 2 and not points[-1].velocity.any()
    # v^2 / 2a, and a little for the jerk.
    way = VELOCITY * np.abs(VELOCITY) / (2 * PROFILE.limits.acceleration)
    assert points[-1].position - HOME == pytest.approx(way, rel=0.05)


def test_a_trajectory_of_positions_only_has_nothing_else() -> None:
    for motion in (MOVING, RESTING):
        for point in adapter("positions_only").message(motion, 0.0, None, 5).points:
            assert len(point.positions) == 7 and not point.velocities and not point.accelerations


def test_hold_is_one_point_at_rest() -> None:
    nearly = JointPoint(HOME, np.full(7, 5e-7), np.zeros(7))
    for motion in (RESTING, nearly):
        (point,) = adapter("joint_trajectory").message(motion, 0.0, None, 5).points
        assert not any(point.velocities) and not any(point.accelerations)


def test_forward_positions() -> None:
    assert list(adapter("forward_position").message(MOVING, 0.0, None, 5).data) == HOME.tolist()


def test_forward_velocities_fall_to_zero_with_the_motion_and_stay_there() -> None:
    sender = adapter("forward_velocity")
    slow = JointPoint(HOME, 0.01 * VELOCITY, np.zeros(7))
    assert list(sender.message(slow, 0.0, HOME, 5).data) == pytest.approx((0.01 * VELOCITY).tolist())
    for _ in range(5):
        data = list(sender.message(RESTING, 0.0, HOME + 0.9 * CLOSE, 5).data)
    assert data == [0.0] * 7


def test_forward_velocities_take_back_drift_inside_the_limits() -> None:
    sender = adapter("forward_velocity")
    limits = PROFILE.limits
    here, sent = HOME - 0.02, np.zeros(7)
    for _ in range(2000):
        data = np.array(sender.message(RESTING, 0.0, here, 5).data)
        assert (np.abs(data - sent) <= limits.acceleration * PROFILE.period_s + 1e-12).all()
        assert (np.abs(data) <= limits.velocity).all()
        here, sent = here + data * PROFILE.period_s, data
    assert np.abs(here - HOME).max() < 2 * CLOSE and not sent.any()


def test_a_motion_at_its_limits_is_never_pushed_beyond_them() -> None:
    sender = adapter("forward_velocity")
    full = JointPoint(HOME, PROFILE.limits.velocity, np.zeros(7))
    for _ in range(200):
        data = np.array(sender.message(full, 0.0, HOME - 0.5, 5).data)
        assert (np.abs(data) <= PROFILE.limits.velocity).all()
    assert data == pytest.approx(PROFILE.limits.velocity)


def test_a_drift_correction_begins_softly_and_stays_small() -> None:
    drift = DriftCorrection(2.0, np.ones(1), np.full(1, 10.0), 0.01)
    first = drift.next(np.array([1.0]), at_rest=False)
    assert first == pytest.approx(ACCELERATION_SHARE * 10.0 * 0.01)
    for _ in range(100):
        last = drift.next(np.array([1.0]), at_rest=False)
    assert last == pytest.approx(SPEED_SHARE)


def test_a_twist_is_the_velocity_of_the_end_effector() -> None:
    """Independent of the Jacobian: where the end effector is a microsecond later."""
    message = adapter("twist").message(MOVING, 0.0, HOME, 5)
    before, after = MODEL.forward(HOME), MODEL.forward(HOME + 1e-6 * VELOCITY)
    linear = (after.position - before.position) / 1e-6
    turn = Rotation.from_quat(after.quaternion) * Rotation.from_quat(before.quaternion).inv()
    part = message.twist
    assert [part.linear.x, part.linear.y, part.linear.z] == pytest.approx(linear, abs=1e-4)
    assert [part.angular.x, part.angular.y, part.angular.z] == pytest.approx(turn.as_rotvec() / 1e-6, abs=1e-4)
    assert message.header.frame_id == "base" and message.header.stamp.nanosec == 5
    hand = adapter("twist_of_the_hand").message(MOVING, 0.0, HOME, 5)
    assert hand.header.frame_id == "eef"
    there = Rotation.from_quat(before.quaternion).inv().apply(linear)
    assert [hand.twist.linear.x, hand.twist.linear.y, hand.twist.linear.z] == pytest.approx(there, abs=1e-4)


def test_a_twist_at_rest_is_zero() -> None:
    part = adapter("twist").message(RESTING, 0.0, HOME, 5).twist
    assert [part.linear.x, part.linear.y, part.linear.z, part.angular.x, part.angular.y, part.angular.z] == [0.0] * 6


def test_an_arm_command_is_the_pose_at_the_joints() -> None:
    message = adapter("arm_command").message(MOVING, 0.25, None, 5)
    pose = MODEL.forward(HOME)
    assert [message.pose.position.x, message.pose.position.y, message.pose.position.z] == pose.position.tolist()
    assert message.gripper == 0.25 and message.header.frame_id == "base"


@pytest.mark.parametrize("name", sorted(INTERFACES))
def test_the_last_word_is_to_stay(name: str) -> None:
    outbox = Outbox()
    driver = ArmDriver(adapter(name), outbox, None)
    driver.stop(1)
    assert outbox.sent == [], "nothing was commanded, so there is nothing to say"
    driver.send(MOVING, 1.0, HOME, 1)
    driver.stop(2)
    driver.stop(3)
    assert len(outbox.sent) == 2
    last = outbox.sent[-1]
    if name in ("joint_trajectory", "positions_only"):
        (point,) = last.points
        assert list(point.positions) == HOME.tolist() and not any(point.velocities)
    elif name == "forward_position":
        assert list(last.data) == HOME.tolist()
    elif name == "forward_velocity":
        assert list(last.data) == [0.0] * 7
    elif name == "arm_command":
        assert last.gripper == 1.0 and last.pose.position.x == MODEL.forward(HOME).position[0]
    else:
        assert last.twist.linear.x == last.twist.angular.z == 0.0


@pytest.mark.parametrize("name", ["forward_velocity", "twist", "twist_of_the_hand"])
def test_without_a_measured_position_velocities_end(name: str) -> None:
    """An error that is no longer measured never becomes smaller: to go on correcting it is to go on moving."""
    outbox = Outbox()
    driver = ArmDriver(adapter(name), outbox, None)
    for _ in range(300):
        driver.send(RESTING, None, HOME - 0.15, 1)

    def speed(message: Any) -> float:
        parts = message.data if name == "forward_velocity" else [message.twist.linear.x, message.twist.angular.z]
        return float(np.abs(parts).max())

    assert speed(outbox.sent[-1]) > 1e-3
    for _ in range(300):
        driver.send(RESTING, None, None, 1)
    assert speed(outbox.sent[-1]) == 0.0


def test_a_gripper_is_left_alone_until_somebody_says_what_it_is_to_do() -> None:
    outbox = Outbox()
    driver = ArmDriver(adapter("forward_position"), Outbox(), position_gripper(PROFILE.gripper, outbox))
    for gripper in (None, None, 1.0, 1.0):
        driver.send(RESTING, gripper, HOME, 1)
    assert [list(message.data) for message in outbox.sent] == [[0.0]]
    driver.start()
    driver.send(RESTING, None, HOME, 1)
    assert len(outbox.sent) == 1, "a restarted arm_commander does not open a hand that holds something"


def test_a_driver_that_holds_by_itself_is_told_once() -> None:
    for silent, expected in ((True, 3), (False, 6)):
        outbox = Outbox()
        driver = ArmDriver(adapter("forward_position"), outbox, None, silent_at_rest=silent)
        for motion in (MOVING, RESTING, RESTING, RESTING, RESTING, MOVING):
            driver.send(motion, 0.0, HOME, 1)
        assert len(outbox.sent) == expected


def test_a_gripper_is_told_changes_and_reminded() -> None:
    outbox = Outbox()
    gripper = position_gripper(PROFILE.gripper, outbox)
    for now_s, command in ((0.0, -1.0), (0.1, -1.0), (0.2, 1.0), (0.3, 1.0), (0.2 + REPEAT_S, 1.0)):
        gripper.send(command, now_s)
    assert [list(message.data) for message in outbox.sent] == [[0.08], [0.0], [0.0]]


def test_a_gripper_trajectory_takes_the_time_the_gripper_needs() -> None:
    outbox = Outbox()
    gripper = trajectory_gripper(PROFILE.gripper, outbox, "finger")
    gripper.send(-1.0, 0.0)
    gripper.send(1.0, 0.1)
    gripper.send(1.0, 5.0)
    closing, again = outbox.sent[1:]
    assert isinstance(closing, JointTrajectory) and list(closing.joint_names) == ["finger"]
    # 8 cm at 0.1 m/s; then there is no way left.
    assert read_trajectory(closing, ["finger"])[0].time_s == pytest.approx(0.8)
    assert read_trajectory(again, ["finger"])[0].time_s == pytest.approx(0.1)


class NodeWithoutRos:
    """What open_driver asks of a node."""

    def publisher(self, *_: Any) -> Outbox:
        return Outbox()


def test_a_gripper_action_without_its_package_says_what_to_do() -> None:
    spec = PROFILE.gripper.model_dump(mode="json")
    command = {"interface": "gripper_action", "topic": "hand/gripper_action"}
    profile = profile_with(INTERFACES["joint_trajectory"], gripper={**spec, "command": command})
    with pytest.raises(ConfigurationError, match="control_msgs.*What to do: install it"):
        open_driver(NodeWithoutRos(), profile, MODEL)
