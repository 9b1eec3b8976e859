"""arm_commander for an arm with a robot profile: chunks -> smooth joint commands that never leave the limits."""

from __future__ import annotations

import gc
import sys
import time
from functools import partial
from typing import Any, ClassVar

from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Header, String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER
from world2act.commander import parameters, reports
from world2act.commander.holds import Holds
from world2act.commander.inputs import Inputs, stamp_of_serialized
from world2act.commander.reach import Reach
from world2act.commander.run_record import RunRecord
from world2act.commander.set_up import ArmSetUp, set_up
from world2act.conversions import ConversionError, chunk_from_message, ns_to_seconds, stamp_to_ns
from world2act.driver.emergency_stop import listen_to_emergency_stop
from world2act.driver.factory import open_driver
from world2act.driver.robot_contract import robot_contract_message
from world2act.health import DEGRADED, FAULT, Condition
from world2act.parameters import Parameter
from world2act.realtime import take_priority
from world2act.runner import run_node
from world2act_core.chunks import ChunkError
from world2act_core.commanding.profiled_arm import Step
from world2act_core.robot.joint_motion import is_at_rest
from world2act_core.robot.joint_reading import JointReading
from world2act_core.safety.filter import NOTHING_FRESH
from world2act_core.safety.types import SafetyMode
from world2act_interfaces.msg import (
    ActionChunk,
    ArmCommand,
    EpisodeStatus,
    NodeHealth,
    Observation,
    SafetyStatus,
    Skill,
)
from world2act_interfaces.srv import ClearFault, SetHold

Info = dict[str, Any]

CHUNK_INVALID = "CHUNK_INVALID"
WAITING = "WAITING_FOR_STATE"
JOINT_STATES_KEPT = 32
"""Of the joint states that come between two periods; a driver at 1 kHz sends ten."""
REST_PATIENCE_S = 2.0
"""How long an arm may take to come to rest before its publishers are switched off; at the limits it takes far less."""


