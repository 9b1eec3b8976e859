"""camera_ingest in real time, with real publishers: what comes out of each source, and every fault by its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from world2act import topics
from world2act.conversions import image_from_message, image_to_message, joint_state_to_message, stamped_pose_to_message
from world2act.nodes.camera_ingest import CameraIngest
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import EefPose
from world2act_interfaces.msg import NodeHealth, Observation

SIZE = 32
DOWN = np.array([1.0, 0.0, 0.0, 0.0])
S = 1_000_000_000


class Robot(Node):
    """An arm and two cameras at 30 Hz. `pictures` makes each camera's next picture; None: none is sent."""

    def __init__(self, ros) -> None:
        super().__init__("robot", context=ros.context)
        self.ros = ros
        self.seen: list[Observation] = []
        self.health = NodeHealth()
        self.values: dict[str, str] = {}
        self.hand = np.array([0.4, 0.0, 0.2])
        self.shift_ns = {"scene": 0, "wrist": 0}
        self._random = np.random.default_rng(3)
        self.scene = self._random.integers(30, 220, (40, 48, 3), np.uint8)
        self.pictures: dict[str, Callable[[], np.ndarray | None]] = {"scene": self.noisy, "wrist": self.noisy}
        self.out = {
            name: self.create_publisher(Image, topics.image_topic(name), topics.reliable(5)) for name in self.pictures
        }
        self.joints = self.create_publisher(JointState, topics.JOINT_STATES, topics.reliable(5))
        self.poses = self.create_publisher(PoseStamped, topics.EEF_POSE, topics.reliable(5))
        self.create_subscription(Observation, topics.OBSERVATION, self.seen.append, topics.reliable())
        self.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, topics.reliable())
        self.create_timer(1 / 30, self.send)

    def _on_health(self, message: NodeHealth) -> None:
        if message.node == "/camera_ingest":
            self.health = message

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.values = {item.key: item.value for item in message.status[0].values}

    def noisy(self) -> np.ndarray:
        """The scene through a sensor."""
        return self.scene + self._random.integers(0, 3, self.scene.shape, np.uint8)

    def send(self) -> None:
        """One picture of each camera and one state."""
        now_ns = time.time_ns()
        self.poses.publish(stamped_pose_to_message(EefPose(self.hand, DOWN), now_ns))
        self.joints.publish(joint_state_to_message(["finger_joint1", "finger_joint2"], [0.03] * 2, [0.0] * 2, now_ns))
        for name, make in self.pictures.items():
            picture = make()
            if picture is not None:
                self.out[name].publish(image_to_message(picture, now_ns + self.shift_ns[name], name))

    def until_fault(self, name: str) -> str:
        """Spin until camera_ingest has this condition ("": none); returns its message."""
        assert self.ros.until(lambda: self.health.fault == name), (name, self.health)
        return str(self.health.message)

    def count(self, seconds: float = 0.5) -> int:
        """Observations of a while, without those that are still on their way."""
        self.ros.spin(0.2)
        before = len(self.seen)
        self.ros.spin(seconds)
        return len(self.seen) - before

    def until_observed(self) -> Observation:
        """Spin until three more observations have come; returns the last."""
        before = len(self.seen)
        assert self.ros.until(lambda: len(self.seen) >= before + 3), self.health
        return self.seen[-1]


@pytest.fixture
def make_robot(ros, tmp_path: Path) -> Iterator[Callable[..., Robot]]:
    """make_robot(**parameters of camera_ingest) -> a robot beside an active camera_ingest."""
    tabletop_contract(image_size=SIZE).to_yaml(tmp_path / "contract.yaml")
    nodes: list[CameraIngest] = []

    def make(**parameters: object) -> Robot:
        # Wide limits: the machine may be busy with other things.
        chosen = {
            "bundle": str(tmp_path), "input_timeout": 3.0, "max_delay": 3.0, "max_skew": 0.5, "health_period": 0.2,
            **parameters,
        }  # fmt: skip
        overrides = [Parameter(name, value=value) for name, value in chosen.items()]
        nodes.append(ros.add(CameraIngest(context=ros.context, parameter_overrides=overrides)))
        robot = ros.add(Robot(ros))
        nodes[0].trigger_configure()
        nodes[0].trigger_activate()
        return robot

    yield make
    for node in nodes:
        node.trigger_shutdown()


