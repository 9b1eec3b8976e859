"""Every command interface, from a joint motion to the arm and back, through real ROS 2."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from std_msgs.msg import Bool

from world2act.driver.eef_pose import EefPoseSource
from world2act.episode import Episode, EpisodeRequest
from world2act_core.robot.joint_motion import JointPoint
from world2act_interfaces.srv import ResetEpisode

from .conftest import INTERFACES, Bench, profile_with

MakeBench = Callable[..., Bench]
WAY = np.array([0.10, -0.06, 0.08, 0.12, -0.10, 0.07, 0.15])
"""A different way for each joint, so that two that are mixed up show."""


@pytest.mark.parametrize("name", ["joint_trajectory", "positions_only", "forward_position", "forward_velocity"])
def test_each_joint_goes_where_it_is_told_and_the_referee_has_nothing_to_say(name: str, bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES[name]))
    goal = made.move(WAY)
    report = made.fresh_report()
    assert report["commands"]["violations"] == [] and report["commands"]["restarts"] == 0
    assert report["commands"]["commands"] > 10 and report["ignored"] == 0
    assert report["commands"]["last_motion_s"] is not None and report["arm"]["worst_velocity"] > 0.02
    # Hold: commands go on, the arm stays.
    made.ros.spin(0.3)
    assert made.arm.meters.age_s("command") < 5.0
    assert np.abs(made.commander.measured - goal).max() < 0.005


def test_commands_that_were_sent_too_soon_are_found_and_those_that_only_waited_are_not(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    sender, referee = made.commander, made.arm.parts.referee
    made.move(0.1 * WAY)
    sender.sending = False

    def send(way: np.ndarray, pause_s: float) -> None:
        made.ros.spin(0.6)
        seen = referee.findings.commands
        sender.move_by(way, speed=0.9)
        motions, sender.motions = sender.motions[:40], sender.motions[39:40]
        for motion in motions:
            sender.driver.send(motion, sender.gripper, sender.measured, time.time_ns())
            time.sleep(pause_s)
        assert made.ros.until(lambda: referee.findings.commands == seen + 40)

    send(4 * WAY, sender.profile.period_s)  # nobody listened meanwhile: they are received all at once
    assert referee.findings.violations == [] and referee.findings.pace == 1.0
    sender.motions = [JointPoint.at_rest(sender.measured)]
    send(-4 * WAY, 0.0)
    assert {found.quantity for found in referee.findings.violations} >= {"velocity", "acceleration", "jerk"}
    assert referee.findings.pace < 0.5


@pytest.mark.parametrize("name", ["twist", "twist_of_the_hand", "arm_command"])
def test_the_end_effector_goes_where_the_joints_would_bring_it(name: str, bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES[name]))
    sender = made.commander
    goal = sender.model.forward(sender.move_by(0.5 * WAY, speed=0.3))

    def arrived() -> bool:
        here = sender.model.forward(sender.measured)
        turned = 2 * np.arccos(min(1.0, abs(float(here.quaternion @ goal.quaternion))))
        return len(sender.motions) == 1 and np.linalg.norm(here.position - goal.position) < 0.004 and turned < 0.02

    assert made.ros.until(arrived, 60.0)


def test_when_the_sender_dies_a_trajectory_ends_at_rest(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    sender = made.commander
    sender.move_by(4 * WAY)
    assert made.ros.until(lambda: float(np.abs(sender.motions[0].velocity).max()) > 0.3)
    sender.sending = False
    controller = made.arm.parts.input.controller
    made.ros.spin(0.3)  # what is on its way still arrives
    assert made.ros.until(lambda: not controller.velocity.any())
    stood = controller.position
    made.ros.spin(0.2)
    assert np.abs(made.arm.parts.arm.velocity).max() < 0.05
    assert controller.position == pytest.approx(stood)
    assert made.fresh_report()["commands"]["violations"] == []


def test_a_velocity_that_nobody_repeats_times_out(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["forward_velocity"]), command_timeout=0.2)
    sender = made.commander
    sender.move_by(4 * WAY)
    assert made.ros.until(lambda: float(np.abs(sender.motions[0].velocity).max()) > 0.3)
    sender.sending = False
    assert made.ros.until(lambda: np.abs(sender.states[-1].velocity[:7]).max() < 0.01)


def test_deactivation_leaves_the_arm_where_it_was_commanded(bench: MakeBench) -> None:
    for name in ("joint_trajectory", "forward_velocity"):
        made = bench(profile_with(INTERFACES[name]))
        goal = made.move(WAY)
        made.commander.sending = False
        made.commander.driver.stop(stamp_ns=1)
        made.ros.spin(0.3)
        assert np.abs(made.commander.measured - goal).max() < 0.005
        assert np.abs(made.commander.states[-1].velocity[:7]).max() < 0.01
        for node in (made.arm, made.commander):
            node.trigger_deactivate()


def test_the_emergency_stop_brakes_and_commands_must_begin_anew(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    sender, arm = made.commander, made.arm
    sender.move_by(4 * WAY)
    assert made.ros.until(lambda: np.abs(arm.parts.arm.velocity).max() > 0.3)
    sender.e_stop.publish(Bool(data=True))
    assert made.ros.until(lambda: arm.parts.arm.stopped)
    assert made.ros.until(lambda: np.abs(sender.states[-1].velocity[:7]).max() < 0.01)
    assert arm.condition.name == "EMERGENCY_STOP" and made.ros.until(lambda: sender.report["stopped"])
    stood = sender.measured
    seen = sender.report["commands"]["commands"]
    assert made.ros.until(lambda: sender.report["commands"]["commands"] > seen), "the referee goes on"
    assert made.ros.until(lambda: len(sender.motions) == 1), "the sender does not know and goes on"
    assert np.abs(sender.measured - stood).max() < 0.005
    sender.e_stop.publish(Bool(data=False))
    assert made.ros.until(lambda: arm.condition.name == "COMMAND_STARTS_ELSEWHERE")
    assert np.abs(sender.measured - stood).max() < 0.005
    sender.motions = []  # begin at the measured position again
    assert made.ros.until(lambda: arm.condition.name == "")
    made.move(0.3 * WAY)


def test_after_a_reset_old_commands_are_ignored(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    made.move(2 * WAY)
    sender = made.commander
    client = sender.create_client(ResetEpisode, "reset_episode")
    assert made.ros.until(client.service_is_ready)
    answer = client.call_async(ResetEpisode.Request(seed=4, instruction="pick up the red cube"))
    assert made.ros.until(answer.done)
    result = answer.result()
    assert result.ok and result.instruction == "pick up the red cube" and "red cube" in result.objects
    assert made.ros.until(lambda: made.arm.condition.name == "COMMAND_STARTS_ELSEWHERE")
    assert made.ros.until(lambda: sender.report["ignored"] > 0)
    assert sender.report["commands"]["violations"] == []
    sender.motions = []
    assert made.ros.until(lambda: made.arm.condition.name == "")
    refused = client.call_async(ResetEpisode.Request(seed=4, instruction="juggle"))
    assert made.ros.until(refused.done) and not refused.result().ok
    assert "nothing was changed" in refused.result().message


@pytest.mark.parametrize(
    "gripper",
    [
        {"interface": "forward_position", "topic": "hand/commands"},
        {"interface": "joint_trajectory", "topic": "hand/joint_trajectory", "joint": "finger_joint1"},
    ],
)
def test_the_gripper_closes_and_opens(gripper: dict[str, str], bench: MakeBench) -> None:
    profile = profile_with(INTERFACES["joint_trajectory"])
    spec = {**profile.gripper.model_dump(mode="json"), "command": gripper}
    made = bench(profile_with(INTERFACES["joint_trajectory"], gripper=spec))
    reading = lambda: sum(made.commander.states[-1].position[7:])  # noqa: E731
    for command, done in ((1.0, lambda: reading() < 0.01), (-1.0, lambda: reading() > 0.07)):
        made.commander.gripper = command
        assert made.ros.until(done, 30.0), reading()


def test_the_gripper_travels_with_arm_commands(bench: MakeBench) -> None:
    profile = profile_with(INTERFACES["arm_command"])
    spec = {**profile.gripper.model_dump(mode="json"), "command": {"interface": "with_arm"}}
    made = bench(profile_with(INTERFACES["arm_command"], gripper=spec))
    made.commander.gripper = 1.0
    assert made.ros.until(lambda: sum(made.commander.states[-1].position[7:]) < 0.01, 30.0)


def test_eef_pose_by_forward_kinematics_is_the_simulators(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    made.move(WAY)
    source = EefPoseSource(made.commander.model, "base")
    reading = made.commander.joints.newest
    message = source.message(reading)
    truth = made.arm.world.eef_pose()
    where = message.pose.position
    assert [where.x, where.y, where.z] == pytest.approx(truth.position, abs=2e-3)
    o = message.pose.orientation
    assert abs(float(truth.quaternion @ [o.x, o.y, o.z, o.w])) == pytest.approx(1.0, abs=1e-5)
    assert message.header.frame_id == "base"
    assert message.header.stamp == made.commander.states[-1].header.stamp


def test_the_driver_goes_on_talking_while_an_episode_is_arranged(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    sender, before = made.commander, made.commander.measured
    arrange = made.arm._arrange

    def slow(request: EpisodeRequest) -> Episode:
        time.sleep(0.6)
        return arrange(request)

    monkeypatch.setattr(made.arm, "_arrange", slow)
    client = sender.create_client(ResetEpisode, "reset_episode")
    assert made.ros.until(client.service_is_ready)
    seen = len(sender.states)
    future = client.call_async(ResetEpisode.Request(seed=4))
    made.ros.spin(0.4)
    assert not future.done(), "it is being arranged still"
    meanwhile = sender.states[seen:]
    assert len(meanwhile) > 20, "125 per second are wanted"
    assert all(np.abs(np.array(state.velocity)).max() == 0.0 for state in meanwhile[5:])
    assert np.abs(sender.measured - before).max() < 0.005, "the arm is where it was"
    assert made.ros.until(future.done) and future.result().ok, future.result()
    assert made.arm.episode.request.seed == 4


def test_an_episode_that_cannot_be_arranged_is_refused_and_the_arm_goes_on(bench: MakeBench) -> None:
    made = bench(profile_with(INTERFACES["joint_trajectory"]))
    client = made.commander.create_client(ResetEpisode, "reset_episode")
    assert made.ros.until(client.service_is_ready)
    future = client.call_async(ResetEpisode.Request(seed=4, split="elsewhere"))
    assert made.ros.until(future.done)
    assert not future.result().ok and "elsewhere" in future.result().message
    seen = len(made.commander.states)
    assert made.ros.until(lambda: len(made.commander.states) > seen + 20)
    made.move(0.2 * WAY)
