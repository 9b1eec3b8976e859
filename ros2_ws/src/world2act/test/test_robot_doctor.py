"""`world2act doctor --robot` against a small real driver: one node that publishes and takes what a profile says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from world2act import topics
from world2act.checks import Check
from world2act.robot_doctor.arm import check_e_stop
from world2act.robot_doctor.bundle import check_fit
from world2act.robot_doctor.cameras import check_cameras
from world2act.robot_doctor.checks import check_model, robot_checks
from world2act.robot_doctor.listening import Heard, Publications
from world2act.supervision.session import Session
from world2act_core.cameras.encodings import ENCODINGS
from world2act_core.contract import Contract
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import RobotProfile

ROBOTS = Path(__file__).resolve().parents[4] / "robots"
BUNDLE = ROBOTS.parent / "models/tabletop-nano"
PERIOD_S = 0.02
PIXEL_BYTES = {
    **{name: 1 for name in ENCODINGS if name.startswith(("mono8", "8UC1", "bayer"))},
    **{name: 2 for name in ENCODINGS if name.startswith(("yuv", "uyvy", "yuyv", "mono16"))},
    **{"rgba8": 4, "bgra8": 4, "32FC1": 4},
}
LENS = {"distortion_model": "plumb_bob", "k": [90.0, 0.0, 64.0, 0.0, 90.0, 48.0, 0.0, 0.0, 1.0]}


def profile_data() -> dict[str, Any]:
    """The simulated Panda, slow enough for a machine that is busy with other things."""
    data = yaml.safe_load((ROBOTS / "sim_panda.yaml").read_text())
    data["state"]["min_rate_hz"] = 2.0
    return data


def contract() -> Contract:
    return Contract.from_yaml(BUNDLE / "contract.yaml")


class Driver:
    """Joint states, pictures and an e-stop at 50 Hz; takers of commands. Every wrong turn is an argument."""

    def __init__(self, ros: Any, profile: dict[str, Any], **wrong: Any) -> None:
        self.node = ros.add(Node("small_driver", context=ros.context))
        self.profile, self.wrong = profile, wrong
        self.states = self.node.create_publisher(JointState, "joint_states", 5)
        self.stop = self.node.create_publisher(Bool, "e_stop", wrong.get("stop_qos", 5))
        kind = CompressedImage if wrong.get("compressed") else Image
        self.pictures = [self.node.create_publisher(kind, f"camera/{name}/image_raw", 5) for name in ("scene", "wrist")]
        command = wrong.get("command_type", JointTrajectory)
        self.node.create_subscription(command, "arm_controller/joint_trajectory", lambda _: None, 5)
        self.node.create_subscription(Float64MultiArray, "gripper_controller/commands", lambda _: None, 5)
        if wrong.get("second_sender"):
            self.node.create_publisher(JointTrajectory, "arm_controller/joint_trajectory", 5)
        if "stop_qos" in wrong:
            self.stop.publish(Bool(data=wrong.get("pressed", False)))  # once, before anybody listens
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
        if "stop_qos" not in self.wrong:
            self.stop.publish(Bool(data=self.wrong.get("pressed", False)))
        for publisher in self.pictures:
            if self.wrong.get("compressed"):
                picture: Any = CompressedImage(format="jpeg")
            else:
                picture = pictures(self.wrong.get("encoding", "rgb8")).newest
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

    def run(data: dict[str, Any], bundle: Path = BUNDLE, **wrong: Any) -> dict[str, list[Check]]:
        if not wrong.get("silent"):
            Driver(ros, data, **wrong)
            threads.append(threading.Thread(target=spin, daemon=True))
            threads[-1].start()
        path = tmp_path / "robot.yaml"
        path.write_text(yaml.safe_dump(data))
        found: dict[str, list[Check]] = {}
        for check in robot_checks(str(path), bundle):
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
    assert set(found) == names | {"bundle and robot", "e-stop", "camera scene", "camera wrist", "clocks"}
    assert found["gripper"][0].found == "60 mm open"
    assert "small_driver takes trajectory_msgs/msg/JointTrajectory" in found["command"][0].found
    assert "128x96 rgb8" in found["camera scene"][0].found


def test_nobody_is_there(examine: Any, tmp_path: Path) -> None:
    wrong = the_wrong_ones(examine(profile_data(), bundle=tmp_path / "nothing", silent=True))
    assert wrong["bundle and robot"].level == "missing" and "no bundle folder" in wrong["bundle and robot"].found
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
            data, positions={"robot0_joint4": -134.0, "finger_joint1": 0.3}, encoding="32FC1", pressed=True, clock=5,
            second_sender=True,
        )
    )  # fmt: skip
    assert "robot0_joint4 at -134.000, limits [-3.0718, -0.0698]" in wrong["joint limits"].found
    assert "radians" in wrong["joint limits"].remedy
    assert "reading 0.3300 is not between closed 0 and open 0.08" in wrong["gripper"].found
    assert wrong["camera scene"].level == "missing"
    assert "encoding '32FC1' is not understood" in wrong["camera scene"].found and "bgr8" in wrong["camera scene"].found
    assert "cannot read calibration" in wrong["camera wrist"].found and "nowhere.yaml" in wrong["camera wrist"].found
    # The bundle does not look at this one: nothing that is needed is missing.
    assert wrong["camera side"].level == "warning" and "there is no /dev/video_nowhere" in wrong["camera side"].found
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
    (check,) = robot_checks("nobody", BUNDLE)
    assert check.level == "missing" and "no robot profile 'nobody'. There are: fr3" in check.found


def test_a_rate_is_that_between_the_first_and_the_last_message() -> None:
    heard = Heard("joint_states", arrivals=[1.0, 1.02, 1.04, 1.06, 1.08, 1.1])
    assert heard.rate_hz == pytest.approx(50.0)
    assert Heard("joint_states", arrivals=[1.0]).rate_hz == 0.0


def test_models_that_cannot_be_right() -> None:
    assert check_model(find_profile("fr3")).level == "ok"
    lacking = check_model(find_profile("so101"))
    assert lacking.level == "missing" and "cannot be run yet" in lacking.found and "your-own-arm" in lacking.remedy
    refused = check_fit(find_profile("so101"), contract().model_copy(update={"robot": "SO101"}), "nano")
    assert refused.level == "missing"
    data = find_profile("fr3").model_dump()
    data["workspace"]["table_height"] = 0.2
    high = check_model(RobotProfile.model_validate(data))
    assert high.level == "missing" and "at home table and fingers are" in high.found
    data["workspace"] |= {"table_height": 0.0, "low": [0.6, -0.5, 0.0]}
    outside = check_model(RobotProfile.model_validate(data))
    assert outside.level == "missing" and "outside the workspace" in outside.found
    data["workspace"]["low"] = [0.2, -0.5, 0.0]
    data["safety"] = {"elbow": {"low": [0.3, -0.5, 0.0], "high": [0.6, 0.5, 1.0]}}
    elbow = check_model(RobotProfile.model_validate(data))
    assert elbow.level == "missing" and "the elbow at home" in elbow.found and "safety.elbow" in elbow.remedy


def test_an_arm_without_an_e_stop_topic() -> None:
    nothing = Publications(Heard("joint_states"), None, {}, {})
    (check,) = check_e_stop(None, find_profile("so101"), nothing)  # type: ignore[arg-type]  # nobody is asked
    assert check.level == "warning" and "state.e_stop" in check.remedy


def pictures(encoding: str = "rgb8", size: tuple[int, int] = (128, 96)) -> Heard:
    width, height = size
    step = width * PIXEL_BYTES.get(encoding, 3)
    picture = Image(width=width, height=height, step=step, encoding=encoding, data=bytes(step * height))
    return Heard("camera/image_raw", newest=picture)


def judge(data: dict[str, Any], image: Heard, info: CameraInfo | None = None) -> list[Check]:
    """What is said of the cameras when each sends these pictures; info: beside them, where the profile wants one."""
    profile = RobotProfile.model_validate(data)
    images = {camera.name: image for camera in profile.cameras}
    infos = {c.name: Heard(c.camera_info, newest=info) for c in profile.cameras if c.camera_info}
    heard = Publications(Heard("joint_states"), None, images, infos)
    return list(check_cameras(None, profile, heard, contract().cameras))  # type: ignore[arg-type]  # nobody is asked


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_that_camera_ingest_takes_is_fine(encoding: str) -> None:
    checks = judge(profile_data(), pictures(encoding))
    assert [(check.name, check.level) for check in checks] == [("camera scene", "ok"), ("camera wrist", "ok")]
    assert f"128x96 {encoding}" in checks[0].found


def with_camera_info(**wrist: Any) -> dict[str, Any]:
    data = profile_data()
    for camera in data["cameras"]:
        camera["camera_info"] = f"camera/{camera['name']}/camera_info"
    data["cameras"][1] |= wrist
    return data


def test_without_its_calibration_a_camera_is_missing(examine: Any) -> None:
    """camera_ingest holds back every picture of such a camera, so the arm would never move."""
    wrong = the_wrong_ones(examine(with_camera_info(), stop_qos=topics.latched(), pressed=True))
    for name in ("scene", "wrist"):
        check = wrong.pop(f"camera {name}")
        assert check.level == "missing" and f"nothing on camera/{name}/camera_info" in check.found
        assert "calibration file" in check.remedy
    # Said once, before the doctor came.
    assert wrong.pop("e-stop").found == "e_stop: pressed" and not wrong


def test_a_calibration_that_comes_is_judged() -> None:
    checks = judge(with_camera_info(), pictures(), CameraInfo(width=128, height=96, **LENS))
    assert {check.level for check in checks} == {"ok"}


def test_a_calibration_file_is_taken_before_a_topic(tmp_path: Path) -> None:
    """Then camera_ingest does not listen to the topic, which may be silent."""
    matrix = {"rows": 3, "cols": 3, "data": LENS["k"]}
    file = {"image_width": 128, "image_height": 96, "distortion_model": "plumb_bob", "camera_matrix": matrix}
    path = tmp_path / "wrist.yaml"
    path.write_text(yaml.safe_dump(file | {"distortion_coefficients": {"data": [0.0] * 5}}))
    found = {check.name: check.level for check in judge(with_camera_info(calibration=str(path)), pictures())}
    assert found == {"camera scene": "missing", "camera wrist": "ok"}


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (CameraInfo(width=128, height=96, distortion_model="plumb_bob"), "was never calibrated"),
        (CameraInfo(width=640, height=480, **LENS), "pictures are 128 x 96, the calibration is for 640 x 480"),
        (CameraInfo(width=128, height=96, binning_x=2, **LENS), "binned"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_missing(info: CameraInfo, text: str) -> None:
    wrong = [check for check in judge(with_camera_info(), pictures(), info) if check.level != "ok"]
    assert [check.name for check in wrong] == ["camera scene", "camera wrist"]
    assert all(check.level == "missing" and text in check.found for check in wrong)


def test_pictures_smaller_than_the_bundle_wants_are_missing() -> None:
    scene, _ = judge(profile_data(), pictures(size=(64, 48)))
    assert scene.level == "missing" and "64x48 rgb8" in scene.found and "wants 96x96 or more" in scene.found


@pytest.mark.parametrize(
    ("arrivals", "level"), [([0.0, 0.4, 0.8, 1.2, 1.6], "ok"), ([0.0, 0.1, 1.6], "missing"), ([0.0, 0.1], "missing")]
)
def test_an_e_stop_that_has_to_repeat_itself(arrivals: list[float], level: str) -> None:
    data = profile_data() | {"safety": {"e_stop_heartbeat_s": 0.5}}
    e_stop = Heard("e_stop", arrivals, Bool(data=False), ended_s=2.0)
    heard = Publications(Heard("joint_states"), e_stop, {}, {})
    (check,) = check_e_stop(None, RobotProfile.model_validate(data), heard)  # type: ignore[arg-type]
    assert check.level == level and (level == "ok" or "safety.e_stop_heartbeat_s is 0.5" in check.found)


def e_stop_check(ros: Any, kind: type) -> Check:
    """Of an e-stop whose publisher is there and has said nothing."""
    node = ros.add(Node("button", context=ros.context))
    node.create_publisher(kind, "e_stop", 5)
    profile = find_profile("sim_panda")
    heard = Publications(Heard("joint_states"), Heard("e_stop"), {}, {})
    with Session("world2act_doctor") as session:
        assert session.wait(lambda: session.node.count_publishers("e_stop") > 0, 10.0)
        (check,) = check_e_stop(session, profile, heard)
    return check


def test_an_e_stop_that_says_nothing(ros: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros.context.get_domain_id()))
    check = e_stop_check(ros, Bool)
    assert check.level == "warning" and "e_stop has a publisher, but nothing came" in check.found


def test_an_e_stop_of_another_type_stops_nothing(ros: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(ros.context.get_domain_id()))
    check = e_stop_check(ros, Float64MultiArray)
    assert check.level == "missing" and "std_msgs/msg/Float64MultiArray, not std_msgs/msg/Bool" in check.found


def test_the_bundle_and_the_robot() -> None:
    fits = check_fit(find_profile("sim_panda"), contract(), "nano")
    assert fits.level == "ok" and "Panda" in fits.found
    other = check_fit(find_profile("ur5e"), contract(), "nano")
    assert other.level == "missing" and "robot: profile ur5e has UR5e, bundle nano has Panda" in other.found


def test_a_bundle_whose_camera_the_robot_lacks() -> None:
    data = profile_data()
    data["cameras"][1]["name"] = "hand"
    data["cameras"][0]["view"] = "wrist"
    check = check_fit(RobotProfile.model_validate(data), contract(), "nano")
    assert check.level == "missing" and "cameras.wrist: profile sim_panda has none" in check.found
    assert "cameras.scene.view: profile sim_panda has wrist, bundle nano has scene" in check.found


def test_a_bundle_that_a_node_would_refuse() -> None:
    """camera_ingest cannot build its state, arm_commander cannot carry out its actions."""
    data = contract().model_dump()
    unknown = Contract.model_validate({**data, "state": data["state"][:2]})
    assert "camera_ingest can build" in check_fit(find_profile("sim_panda"), unknown, "nano").found