class JointCommander(ManagedNode):
    """Sends one command per period of the profile's `command_hz`; holds, smoothly and for a named reason, otherwise."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (BUNDLE_PARAMETER, *parameters.JOINT_COMMANDER)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("arm_commander", **kwargs)

    def own_thread(self) -> None:
        """Take the real-time priority: in both threads, because each may wait for the other's turn."""
        priority = self.values.integer("realtime_priority")
        problem = take_priority(priority) if priority else ""
        if problem:
            self.get_logger().info(problem, once=True)

    def setup(self) -> None:
        """Read profile and bundle, say what the robot is, and subscribe."""
        self._set_up: ArmSetUp = set_up(self.values, self.lockstep)
        profile = self._set_up.profile
        self.contract = self._set_up.contract
        self._arm = self._set_up.arm
        self._driver = open_driver(self, profile, self._arm.path.model)
        # What a recording makes data of; an arm that takes Cartesian targets gets the same message as its command.
        self._commands = (
            None if profile.command.topic == topics.ARM_COMMAND
            else self.publisher(ArmCommand, topics.ARM_COMMAND, topics.reliable(1))
        )  # fmt: skip
        self._status = self.publisher(SafetyStatus, topics.SAFETY_STATUS, topics.reliable())
        self._poses = self.publisher(PoseStamped, topics.EEF_POSE, topics.reliable(5))
        self._subscribe()
        for kind, name, answer in (
            (SetHold, topics.SET_HOLD, self._on_set_hold),
            (ClearFault, topics.CLEAR_FAULT, self._on_clear),
        ):
            service = self.create_service(kind, name, answer)
            self.own(partial(self.destroy_service, service))
        # Not a managed publisher: vla_policy compares contracts while it is configured, before anyone is active.
        contract = self.create_publisher(String, topics.ROBOT_CONTRACT, topics.latched())
        self.own(lambda: self.destroy_publisher(contract))
        contract.publish(robot_contract_message(profile, self.contract))
        self.every(profile.period_s, self._period)
        self.every(0.1, self._report_safety)

    def _subscribe(self) -> None:
        state = self._set_up.profile.state
        self.listen(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())
        self.listen(Skill, topics.SKILL, self._on_skill, topics.latched())
        if state.e_stop is not None:
            listen_to_emergency_stop(self, state.e_stop, self._on_e_stop)
        # The rest is looked into once per period, in this order: an episode that begins anew before joints that leapt.
        self.poll(EpisodeStatus, topics.EPISODE_STATUS, self._on_episode, topics.latched())
        self.poll(JointState, state.joint_states, self._on_joints, topics.stream(JOINT_STATES_KEPT))
        self.poll(Header, topics.HEARTBEAT, self._on_heartbeat, topics.heartbeat())
        self.poll(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        # Serialized: only the stamp is wanted, and the pictures behind it are large.
        self.poll(Observation, topics.OBSERVATION, self._on_observation, topics.newest(lockstep=False), raw=True)
        self._inputs: Inputs = self._set_up.inputs()

    def start(self) -> None:
        """Begin without a pose: the first joint states from now on say where the arm is."""
        self.polled.discard()
        self._inputs = self._set_up.inputs(self._inputs)
        self._holds: Holds = self._set_up.holds()
        self._holds.start()
        self._driver.start()
        gc.collect()
        gc.freeze()  # what is there now stays; to look through it in the middle of a motion would delay a command
        self._begun = False
        self._reading: JointReading | None = None
        self._episode_step = self._episode_ns = 0
        self._last_s = time.monotonic()
        self._shown: tuple[SafetyMode, tuple[str, ...]] = (SafetyMode.HOLDING, ())
        self._bad_start = ""
        self._run, self._reach = RunRecord(), Reach()

    def safe_command(self) -> None:
        """Come to rest inside the limits, then tell the arm to stay there."""
        if not self._begun:
            return
        deadline_s = time.monotonic() + REST_PATIENCE_S
        step = self._step("arm_commander is stopping")
        while not is_at_rest(step.decision) and time.monotonic() < deadline_s:
            time.sleep(self._set_up.profile.period_s)
            step = self._step("arm_commander is stopping")
        self._driver.stop(time.time_ns())
        self._set_up.remember_bundle(self._run)

    def release(self) -> None:
        """Let the collector see everything again: the middleware's memory goes with the last of its objects."""
        gc.unfreeze()

    def _on_set_hold(self, request: SetHold.Request, response: SetHold.Response) -> SetHold.Response:
        response.ok = self.active
        if not self.active:
            response.message = "arm_commander is not active: nothing moves; bring the graph up first"
            return response
        self._holds.asked.set(request.hold, request.reason)
        return response

    def _on_clear(self, _: ClearFault.Request, response: ClearFault.Response) -> ClearFault.Response:
        if not self.active or not self._begun:
            response.ok = True
            return response
        result = self._arm.clear(self._inputs.situation(time.time_ns(), ""))
        response.fault = ", ".join((*result.faults, *self._holds.latched))
        left = [text for text in (result.message, self._holds.clear()) if text]
        response.ok, response.message = not left, "; ".join(left)
        # What was planned before belongs to the past.
        self._inputs.rested()
        self._report_safety()
        return response

    def _on_e_stop(self, message: Bool) -> None:
        # Acted on at the next beat. A command in between would be a second one for the same stretch of time, and an arm
        # that is braking would be told to hurry; a button that repeats itself would say so again and again.
        self._inputs.e_stop.take(message, time.monotonic())

    def _on_episode(self, message: EpisodeStatus, _: Info) -> None:
        """A simulator put the arm somewhere else; a real arm never does, and nobody says so there."""
        self._run.simulated = True
        if message.step_count < self._episode_step:
            self._begun = False
            self._episode_ns = stamp_to_ns(message.header.stamp)
        self._episode_step = int(message.step_count)

    def _on_heartbeat(self, message: Header, _: Info) -> None:
        self._holds.heard(message.frame_id)

    def _on_health(self, message: NodeHealth, _: Info) -> None:
        self._holds.health(message, self._set_up.peers)

    def _on_observation(self, data: bytes, _: Info) -> None:
        self._inputs.observed(stamp_of_serialized(data))

    def _on_skill(self, message: Skill) -> None:
        self._inputs.skill_active = bool(message.active)

    def _on_joints(self, message: JointState, _: Info) -> None:
        self.meters.tick("joint_states")
        try:
            reading = self._inputs.joints.take(message)
        except ConversionError as error:
            # Nothing was measured: the filter finds the state lost as soon as the last one is too old.
            self.meters.count("joint states refused")
            self.get_logger().warning(str(error), throttle_duration_sec=2.0)
            return
        self._reading = reading or self._reading

    def _look(self) -> None:
        """Take what has come since the last period; of the joint states, the newest counts."""
        self._reading = None
        self.polled.take()
        if (reading := self._reading) is None:
            return
        if not self._begun and reading.stamp_ns >= self._episode_ns:
            self._begin(reading.position)
        if self._begun:
            self._arm.measure(ns_to_seconds(reading.stamp_ns), reading.position)
            self._poses.publish(self._set_up.eef_pose.message(reading))

    def _begin(self, position: Any) -> None:
        try:
            self._arm.start(position)
        except ValueError as error:
            self._bad_start = str(error)
            return
        self._begun, self._bad_start = True, ""
        self._last_s = time.monotonic()

    def _on_chunk(self, message: ActionChunk) -> None:
        self.meters.tick("chunk")
        if not self._begun:
            return
        try:
            chunk = chunk_from_message(message)
            taken = self._arm.push(chunk)
        except (ChunkError, ConversionError, ValueError) as error:
            self.meters.count("refused chunks")
            self._holds.latch(CHUNK_INVALID, f"a chunk was refused: {error}")
            self._report_safety()
            return
        if not taken:
            self.meters.count("chunks not taken")
            return
        self._inputs.chunk_taken()
        came_s = ns_to_seconds(time.time_ns() - stamp_to_ns(message.header.stamp)) - chunk.inference_s
        self.meters.latency("camera stamp to chunk, without inference", max(0.0, came_s))
        self.meters.latency("inference", chunk.inference_s)

    def _period(self) -> None:
        self._look()
        if not self._begun:
            return
        hold = self._holds.look(self._inputs.skill_active)
        reason = hold.message if hold else "" if self._inputs.skill_active else "no skill is active"
        if self._step(reason).decision.hold_reason not in ("", NOTHING_FRESH):
            self._inputs.rested()

    def _step(self, hold_reason: str) -> Step:
        began_s = time.monotonic()
        passed_s, self._last_s = began_s - self._last_s, began_s
        # Commands are a period apart whenever they are sent: a driver that is told late must not be told to hurry.
        period_s = self._set_up.profile.period_s
        now_ns = time.time_ns()
        situation = self._inputs.situation(now_ns, hold_reason, passed_s)
        expects_chunk = self._inputs.expects_chunk(self._set_up.first_chunk_s)
        step = self._arm.step(situation, period_s, self._inputs.observation_age_s(now_ns), expects_chunk)
        decision = step.decision
        self._reach.saw(step.point if decision.mode < SafetyMode.HOLDING else None, situation.now_s)
        measured = situation.position if self._arm.safety.trusts_pose else None
        self._driver.send(decision, step.gripper, measured, now_ns)
        if self._commands is not None:
            self._commands.publish(reports.arm_command(step, self._arm.path.commanded_pose, now_ns))
        self.meters.tick("command")
        self.meters.latency("period error", abs(passed_s - period_s))
        self.meters.latency("safety filter", step.filter_s)
        self.meters.latency("safety filter, processor time", step.filter_busy_s)
        self.meters.latency("command", time.monotonic() - began_s)
        for event in decision.events:
            self.meters.count(f"limit {event.name}")
        if decision.mode >= SafetyMode.HOLDING:
            self.meters.count("holds")
        else:
            self._run.moved(period_s)
        shown = (decision.mode, tuple(event.name for event in decision.events))
        if shown != self._shown and (shown[1] or shown[0] != self._shown[0]):
            self._report_safety()
        self._shown = shown
        return step

    def _report_safety(self) -> None:
        if not self._begun:
            return
        report = self._arm.safety.status()
        others = reports.hold_flags(self._holds)
        self._run.latched(any(flag.latched for flag in (*report.flags, *others)))
        now_ns = time.time_ns()
        said = (*others, *self._reach.flags)
        self._status.publish(reports.safety_status(report, now_ns, self._set_up.profile.frames.base, said))
        self.set_condition(reports.condition((*report.flags, *others)))

    def refresh_condition(self) -> None:
        """Say so when there is no pose to begin with."""
        if self._begun:
            return
        if self._bad_start:
            self.set_condition(Condition(FAULT, "START_REFUSED", self._bad_start))
        else:
            topic = self._set_up.profile.state.joint_states
            text = f"no joint states on {topic} yet: is the arm's driver running? `world2act doctor --robot` tells more"
            self.set_condition(Condition(DEGRADED, WAITING, text))


PARAMETERS = JointCommander.PARAMETERS


def main() -> int:
    """Entry point of `joint_commander`."""
    return run_node(JointCommander)


if __name__ == "__main__":
    sys.exit(main())
