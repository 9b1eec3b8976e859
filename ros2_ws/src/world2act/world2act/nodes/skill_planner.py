"""skill_planner: action server ExecuteInstruction. Instruction -> skills, one at a time, until each is judged done."""

from __future__ import annotations

import math
import sys
import time
import traceback
from typing import Any, ClassVar

from rclpy.action import ActionServer, CancelResponse, GoalResponse

from world2act import topics
from world2act.base_node import ManagedNode
from world2act.bundle_access import BUNDLE_PARAMETER, read_contract, read_monitor
from world2act.conversions import error_code, ns_to_stamp, skill_to_message, stamp_to_ns
from world2act.errors import ConfigurationError
from world2act.goal_run import GoalRun, RunStatus, SequencerSettings
from world2act.health import DEGRADED, FAULT, Condition, wall_time
from world2act.parameters import Parameter
from world2act.planners import PLANNER_PARAMETERS, make_planner
from world2act.runner import run_node
from world2act.thinking import Thinking
from world2act_core.llm_planner import LlmPlanner
from world2act_core.monitor import MONITOR_MODES, MonitorError, chunk_score, monitor_mode
from world2act_core.plan import Plan, PlanError
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, NodeHealth, Skill, SkillPlan

HEARTBEAT_S = 1.0
"""The current skill is repeated this often, so that vla_policy can tell that the planner lives."""

LLM_UNUSED = "LLM_UNUSED"
LOW_ALIGNMENT = "LOW_ALIGNMENT"
MONITOR_BLIND = "MONITOR_BLIND"

FAULT_ERRORS = {
    "camera_ingest": "STALE_OBSERVATION", "vla_policy": "POLICY_UNAVAILABLE", "arm_commander": "ARM_FAULT",
    "supervisor": "ARM_FAULT",
}  # fmt: skip
"""Node whose fault ends a goal -> the goal's error."""


