"""arm_commander: the only node that commands the arm. Chunks by time, limits, and hold when nothing fresh is there."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

from geometry_msgs.msg import PoseStamped

from world2act import topics
from world2act.asked_holds import AskedHolds
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER, read_contract
from world2act.conversions import (
    ConversionError,
    arm_target_to_message,
    chunk_from_message,
    ns_to_seconds,
    ns_to_stamp,
    pose_from_message,
    stamp_to_ns,
)
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, FAULT, Condition
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act_core.chunks import ChunkError, ChunkSampler, Sample
from world2act_core.limits import ActionLimits, WorkspaceBox
from world2act_core.pose import apply_action
from world2act_core.types import ArmTarget, EefPose
from world2act_interfaces.msg import ActionChunk, ArmCommand, Skill
from world2act_interfaces.srv import SetHold

CHUNK_INVALID = "CHUNK_INVALID"
NO_CHUNK = "NO_FRESH_CHUNK"
NO_STATE = "NO_FRESH_STATE"


class ArmCommander(ManagedNode):
    """Sends one ArmCommand per control period: in lockstep for each tick, in real time by the clock."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        Parameter("blend", 0.1, "A new chunk is mixed with the one before over this long (real time)", "s", 0.0, 2.0),
        Parameter("state_timeout", 0.5, "An older measured pose is not acted on (real time)", "s", 0.05, 10.0),
        Parameter(
            "lockstep_timeout",
            20.0,
            "A tick without a chunk for this long is answered with hold (lockstep)",
            "s",
            0.1,
            3600.0,
        ),
        Parameter(
            "workspace_low", (-0.2, -0.8, -0.25), "Lowest corner of the box the end effector stays in, base frame", "m"
        ),
        Parameter("workspace_high", (1.0, 0.8, 1.0), "Highest corner of that box, base frame", "m"),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("arm_commander", **kwargs)

    def setup(self) -> None:
        """Read the limits and subscribe."""
        self.contract = read_contract(self.values.text("bundle"))
        self._limits = ActionLimits.from_contract(self.contract, self._workspace())
        self._commands = self.publisher(ArmCommand, topics.ARM_COMMAND, topics.reliable(1))
        self.listen(PoseStamped, topics.EEF_POSE, self._on_pose, topics.newest(self.lockstep))
        self.listen(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())
        self.listen(Skill, topics.SKILL, self._on_skill, topics.latched())
        service = self.create_service(SetHold, topics.SET_HOLD, self._on_set_hold)
        self.own(lambda: self.destroy_service(service))
        period = 0.25 if self.lockstep else self.contract.step_s
        self._timer = self.every(period, self._check_stall if self.lockstep else self._send_by_time)

    def _workspace(self) -> WorkspaceBox:
        low, high = self.values.numbers("workspace_low"), self.values.numbers("workspace_high")
        try:
            return WorkspaceBox((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        except (IndexError, ValueError) as error:
            raise ConfigurationError(
                f"workspace_low {low} and workspace_high {high} are not a box: {error}",
                "give three numbers each [m, base frame], every low below its high",
            ) from error

    def start(self) -> None:
        """Forget what came before: an old target is no place to go to."""
        # In lockstep a chunk is always executed from its own start, so there is no seam to hide.
        self._sampler = ChunkSampler(self.contract, 0.0 if self.lockstep else self.values.number("blend"))
        self._stamps: dict[int, tuple[int, float]] = {}
        self._last: ArmCommand | None = None
        self._pose: tuple[int, EefPose, float] | None = None
        self._waiting_since_s = time.monotonic()
        self._skill_active = False
        self._asked = AskedHolds()
        self._first_of = -1

    def safe_command(self) -> None:
        """Tell the arm to stay where it is."""
        if self._pose is not None or self._last is not None:
            self._send(self._holding("arm_commander is stopping"), self._now_ns())

    def _now_ns(self) -> int:
        if not self.lockstep:
            return time.time_ns()
        return self._pose[0] if self._pose is not None else 0

    def _on_set_hold(self, request: SetHold.Request, response: SetHold.Response) -> SetHold.Response:
        response.ok = self.active
        if not self.active:
            response.message = "arm_commander is not active: nothing moves; bring the graph up first"
            return response
        self._asked.set(request.hold, request.reason)
        return response

    def _on_skill(self, message: Skill) -> None:
        ended = self._skill_active and not message.active
        self._skill_active = bool(message.active)
        if ended and not self.lockstep:
            # Cancelled or done: what is left of the chunk is not wanted any more. Lockstep executes it to its end,
            # because whether this message or the next tick arrives first must make no difference.
            self._sampler.clear()
        if not message.active:
            self.clear_condition(CHUNK_INVALID, NO_CHUNK)

    def _on_chunk(self, message: ActionChunk) -> None:
        self.meters.tick("chunk")
        try:
            chunk = chunk_from_message(message)
            taken = self._sampler.push(chunk)
        except (ChunkError, ConversionError) as error:
            self.meters.count("refused chunks")
            self.set_condition(Condition(FAULT, CHUNK_INVALID, f"the arm holds: {error}"))
            return
        if not taken:
            self.meters.count("stale chunks")
            return
        self.clear_condition(CHUNK_INVALID, NO_CHUNK)
        self._stamps[chunk.sequence] = (stamp_to_ns(message.header.stamp), time.monotonic())
        if not self.lockstep:
            stamp_ns = stamp_to_ns(message.header.stamp)
            came_s = ns_to_seconds(time.time_ns() - stamp_ns) - chunk.inference_s
            self.meters.latency("camera stamp to chunk, without inference", max(0.0, came_s))
            self.meters.latency("inference", chunk.inference_s)
            # At once, not at the next beat of the timer: that would add up to a whole control period of delay.
            self._timer.reset()
            self._send_by_time()
        else:
            self._answer_tick()
        for sequence in [known for known in self._stamps if known < chunk.sequence - 4]:
            del self._stamps[sequence]

    def _on_pose(self, message: PoseStamped) -> None:
        self.meters.tick("eef_pose")
        try:
            pose = pose_from_message(message.pose)
        except ConversionError as error:
            self.set_condition(Condition(FAULT, "STATE_INVALID", f"the arm holds: {error}"))
            return
        self.clear_condition("STATE_INVALID")
        stamp_ns = stamp_to_ns(message.header.stamp)
        new = self._pose is None or stamp_ns != self._pose[0]
        if not (self.lockstep and not new):
            self._pose = (stamp_ns, pose, time.monotonic())
        if not self.lockstep:
            return
        if new:
            self._waiting_since_s = time.monotonic()
        elif self._last is not None and stamp_to_ns(self._last.header.stamp) == stamp_ns:
            self._commands.publish(self._last)  # the simulator did not get it
            return
        self._answer_tick()

    def _answer_tick(self) -> None:
        """Lockstep: answer the present tick, once, when a chunk covers it."""
        if self._pose is None:
            return
        stamp_ns, pose, _ = self._pose
        if self._last is not None and stamp_to_ns(self._last.header.stamp) == stamp_ns:
            return
        sample = self._sampler.sample(ns_to_seconds(stamp_ns))
        if sample is None or sample.index >= self.contract.execute_steps:
            return
        self._send(self._hold_or_move(pose, sample), stamp_ns)

    def _check_stall(self) -> None:
        """Lockstep: a tick that nobody plans for is answered with hold in the end, and the fault has a name."""
        if self._pose is None or not self._skill_active:
            self._waiting_since_s = time.monotonic()
            return
        limit_s = self.values.number("lockstep_timeout")
        if time.monotonic() - self._waiting_since_s < limit_s:
            return
        text = f"no chunk for the present tick for {limit_s:g} s: see vla_policy's log; the arm holds"
        self.set_condition(Condition(FAULT, NO_CHUNK, text))
        self._waiting_since_s = time.monotonic()
        self._send(self._holding(text), self._pose[0])

    def _send_by_time(self) -> None:
        """Real time: the command that is due now."""
        now_ns = time.time_ns()
        if self._pose is None:
            return
        _, pose, received_s = self._pose
        limit_s = self.values.number("state_timeout")
        if time.monotonic() - received_s > limit_s:
            text = f"no measured pose for {limit_s:g} s: the arm's driver has stopped; the arm holds"
            self.set_condition(Condition(FAULT, NO_STATE, text))
            self._send(self._holding(text), now_ns)
            return
        self.clear_condition(NO_STATE)
        sample = self._sampler.sample(ns_to_seconds(now_ns)) if self._skill_active else None
        if sample is None:
            reason = "no fresh action chunk" if self._skill_active else "no skill is active"
            if self._skill_active:
                self.meters.count("holds without a fresh chunk")
            self._send(self._holding(reason), now_ns)
            return
        self._send(self._hold_or_move(pose, sample), now_ns)

    def _hold_or_move(self, pose: EefPose, sample: Sample) -> ArmCommand:
        if self._asked.reasons:
            return self._holding(self._asked.reasons[0])
        action, events = self._limits.apply(pose, sample.action)
        for event in events:
            self.meters.count(f"limit {event.name}")
        if action is None:
            self.set_condition(Condition(FAULT, CHUNK_INVALID, f"the arm holds: {events[0].detail}"))
            return self._holding(events[0].detail)
        command = arm_target_to_message(apply_action(pose, action), 0)
        command.chunk_sequence = sample.sequence
        command.chunk_index = sample.index
        command.limit_events = [event.name for event in events]
        stamp_ns, received_s = self._stamps.get(sample.sequence, (0, time.monotonic()))
        command.observation_stamp = ns_to_stamp(stamp_ns)
        if sample.sequence != self._first_of:
            self._first_of = sample.sequence
            if not self.lockstep:
                self.meters.latency("camera stamp to command", ns_to_seconds(time.time_ns() - stamp_ns))
                self.meters.latency("chunk to command", time.monotonic() - received_s)
        return command

    def _holding(self, reason: str) -> ArmCommand:
        """The last command again; before the first one, stay where the arm is."""
        self.meters.count("holds")
        if self._last is not None:
            command = ArmCommand(
                pose=self._last.pose, gripper=self._last.gripper, chunk_sequence=self._last.chunk_sequence,
                observation_stamp=self._last.observation_stamp,
            )  # fmt: skip
            command.header.frame_id = self._last.header.frame_id
        else:
            assert self._pose is not None, "hold before the first measured pose"
            command = arm_target_to_message(ArmTarget(self._pose[1], -1.0), 0)
        command.chunk_index = -1
        command.holding = True
        command.hold_reason = reason
        return command

    def _send(self, command: ArmCommand, stamp_ns: int) -> None:
        command.header.stamp = ns_to_stamp(stamp_ns)
        self._last = command
        self._commands.publish(command)
        self.meters.tick("command")

    def refresh_condition(self) -> None:
        """Say so when the robot's state stopped (real time)."""
        if not self.lockstep and self._pose is None:
            text = "no measured pose has come yet: is the arm's driver or sim_bridge running?"
            self.set_condition(Condition(DEGRADED, "WAITING_FOR_STATE", text))
        else:
            self.clear_condition("WAITING_FOR_STATE")


PARAMETERS = ArmCommander.PARAMETERS


def main() -> int:
    """Entry point of `arm_commander`."""
    return run_node(ArmCommander)


if __name__ == "__main__":
    sys.exit(main())