def test_a_driver_camera_passes_through_and_is_measured(make_robot) -> None:
    robot = make_robot()
    last = robot.until_observed()
    assert [image.encoding for image in last.images] == ["rgb8", "rgb8"]
    assert np.abs(image_from_message(last.images[1]).astype(int) - robot.scene).max() <= 3
    assert robot.ros.until(lambda: "wrist skew p50 [ms]" in robot.values)
    assert robot.values["wrist source"] == "topic:camera/wrist/image_raw, stamps: device"
    assert robot.values["wrist state"] == "OK"
    for key in ("wrist rate [Hz]", "wrist age [s]", "wrist delay p50 [ms]", "scene check p50 [ms]", "skew p95 [ms]"):
        assert float(robot.values[key]) >= 0.0


def test_a_frozen_camera_is_named_only_when_the_hand_moves(make_robot) -> None:
    robot = make_robot()
    robot.until_observed()
    still = robot.scene.copy()
    robot.pictures["wrist"] = lambda: still
    assert robot.count() > 0 and robot.health.fault == "", "a resting arm may look the same"
    robot.hand = robot.hand + [0.05, 0.0, 0.0]
    text = robot.until_fault("CAMERA_FROZEN")
    assert text.startswith("camera wrist (topic:camera/wrist/image_raw") and "while the hand moves" in text
    assert robot.count() == 0
    robot.pictures["wrist"] = robot.noisy
    robot.until_fault("")
    robot.until_observed()


def test_black_and_saturated_cameras_are_named_together(make_robot) -> None:
    robot = make_robot()
    robot.until_observed()
    robot.pictures["wrist"] = lambda: np.zeros_like(robot.scene)
    robot.until_fault("CAMERA_BLACK")
    assert robot.count() == 0
    robot.pictures["scene"] = lambda: np.full_like(robot.scene, 255)
    assert robot.ros.until(lambda: "white all over" in robot.health.message)
    assert robot.health.fault == "CAMERA_BLACK" and "black" in robot.health.message
    assert robot.ros.until(lambda: robot.values["scene state"].startswith("CAMERA_SATURATED"))
    robot.pictures["wrist"] = robot.noisy
    robot.until_fault("CAMERA_SATURATED")
    robot.pictures["scene"] = robot.noisy
    robot.until_fault("")
    robot.until_observed()


def test_a_clock_that_jumps_back_is_named(make_robot) -> None:
    robot = make_robot()
    robot.until_observed()
    robot.shift_ns["scene"] = -20 * S
    text = robot.until_fault("CAMERA_CLOCK")
    assert "camera scene" in text and "jumped back by" in text and robot.count() == 0
    robot.shift_ns["scene"] = 0
    robot.until_fault("")
    robot.until_observed()


def test_late_pictures_are_named(make_robot) -> None:
    robot = make_robot(max_delay=1.0)
    robot.shift_ns["scene"] = -int(1.2 * S)
    assert "old when they come in, 1 s are allowed" in robot.until_fault("CAMERA_LATE")
    assert robot.count() == 0


def test_arrival_stamps_need_no_clock(make_robot) -> None:
    robot = make_robot(cameras=["scene=topic:camera/scene/image_raw?stamp=arrival"])
    robot.shift_ns["scene"] = -3600 * S
    last = robot.until_observed()
    assert abs(last.images[0].header.stamp.sec - time.time()) < 60
    assert robot.ros.until(lambda: "stamps: arrival" in robot.values.get("scene source", ""))


def test_a_silent_camera_is_named_and_so_is_everything(make_robot) -> None:
    robot = make_robot(input_timeout=0.6)
    robot.until_observed()
    robot.pictures["wrist"] = lambda: None
    assert "camera wrist" in robot.until_fault("CAMERA_SILENT")
    robot.pictures["wrist"] = robot.noisy
    robot.until_fault("")
    for timer in robot.timers:
        timer.cancel()
    assert robot.until_fault("INPUT_SILENT").startswith("nothing from scene, wrist, joint_states, eef_pose")


