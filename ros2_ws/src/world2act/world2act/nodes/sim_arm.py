"""sim_arm: the Tabletop world behind the interfaces of a real arm's driver, in real time; takes the place of the arm.

It publishes joint states and pictures as drivers do, and obeys the command interface of a robot profile. What a driver
does not say (eef_pose, robot_contract) it does not say either.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, ClassVar

from rcl_interfaces.msg import SetParametersResult
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.conversions import ConversionError, image_to_message, joint_state_to_message
from world2act.driver.emergency_stop import listen_to_emergency_stop
from world2act.episode import Episode, EpisodeError, EpisodeRequest
from world2act.episode_messages import episode_request, reset_answer, status_message
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, Condition
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act.simulation.camera_thread import CameraThread, Pictures
from world2act.simulation.command_inputs import make_command_input
from world2act.simulation.fault_injection import JOINT_STATES, FaultRequestError, FaultyStream, parse_faults
from world2act.simulation.gripper_input import make_gripper_input
from world2act.simulation.referee_report import MotionMeter, referee_report
from world2act.simulation.world_setup import (
    FIXTURES_PARAMETER,
    IMAGE_SIZE,
    ROBOT,
    SEED,
    wanted_fixtures,
    world_not_built,
)
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import ProfileError, RobotProfile
from world2act_core.robot.referee import CommandReferee
from world2act_interfaces.msg import EpisodeStatus
from world2act_interfaces.srv import ResetEpisode
from world2act_sim.simulated_arm import SimulatedArm
from world2act_sim.site_kinematics import SiteKinematics
from world2act_sim.tabletop_env import CONTROL_HZ
from world2act_sim.world import CAMERAS, TabletopWorld, WorldConfig

COMMAND_INVALID = "COMMAND_INVALID"
WRONG_START = "COMMAND_STARTS_ELSEWHERE"
STOPPED = "EMERGENCY_STOP"
LONGEST_STEP_S = 0.1
"""When this process was kept waiting for longer, the arm's time stands still for the rest."""


