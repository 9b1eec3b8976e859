"""What a robot profile says of its driver reaches policy, recorder and Foxglove: topics, cameras, gripper."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import foxglove
import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PoseStamped
from mcap.reader import make_reader
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.conversions import image_to_message, joint_state_to_message, stamped_pose_to_message
from world2act.graph import GraphOptions, GraphSpec, build_graph
from world2act.live.foxglove_layout import make_layout
from world2act.live.foxglove_stream import FoxgloveStream
from world2act.nodes.camera_ingest import CameraIngest
from world2act.nodes.recorder import Recorder
from world2act.supervision.session import Session
from world2act_core.manifest import write_manifest
from world2act_core.recording.layout import finished
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import RobotProfile
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import EefPose
from world2act_interfaces.msg import Observation
from world2act_interfaces.srv import Record

JOINT_STATES = "left/driver/joint_states"
POSE = EefPose(np.array([0.4, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))
SHIPPED = ("fr3", "ur5e", "xarm7", "sim_panda")


class Driver(Node):
    """Publishes what the driver of a profile would, at 30 Hz, on the profile's topics; share: of the way to open."""

    def __init__(self, ros: Any, profile: RobotProfile, share: float) -> None:
        super().__init__("driver", context=ros.context)
        self.seen: list[Observation] = []
        spec = profile.gripper
        reading = spec.reading_closed + share * (spec.reading_open - spec.reading_closed)
        self._names = (*profile.joint_names, *spec.joints)
        self._positions = [*profile.home, *[reading / len(spec.joints)] * len(spec.joints)]
        self._random = np.random.default_rng(3)
        self._cameras = {
            camera: self.create_publisher(
                Image if camera.kind == "topic" else CompressedImage, camera.source, topics.reliable(5)
            )
            for camera in profile.cameras
        }
        self._infos = [
            self.create_publisher(CameraInfo, camera.camera_info, topics.reliable(1))
            for camera in profile.cameras
            if camera.camera_info
        ]
        self._states = self.create_publisher(JointState, profile.state.joint_states, topics.reliable(5))
        self._poses = self.create_publisher(PoseStamped, topics.EEF_POSE, topics.reliable(5))
        self.create_subscription(Observation, topics.OBSERVATION, self.seen.append, topics.reliable())
        self.create_timer(1 / 30, self.send)

    def send(self) -> None:
        """One picture of each camera and one state."""
        now_ns = time.time_ns()
        self._poses.publish(stamped_pose_to_message(POSE, now_ns))
        self._states.publish(joint_state_to_message(self._names, self._positions, [0.0] * len(self._names), now_ns))
        k = [30.0, 0.0, 16.0, 0.0, 30.0, 16.0, 0.0, 0.0, 1.0]
        for info in self._infos:
            info.publish(CameraInfo(width=32, height=32, distortion_model="plumb_bob", k=k))
        for camera, publisher in self._cameras.items():
            message = image_to_message(self._random.integers(30, 220, (32, 32, 3), np.uint8), now_ns, camera.name)
            publisher.publish(message if camera.kind == "topic" else compressed(message))


def compressed(message: Image) -> CompressedImage:
    picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
    done, data = cv2.imencode(".png", picture)
    assert done
    return CompressedImage(header=message.header, format="rgb8; png compressed", data=data.tobytes())


class Bench:
    """Nodes of a real arm's graph with the parameters that the graph gives them."""

    def __init__(self, ros: Any, folder: Path) -> None:
        self.ros, self.folder = ros, folder
        self._nodes: list[ManagedNode] = []
        self.bundle, encoder = folder / "bundle", folder / "encoder"
        self.bundle.mkdir()
        encoder.mkdir()
        tabletop_contract(image_size=32).to_yaml(self.bundle / "contract.yaml")
        (self.bundle / "policy.onnx").write_bytes(b"not looked at")
        (encoder / "model.onnx").write_bytes(b"nor this")
        write_manifest(
            self.bundle, name="small", created="2026-01-01T00:00:00Z", licence="Apache-2.0", world2act_version="0.1.0",
            text_encoder_folder="../encoder",
        )  # fmt: skip

    def graph(self, profile: RobotProfile) -> GraphSpec:
        path = self.folder / "robot.yaml"
        path.write_text(profile.to_text())
        options = GraphOptions(bundle=str(self.bundle), profile=str(path), record=str(self.folder / "recordings"))
        # Wide limits: the machine may be busy with other things.
        return build_graph("real", options).with_parameters(
            "camera_ingest", input_timeout=3.0, max_delay=3.0, max_skew=0.5
        )

    def start(self, make: type[ManagedNode], graph: GraphSpec, name: str) -> None:
        overrides = [Parameter(key, value=value) for key, value in graph.node(name).parameters.items()]
        node = self.ros.add(make(context=self.ros.context, parameter_overrides=overrides))
        self._nodes.append(node)
        node.trigger_configure()
        node.trigger_activate()
        assert node.active, node.condition

    def observe(self, profile: RobotProfile, share: float) -> Observation:
        """Start camera_ingest beside the profile's driver; the first observation."""
        self.start(CameraIngest, self.graph(profile), "camera_ingest")
        driver = self.ros.add(Driver(self.ros, profile, share))
        assert self.ros.until(lambda: bool(driver.seen)), self._nodes[0].condition
        return driver.seen[-1]

    def stop(self) -> None:
        for node in self._nodes:
            node.trigger_shutdown()


