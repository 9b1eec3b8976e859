"""sim_arm: the Tabletop world behind the interfaces of a real arm's driver, in real time; takes the place of the arm.

It publishes joint states and pictures as drivers do, and obeys the command interface of a robot profile. What a driver
does not say (eef_pose, robot_contract) it does not say either.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any, ClassVar

from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool, String

from world2act import topics
from world2act.aside import Aside
from world2act.base_node import ManagedNode
from world2act.conversions import ConversionError, image_to_message, ns_to_stamp
from world2act.driver.emergency_stop import listen_to_emergency_stop
from world2act.episode import Episode, EpisodeRequest
from world2act.episode_messages import status_message
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, Condition
from world2act.parameters import Parameter
from world2act.realtime import run_first
from world2act.runner import run_node
from world2act.simulation.arm_parts import make_arm
from world2act.simulation.camera_info import pinhole_info
from world2act.simulation.camera_thread import CameraThread, Pictures
from world2act.simulation.fault_injection import JOINT_STATES
from world2act.simulation.fault_publisher import INJECT, FaultPublisher, FaultRequest, refuse_wrong_request
from world2act.simulation.gripper_server import GripperServer
from world2act.simulation.reset_service import offer_reset
from world2act.simulation.sent import SentWatch
from world2act.simulation.world_setup import FIXTURES_PARAMETER, IMAGE_SIZE, ROBOT, SEED, build_world, wanted_fixtures
from world2act_core.robot.find import find_profile
from world2act_core.robot.profile import ProfileError, RobotProfile
from world2act_interfaces.msg import EpisodeStatus
from world2act_sim.tabletop_env import CONTROL_HZ
from world2act_sim.world import CAMERAS, WorldConfig

COMMAND_INVALID = "COMMAND_INVALID"
WRONG_START = "COMMAND_STARTS_ELSEWHERE"
STOPPED = "EMERGENCY_STOP"
SETTLING_S = 0.2
"""After a reset, commands for the arm of before are on their way for so long, and are ignored without a word."""
NICE = -10
LONGEST_STEP_S = 0.1
"""When this process was kept waiting for longer, the arm's time stands still for the rest."""