class SimArm(ManagedNode):
    """The world moves with the executor's timer; pictures come from a thread of their own."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("robot_profile", "sim_panda", "Profile of the arm that it stands for: a name in robots/ or a path"),
        ROBOT,
        Parameter("render", "fast", "How pictures are drawn; none: there are no cameras", choices=("fast", "none")),
        IMAGE_SIZE,
        FIXTURES_PARAMETER,
        SEED,
        Parameter("state_hz", 125.0, "Rate of joint_states", "1/s", 10.0, 1000.0),
        Parameter("camera_hz", 15.0, "Rate of each camera", "1/s", 1.0, 60.0),
        Parameter("command_timeout", 0.1, "A velocity or twist that is older is taken for zero", "s", 0.01, 10.0),
        Parameter(
            "inject",
            "",
            "What goes wrong, for tests: scene=frozen, joint_states=delayed:0.5 and the like; empty: nothing",
            live=True,
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sim_arm", **kwargs)
        self._cameras: CameraThread | None = None
        self.add_on_set_parameters_callback(self._check_request)

    def setup(self) -> None:
        """Build the world and offer the driver's interfaces."""
        self.profile = self._read_profile()
        robot = self.values.text("robot")
        try:
            # Pictures are drawn by the camera thread, with a renderer of its own.
            config = WorldConfig(robot=robot, render="none", fixtures=wanted_fixtures(self.values))
            self.world = TabletopWorld(config)
        except ConfigurationError:
            raise
        except Exception as error:
            raise world_not_built(robot, error) from error
        self._make_arm()
        self._lock = threading.Lock()
        self._streams = {name: FaultyStream() for name in (JOINT_STATES, *CAMERAS)}
        self._refresh_faults()
        self._listen()
        self._offer()
        if self.values.text("render") != "none":
            self._start_cameras()
        self.every(1.0 / self.values.number("state_hz"), self._advance)
        self.every(1.0 / CONTROL_HZ, self._report_episode)

    def _read_profile(self) -> RobotProfile:
        try:
            profile = find_profile(self.values.text("robot_profile"))
        except ProfileError as error:
            raise ConfigurationError(str(error), "correct parameter robot_profile or the profile") from error
        return profile

    def _make_arm(self) -> None:
        profile, world = self.profile, self.world
        if len(profile.joints) != len(world.arm.names):
            raise ConfigurationError(
                f"robot profile {profile.name} has {len(profile.joints)} joints, "
                f"robosuite's {self.values.text('robot')} has {len(world.arm.names)}",
                "choose parameters robot and robot_profile that belong together",
            )
        self.referee = CommandReferee(profile.limits, profile.period_s)
        self.meter = MotionMeter(profile.limits)
        kinematics = SiteKinematics(world.model, world.arm)
        self.input = make_command_input(profile, kinematics, self.referee, self.values.number("command_timeout"))
        self.gripper = make_gripper_input(profile.gripper, self.input.topic)
        way_m = profile.gripper.width_open - profile.gripper.width_closed
        self.arm = SimulatedArm(world, self.input.controller, profile.gripper.max_speed / way_m)

    def _listen(self) -> None:
        # Deep, so that the referee sees every command even when this process was kept waiting.
        self.listen(self.input.message_type, self.input.topic, self._on_command, topics.reliable(100))
        self.listen(self.gripper.message_type, self.gripper.topic, self._on_gripper, topics.reliable(1))
        if self.profile.state.e_stop is not None:
            listen_to_emergency_stop(self, self.profile.state.e_stop, self._on_e_stop)
        service = self.create_service(ResetEpisode, topics.RESET_EPISODE, self._on_reset)
        self.own(lambda: self.destroy_service(service))

    def _offer(self) -> None:
        self._joints = self.publisher(JointState, self.profile.state.joint_states, topics.reliable(5))
        self._status = self.publisher(EpisodeStatus, topics.EPISODE_STATUS, topics.latched())
        self._referee = self.publisher(String, topics.COMMAND_REFEREE, topics.reliable(1))
        self._images = {
            name: self.publisher(Image, self._image_topic(name), topics.reliable(5)) for name in CAMERAS
        }  # fmt: skip

    def _image_topic(self, name: str) -> str:
        for camera in self.profile.cameras:
            if camera.name == name and camera.kind == "topic":
                return camera.source
        return topics.image_topic(name)

    def _start_cameras(self) -> None:
        cameras = CameraThread(
            self.world, self._lock, self.values.number("camera_hz"), self.values.integer("image_size"),
            self._send_pictures, self.fail,
        )  # fmt: skip
        try:
            cameras.start()
        except Exception as error:
            raise world_not_built(self.values.text("robot"), error) from error
        self._cameras = cameras

    def start(self) -> None:
        """Set up the first episode."""
        self._begin(EpisodeRequest(seed=self.values.integer("seed")))
        if self._cameras is not None:
            self._cameras.active = True

    def stop(self) -> None:
        """No more pictures; the world stands still because nobody moves it on."""
        if self._cameras is not None:
            self._cameras.active = False

    def release(self) -> None:
        """End the camera thread."""
        if self._cameras is not None:
            self._cameras.end()
            self._cameras = None
        world = self.__dict__.pop("world", None)
        if world is not None:
            world.close()

    def _begin(self, request: EpisodeRequest) -> None:
        with self._lock:
            self.episode = Episode(self.world, request)
            stopped = self.arm.stopped
            self.arm.restart()
        if stopped:
            self.arm.stop()
        self.input.expect_start()
        self.referee.restart()
        self.meter.restart()
        self._advanced_s = time.monotonic()
        self._report_episode()

    def _on_reset(self, request: ResetEpisode.Request, response: ResetEpisode.Response) -> ResetEpisode.Response:
        if not self.active:
            response.message = "sim_arm is not active: bring the graph up first (`world2act up sim`)"
            return response
        try:
            self._begin(episode_request(request))
        except (EpisodeError, ValueError, KeyError) as error:
            response.message = f"nothing was changed: {error}"
            return response
        return reset_answer(response, self.episode, self.world, time.time_ns())

    def _on_command(self, message: Any) -> None:
        self.meters.tick("command")
        if self.arm.stopped:
            return
        try:
            taken = self.input.take(message, time.time(), self.arm.time_s, self.arm.position)
        except ConversionError as error:
            self.set_condition(Condition(DEGRADED, COMMAND_INVALID, f"ignored a command: {error}"))
            return
        if taken:
            self.clear_condition(COMMAND_INVALID, WRONG_START)
        else:
            text = "ignored commands that do not begin where the arm is: start at the measured position"
            self.set_condition(Condition(DEGRADED, WRONG_START, text))

    def _on_gripper(self, message: Any) -> None:
        try:
            self.arm.set_gripper(self.gripper.opening(message))
        except ConversionError as error:
            self.set_condition(Condition(DEGRADED, COMMAND_INVALID, f"ignored a gripper command: {error}"))

    def _on_e_stop(self, message: Bool) -> None:
        if message.data and not self.arm.stopped:
            self.arm.stop()
            self.set_condition(Condition(DEGRADED, STOPPED, "the emergency stop is pressed: the brakes are on"))
        elif not message.data and self.arm.stopped:
            self.arm.release()
            self.input.expect_start()
            self.clear_condition(STOPPED)

    def _advance(self) -> None:
        """Move the world on to now, then say where the arm is."""
        now_s = time.monotonic()
        behind_s = now_s - self._advanced_s
        self._advanced_s = now_s
        if behind_s > LONGEST_STEP_S:
            self.meters.count("times the world stood still")
        began = time.perf_counter()
        with self._lock:
            self.arm.advance(min(behind_s, LONGEST_STEP_S))
            stamp_ns = time.time_ns()
            position, velocity = self.arm.position, self.arm.velocity
            opening = self.world.gripper_width() / self.profile.gripper.width_open
        self.meters.latency("physics", time.perf_counter() - began)
        self.meter.see(stamp_ns / 1e9, velocity)
        fingers = self.profile.gripper.joints
        message = joint_state_to_message(
            (*self.profile.joint_names, *fingers),
            [*position, *self.gripper.reading(opening)],
            [*velocity, *(0.0 for _ in fingers)],
            stamp_ns,
        )
        self._publish(JOINT_STATES, self._joints, message)
        self.meters.tick("joint_states")

    def _send_pictures(self, pictures: Pictures, stamp_ns: int) -> None:
        for name, picture in pictures.items():
            self._publish(name, self._images[name], image_to_message(picture, stamp_ns, name))
        self.meters.tick("pictures")

    def _publish(self, stream: str, publisher: Any, message: Any) -> None:
        if not self.values.text("inject"):
            publisher.publish(message)
            return
        self._refresh_faults()
        for sent in self._streams[stream].pass_on(message, self._faults.get(stream), time.monotonic()):
            publisher.publish(sent)

    def _refresh_faults(self) -> None:
        try:
            self._faults = parse_faults(self.values.text("inject"), tuple(CAMERAS))
        except FaultRequestError as error:
            raise ConfigurationError(f"parameter inject: {error}", "correct it, or leave it empty") from error

    def _check_request(self, parameters: list[Any]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == "inject":
                try:
                    parse_faults(str(parameter.value), tuple(CAMERAS))
                except FaultRequestError as error:
                    return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _report_episode(self) -> None:
        with self._lock:
            self.episode.judge()
        self._status.publish(status_message(self.episode, time.time_ns()))
        report = referee_report(self.referee.findings, self.input.ignored, self.arm.stopped, self.meter)
        self._referee.publish(String(data=report))


PARAMETERS = SimArm.PARAMETERS


def main() -> int:
    """Entry point of `sim_arm`."""
    return run_node(SimArm)


if __name__ == "__main__":
    sys.exit(main())
