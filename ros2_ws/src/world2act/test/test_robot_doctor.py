"""`world2act doctor --robot` against a small real driver: one node that publishes and takes what a profile says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from world2act.checks import Check
from world2act.robot_doctor.arm import check_e_stop
from world2act.robot_doctor.checks import check_model, robot_checks
from world2act.robot_doctor.listening import Heard, Publications
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import RobotProfile

ROBOTS = Path(__file__).resolve().parents[4] / "robots"
PERIOD_S = 0.02


def profile_data() -> dict[str, Any]:
    """The simulated Panda, slow enough for a machine that is busy with other things."""
    data = yaml.safe_load((ROBOTS / "sim_panda.yaml").read_text())
    data["state"]["min_rate_hz"] = 2.0
    return data


class Driver:
    """Joint states, pictures and an e-stop at 50 Hz; takers of commands. Every wrong turn is an argument."""

    def __init__(self, ros: Any, profile: dict[str, Any], **wrong: Any) -> None:
        from rclpy.node import Node

        self.node = ros.add(Node("small_driver", context=ros.context))
        self.profile, self.wrong = profile, wrong
        self.states = self.node.create_publisher(JointState, "joint_states", 5)
        self.stop = self.node.create_publisher(Bool, "e_stop", 5)
        kind = CompressedImage if wrong.get("compressed") else Image
        self.pictures = [self.node.create_publisher(kind, f"camera/{name}/image_raw", 5) for name in ("scene", "wrist")]
        command = wrong.get("command_type", JointTrajectory)
        self.node.create_subscription(command, "arm_controller/joint_trajectory", lambda _: None, 5)
        self.node.create_subscription(Float64MultiArray, "gripper_controller/commands", lambda _: None, 5)
        if wrong.get("second_sender"):
            self.node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", 5)
        self.node.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        stamp = self.node.get_clock().now().to_msg()
        stamp.sec += self.wrong.get("clock", 0)
        positions = {joint["name"]: home for joint, home in zip(self.profile["joints"], self.profile["home"])}
        positions |= {"finger_joint1": 0.03, "finger_joint2": 0.03} | self.wrong.get("positions", {})
        for name in self.wrong.get("lacking", ()):
            positions.pop(name)
        message = JointState(name=list(positions), position=[float(value) for value in positions.values()])
        message.header.stamp = stamp
        self.states.publish(message)
        self.stop.publish(Bool(data=self.wrong.get("pressed", False)))
        for publisher in self.pictures:
            if self.wrong.get("compressed"):
                picture: Any = CompressedImage(format="jpeg")
            else:
                encoding = self.wrong.get("encoding", "rgb8")
                picture = Image(width=4, height=2, step=12, encoding=encoding, data=bytes(24))
            picture.header.stamp = stamp
            publisher.publish(picture)


@pytest.fixture
def examine(ros: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """examine(profile data, **what is wrong) -> the doctor's checks by name; the driver runs in another thread."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros.context.get_domain_id()))
    ending = threading.Event()
    threads: list[threading.Thread] = []

    def spin() -> None:
        while not ending.is_set():
            ros.executor.spin_once(timeout_sec=0.02)

    def run(data: dict[str, Any], **wrong: Any) -> dict[str, list[Check]]:
        if not wrong.get("silent"):
            Driver(ros, data, **wrong)
            threads.append(threading.Thread(target=spin, daemon=True))
            threads[-1].start()
        path = tmp_path / "robot.yaml"
        path.write_text(yaml.safe_dump(data))
        found: dict[str, list[Check]] = {}
        for check in robot_checks(str(path)):
            found.setdefault(check.name, []).append(check)
        return found

    yield run
    ending.set()
    for thread in threads:
        thread.join(5.0)


def the_wrong_ones(found: dict[str, list[Check]]) -> dict[str, Check]:
    return {name: check for name, checks in found.items() for check in checks if check.level != "ok"}


def test_a_driver_that_is_as_the_profile_says(examine: Any) -> None:
    found = examine(profile_data())
    assert the_wrong_ones(found) == {}
    names = {"robot profile", "robot model", "joint states", "joint limits", "command", "gripper", "gripper command"}
    assert set(found) == names | {"e-stop", "camera scene", "camera wrist", "clocks"}
    assert found["gripper"][0].found == "60 mm open"
    assert "small_driver takes trajectory_msgs/msg/JointTrajectory" in found["command"][0].found
    assert "4x2" in found["camera scene"][0].found


