"""sim_bridge: the Tabletop world behind the same topics as a real arm, in lockstep or in real time.

Lockstep: tick n is published with stamp t_n; the world moves on only by the arm_command that carries t_n. While nobody
answers, the same tick is published again, so that a process that joins late, or lost a message, cannot stall the graph.
Nothing depends on the wall clock: everyone treats a repeated tick as the tick it already has.
"""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.conversions import (
    ConversionError,
    arm_target_from_message,
    image_to_message,
    joint_state_to_message,
    ns_to_stamp,
    seconds_to_ns,
    stamp_to_ns,
    stamped_pose_to_message,
)
from world2act.episode import Episode, EpisodeRequest
from world2act.episode_messages import status_message
from world2act.health import DEGRADED, Condition
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act.simulation.reset_service import offer_reset
from world2act.simulation.world_setup import (
    FIXTURES_PARAMETER,
    IMAGE_SIZE,
    ROBOT,
    SEED,
    wanted_fixtures,
    world_not_built,
)
from world2act_core.types import ArmTarget
from world2act_interfaces.msg import ArmCommand, EpisodeStatus
from world2act_sim.world import TabletopWorld, WorldConfig, WorldObservation

FINGERS = ("finger_joint1", "finger_joint2")
EPISODE_GAP_NS = seconds_to_ns(10.0)
"""Simulated time jumps by this much at a reset, so that no chunk of the episode before can cover the new one."""


class SimBridge(ManagedNode):
    """Owns the world. The renderer belongs to the thread that made it, so everything here is in the executor's."""

    BEATS_ASIDE: ClassVar[bool] = False
    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        ROBOT,
        Parameter("render", "fast", "How pictures are drawn", choices=("fast", "stock")),
        IMAGE_SIZE,
        FIXTURES_PARAMETER,
        SEED,
        Parameter(
            "command_timeout", 0.35, "An older command is not obeyed, the arm holds (real time)", "s", 0.05, 10.0
        ),
        Parameter(
            "repeat_period", 0.5, "An unanswered tick is published again after this long (lockstep)", "s", 0.05, 60.0
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("sim_bridge", **kwargs)

    def setup(self) -> None:
        """Build the world, and say which contract it has."""
        robot = self.values.text("robot")
        config = WorldConfig(
            robot=robot, image_size=self.values.integer("image_size"), render=self._render_mode(),
            fixtures=wanted_fixtures(self.values),
        )  # fmt: skip
        try:
            self.world = TabletopWorld(config)
            self.world.observe()
        except Exception as error:
            raise world_not_built(robot, error) from error
        contract = self.world.contract
        self._period_ns = seconds_to_ns(1.0 / contract.control_hz)
        self._tick_ns = 0
        self._images = {
            camera.name: self.publisher(Image, topics.image_topic(camera.name), topics.reliable(5))
            for camera in contract.cameras
        }
        self._joints = self.publisher(JointState, topics.JOINT_STATES, topics.reliable(5))
        self._poses = self.publisher(PoseStamped, topics.EEF_POSE, topics.reliable(5))
        self._status = self.publisher(EpisodeStatus, topics.EPISODE_STATUS, topics.latched())
        self._clock = self.publisher(Clock, topics.CLOCK, topics.reliable(1)) if self.lockstep else None
        self.listen(ArmCommand, topics.ARM_COMMAND, self._on_command, topics.reliable())
        offer_reset(self, self.world, self._begin)
        period = self.values.number("repeat_period") if self.lockstep else 1.0 / contract.control_hz
        self._timer = self.every(period, self._repeat if self.lockstep else self._advance_by_time)
        # Not a managed publisher: vla_policy compares contracts while it is configured, before anyone is active.
        publisher = self.create_publisher(String, topics.ROBOT_CONTRACT, topics.latched())
        self.own(lambda: self.destroy_publisher(publisher))
        publisher.publish(String(data=contract.to_text()))

    def _render_mode(self) -> Any:
        return self.values.text("render")

    def start(self) -> None:
        """Set up the first episode."""
        self._begin(EpisodeRequest(seed=self.values.integer("seed")))

    def safe_command(self) -> None:
        """The world stands still by itself: nobody steps it any more."""

    def release(self) -> None:
        """Free the renderer."""
        world = self.__dict__.pop("world", None)
        if world is not None:
            world.close()

    def _begin(self, request: EpisodeRequest) -> tuple[Episode, int]:
        self.episode = Episode(self.world, request)
        self._tick_ns = self._tick_ns + EPISODE_GAP_NS if self.lockstep else time.time_ns()
        self._reset_ns = self._tick_ns
        self._hold = ArmTarget(self.episode.observation.eef_pose, -1.0)
        self._newest: tuple[float, ArmTarget] | None = None
        self._publish(self.episode.observation)
        return self.episode, self._reset_ns

    def _on_command(self, message: ArmCommand) -> None:
        try:
            target = arm_target_from_message(message)
        except ConversionError as error:
            self.set_condition(Condition(DEGRADED, "COMMAND_INVALID", f"ignored an arm command: {error}"))
            return
        # A command computed from a picture of an earlier episode would pull the arm back to where it was then.
        if stamp_to_ns(message.observation_stamp) < self._reset_ns:
            target = self._hold
        if not self.lockstep:
            self._newest = (time.monotonic(), target)
            return
        if stamp_to_ns(message.header.stamp) != self._tick_ns:
            self.meters.count("commands for another tick")
            return
        self._tick_ns += self._period_ns
        self._step(target)
        self._timer.reset()

    def _step(self, target: ArmTarget) -> None:
        self._hold = target
        began = time.perf_counter()
        observation = self.episode.step(target)
        self.meters.latency("step and render", time.perf_counter() - began)
        self._publish(observation)

    def _repeat(self) -> None:
        self._publish(self.episode.observation)

    def _advance_by_time(self) -> None:
        fresh = self._newest is not None and time.monotonic() - self._newest[0] < self.values.number("command_timeout")
        target = self._newest[1] if fresh and self._newest is not None else self._hold
        if not fresh:
            self.meters.count("ticks without a fresh command")
        self._step(target)

    def _publish(self, seen: WorldObservation) -> None:
        if not self.lockstep:
            self._tick_ns = time.time_ns()
        stamp = self._tick_ns
        # State before pictures: they are what the others wait for, so everything is there when the last one arrives.
        self._poses.publish(stamped_pose_to_message(seen.eef_pose, stamp))
        half = seen.gripper_width / 2
        self._joints.publish(
            joint_state_to_message(
                (*seen.joint_names, *FINGERS),
                [*seen.joint_position, half, half],
                [*seen.joint_velocity, 0.0, 0.0],
                stamp,
            )
        )
        for name, picture in seen.images.items():
            self._images[name].publish(image_to_message(picture, stamp, name))
        self._status.publish(status_message(self.episode, stamp))
        if self._clock is not None:
            self._clock.publish(Clock(clock=ns_to_stamp(stamp)))
        self.meters.tick("tick")


PARAMETERS = SimBridge.PARAMETERS


def main() -> int:
    """Entry point of `sim_bridge`."""
    return run_node(SimBridge)


if __name__ == "__main__":
    sys.exit(main())
