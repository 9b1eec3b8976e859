"""An arm with a robot profile, as the graph runs it: late chunks, blended way, joint commands, a driver."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, Protocol

from world2act.commander.thresholds import default_numbers
from world2act.episode import EpisodeRequest, make_task
from world2act.paired.outcome import Outcome
from world2act.smooth.late_inference import LateInference, Timing
from world2act_core.chunks import ChunkError
from world2act_core.commanding.profiled_arm import ProfiledArm
from world2act_core.policy import BundlePolicy
from world2act_core.robot.commands import JointTrajectoryCommand
from world2act_core.robot.profile import RobotProfile
from world2act_core.safety.types import SafetyDecision, SafetyMode, Situation, Vector
from world2act_core.types import ActionChunk, EefPose
from world2act_sim.controllers import TrajectoryController, Waypoint
from world2act_sim.perturbation import SPLITS
from world2act_sim.servo import SERVO_HZ
from world2act_sim.simulated_arm import SimulatedArm
from world2act_sim.world import TabletopWorld

PERIOD_S = 1.0 / SERVO_HZ


class JointCommands(Protocol):
    """What makes joint commands of chunks: `ProfiledArm`, or the same without the filter."""

    def start(self, position: Vector) -> None:
        """The arm stands still at `position` [N]."""
        ...

    def measure(self, stamp_s: float, position: Vector) -> EefPose:
        """The joints were measured at `position` [N]."""
        ...

    def push(self, chunk: ActionChunk) -> bool:
        """Take a chunk; ChunkError when it is wrong."""
        ...

    def decide(self, situation: Situation, observation_age_s: float, expects_chunk: bool) -> SafetyDecision:
        """The command of a period of PERIOD_S."""
        ...


class FilteredCommands:
    """What the graph's arm_commander does."""

    def __init__(self, arm: ProfiledArm) -> None:
        self._arm = arm
        self.start, self.measure, self.push = arm.start, arm.measure, arm.push

    def decide(self, situation: Situation, observation_age_s: float, expects_chunk: bool) -> SafetyDecision:
        """What the safety filter decides."""
        return self._arm.step(situation, PERIOD_S, observation_age_s, expects_chunk).decision


class ProfiledSimulation:
    """Runs episodes with one arm's profile. The world must serve joint-level control alone (see `JointDrive`)."""

    def __init__(
        self, world: TabletopWorld, policy: BundlePolicy, profile: RobotProfile, commands: JointCommands,
        timing: Timing,
    ) -> None:  # fmt: skip
        self._world, self._policy, self._commands, self._timing = world, policy, commands, timing
        self._first_chunk_s = default_numbers(profile)("first_chunk")
        gripper = profile.gripper
        assert isinstance(profile.command, JointTrajectoryCommand), "the command line lets no other through"
        self._first_s = profile.command.time_from_start_s
        self._controller = TrajectoryController(profile.limits)
        speed = gripper.max_speed / (gripper.width_open - gripper.width_closed)
        self._arm = SimulatedArm(world, self._controller, speed)

    def run(self, name: str, request: EpisodeRequest) -> Outcome:
        """One episode, under the condition `name`."""
        world, arm, commands = self._world, self._arm, self._commands
        task = make_task(request, world.vocabulary)
        world.reset(request.seed, task, SPLITS[request.split], render=False)
        arm.restart()
        commands.start(arm.position)
        inference = LateInference(world, self._policy, task, self._timing, request.seed)
        tick, status, seen_s, watch = 0, "running", 0.0, _Watch()
        while status in ("running", "advanced"):
            now_s = tick / SERVO_HZ
            chunk, status = inference.deliver(tick)
            if chunk is not None:
                watch.pushed(_push(commands, chunk))
            if inference.look(tick, lambda: replace(world.observe(), time_s=now_s).as_observation()):  # noqa: B023
                seen_s = now_s
            position = arm.position
            pose = commands.measure(now_s, position)
            expects = watch.taken > 0 or now_s > self._first_chunk_s
            decision = commands.decide(Situation(now_s, position, 0.0), now_s - seen_s, expects)
            watch.saw(decision, pose)
            self._controller.command([Waypoint(self._first_s, decision.position, decision.velocity)], arm.time_s)
            arm.set_gripper((1.0 - decision.gripper) / 2.0)
            arm.advance(PERIOD_S)
            tick += 1
        return Outcome(
            name, request.kind, request.seed, task.instruction, bool(inference.judge.success()), status,
            round(tick / SERVO_HZ, 2), **watch.facts(),
        )  # fmt: skip


class _Watch:
    """Counts what happens in an episode."""

    def __init__(self) -> None:
        self.taken = 0
        self._refused = self._held = 0
        self._hold_reason = ""
        self._findings: Counter[str] = Counter()
        self._lowest_m = float("inf")

    def pushed(self, taken: bool) -> None:
        """A chunk came."""
        self.taken += taken
        self._refused += not taken

    def saw(self, decision: SafetyDecision, pose: EefPose) -> None:
        """A period's command, and where the arm was."""
        self._findings.update(event.name for event in decision.events)
        self._lowest_m = min(self._lowest_m, float(pose.position[2]))
        if decision.mode >= SafetyMode.HOLDING and self.taken:
            self._held += 1
            self._hold_reason = self._hold_reason or decision.hold_reason

    def facts(self) -> dict[str, Any]:
        """As fields of an Outcome."""
        return {
            "chunks": self.taken + self._refused, "refused": self._refused, "held_s": round(self._held * PERIOD_S, 2),
            "hold_reason": self._hold_reason, "findings": dict(sorted(self._findings.items())),
            "lowest_m": round(self._lowest_m, 4),
        }  # fmt: skip


def _push(commands: JointCommands, chunk: ActionChunk) -> bool:
    try:
        return commands.push(chunk)
    except ChunkError:
        return False
