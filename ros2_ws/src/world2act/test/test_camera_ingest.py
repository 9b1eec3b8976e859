"""camera_ingest over real topics: matching, and a camera that stops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState

from world2act import topics
from world2act.conversions import image_to_message, joint_state_to_message, stamped_pose_to_message
from world2act.nodes.camera_ingest import SILENT, CameraIngest
from world2act_core.tabletop import tabletop_contract
from world2act_core.types import EefPose
from world2act_interfaces.msg import NodeHealth, Observation

POSE = EefPose(np.array([0.4, 0.0, 0.2]), np.array([1.0, 0.0, 0.0, 0.0]))
STEP_NS = 100_000_000


class Robot(Node):
    """Publishes what an arm with two cameras would."""

    def __init__(self, ros) -> None:
        super().__init__("robot", context=ros.context)
        self.seen: list[Observation] = []
        self.healths: list[NodeHealth] = []
        self.out = {
            name: self.create_publisher(Image, topics.image_topic(name), topics.reliable(5))
            for name in ("scene", "wrist")
        }
        self.joints = self.create_publisher(JointState, topics.JOINT_STATES, topics.reliable(5))
        self.poses = self.create_publisher(PoseStamped, topics.EEF_POSE, topics.reliable(5))
        self.create_subscription(Observation, topics.OBSERVATION, self.seen.append, topics.reliable())
        self.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        self.stamp_ns = 10 * STEP_NS

    def _on_health(self, message: NodeHealth) -> None:
        if message.node == "/camera_ingest":
            self.healths.append(message)

    def send(self, *without: str) -> None:
        self.stamp_ns += STEP_NS
        self.poses.publish(stamped_pose_to_message(POSE, self.stamp_ns))
        joints = joint_state_to_message(["finger_joint1", "finger_joint2"], [0.03, 0.03], [0.0, 0.0], self.stamp_ns)
        self.joints.publish(joints)
        for name in set(self.out) - set(without):
            picture = np.full((16, 16, 3), 7, dtype=np.uint8)
            self.out[name].publish(image_to_message(picture, self.stamp_ns, name))


@pytest.fixture
def robot(ros, tmp_path: Path) -> Robot:
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    overrides = [
        Parameter("bundle", value=str(tmp_path)),
        Parameter("lockstep", value=True),
        Parameter("lockstep_timeout", value=0.5),
    ]
    node = ros.add(CameraIngest(context=ros.context, parameter_overrides=overrides))
    node.trigger_configure()
    node.trigger_activate()
    robot = ros.add(Robot(ros))
    assert ros.until(lambda: all(p.get_subscription_count() for p in (*robot.out.values(), robot.joints, robot.poses)))
    assert ros.until(lambda: robot.count_publishers(topics.OBSERVATION) > 0 and len(robot.healths) > 0)
    return robot


def test_one_observation_per_tick_with_state_and_names(ros, robot: Robot) -> None:
    for number in range(1, 4):
        robot.send()
        assert ros.until(lambda number=number: len(robot.seen) == number)
    last = robot.seen[-1]
    assert last.header.stamp.sec * 10**9 + last.header.stamp.nanosec == robot.stamp_ns
    assert list(last.camera_names) == ["scene", "wrist"] and last.skew == 0.0
    assert last.state[-1] == pytest.approx(0.06) and last.state_names[-1] == "gripper_width.0"
    assert [message.sequence for message in robot.seen] == [0, 1, 2]


def test_a_camera_that_stops_is_named_and_nothing_is_made_up(ros, robot: Robot) -> None:
    robot.send()
    assert ros.until(lambda: len(robot.seen) == 1)

    def wrist_is_named() -> bool:
        robot.send("wrist")
        ros.spin(0.1)  # as fast as a camera, not as fast as this loop
        last = robot.healths[-1]
        return last.fault == SILENT and last.message.startswith("nothing from wrist for")

    assert ros.until(wrist_is_named)
    assert len(robot.seen) == 1
    robot.send()
    assert ros.until(lambda: len(robot.seen) == 2 and robot.healths[-1].fault == "")


def test_a_picture_of_the_wrong_kind_is_named(ros, robot: Robot) -> None:
    robot.out["wrist"].publish(Image(height=1, width=1, step=1, encoding="mono8", data=b"\0"))
    robot.send("wrist")
    bad = Image(height=1, width=1, step=1, encoding="mono8", data=b"\0")
    bad.header.stamp = stamped_pose_to_message(POSE, robot.stamp_ns).header.stamp
    robot.out["wrist"].publish(bad)
    assert ros.until(lambda: robot.healths[-1].fault == "INPUT_INVALID")
    assert "mono8" in robot.healths[-1].message and robot.seen == []


def test_lockstep_has_no_other_sources(ros, tmp_path: Path) -> None:
    tabletop_contract().to_yaml(tmp_path / "contract.yaml")
    values = {"bundle": str(tmp_path), "lockstep": True, "cameras": ["wrist=file:clip.mp4"]}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = ros.add(CameraIngest(context=ros.context, parameter_overrides=overrides))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert (
        node.condition.name == "CONFIGURATION" and "lockstep takes the simulator's pictures" in node.condition.message
    )
