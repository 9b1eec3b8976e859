"""camera_ingest: cameras and robot state of one instant -> Observation; newest only, skew and drops measured."""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from typing import Any, ClassVar

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER, read_contract, require_supported_state
from world2act.cameras.camera_set import PARAMETERS as CAMERA_PARAMETERS
from world2act.cameras.camera_set import CameraSet
from world2act.cameras.feed import Picture
from world2act.cameras.noted_meters import NotedMeters
from world2act.cameras.settings import camera_settings
from world2act.conversions import (
    ConversionError,
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
from world2act.robot_state import GRIPPER_PARAMETERS, JOINT_STATES_PARAMETER, GripperReader
from world2act.runner import run_node
from world2act.synchronizer import Match, StampSynchronizer
from world2act_core.cameras.faults import FAULTS
from world2act_core.contract import Contract
from world2act_core.pose import state_vector
from world2act_interfaces.msg import Observation

SILENT = "INPUT_SILENT"
SKEWED = "INPUTS_SKEWED"
STATE_HISTORY = 512
"""Messages kept of each state stream in real time: half a second of an arm that reports at 1 kHz."""
LOOK_S = 0.02
"""Time between two looks for states, beside the one when a picture comes (real time)."""
STATES_WAITING = 64
"""Messages of a state stream between two looks; an arm at 1 kHz sends twenty."""
ALMOST = 0.8
"""Once one input is silent, those that have been quiet for this share of the time-out are named too; and a timer's beat
that comes after this share of its period is no earlier than it should be."""
SKEWED_PERIODS = 5
"""Inputs that all arrive, and no observation for as many of its periods: their stamps do not agree."""
LOOK_AFTER = 0.2
"""Silence is looked for at this share of the time-out: it is noticed that much later than it could be, at worst."""


class CameraIngest(ManagedNode):
    """Publishes one Observation per set of inputs that belong together; none at all while an input is silent.

    In lockstep the simulator's pictures pass through as they are. In real time each camera has a source, a lens and a
    judge (package `cameras`), and nothing is published from a camera with a fault.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        Parameter("max_skew", 0.05, "Largest difference between stamps put together (real time)", "s", 0.0, 1.0),
        Parameter("input_timeout", 1.0, "An input this long without a message is silent (real time)", "s", 0.1, 60.0),
        Parameter("lockstep_timeout", 5.0, "The same as input_timeout, in lockstep", "s", 0.1, 600.0),
        JOINT_STATES_PARAMETER,
        *GRIPPER_PARAMETERS,
        Parameter(
            "picture_window", 0.3, "How long a picture waits for another camera's of its instant (real time)",
            "s", 0.0, 2.0,
        ),
        *CAMERA_PARAMETERS,
    )  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("camera_ingest", **kwargs)
        self.meters: NotedMeters = NotedMeters()

    def setup(self) -> None:
        """Read the contract and subscribe to its cameras and to the robot's state."""
        contract = read_contract(self.values.text("bundle"))
        self.cameras = tuple(camera.name for camera in contract.cameras)
        require_supported_state(contract)
        self.state_names = value_names(contract.state)
        self._gripper = GripperReader.of_parameters(self.values)
        self._joint_states = self.values.text("joint_states")
        self.inputs = (*self.cameras, self._joint_states, topics.EEF_POSE)
        self._timeout_s = self.values.number("lockstep_timeout" if self.lockstep else "input_timeout")
        self._skewed_after_s = max(self._timeout_s, SKEWED_PERIODS / contract.observation_hz)
        self._min_interval_ns = 0 if self.lockstep else seconds_to_ns(0.75 / contract.observation_hz)
        self._observations = self.publisher(Observation, topics.OBSERVATION, topics.reliable())
        self._connect_cameras(contract)
        self._listen_to_state(JointState, self._joint_states)
        self._listen_to_state(PoseStamped, topics.EEF_POSE)
        self._judge_after_s = min(0.25, LOOK_AFTER * self._timeout_s)
        self.every(self._judge_after_s if self.lockstep else min(LOOK_S, self._judge_after_s), self._look)

    def _listen_to_state(self, message_type: type, topic: str) -> None:
        if self.lockstep:
            self.listen(message_type, topic, partial(self._take, topic), topics.newest(lockstep=True))
        else:
            self.poll(message_type, topic, lambda message, _: self._take(topic, message), topics.stream(STATES_WAITING))

    def _connect_cameras(self, contract: Contract) -> None:
        sources, lenses = self.values.texts("cameras"), self.values.texts("calibrations")
        settings = camera_settings(contract.cameras, sources, lenses)
        self._camera_set: CameraSet | None = None
        if not self.lockstep:
            self._camera_set = CameraSet(self, settings, self.meters, self._take_picture, self.refresh_condition)
            return
        if sources or lenses:
            raise ConfigurationError(
                "parameters cameras and calibrations are set, but lockstep takes the simulator's pictures as they are",
                "leave them out, or set lockstep to false",
            )
        for camera in self.cameras:
            self.listen(Image, topics.image_topic(camera), partial(self._take, camera), topics.newest(True))

    def start(self) -> None:
        """Forget what came before."""
        states = (self._joint_states, topics.EEF_POSE)
        if self._camera_set is None:
            self._synchronizer = StampSynchronizer(self.cameras, states)
        else:
            self._camera_set.restart()
            skew_ns, window_ns = (seconds_to_ns(self.values.number(name)) for name in ("max_skew", "picture_window"))
            self._synchronizer = StampSynchronizer(
                self.cameras, states, skew_ns, self._min_interval_ns, window_ns, STATE_HISTORY
            )
        self._sequence = 0
        self._dropped = 0
        self._started_s = self._faulty_s = self._judged_s = time.monotonic()
        self.polled.take()  # a calibration may have been sent once, and before

    def _look(self) -> None:
        """Take the states that have come, and judge the inputs when it is time to."""
        self.polled.take()
        now_s = time.monotonic()
        if now_s - self._judged_s >= ALMOST * self._judge_after_s:
            self._judged_s = now_s
            self.refresh_condition()

    def _take(self, name: str, message: Any) -> None:
        self.meters.tick(name)
        if self._camera_set is not None and name == topics.EEF_POSE:
            self._camera_set.take_pose(message)
        self._push(name, stamp_to_ns(message.header.stamp), message)

    def _take_picture(self, camera: str, picture: Picture) -> None:
        self._push(camera, picture.stamp_ns, picture)

    def _push(self, name: str, stamp_ns: int, value: Any) -> None:
        match = self._synchronizer.push(name, stamp_ns, value)
        if self._synchronizer.dropped > self._dropped:
            self.meters.count("pictures dropped", self._synchronizer.dropped - self._dropped)
            self._dropped = self._synchronizer.dropped
        if match is not None:
            self._emit(match)

    def _emit(self, match: Match) -> None:
        try:
            images = {camera: self._image(camera, match.values[camera]) for camera in self.cameras}
            pose = pose_from_message(match.values[topics.EEF_POSE].pose)
            width = self._gripper.width(match.values[self._joint_states])
        except ConversionError as error:
            self.set_condition(Condition(FAULT, "INPUT_INVALID", str(error)))
            return
        self.clear_condition("INPUT_INVALID", SKEWED)
        message = observation_to_message(images, state_vector(pose, width), self.state_names, match.stamp_ns)
        message.sequence = self._sequence
        message.skew = ns_to_seconds(match.skew_ns)
        message.input_names = list(match.stamps_ns)
        message.input_age = [0.0] * len(match.stamps_ns) if self.lockstep else self._measured_ages(match)
        self._sequence += 1
        self._observations.publish(message)
        self.meters.tick("observation")

    def _image(self, camera: str, picture: Any) -> Image:
        if self._camera_set is not None:
            return self._camera_set.message(camera, picture)
        image_from_message(picture)  # refuses what the policy could not read
        return picture

    def _measured_ages(self, match: Match) -> list[float]:
        now_ns = self.get_clock().now().nanoseconds
        newest_ns = max(match.stamps_ns.values())
        self.meters.latency("camera stamp to observation", max(0.0, ns_to_seconds(now_ns - match.stamp_ns)))
        self.meters.latency("skew", ns_to_seconds(match.skew_ns))
        for camera in self.cameras:
            self.meters.latency(f"{camera} skew", ns_to_seconds(newest_ns - match.stamps_ns[camera]))
        return [max(0.0, ns_to_seconds(now_ns - stamp)) for stamp in match.stamps_ns.values()]

    def refresh_condition(self) -> None:
        """Name the inputs that are silent and the cameras with a fault, or say that what arrives does not match."""
        waited = time.monotonic() - self._started_s >= self._timeout_s
        silent = self._silent_inputs() if waited else []
        condition = self._camera_condition(self._camera_set, waited) if self._camera_set else None
        if silent and (condition is None or not set(silent) <= set(self.cameras)):
            text = (
                f"nothing from {', '.join(silent)} for {self._timeout_s:g} s: check the driver, the cable and the topic"
            )
            condition = Condition(FAULT, SILENT, text)
        if condition is not None:
            self._faulty_s = time.monotonic()
            self.set_condition(condition)
            return
        self.clear_condition(SILENT, *FAULTS)
        if min(self.meters.age_s("observation"), time.monotonic() - self._faulty_s) > self._skewed_after_s:
            text = "all inputs arrive, but their stamps never agree: check that they use one clock, or raise max_skew"
            self.set_condition(Condition(DEGRADED, SKEWED, text))

    def _silent_inputs(self) -> list[str]:
        ages = {name: self.meters.age_s(name) for name in self.inputs}
        if max(ages.values()) <= self._timeout_s:
            return []
        # When everything stops at once, the inputs do not cross the limit in the same instant.
        return [name for name, age_s in ages.items() if age_s > ALMOST * self._timeout_s]

    def _camera_condition(self, cameras: CameraSet, waited: bool) -> Condition | None:
        findings = cameras.findings(self._timeout_s if waited else math.inf)
        for camera in findings:
            # What it sent before its fault was noticed may have been bad already.
            self._synchronizer.forget(camera)
        return cameras.condition(findings) if findings else None


PARAMETERS = CameraIngest.PARAMETERS


def main() -> int:
    """Entry point of `camera_ingest`."""
    return run_node(CameraIngest)


if __name__ == "__main__":
    sys.exit(main())