def test_nobody_is_there(examine: Any) -> None:
    wrong = the_wrong_ones(examine(profile_data(), silent=True))
    for name in ("joint states", "command", "gripper command", "camera scene", "camera wrist"):
        assert wrong[name].level == "missing" and wrong[name].remedy
    assert wrong["e-stop"].level == "warning" and wrong["clocks"].level == "warning"
    assert "nothing on joint_states within 3 s; topics of that type: none" in wrong["joint states"].found


def test_everything_about_the_messages_is_wrong(examine: Any) -> None:
    """One driver with many faults: each gets its own line that says what and what to do."""
    data = profile_data()
    data["cameras"][1] |= {"calibration": "nowhere.yaml", "camera_info": "camera/wrist/camera_info"}
    data["cameras"].append({"name": "side", "view": "scene", "kind": "device", "source": "/dev/video_nowhere"})
    wrong = the_wrong_ones(
        examine(
            data, positions={"robot0_joint4": -134.0, "finger_joint1": 0.3}, encoding="mono8", pressed=True, clock=5,
            second_sender=True,
        )
    )  # fmt: skip
    assert "robot0_joint4 at -134.000, limits [-3.0718, -0.0698]" in wrong["joint limits"].found
    assert "radians" in wrong["joint limits"].remedy
    assert "reading 0.3300 is not between closed 0 and open 0.08" in wrong["gripper"].found
    assert "encoded as mono8" in wrong["camera scene"].found and "rgb8" in wrong["camera scene"].remedy
    assert "no calibration" in wrong["camera wrist"].found and "nowhere.yaml" in wrong["camera wrist"].found
    assert wrong["camera side"].found == "there is no /dev/video_nowhere"
    assert "pressed" in wrong["e-stop"].found
    assert "in the future" in wrong["clocks"].found and "chrony" in wrong["clocks"].remedy
    # A second line under the same name: somebody else sends commands too.
    assert "small_driver also publishes on arm_controller/joint_trajectory" in wrong["command"].found


def test_types_and_names_are_wrong(examine: Any) -> None:
    data = profile_data()
    data["gripper"]["command"] = {"interface": "gripper_action", "topic": "hand/gripper_cmd"}
    found = examine(data, lacking=["robot0_joint7"], command_type=Float64MultiArray, compressed=True, clock=-5)
    wrong = the_wrong_ones(found)
    assert "joint_states lacks robot0_joint7; it has: robot0_joint1" in wrong["joint states"].found
    assert "is taken as std_msgs/msg/Float64MultiArray, the profile says trajectory_msgs" in wrong["command"].found
    assert "there is no action server /hand/gripper_cmd" in wrong["gripper command"].found
    assert "is sensor_msgs/msg/CompressedImage, the profile says sensor_msgs/msg/Image" in wrong["camera scene"].found
    assert "old when it arrives" in wrong["clocks"].found


def test_a_profile_that_is_not_there_ends_it() -> None:
    (check,) = robot_checks("nobody")
    assert check.level == "missing" and "no robot profile 'nobody'. There are: fr3" in check.found


def test_a_rate_is_that_between_the_first_and_the_last_message() -> None:
    heard = Heard("joint_states", arrivals=[1.0, 1.02, 1.04, 1.06, 1.08, 1.1])
    assert heard.rate_hz == pytest.approx(50.0)
    assert Heard("joint_states", arrivals=[1.0]).rate_hz == 0.0


def test_models_that_cannot_be_right() -> None:
    assert check_model(find_profile("fr3")).level == "ok"
    assert check_model(find_profile("so101")).level == "warning"
    data = find_profile("fr3").model_dump()
    data["workspace"]["table_height"] = 0.2
    high = check_model(RobotProfile.model_validate(data))
    assert high.level == "missing" and "at home table and fingers are" in high.found
    data["workspace"] |= {"table_height": 0.0, "low": [0.6, -0.5, 0.0]}
    outside = check_model(RobotProfile.model_validate(data))
    assert outside.level == "missing" and "outside the workspace" in outside.found


def test_an_arm_without_an_e_stop_topic() -> None:
    (check,) = check_e_stop(find_profile("so101"), Publications(Heard("joint_states"), None, {}, {}))
    assert check.level == "warning" and "state.e_stop" in check.remedy
