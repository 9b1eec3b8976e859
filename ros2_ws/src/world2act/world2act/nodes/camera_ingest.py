"""camera_ingest: cameras and robot state of one instant -> Observation; newest only, skew and drops measured."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any, ClassVar

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER, read_contract
from world2act.conversions import (
    ConversionError,
    gripper_width,
    image_from_message,
    ns_to_seconds,
    observation_to_message,
    pose_from_message,
    seconds_to_ns,
    stamp_to_ns,
    value_names,
)
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, FAULT, Condition
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act.synchronizer import Match, StampSynchronizer
from world2act_core.pose import state_vector
from world2act_interfaces.msg import Observation

SUPPORTED_STATE = ("eef_position", "eef_rotation", "gripper_width")
SILENT = "INPUT_SILENT"
SKEWED = "INPUTS_SKEWED"


class CameraIngest(ManagedNode):
    """Publishes one Observation per set of inputs that belong together; none at all while an input is silent."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        Parameter("max_skew", 0.05, "Largest difference between stamps put together (real time)", "s", 0.0, 1.0),
        Parameter("input_timeout", 1.0, "An input this long without a message is silent (real time)", "s", 0.1, 60.0),
        Parameter("lockstep_timeout", 5.0, "The same as input_timeout, in lockstep", "s", 0.1, 600.0),
        Parameter(
            "finger_joints",
            ("finger_joint1", "finger_joint2"),
            "Joints whose travel adds up to the gripper's width [m]",
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("camera_ingest", **kwargs)

    def setup(self) -> None:
        """Read the contract and subscribe to its cameras and to the robot's state."""
        contract = read_contract(self.values.text("bundle"))
        self.cameras = tuple(camera.name for camera in contract.cameras)
        names = tuple(dimension.name for dimension in contract.state)
        if names != SUPPORTED_STATE:
            raise ConfigurationError(
                f"the bundle's contract wants the state {names}, this node can build {SUPPORTED_STATE}",
                "use a bundle made for an arm with these states",
            )
        self.state_names = value_names(contract.state)
        self.inputs = (*self.cameras, topics.JOINT_STATES, topics.EEF_POSE)
        self._timeout_s = self.values.number("lockstep_timeout" if self.lockstep else "input_timeout")
        self._min_interval_ns = 0 if self.lockstep else seconds_to_ns(0.75 / contract.observation_hz)
        self._observations = self.publisher(Observation, topics.OBSERVATION, topics.reliable())
        qos = topics.newest(self.lockstep)
        for camera in self.cameras:
            self.listen(Image, topics.image_topic(camera), partial(self._take, camera), qos)
        self.listen(JointState, topics.JOINT_STATES, partial(self._take, topics.JOINT_STATES), qos)
        self.listen(PoseStamped, topics.EEF_POSE, partial(self._take, topics.EEF_POSE), qos)
        self.every(min(0.25, self._timeout_s / 2), self.refresh_condition)

    def start(self) -> None:
        """Forget what came before."""
        skew_ns = 0 if self.lockstep else seconds_to_ns(self.values.number("max_skew"))
        states = (topics.JOINT_STATES, topics.EEF_POSE)
        self._synchronizer = StampSynchronizer(self.cameras, states, skew_ns, self._min_interval_ns)
        self._sequence = 0
        self._dropped = 0
        self._started_s = time.monotonic()

    def _take(self, name: str, message: Any) -> None:
        self.meters.tick(name)
        match = self._synchronizer.push(name, stamp_to_ns(message.header.stamp), message)
        if self._synchronizer.dropped > self._dropped:
            self.meters.count("pictures dropped", self._synchronizer.dropped - self._dropped)
            self._dropped = self._synchronizer.dropped
        if match is not None:
            self._emit(match)

    def _emit(self, match: Match) -> None:
        images = {camera: match.values[camera] for camera in self.cameras}
        try:
            for image in images.values():
                image_from_message(image)
            pose = pose_from_message(match.values[topics.EEF_POSE].pose)
            width = gripper_width(match.values[topics.JOINT_STATES], self.values.texts("finger_joints"))
        except ConversionError as error:
            self.set_condition(Condition(FAULT, "INPUT_INVALID", str(error)))
            return
        self.clear_condition("INPUT_INVALID", SKEWED)
        message = observation_to_message(images, state_vector(pose, width), self.state_names, match.stamp_ns)
        message.sequence = self._sequence
        message.skew = ns_to_seconds(match.skew_ns)
        message.input_names = list(match.stamps_ns)
        now_ns = time.time_ns()
        if not self.lockstep:
            message.input_age = [max(0.0, ns_to_seconds(now_ns - stamp)) for stamp in match.stamps_ns.values()]
            self.meters.latency("camera stamp to observation", max(0.0, ns_to_seconds(now_ns - match.stamp_ns)))
            self.meters.latency("skew", message.skew)
        else:
            message.input_age = [0.0] * len(match.stamps_ns)
        self._sequence += 1
        self._observations.publish(message)
        self.meters.tick("observation")

    def refresh_condition(self) -> None:
        """Name the inputs that are silent, or say that what arrives does not belong together."""
        if time.monotonic() - self._started_s < self._timeout_s:
            return
        silent = [name for name in self.inputs if self.meters.age_s(name) > self._timeout_s]
        if silent:
            text = (
                f"nothing from {', '.join(silent)} for {self._timeout_s:g} s: check the driver, the cable and the topic"
            )
            self.set_condition(Condition(FAULT, SILENT, text))
            return
        self.clear_condition(SILENT)
        if self.meters.age_s("observation") > self._timeout_s:
            text = "all inputs arrive, but their stamps never agree: check that they use one clock, or raise max_skew"
            self.set_condition(Condition(DEGRADED, SKEWED, text))


PARAMETERS = CameraIngest.PARAMETERS


def main() -> int:
    """Entry point of `camera_ingest`."""
    return run_node(CameraIngest)


if __name__ == "__main__":
    sys.exit(main())
