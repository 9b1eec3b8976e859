"""vla_policy: runs the bundle's network on the newest observation and the current skill, in a thread of its own."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from typing import Any, ClassVar

from std_msgs.msg import String

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER
from world2act.conversions import (
    ConversionError,
    chunk_to_message,
    ns_to_seconds,
    observation_from_message,
    seconds_to_ns,
    stamp_to_ns,
    value_names,
)
from world2act.errors import ConfigurationError
from world2act.health import DEGRADED, FAULT, Condition
from world2act.parameters import Parameter
from world2act.runner import run_node
from world2act.schedule import InferenceSchedule, Job, SkillRequest
from world2act_core import types as core
from world2act_core.alignment import AlignmentTracker
from world2act_core.bundle import load_bundle
from world2act_core.compatibility import check_compatible
from world2act_core.contract import Contract, ContractError
from world2act_core.engine import EngineError
from world2act_core.motion import DelayEstimator
from world2act_core.policy import BundlePolicy
from world2act_interfaces.msg import ActionChunk, Observation, Skill

OUTPUT_INVALID = "POLICY_OUTPUT_INVALID"
CONTRACT_MISMATCH = "CONTRACT_MISMATCH"
ROBOT_UNKNOWN = "ROBOT_UNKNOWN"
SKILL_STALE = "SKILL_STALE"
TOO_SLOW = "POLICY_TOO_SLOW"


class VlaPolicy(ManagedNode):
    """Publishes one ActionChunk per inference. It is warm before it is active, and silent without a fresh skill."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        Parameter("provider", "cpu", "What runs the network", choices=("auto", "cpu", "cuda", "tensorrt")),
        Parameter("threads", 1, "Threads of one inference; 0 lets the engine choose", "", 0, 256),
        Parameter(
            "require_robot_contract",
            True,
            "True: infer nothing before the arm's driver has said on robot_contract what it is, and it fits the bundle",
        ),
        Parameter(
            "residual",
            True,
            "Whether the bundle's residual corrects the policy, from the next inference on; no effect without one",
            live=True,
        ),
        Parameter(
            "residual_graph",
            "auto",
            "Run policy and residual as one graph or one after the other; auto: as one if the bundle has it",
            choices=("auto", "fused", "separate"),
        ),
        Parameter(
            "imagined_codes",
            "",
            "File of `training imagined-codes` that the alignment score compares with; empty: the bundle's own",
        ),
        Parameter(
            "imagined_start",
            "",
            "Name of the present initial state in that file, as pick/seen/7; empty: the only one there is",
            live=True,
        ),
        Parameter(
            "every_observation",
            False,
            "Infer on each observation that the planner allows, not once per executed steps (lockstep; for replay)",
        ),
        Parameter(
            "skill_timeout", 3.0, "Without word from the planner for this long nothing is inferred", "s", 0.5, 60.0
        ),
        Parameter(
            "chunk_reserve",
            0.2,
            "The next chunk is to be out this long before the present one ends: inference starts as early as its "
            "measured delay asks for (real time)",
            "s",
            0.0,
            10.0,
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("vla_policy", **kwargs)
        self._robot: Contract | None = None
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        # From the very start, so that it is there when this node is configured.
        self.create_subscription(String, topics.ROBOT_CONTRACT, self._on_robot_contract, topics.latched())

    def setup(self) -> None:
        """Verify and load the bundle, compare it with the robot, warm up."""
        path = self.values.text("bundle")
        try:
            self.bundle = load_bundle(path)
            self.policy = BundlePolicy(self.bundle, *self._engine_options())
            self.policy.warm_up()
            book = self.bundle.code_book(self.values.text("imagined_codes") or None)
        except (ValueError, EngineError, OSError) as error:
            raise ConfigurationError(
                f"the bundle {path!r} cannot be used: {error}",
                "point parameter 'bundle' at a complete export, or pick another provider; see `world2act doctor`",
            ) from error
        self._check_robot()
        self._tracker = AlignmentTracker(book) if book is not None else None
        self.policy.code_wanted = self._tracker is not None
        self._told: set[str] = set()
        contract = self.bundle.contract
        step_ns = seconds_to_ns(contract.step_s)
        execute_ns = 0 if self.values.flag("every_observation") else contract.execute_steps * step_ns
        self._schedule = InferenceSchedule(
            self.lockstep, execute_ns, step_ns, contract.chunk_length * step_ns,
            seconds_to_ns(self.values.number("chunk_reserve")),
        )  # fmt: skip
        self._delay = DelayEstimator(initial_s=0.0, high_s=10.0)
        self._action_names = value_names(contract.action)
        self._sequence = 0
        self._chunks = self.publisher(ActionChunk, topics.ACTION_CHUNK, topics.reliable())
        self.listen(Observation, topics.OBSERVATION, self._on_observation, topics.newest(self.lockstep))
        self.listen(Skill, topics.SKILL, self._on_skill, topics.latched())
        self.get_logger().info(f"bundle {self.bundle.manifest.name} on {self.policy.provider}, {self._residual_text()}")

    def _engine_options(self) -> Any:
        return self.values.text("provider"), self.values.integer("threads"), self.values.text("residual_graph")

    def _residual_text(self) -> str:
        if not self.policy.has_residual:
            return "without a residual"
        return f"residual {'on' if self.values.flag('residual') else 'off'}"

    def _check_robot(self) -> None:
        if self._robot is None:
            return
        try:
            check_compatible(self._robot, self.bundle.contract, "the robot", f"bundle {self.bundle.manifest.name}")
        except ContractError as error:
            raise ConfigurationError(str(error), "start with a bundle that was made for this robot") from error

    def _on_robot_contract(self, message: String) -> None:
        try:
            self._robot = Contract.from_text(message.data, "robot_contract")
            if self.active:
                self._check_robot()
        except (ContractError, ConfigurationError) as error:
            self.set_condition(Condition(FAULT, CONTRACT_MISMATCH, str(error)))

    def start(self) -> None:
        """Start the inference thread."""
        self._check_robot()
        self._running = True
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the inference thread; an inference that is under way is finished but not published."""
        with self._wake:
            self._running = False
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10.0)
            self._thread = None

    def release(self) -> None:
        """Forget the network."""
        self.__dict__.pop("policy", None)

    def _on_observation(self, message: Observation) -> None:
        self.meters.tick("observation")
        with self._wake:
            self._schedule.observe(stamp_to_ns(message.header.stamp), message)
            self._wake.notify_all()

    def _on_skill(self, message: Skill) -> None:
        self.meters.tick("skill")
        request = SkillRequest(
            plan_id=int(message.plan_id), skill_id=int(message.id), prompt=message.prompt, active=bool(message.active),
            acknowledged=int(message.chunk_sequence), not_before_ns=stamp_to_ns(message.header.stamp),
            index=int(message.index),
        )  # fmt: skip
        if not request.active:
            self.clear_condition(OUTPUT_INVALID, SKILL_STALE)
        else:
            self.clear_condition(SKILL_STALE)
        with self._wake:
            self._schedule.set_skill(request)
            self._wake.notify_all()

    def _next_job(self) -> Job | None:
        """Wait for work; None when the node stops."""
        with self._wake:
            while self._running:
                job = self._schedule.due()
                if job is not None and self._robot_fits() and self._skill_is_fresh():
                    return job
                self._wake.wait(timeout=0.5)
        return None

    def _robot_fits(self) -> bool:
        known = self._robot is not None or not self.values.flag("require_robot_contract")
        return known and self.condition.name != CONTRACT_MISMATCH

    def _skill_is_fresh(self) -> bool:
        # In lockstep the planner's acknowledgement is what counts, and the wall clock must decide nothing.
        return self.lockstep or self.meters.age_s("skill") < self.values.number("skill_timeout")

    def _work(self) -> None:
        try:
            self._infer_until_stopped()
        except Exception:
            self.fail()

    def _infer_until_stopped(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                self._infer(job)
            except (EngineError, ValueError) as error:
                with self._wake:
                    self._schedule.failed(job)
                self.meters.count("refused inferences")
                self.set_condition(Condition(FAULT, OUTPUT_INVALID, f"no chunk was sent, the arm holds: {error}"))

    def _infer(self, job: Job) -> None:
        if not self.lockstep:
            age_s = ns_to_seconds(time.time_ns() - job.stamp_ns)
            self.meters.latency("camera stamp to inference", max(0.0, age_s))
        try:
            observation = observation_from_message(job.observation)
        except ConversionError as error:
            raise ValueError(f"observation: {error}") from error
        self._switch_residual()
        chunk = self._scored(self.policy.act(observation, job.skill.prompt, skill_id=job.skill.skill_id), job.skill)
        self.meters.latency("inference", chunk.inference_s)
        with self._wake:
            if not self._running:
                return
            chunk = replace(chunk, sequence=self._sequence)
            self._sequence += 1
            self._schedule.ran(job, chunk.sequence)
        self.clear_condition(OUTPUT_INVALID)
        self._chunks.publish(
            chunk_to_message(chunk, job.stamp_ns, job.skill.plan_id, self._action_names, self.bundle.sha256)
        )
        self.meters.tick("chunk")
        self._measure_delay(job)

    def _measure_delay(self, job: Job) -> None:
        if self.lockstep:
            return
        with self._wake:
            self._delay.add(ns_to_seconds(time.time_ns() - job.stamp_ns))
            self._schedule.expect_delay(seconds_to_ns(self._delay.value_s))

    def _switch_residual(self) -> None:
        wanted = self.values.flag("residual")
        if wanted != self.policy.residual_on:
            self.policy.residual_on = wanted
            self.get_logger().info(f"{self._residual_text()} from chunk {self._sequence} on")

    def _scored(self, chunk: core.ActionChunk, skill: SkillRequest) -> core.ActionChunk:
        """With the alignment score, if something was imagined for this initial state, skill and moment."""
        if self._tracker is None:
            return chunk
        start = self.values.text("imagined_start")
        score = self._tracker.score(chunk, start, skill.prompt, skill.index, skill.plan_id)
        reason = self._tracker.reason
        if reason and reason not in self._told:
            self._told.add(reason)
            self.get_logger().warning(f"no alignment score: {reason}")
        return replace(chunk, alignment=score)

    def refresh_condition(self) -> None:
        """Say so when the robot has not said what it is, or the planner fell silent in the middle of a plan."""
        if not self._robot_fits():
            if self.condition.name != CONTRACT_MISMATCH:
                text = "nothing has come on robot_contract: is the arm's driver running? Nothing is inferred before"
                self.set_condition(Condition(DEGRADED, ROBOT_UNKNOWN, text))
            return
        self.clear_condition(ROBOT_UNKNOWN)
        self._say_if_too_slow()
        skill = self._schedule.skill
        if skill is not None and skill.active and not self._skill_is_fresh():
            text = f"no word from skill_planner for {self.meters.age_s('skill'):.1f} s: is it still running?"
            self.set_condition(Condition(DEGRADED, SKILL_STALE, text))

    def _say_if_too_slow(self) -> None:
        with self._wake:
            too_slow, delay_s = self._schedule.too_slow, self._delay.value_s
        if not too_slow:
            self.clear_condition(TOO_SLOW)
        elif self.condition.name in ("", TOO_SLOW):
            length_s = self.bundle.contract.chunk_length * self.bundle.contract.step_s
            text = (
                f"a chunk lasts {length_s:g} s, but it takes {delay_s:.2f} s from a picture to its chunk: "
                f"the arm can run out of chunks and hold; use a faster provider, or a smaller chunk_reserve"
            )
            self.set_condition(Condition(DEGRADED, TOO_SLOW, text))


PARAMETERS = VlaPolicy.PARAMETERS


def main() -> int:
    """Entry point of `vla_policy`."""
    return run_node(VlaPolicy)


if __name__ == "__main__":
    sys.exit(main())