class SkillPlanner(ManagedNode):
    """One goal at a time. Every goal is accepted, so that a refusal too comes as a result with a name and a reason."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        BUNDLE_PARAMETER,
        *PLANNER_PARAMETERS,
        Parameter("done_threshold", 0.5, "From this `done` on, a chunk says that its skill is complete", "", 0.0, 1.0),
        Parameter("done_consecutive", 2, "So many chunks in a row must say so", "", 1, 100),
        Parameter("skill_timeout", 20.0, "A skill that takes longer fails", "s", 0.1, 3600.0),
        Parameter(
            "policy_timeout",
            5.0,
            "Without a chunk for this long the policy counts as gone (real time)",
            "s",
            0.1,
            600.0,
        ),
        Parameter("fault_grace", 2.0, "A fault that lasts longer ends the goal (real time)", "s", 0.0, 60.0),
        Parameter("lockstep_timeout", 30.0, "The same as policy_timeout, in lockstep", "s", 0.1, 3600.0),
        Parameter(
            "monitor",
            "auto",
            "What follows when the bundle's monitor sees a skill going wrong. off: nothing; warn: people are told; "
            "retry: the skill starts again, as often as the monitor says, then the goal ends with LOW_ALIGNMENT; auto: "
            "retry if the bundle has an enabled monitor, else off",
            choices=MONITOR_MODES,
        ),
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("skill_planner", **kwargs)
        self._run: GoalRun | None = None
        self._thinking: tuple[Thinking, Any] | None = None
        self._faults: dict[str, tuple[float, str]] = {}
        self._plans = 0
        self._skills = 0

    def setup(self) -> None:
        """Read the vocabulary and offer the action."""
        vocabulary = read_contract(self.values.text("bundle")).vocabulary
        self._planner = make_planner(self.values, vocabulary)
        self._settings = self._sequencer_settings()
        self._patience_s = self.values.number("lockstep_timeout" if self.lockstep else "policy_timeout")
        # In lockstep the world stands still, so nothing recovers; half a second lets word of an old fault's end arrive.
        self._grace_s = 0.5 if self.lockstep else self.values.number("fault_grace")
        self._skill_topic = self.publisher(Skill, topics.SKILL, topics.latched())
        self._plan_topic = self.publisher(SkillPlan, topics.SKILL_PLAN, topics.latched())
        self.listen(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())
        self.listen(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable())
        self.every(0.1, self._watch)
        self.every(HEARTBEAT_S, self._heartbeat)
        server = ActionServer(
            self, ExecuteInstruction, topics.EXECUTE_INSTRUCTION,
            execute_callback=lambda handle: ExecuteInstruction.Result(),
            goal_callback=lambda request: GoalResponse.ACCEPT,
            cancel_callback=lambda request: CancelResponse.ACCEPT,
            handle_accepted_callback=self._on_goal,
        )  # fmt: skip
        self.own(server.destroy)

    def _sequencer_settings(self) -> SequencerSettings:
        monitor = read_monitor(self.values.text("bundle"))
        try:
            mode = monitor_mode(self.values.text("monitor"), monitor)
        except MonitorError as error:
            raise ConfigurationError(str(error), "set parameter 'monitor' to auto or off") from error
        if monitor is not None:
            self.get_logger().info(f"monitor of {monitor.score}: {mode}" + (monitor.reason and f" ({monitor.reason})"))
        return SequencerSettings(
            self.values.number("done_threshold"),
            self.values.integer("done_consecutive"),
            self.values.number("skill_timeout"),
            monitor,
            mode,
        )

    def start(self) -> None:
        """Say that there is nothing to do."""
        self._publish_skill()

    def stop(self) -> None:
        """End a goal that is under way."""
        text = "skill_planner was deactivated; bring the graph up again and send the instruction again"
        if self._thinking is not None:
            thinking, handle = self._thinking
            self._stop_thinking(handle, "CANCELED", text)
            thinking.join(2.0)
        self._finish("CANCELED", text)

    def _on_goal(self, handle: Any) -> None:
        if not self.active:
            self._answer(handle, "INTERNAL", "skill_planner is not active: bring the graph up first", None)
            return
        if self._run is not None:
            busy = f"still carrying out {self._run.plan.instruction!r}: wait for it or cancel it"
            self._answer(handle, "BUSY", busy, None)
            return
        if self._thinking is not None:
            busy = f"still planning {self._thinking[0].instruction!r}: wait for it or cancel it"
            self._answer(handle, "BUSY", busy, None)
            return
        if isinstance(self._planner, LlmPlanner):
            # It takes seconds; the grammar answers at once, and in lockstep nothing must depend on a thread.
            self._thinking = (Thinking(self._planner, handle.request.instruction), handle)
            return
        try:
            plan = self._planner.plan(handle.request.instruction)
        except PlanError as error:
            self._refuse_plan(error, handle)
            return
        self._begin(plan, handle, time.monotonic())

    def _watch_thinking(self, thinking: Thinking, handle: Any) -> None:
        """Has the model answered, or does nobody want its answer any more?"""
        limit_s = 0.0 if self.lockstep else float(handle.request.timeout_seconds)
        if handle.is_cancel_requested:
            self._stop_thinking(handle, "CANCELED", "canceled by the client while the language model was thinking")
            return
        if 0 < limit_s < thinking.elapsed_s:
            text = f"the goal's own limit of {limit_s:g} s is over, and the language model was still thinking"
            self._stop_thinking(handle, "SKILL_TIMEOUT", text)
            return
        try:
            outcome = thinking.outcome
        except Exception:
            self.get_logger().error(f"this is a bug in the planner:\n{traceback.format_exc()}")
            self._stop_thinking(handle, "INTERNAL", "a bug in the planner; the log of skill_planner has the traceback")
            return
        if outcome is None:
            return
        self._thinking = None
        self.meters.latency("planning", thinking.elapsed_s)
        self._tell_fallback(outcome.note)
        if isinstance(outcome, PlanError):
            self._refuse_plan(outcome, handle)
        else:
            self._begin(outcome, handle, thinking.began_s)

    def _stop_thinking(self, handle: Any, error: str, message: str) -> None:
        assert self._thinking is not None
        self._thinking[0].give_up()
        self._thinking = None
        self._answer(handle, error, message, None)

    def _tell_fallback(self, note: str) -> None:
        """People see on node_health and in the log that the model was of no use, and why."""
        if note:
            self.meters.count("plans without the language model")
            self.set_condition(Condition(DEGRADED, LLM_UNUSED, f"the language model was of no use: {note}"))
        else:
            self.clear_condition(LLM_UNUSED)

    def _refuse_plan(self, error: PlanError, handle: Any) -> None:
        self.meters.count(f"refused {error.code}")
        self._answer(handle, error.code, error.message, None)

    def _begin(self, plan: Plan, handle: Any, accepted_s: float) -> None:
        self._plans += 1
        self._run = GoalRun(
            plan, self._plans, self._skills + 1, self._settings, stamp_to_ns(handle.request.not_before),
            float(handle.request.timeout_seconds), handle, time.monotonic(),
        )  # fmt: skip
        self._run.accepted_s = accepted_s
        prompts = "; ".join(skill.prompt for skill in plan.skills)
        self.get_logger().info(f"{plan.instruction!r}: {prompts} (planned by {plan.planner})")
        total = len(plan.skills)
        message = SkillPlan(plan_id=self._plans, instruction=plan.instruction, planner=plan.planner)
        message.header.stamp = wall_time()
        message.skills = [
            skill_to_message(skill, self._run.identifier(index), self._plans, index, total)
            for index, skill in enumerate(plan.skills)
        ]
        self._plan_topic.publish(message)
        self._publish_skill()
        self._feedback()

    def _publish_skill(self) -> None:
        run = self._run
        if run is None:
            self._skill_topic.publish(Skill(active=False, chunk_sequence=-1))
            return
        message = skill_to_message(run.skill, run.skill_id, run.plan_id, run.index, len(run.plan.skills))
        message.active = True
        message.attempt = run.retries + 1
        message.chunk_sequence = run.acknowledged
        message.header.stamp = ns_to_stamp(run.not_before_ns)
        self._skill_topic.publish(message)

    def _on_chunk(self, message: ActionChunk) -> None:
        self.meters.tick("chunk")
        run = self._run
        if run is None or message.plan_id != run.plan_id:
            return
        stamp_ns = stamp_to_ns(message.header.stamp)
        score = math.nan if run.monitor is None else chunk_score(message, run.monitor.config.score)
        skill = run.skill
        status = run.judge(
            int(message.sequence), int(message.skill_id), float(message.done), stamp_ns, time.monotonic(), score
        )
        self._tell_alarm(run, skill.prompt, status)
        if status == "running":
            self._tell_blind(run, skill.prompt, score)
        if status == "finished":
            self._finish("NONE", "")
        elif status == "timeout":
            text = f"{run.skill.prompt!r} was not done after {run.elapsed_s:.1f} s: is the object in reach and in view?"
            self._finish("SKILL_TIMEOUT", text)
        elif status == "stopped":
            self._finish(LOW_ALIGNMENT, _stopped_text(run))
        else:
            self._publish_skill()
            self._feedback()

    def _tell_alarm(self, run: GoalRun, prompt: str, status: RunStatus) -> None:
        """People see on node_health and in the log that a skill goes wrong."""
        if not run.alarm:
            self.clear_condition(LOW_ALIGNMENT)
            return
        assert run.monitor is not None
        text = f"{prompt!r} seems to go wrong: {run.monitor.explain()}"
        if status == "retry":
            self.meters.count("skills started again")
            text += f"; it starts again ({run.retries} of {run.monitor.config.max_retries})"
        if status == "retry" or self.condition.name != LOW_ALIGNMENT:
            self.get_logger().warning(text)
        self.set_condition(Condition(DEGRADED, LOW_ALIGNMENT, text))

    def _tell_blind(self, run: GoalRun, prompt: str, score: float) -> None:
        """People see on node_health and in the log that the monitor they rely on has nothing to look at."""
        if math.isfinite(score):
            self.clear_condition(MONITOR_BLIND)
        elif run.monitor is not None and run.unwatched and self.condition.name in ("", MONITOR_BLIND):
            name = run.monitor.config.score
            text = (
                f"nothing watches {prompt!r}: its chunks carry no {name}. Was something imagined for this initial "
                "state (parameters imagined_codes and imagined_start of vla_policy, whose log says more)?"
            )
            self.set_condition(Condition(DEGRADED, MONITOR_BLIND, text))

    def _on_health(self, message: NodeHealth) -> None:
        name = message.node.rsplit("/", 1)[-1]
        if name not in FAULT_ERRORS:
            return
        if message.level != FAULT:
            self._faults.pop(name, None)
            return
        since_s = self._faults[name][0] if name in self._faults else time.monotonic()
        self._faults[name] = (since_s, f"{name}: {message.fault}: {message.message}")
        self._end_on_fault(time.monotonic())

    def _end_on_fault(self, now_s: float) -> None:
        """The arm holds while something is at fault; the goal ends when it stays so."""
        run = self._run
        for name, (since_s, text) in list(self._faults.items()):
            if run is not None and now_s - max(since_s, run.accepted_s) >= self._grace_s:
                self._finish(FAULT_ERRORS[name], text)
                return

    def _heartbeat(self) -> None:
        if self._run is not None:
            self._publish_skill()

    def _watch(self) -> None:
        if self._thinking is not None:
            self._watch_thinking(*self._thinking)
        run = self._run
        if run is None:
            return
        now_s = time.monotonic()
        self._end_on_fault(now_s)
        if run is not self._run:
            return
        if run.handle.is_cancel_requested:
            self._finish("CANCELED", "canceled by the client")
        elif now_s - run.last_chunk_s > self._patience_s:
            text = f"no action chunk for {self._patience_s:g} s: see the logs of vla_policy and camera_ingest"
            self._finish("POLICY_UNAVAILABLE", text)
        elif not self.lockstep and 0 < run.timeout_s < now_s - run.accepted_s:
            self._finish("SKILL_TIMEOUT", f"the goal's own limit of {run.timeout_s:g} s is over")

    def _feedback(self) -> None:
        run = self._run
        if run is None:
            return
        total = len(run.plan.skills)
        feedback = ExecuteInstruction.Feedback(
            skill_index=run.index, skills_total=total, prompt=run.skill.prompt, progress=run.progress,
            elapsed_seconds=self._elapsed(run),
            skill=skill_to_message(run.skill, run.skill_id, run.plan_id, run.index, total),
            score=run.score, retries=run.retries,
        )  # fmt: skip
        run.handle.publish_feedback(feedback)

    def _elapsed(self, run: GoalRun) -> float:
        return run.elapsed_s if self.lockstep else time.monotonic() - run.accepted_s

    def _finish(self, error: str, message: str) -> None:
        """End the goal under way, if any; `error` "NONE" means success."""
        run = self._run
        if run is None:
            return
        self._run = None
        self._skills = run.last_skill_id
        self.clear_condition(LOW_ALIGNMENT, MONITOR_BLIND)
        self._publish_skill()
        self._answer(run.handle, error, message, run)

    def _answer(self, handle: Any, error: str, message: str, run: GoalRun | None) -> None:
        result = ExecuteInstruction.Result(success=error == "NONE", error_code=error_code(error), message=message)
        if run is not None:
            result.skills_completed = run.completed
            result.skills_total = len(run.plan.skills)
            result.seconds = self._elapsed(run)
        self.meters.count(f"goals {error}")
        if error not in ("NONE", "CANCELED"):
            self.get_logger().warning(f"{error}: {message}")

        def conclude(goal: Any) -> ExecuteInstruction.Result:
            if goal.is_cancel_requested:
                goal.canceled()
            elif result.success:
                goal.succeed()
            else:
                goal.abort()
            return result

        # The goal is executed only now that its end is known: a coroutine that waits would keep rclpy's executor busy.
        handle.execute(conclude)


def _stopped_text(run: GoalRun) -> str:
    assert run.monitor is not None
    tried = f", started again {run.retries} time(s) and still" if run.retries else ""
    return (
        f"{run.skill.prompt!r} was going wrong{tried}: {run.monitor.explain()}. Is the object in reach and in view, "
        f"and does the scene look like those the policy was trained on? Parameter monitor:=warn goes on regardless"
    )


PARAMETERS = SkillPlanner.PARAMETERS


def main() -> int:
    """Entry point of `skill_planner`."""
    return run_node(SkillPlanner)


if __name__ == "__main__":
    sys.exit(main())
