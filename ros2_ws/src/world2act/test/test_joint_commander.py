"""arm_commander with a robot profile over real topics, alone: a driver that takes velocities, and what it is told."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray

from world2act import topics
from world2act.conversions import ns_to_stamp
from world2act.nodes.joint_commander import JointCommander
from world2act_core.robot.find import find_profile
from world2act_interfaces.msg import SafetyStatus
from world2act_interfaces.srv import ClearFault

BUNDLE = str(Path("models/tabletop-nano").absolute())
PROFILE = find_profile("sim_panda")
SAG = np.array([0.0, 0.04, 0.0, 0.0, 0.0, 0.0, 0.0])
"""Less than half of what a first reference may be off: the commanded position stays where it was."""


class Driver(Node):
    """An arm that takes joint velocities and a gripper of its own; it is where the test says it is."""

    def __init__(self, ros) -> None:
        super().__init__("driver", context=ros.context)
        self.position: np.ndarray | None = PROFILE.home_position
        self.velocities: list[tuple[float, np.ndarray]] = []
        self.gripper: list[float] = []
        self.status: SafetyStatus | None = None
        self._joints = self.create_publisher(JointState, "joint_states", topics.reliable())
        self._e_stop = self.create_publisher(Bool, "e_stop", topics.latched())
        self.create_subscription(Float64MultiArray, "arm/velocities", self._on_velocities, 100)
        self.create_subscription(Float64MultiArray, "gripper_controller/commands", self._on_gripper, 10)
        self.create_subscription(SafetyStatus, topics.SAFETY_STATUS, self._on_status, topics.reliable())
        self.clearing = self.create_client(ClearFault, topics.CLEAR_FAULT)
        self.create_timer(0.01, self._measure)

    def press(self, pressed: bool) -> None:
        self._e_stop.publish(Bool(data=pressed))

    def latched(self) -> set[str]:
        return {flag.name for flag in self.status.flags if flag.latched} if self.status else set()

    def speed(self) -> float:
        """The largest joint velocity that came last."""
        return float(np.abs(self.velocities[-1][1]).max()) if self.velocities else 0.0

    def _measure(self) -> None:
        if self.position is None:
            return
        names = [*PROFILE.joint_names, *PROFILE.gripper.joints]
        message = JointState(name=names, position=[*self.position.tolist(), 0.02, 0.02])
        message.header.stamp = ns_to_stamp(time.time_ns())
        self._joints.publish(message)

    def _on_velocities(self, message: Float64MultiArray) -> None:
        self.velocities.append((time.monotonic(), np.array(message.data)))

    def _on_gripper(self, message: Float64MultiArray) -> None:
        self.gripper.append(float(message.data[0]))

    def _on_status(self, message: SafetyStatus) -> None:
        self.status = message


@pytest.fixture
def driver(ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    data = PROFILE.model_dump(mode="json")
    data["command"] = {"interface": "forward_velocity", "topic": "arm/velocities"}
    path = tmp_path / "velocities.yaml"
    path.write_text(yaml.safe_dump(data))
    # A machine that runs other tests beside this one is no lab computer.
    values = {"bundle": BUNDLE, "robot": str(path), "stale_state": 0.3, "realtime_priority": 0}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = ros.add(JointCommander(context=ros.context, parameter_overrides=overrides))
    node.trigger_configure()
    node.trigger_activate()
    driver = ros.add(Driver(ros))
    assert ros.until(lambda: len(driver.velocities) > 20 and driver.clearing.service_is_ready())
    return driver


def test_a_holding_arm_is_not_driven_on_when_its_joint_states_end(ros, driver: Driver) -> None:
    """What was measured last never comes nearer to where the arm should be: correcting it would never end."""
    driver.position = PROFILE.home_position + SAG
    assert ros.until(lambda: driver.speed() > 1e-3), "while it is measured, what is off is taken back"
    driver.position = None
    assert ros.until(lambda: "STATE_LOST" in driver.latched())
    assert ros.until(lambda: driver.speed() == 0.0)
    ros.spin(0.5)
    assert driver.speed() == 0.0 and len(driver.velocities) > 0
    driver.position = PROFILE.home_position + SAG
    ros.spin(0.5)
    assert driver.speed() == 0.0, "it is measured again, and somebody has to say that all is well"
    answer = driver.clearing.call_async(ClearFault.Request())
    assert ros.until(answer.done) and answer.result().ok, answer.result()
    assert ros.until(lambda: driver.speed() > 1e-3)


def test_a_button_that_repeats_itself_brings_no_command_forward(ros, driver: Driver) -> None:
    begin = len(driver.velocities)
    began_s = time.monotonic()
    while time.monotonic() - began_s < 1.0:
        driver.press(True)
        ros.spin(0.01)
    passed_s = time.monotonic() - began_s
    assert driver.latched() == {"E_STOP"}
    assert len(driver.velocities) - begin <= 100 * passed_s + 10, "one command for each period, whoever presses"
    driver.press(False)


def test_nothing_is_said_to_a_gripper_that_may_hold_something(ros, driver: Driver) -> None:
    ros.spin(0.5)
    assert driver.gripper == []