@pytest.fixture
def bench(ros: Any, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(ros, tmp_path)
    yield made
    made.stop()


def changed(name: str, **changes: Any) -> RobotProfile:
    """A shipped profile with other values."""
    return RobotProfile.model_validate({**find_profile(name).model_dump(mode="json"), **changes})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_policy_is_told_how_far_the_fingertips_are_apart(name: str, bench: Bench) -> None:
    profile = find_profile(name)
    seen = bench.observe(profile, share=0.75)
    assert seen.state_names[-1] == "gripper_width.0"
    assert seen.state[-1] == pytest.approx(0.75 * profile.gripper.width_open, abs=1e-6)


def test_a_driver_with_a_topic_of_its_own_is_heard_and_recorded(bench: Bench) -> None:
    profile = changed("ur5e", state={"joint_states": JOINT_STATES, "e_stop": None})
    seen = bench.observe(profile, share=1.0)
    assert seen.state[-1] == pytest.approx(0.085) and JOINT_STATES in seen.input_names
    before = bench.ros.nodes[0].count_subscribers(JOINT_STATES)
    bench.start(Recorder, bench.graph(profile), "recorder")
    assert bench.ros.until(lambda: bench.ros.nodes[0].count_subscribers(JOINT_STATES) == before + 1)
    assert bench.ros.nodes[0].count_subscribers(topics.JOINT_STATES) == 0


def test_every_kind_of_camera_is_recorded_from_where_the_profile_has_it(bench: Bench) -> None:
    cameras = [
        {"name": "scene", "view": "scene", "kind": "topic", "source": "camera/scene/color/image_raw"},
        {"name": "wrist", "view": "wrist", "kind": "compressed_topic", "source": "hand_camera/compressed"},
    ]
    profile = changed("fr3", cameras=cameras)
    driver = bench.ros.add(Driver(bench.ros, profile, share=1.0))
    client = driver.create_client(Record, topics.RECORD)
    bench.start(Recorder, bench.graph(profile).with_parameters("recorder", pictures=True, min_free=0), "recorder")
    for command in (Record.Request.START, Record.Request.STOP):
        assert bench.ros.until(client.service_is_ready)
        answer = client.call_async(Record.Request(command=command))
        assert bench.ros.until(answer.done) and answer.result().ok, answer.result()
        bench.ros.spin(0.5)
    (path,) = finished(bench.folder / "recordings")
    with path.open("rb") as file:
        seen = {channel.topic: schema.name for schema, channel, _ in make_reader(file).iter_messages()}
    assert seen["/camera/scene/color/image_raw"] == "sensor_msgs/msg/Image"
    assert seen["/hand_camera/compressed"] == "sensor_msgs/msg/CompressedImage"


def test_foxglove_shows_every_kind_of_camera_where_its_layout_looks(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = [
        {"name": "scene", "view": "scene", "kind": "topic", "source": "camera/scene/color/image_raw"},
        {"name": "wrist", "view": "wrist", "kind": "compressed_topic", "source": "hand_camera/compressed"},
    ]
    profile = changed("fr3", cameras=cameras, state={"joint_states": JOINT_STATES, "e_stop": None})
    monkeypatch.setenv("ROS_DOMAIN_ID", str(bench.ros.context.get_domain_id()))
    context, path = foxglove.Context(), tmp_path / "live.mcap"
    with foxglove.open_mcap(path, context=context), Session("foxglove_test") as session:
        stream = FoxgloveStream(session, session.domain, context, JOINT_STATES)
        bench.observe(profile, share=1.0)

        def shown() -> bool:
            stream.tick(0.01)
            return len(stream.cameras) == 2

        assert bench.ros.until(shown)
        bench.ros.until(lambda: bool(stream.tick(0.01)), 1.0)  # pictures of cameras that are known, and joint states
    with path.open("rb") as file:
        sent = {channel.topic for _, channel, _ in make_reader(file).iter_messages()}
    layout = json.dumps(json.loads(make_layout(("scene", "wrist"))))
    wanted = {"/camera/scene", "/camera/wrist"}
    assert {topic for topic in sent if topic.startswith("/camera/")} == wanted
    assert all(f'"{topic}"' in layout for topic in wanted)
    assert "/joint_states" in sent


def test_the_command_takes_the_topic_from_the_profile(tmp_path: Path) -> None:
    from world2act.cli.foxglove import Foxglove
    from world2act.errors import GraphError

    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(find_profile("ur5e").to_text()) | {"state": {"joint_states": "a/b"}}))
    assert Foxglove(robot=str(path))._joint_states() == "a/b"
    assert Foxglove()._joint_states() == topics.JOINT_STATES
    with pytest.raises(GraphError, match="--robot nobody: no robot profile 'nobody'"):
        Foxglove(robot="nobody")._joint_states()