class SimArm(ManagedNode):
    """The world moves with the joint states; pictures come from a thread of their own."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("robot_profile", "sim_panda", "Profile of the arm that it stands for: a name in robots/ or a path"),
        ROBOT,
        Parameter("render", "fast", "How pictures are drawn; none: there are no cameras", choices=("fast", "none")),
        IMAGE_SIZE,
        FIXTURES_PARAMETER,
        SEED,
        Parameter("state_hz", 125.0, "Rate of joint_states", "1/s", 10.0, 1000.0),
        Parameter("camera_hz", 20.0, "Rate of each camera", "1/s", 1.0, 60.0),
        Parameter("command_timeout", 0.1, "A velocity or twist that is older is taken for zero", "s", 0.01, 10.0),
        INJECT,
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sim_arm", **kwargs)
        self._cameras: CameraThread | None = None
        self._alone = False
        self.add_on_set_parameters_callback(refuse_wrong_request)

    def own_thread(self) -> None:
        """Its threads may be hurried: they are nobody else's."""
        self._alone = True

    def setup(self) -> None:
        """Build the world and offer the driver's interfaces."""
        profile = self._read_profile()
        # Without a renderer: pictures are drawn in the camera thread.
        config = WorldConfig(self.values.text("robot"), render="none", fixtures=wanted_fixtures(self.values))
        self.world = build_world(config)
        self.parts = make_arm(profile, self.world, self.values.number("command_timeout"))
        model = self.world.model
        self._fields_of_view = {name: model.cam_fovy[model.camera(camera).id] for name, camera in CAMERAS.items()}
        self._lock = threading.Lock()
        self._aside, self._resetting = Aside("reset", self._wake), False
        self._offer(profile)
        self._listen(profile)
        if self.values.text("render") != "none":
            self._cameras = CameraThread(
                self.world, self._lock, self.values.number("camera_hz"), self.values.integer("image_size"),
                self._send_pictures, self.fail,
            )  # fmt: skip
            self._cameras.start()
        self.every(1.0 / self.values.number("state_hz"), self._advance)
        self.every(1.0 / CONTROL_HZ, self._judge)

    def _read_profile(self) -> RobotProfile:
        try:
            return find_profile(self.values.text("robot_profile"))
        except ProfileError as error:
            raise ConfigurationError(str(error), "correct parameter robot_profile or the profile") from error

    def _offer(self, profile: RobotProfile) -> None:
        self._request = request = FaultRequest(lambda: self.values.text("inject"))
        states = self.publisher(JointState, profile.state.joint_states, topics.reliable(5))
        self._joint_states = FaultPublisher(states, JOINT_STATES, request)
        sources = {camera.name: camera.source for camera in profile.cameras if camera.kind == "topic"}
        infos = {camera.name: camera.camera_info for camera in profile.cameras if camera.kind == "topic"}
        self._images, self._infos = {}, {}
        for name in CAMERAS:
            if (info := infos.get(name)) is not None:
                self._infos[name] = self.publisher(CameraInfo, info, topics.reliable(5))
            pictures = self.publisher(Image, sources.get(name, topics.image_topic(name)), topics.reliable(5))
            self._images[name] = FaultPublisher(pictures, name, request)
        self._status = self.publisher(EpisodeStatus, topics.EPISODE_STATUS, topics.latched())
        self._report = self.publisher(String, topics.COMMAND_REFEREE, topics.reliable(1))

    def _listen(self, profile: RobotProfile) -> None:
        self._sent = SentWatch()
        command, gripper = self.parts.input, self.parts.gripper
        # Deep, so that the referee sees every command even when this process was kept waiting.
        self.poll(command.message_type, command.topic, self._on_command, topics.reliable(100))
        self._gripper_server: GripperServer | None = None
        if gripper.is_action:
            self._gripper_server = GripperServer(self, gripper, self._take_gripper, lambda: self.parts.opening)
        else:
            self.listen(gripper.message_type, gripper.topic, self._on_gripper, topics.reliable(1))
        if profile.state.e_stop is not None:
            listen_to_emergency_stop(self, profile.state.e_stop, self._on_e_stop)
        offer_reset(self, self.world, self._begin)

    def start(self) -> None:
        """Set up the first episode."""
        if self._alone:
            # A real arm and its cameras have processors of their own. Not before: to build a world is no hurry.
            run_first(NICE)
        self.polled.discard()
        self._sent = SentWatch()
        self._take_up(self._arrange(EpisodeRequest(seed=self.values.integer("seed"))))
        self._said = self.parts.joint_state(time.time_ns())
        if self._cameras is not None:
            self._cameras.active = True

    def stop(self) -> None:
        """No more pictures; the world stands still because nobody moves it on."""
        self._aside.wait()  # what is arranged must find its publishers: cleanup cannot come in between
        if self._gripper_server is not None:
            self._gripper_server.give_up()
        if self._cameras is not None:
            self._cameras.active = False

    def release(self) -> None:
        """End the threads."""
        if "_aside" in self.__dict__:
            self._aside.end()
        if self._cameras is not None:
            self._cameras.end()
            self._cameras = None
        world = self.__dict__.pop("world", None)
        if world is not None:
            world.close()

    def _wake(self) -> None:
        if self.executor is not None:
            self.executor.wake()

    async def _begin(self, request: EpisodeRequest) -> tuple[Episode, int]:
        # Aside: arranging a world can take longer than a driver may be silent.
        self._resetting = True
        try:
            episode = await self._aside.run(lambda: self._arrange(request))
        finally:
            self._resetting = False
        return self._take_up(episode)

    def _arrange(self, request: EpisodeRequest) -> Episode:
        with self._lock:
            return Episode(self.world, request)

    def _take_up(self, episode: Episode) -> tuple[Episode, int]:
        self.episode = episode
        self.parts.restart()
        if self._gripper_server is not None:
            self._gripper_server.give_up()
        self._advanced_s = self._begun_s = time.monotonic()
        stamp_ns = time.time_ns()
        # At once: who hears of joints that have leapt before it hears why takes it for a fault of the arm.
        self._status.publish(status_message(self.episode, stamp_ns))
        return self.episode, stamp_ns

    def _on_command(self, message: Any, info: dict[str, int]) -> None:
        # The middleware's stamp: what waits here while this process is busy was not sent in a hurry.
        sent_s, lost = self._sent.see(info)
        self.meters.tick("command")
        arm = self.parts.arm
        self.parts.referee.lost(lost)
        # Also while the brakes are on: the referee sees what is still commanded, and `release` forgets it.
        try:
            taken = self.parts.input.take(message, sent_s, arm.time_s, arm.position)
        except ConversionError as error:
            self.set_condition(Condition(DEGRADED, COMMAND_INVALID, f"ignored a command: {error}"))
            return
        if taken:
            self.clear_condition(COMMAND_INVALID, WRONG_START)
        elif time.monotonic() - self._begun_s > SETTLING_S:
            text = "ignored commands that do not begin where the arm is: start at the measured position"
            self.set_condition(Condition(DEGRADED, WRONG_START, text))

    def _on_gripper(self, message: Any) -> None:
        with contextlib.suppress(ConversionError):
            self._take_gripper(message)

    def _take_gripper(self, message: Any) -> None:
        """Obey a command; raises ConversionError, and says so, for one that a driver would refuse."""
        try:
            self.parts.arm.set_gripper(self.parts.gripper.opening(message))
        except ConversionError as error:
            self.set_condition(Condition(DEGRADED, COMMAND_INVALID, f"ignored a gripper command: {error}"))
            raise

    def _on_e_stop(self, message: Bool) -> None:
        arm = self.parts.arm
        if message.data and not arm.stopped:
            arm.stop()
            self.set_condition(Condition(DEGRADED, STOPPED, "the emergency stop is pressed: the brakes are on"))
        elif not message.data and arm.stopped:
            arm.release()
            self.parts.input.expect_start()
            self.clear_condition(STOPPED)

    def _advance(self) -> None:
        """Move the world on to now, then say where the arm is."""
        if self._resetting:
            self._stand_still()
            return
        self.polled.take()
        now_s = time.monotonic()
        behind_s = now_s - self._advanced_s
        self._advanced_s = now_s
        if behind_s > LONGEST_STEP_S:
            self.meters.count("times the world stood still")
        with self._lock:
            self.parts.arm.advance(min(behind_s, LONGEST_STEP_S))
            stamp_ns = time.time_ns()
            self._said = self.parts.joint_state(stamp_ns)
        self.meters.latency("physics", time.monotonic() - now_s)
        self.parts.meter.see(stamp_ns / 1e9, self.parts.arm.velocity)
        self._joint_states.publish(self._said)
        self.meters.tick("joint_states")

    def _stand_still(self) -> None:
        """While another episode is arranged the arm is where it was: a driver does not stop talking."""
        self._said.header.stamp = ns_to_stamp(time.time_ns())
        self._said.velocity = [0.0] * len(self._said.velocity)
        self._joint_states.publish(self._said)
        self.meters.tick("joint_states")

    def _send_pictures(self, pictures: Pictures, stamp_ns: int) -> None:
        for name, picture in pictures.items():
            if name in self._infos:
                self._infos[name].publish(pinhole_info(self._fields_of_view[name], len(picture), stamp_ns, name))
            self._images[name].publish(image_to_message(picture, stamp_ns, name))
        self.meters.tick("pictures")

    def _judge(self) -> None:
        """Ten times a second: how far the episode and the gripper's goal are, and what the referee has seen."""
        if self._resetting:
            return
        if self._gripper_server is not None:
            self._gripper_server.tick()
        with self._lock:
            self.episode.judge()
        self._status.publish(status_message(self.episode, time.time_ns()))
        self._report.publish(String(data=self.parts.report(time.time(), self._request.changed_s)))


PARAMETERS = SimArm.PARAMETERS


def main() -> int:
    """Entry point of `sim_arm`."""
    return run_node(SimArm)


if __name__ == "__main__":
    sys.exit(main())