def test_other_sizes_and_formats_are_named(make_robot) -> None:
    robot = make_robot()
    robot.until_observed()
    robot.pictures["wrist"] = lambda: robot.noisy()[:36]
    assert "are 48 x 36, expected were 48 x 40" in robot.until_fault("CAMERA_WRONG_SIZE")
    robot.pictures["wrist"] = robot.noisy
    robot.until_fault("")
    robot.pictures["scene"] = lambda: None
    depth = Image(height=2, width=2, step=4, encoding="16UC1", data=bytes(8))

    def wrong_kind() -> bool:
        depth.header.stamp = stamped_pose_to_message(EefPose(robot.hand, DOWN), time.time_ns()).header.stamp
        robot.out["scene"].publish(depth)
        robot.ros.spin(0.05)
        return robot.health.fault == "CAMERA_INVALID"

    assert robot.ros.until(wrong_kind) and "'16UC1' is not understood" in robot.health.message


def test_compressed_pictures_and_their_crop(ros, make_robot) -> None:
    robot = make_robot(cameras=["wrist=topic:/hand/image/compressed?crop=0.25,0,0.75,1"])
    out = robot.create_publisher(CompressedImage, "/hand/image/compressed", topics.reliable(5))

    def send() -> None:
        bgr = cv2.cvtColor(robot.noisy(), cv2.COLOR_RGB2BGR)
        message = CompressedImage(format="png", data=cv2.imencode(".png", bgr)[1].tobytes())
        message.header.stamp = stamped_pose_to_message(EefPose(robot.hand, DOWN), time.time_ns()).header.stamp
        out.publish(message)

    robot.create_timer(1 / 30, send)
    last = robot.until_observed()
    assert (last.images[1].width, last.images[1].height, last.images[1].encoding) == (36, 40, "rgb8")
    assert np.abs(image_from_message(last.images[1]).astype(int) - robot.scene[:, 12:]).max() <= 3


def test_calibration_by_topic(ros, make_robot) -> None:
    robot = make_robot(calibrations=["wrist=topic:/hand/camera_info"])
    robot.until_fault("CAMERA_UNCALIBRATED")
    assert robot.count() == 0
    out = robot.create_publisher(CameraInfo, "/hand/camera_info", topics.reliable(1))
    k = [40.0, 0.0, 24.0, 0.0, 40.0, 20.0, 0.0, 0.0, 1.0]
    # A camera matrix that moves everything 4 pixels to the right, without distortion.
    p = [40.0, 0.0, 28.0, 0.0, 0.0, 40.0, 20.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    info = CameraInfo(width=48, height=40, distortion_model="plumb_bob", d=[0.0] * 5, k=k, p=p)
    robot.create_timer(0.1, lambda: out.publish(info))
    robot.until_fault("")
    last = robot.until_observed()
    assert np.abs(image_from_message(last.images[1])[:, 4:].astype(int) - robot.scene[:, :-4]).max() <= 3
    info.width = 640
    assert "pictures are 48 x 40, the calibration is for 640 x 40" in robot.until_fault("CAMERA_WRONG_SIZE")
    info.k = [0.0] * 9
    assert "was never calibrated" in robot.until_fault("CAMERA_UNCALIBRATED")


def test_a_video_file_as_camera_that_goes_away_and_comes_back(ros, make_robot, tmp_path: Path) -> None:
    from av import VideoFrame
    from av import open as open_video

    path = tmp_path / "clip.mp4"
    robot = make_robot(cameras=[f"wrist=file:{path}?loop=1"], reconnect_wait=0.25)
    text = robot.until_fault("CAMERA_AWAY")
    assert f"there is no file {path}" in text and "trying again" in text and robot.count() == 0
    with open_video(str(tmp_path / "part.mp4"), "w") as container:
        stream = container.add_stream("libx264", 20, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 48, 40, "yuv420p"
        for _ in range(40):
            container.mux(stream.encode(VideoFrame.from_ndarray(robot.noisy(), "rgb24")))
        container.mux(stream.encode())
    (tmp_path / "part.mp4").rename(path)
    robot.until_fault("")
    last = robot.until_observed()
    assert last.images[1].header.frame_id == "wrist" and last.images[1].width == 48
    path.unlink()
    robot.until_fault("CAMERA_AWAY")
    assert robot.count() == 0
