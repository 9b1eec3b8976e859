"""One world for all tests of drivers, a simulated arm in it, and somebody who commands that arm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from rclpy.parameter import Parameter
from ruckig import InputParameter, Ruckig, Trajectory
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.driver.factory import open_driver
from world2act.driver.joint_states import JointStateListener
from world2act.nodes import sim_arm
from world2act.nodes.sim_arm import SimArm
from world2act_core.robot.find import find_profile
from world2act_core.robot.joint_motion import JointPoint
from world2act_core.robot.joint_reading import JointReader
from world2act_core.robot.kinematics import MujocoArm
from world2act_core.robot.profile import RobotProfile
from world2act_sim.world import TabletopWorld, WorldConfig

INTERFACES: dict[str, dict[str, Any]] = {
    "joint_trajectory": {"interface": "joint_trajectory", "topic": "arm/joint_trajectory"},
    "positions_only": {"interface": "joint_trajectory", "topic": "arm/joint_trajectory", "velocities": False},
    "forward_position": {"interface": "forward_position", "topic": "arm/positions"},
    "forward_velocity": {"interface": "forward_velocity", "topic": "arm/velocities"},
    "twist": {"interface": "twist", "topic": "servo/delta_twist_cmds"},
    "twist_of_the_hand": {"interface": "twist", "topic": "servo/delta_twist_cmds", "frame": "end_effector"},
    "arm_command": {"interface": "arm_command", "topic": "arm_command"},
}


def profile_with(command: dict[str, Any], **changes: Any) -> RobotProfile:
    """The simulated Panda's profile with another command interface."""
    data = find_profile("sim_panda").model_dump(mode="json")
    return RobotProfile.model_validate({**data, "command": command, **changes})


class Commander(ManagedNode):
    """Sends joint motions like arm_commander does, and remembers what the arm and the referee say."""

    def __init__(self, profile: RobotProfile, context: Any) -> None:
        self.profile = profile
        super().__init__("commander", context=context)

    def setup(self) -> None:
        self.model = MujocoArm(self.profile)
        self.driver = open_driver(self, self.profile, self.model)
        self.joints = JointStateListener(JointReader(self.profile.joint_names))
        self.e_stop = self.create_publisher(Bool, "e_stop", topics.latched())
        self.listen(JointState, "joint_states", self._on_joints, topics.newest(False))
        self.listen(String, topics.COMMAND_REFEREE, self._on_report, topics.reliable(1))
        self.report: dict[str, Any] = {}
        self.states: list[JointState] = []
        self.gripper = -1.0
        self.sending = True
        self.motions: list[JointPoint] = []
        self.every(self.profile.period_s, self._send)

    def _on_joints(self, message: JointState) -> None:
        self.states.append(message)
        reading = self.joints.take(message)
        if reading is not None and not self.motions:
            self.motions = [JointPoint.at_rest(reading.position)]

    def _on_report(self, message: String) -> None:
        self.report = json.loads(message.data)

    def _send(self) -> None:
        """The motion that is due; the last one stays."""
        if not self.motions or not self.sending:
            return
        motion = self.motions.pop(0) if len(self.motions) > 1 else self.motions[0]
        self.driver.send(motion, self.gripper, self.joints.newest.position, time.time_ns())

    @property
    def measured(self) -> np.ndarray:
        return self.joints.newest.position

    def move_by(self, way: np.ndarray, speed: float = 0.4) -> np.ndarray:
        """Plan a smooth way of each joint, `speed` of the limits at most; returns where it ends."""
        limits = self.profile.limits.scaled(speed)
        size = limits.size
        wanted = InputParameter(size)
        wanted.current_position = self.motions[-1].position.tolist()
        goal = self.motions[-1].position + way
        wanted.target_position = goal.tolist()
        wanted.max_velocity, wanted.max_acceleration = limits.velocity.tolist(), limits.acceleration.tolist()
        wanted.max_jerk = limits.jerk.tolist()
        trajectory = Trajectory(size)
        Ruckig(size).calculate(wanted, trajectory)
        steps = int(np.ceil(trajectory.duration / self.profile.period_s))
        times = [min(step * self.profile.period_s, trajectory.duration) for step in range(1, steps + 1)]
        self.motions = [JointPoint(*map(np.array, trajectory.at_time(time_s))) for time_s in times]
        self.motions.append(JointPoint.at_rest(goal))
        return goal


class Bench:
    """The simulated arm and its commander, both active."""

    def __init__(self, ros: Any, arm: SimArm, commander: Commander) -> None:
        self.ros, self.arm, self.commander = ros, arm, commander

    def move(self, way: np.ndarray, speed: float = 0.4, tolerance_rad: float = 0.005) -> np.ndarray:
        """Move each joint by `way` and wait; fails when the arm does not arrive."""
        goal = self.commander.move_by(way, speed)
        sender = self.commander
        arrived = lambda: len(sender.motions) == 1 and np.abs(sender.measured - goal).max() < tolerance_rad  # noqa: E731
        assert self.ros.until(arrived, 60.0), f"{self.commander.measured} did not reach {goal}"
        return goal

    def fresh_report(self) -> dict[str, Any]:
        """What the referee says from now on."""
        self.commander.report = {}
        assert self.ros.until(lambda: bool(self.commander.report))
        return self.commander.report


@pytest.fixture(scope="session")
def shared_world() -> Iterator[TabletopWorld]:
    """Building a world takes seconds, a reset takes none."""
    world = TabletopWorld(WorldConfig(render="none"))
    yield world
    world.close()


@pytest.fixture
def bench(
    ros: Any, shared_world: TabletopWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Iterator[Callable[..., Bench]]:
    """Makes a bench for a profile; further arguments are parameters of sim_arm."""
    monkeypatch.setattr(sim_arm, "build_world", lambda config: shared_world)
    started: list[ManagedNode] = []

    def make(profile: RobotProfile, **parameters: Any) -> Bench:
        path = tmp_path / "arm.yaml"
        path.write_text(profile.to_text())
        given = {"robot_profile": str(path), "render": "none", **parameters}
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        nodes = SimArm(context=ros.context, parameter_overrides=overrides), Commander(profile, ros.context)
        for node in nodes:
            started.append(ros.add(node))
            node.trigger_configure()
            node.trigger_activate()
            assert node.active, node.condition
        made = Bench(ros, *nodes)
        assert ros.until(lambda: bool(nodes[1].motions) and nodes[0].meters.age_s("command") < 1.0)
        return made

    yield make
    for node in reversed(started):
        node.trigger_shutdown()
