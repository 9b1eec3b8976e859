"""A graph with a profile, kept alive by its supervisor, an instruction to carry out, and what is said and done."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from std_msgs.msg import Bool, String

from world2act import topics
from world2act.client import GraphClient
from world2act.conversions import stamp_to_ns
from world2act.errors import GraphError
from world2act.faults.language_model import LanguageModel
from world2act.faults.recordings import Finished, episodes, finished_recordings
from world2act.faults.referee_tally import Judged, RefereeTally
from world2act.supervision.back_off import RestartLimits
from world2act.supervision.graph_watch import GraphWatch
from world2act.supervision.supervisor import Supervisor
from world2act_interfaces.action import ExecuteInstruction
from world2act_interfaces.msg import ActionChunk, NodeHealth, SafetyStatus

INSTRUCTION = "put the red cube in the bin"
HANG_S = 3.0
FRESH_S = 5.0
"""So long the referee's next report, the end of an old condition or a finished episode is waited for."""


class Bench:
    """Everything runs in this thread: `spin` lets the supervisor do its work and takes what has come in."""

    def __init__(self, supervisor: Supervisor, seed: int, tell: Callable[[str, str], None], llm: LanguageModel) -> None:
        self.llm = llm
        self.supervisor, self.session = supervisor, supervisor.session
        self.client = GraphClient(self.session)
        limits = RestartLimits(restarts=100)
        self.watch = GraphWatch(supervisor, "restart", limits, HANG_S, tell)
        self._seed = seed
        node = self.session.node
        self.status: SafetyStatus | None = None
        self.tally = RefereeTally()
        self.recordings = Path(str(supervisor.graph.node("recorder").parameters["folder"]))
        self.conditions: dict[str, str] = {}
        """Who reports on /diagnostics -> the name of what is wrong there now, "" for nothing."""
        self.names: dict[str, float] = {}
        """Name of a fault that was said -> when it was said first [s, wall clock]."""
        self.held_s: float | None = None
        self.chunk: ActionChunk | None = None
        self.scratch: dict[str, Any] = {}
        """What a fault has to remember until it is undone."""
        node.create_subscription(SafetyStatus, topics.SAFETY_STATUS, self._on_status, topics.reliable(50))
        node.create_subscription(String, topics.COMMAND_REFEREE, self._on_referee, topics.reliable())
        node.create_subscription(NodeHealth, topics.NODE_HEALTH, self._on_health, topics.reliable(50))
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, topics.reliable(50))
        node.create_subscription(ActionChunk, topics.ACTION_CHUNK, self._on_chunk, topics.reliable())
        self.chunks = node.create_publisher(ActionChunk, topics.ACTION_CHUNK, topics.reliable())
        self._e_stop = node.create_publisher(Bool, "e_stop", topics.latched())
        self._goal: Any = None
        self._actions = ActionClient(node, ExecuteInstruction, topics.EXECUTE_INSTRUCTION)
        self.session.own(self._actions.destroy)

    def _on_status(self, message: SafetyStatus) -> None:
        self.status = message
        stamp_s = stamp_to_ns(message.header.stamp) / 1e9
        if message.mode >= SafetyStatus.HOLDING and self.held_s is None:
            self.held_s = stamp_s
        for flag in message.flags:
            if flag.level == flag.ERROR and (flag.active or flag.latched):
                self.names.setdefault(flag.name, stamp_s)

    def _on_referee(self, message: String) -> None:
        self.tally.see(json.loads(message.data))

    def _on_health(self, message: NodeHealth) -> None:
        if message.fault:
            self.names.setdefault(message.fault, time.time())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.message.split(":")[0]
            self.conditions[status.name] = name if name.isupper() else ""
            if name.isupper():
                self.names.setdefault(name, time.time())

    def _on_chunk(self, message: ActionChunk) -> None:
        self.chunk = message

    def spin(self, seconds: float) -> None:
        """Let things happen."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.watch.tick()

    def until(self, condition: Callable[[], bool], patience_s: float) -> bool:
        """Let things happen until `condition`, at most `patience_s`; whether it came."""
        until_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > until_s:
                return False
            self.watch.tick()
        return True

    @property
    def running(self) -> bool:
        """Whether the arm follows chunks now."""
        return self.status is not None and self.status.mode < SafetyStatus.HOLDING

    @property
    def present(self) -> set[str]:
        """Names of what is said to be wrong now."""
        flags = self.status.flags if self.status is not None else ()
        raised = {flag.name for flag in flags if flag.level == flag.ERROR and (flag.active or flag.latched)}
        return raised | {name for name in self.conditions.values() if name}

    @property
    def injected_s(self) -> float:
        """When the simulated arm began to do what was injected last [s, wall clock]; 0: nothing was."""
        return float(self.tally.newest.get("injected_s", 0.0))

    @property
    def last_commanded_motion_s(self) -> float | None:
        """When a command last asked for motion [s, wall clock]."""
        value = self.tally.newest.get("commands", {}).get("last_motion_s")
        return None if value is None else float(value)

    @property
    def last_motion_s(self) -> float | None:
        """When the arm itself last moved, as measured [s, wall clock]."""
        value = self.tally.newest.get("arm", {}).get("last_motion_s")
        return None if value is None else float(value)

    def judged(self) -> Judged:
        """What the referee has judged since this was asked last, until now.

        Raises GraphError when it says nothing: then nobody knows.
        """
        now_s = time.time()
        if not self.until(lambda: self.tally.stamp_s > now_s, FRESH_S):
            age = f"for {now_s - self.tally.stamp_s:.1f} s" if self.tally.stamp_s else "at all"
            raise GraphError(f"the arm's referee has not reported {age}: what was commanded since then is not judged")
        return self.tally.take()

    def finished(self) -> tuple[Finished, ...]:
        """The finished recordings, at least one episode among them. Raises GraphError when there is none."""
        for patience_s in (0.0, FRESH_S, FRESH_S):
            if self.until(lambda: episodes(self.recordings) > 0, patience_s):
                return finished_recordings(self.recordings)
            self.move()  # the next instruction ends the episode before; one in which nothing moved is not kept
        raise GraphError(f"no episode is finished in {self.recordings}: is the recorder at work? See its log")

    def require_unsaid(self, reasons: tuple[str, ...]) -> None:
        """Wait until nothing is said that begins like one of `reasons`. Raises GraphError when something still is."""

        def said() -> list[str]:
            return sorted(name for name in self.present if name.startswith(reasons))

        if reasons and not self.until(lambda: not said(), FRESH_S):
            raise GraphError(f"{', '.join(said())} is said already, so it would not tell anything about this fault")

    def move(self, attempts: int = 4) -> None:
        """Clear what is latched, begin a new episode, and give the instruction until the arm moves.

        Raises GraphError when it does not.
        """
        problem = ""
        for _ in range(attempts):
            self._clear()
            self._seed += 1
            try:
                self.client.reset(self._seed, INSTRUCTION)
                self.spin(0.3)
                self._instruct()
            except GraphError as error:
                problem = str(error)
                self.spin(1.0)
                continue
            if self.until(lambda: self.running, 8.0):
                self.spin(0.4)
                if self.running:
                    return
            problem = f"the arm did not move; latched: {sorted(self.latched()) or 'nothing'}"
        raise GraphError(problem)

    def instruct_again(self, patience_s: float = 10.0) -> None:
        """Cancel the instruction, give it again, and wait until the arm moves. Raises GraphError when it does not."""
        handle = self._goal.result() if self._goal is not None and self._goal.done() else None
        if handle is not None and handle.accepted:
            ended = handle.get_result_async()
            handle.cancel_goal_async()
            self.until(ended.done, patience_s)
        self._instruct()
        if not self.until(lambda: not self.running, patience_s) or not self.until(lambda: self.running, patience_s):
            raise GraphError(f"the arm did not move again within {patience_s:g} s")

    def _instruct(self) -> None:
        self._goal = self._actions.send_goal_async(ExecuteInstruction.Goal(instruction=INSTRUCTION))

    def latched(self) -> set[str]:
        """Names of what the safety filter waits to have cleared."""
        return {flag.name for flag in self.status.flags if flag.latched} if self.status is not None else set()

    def _clear(self) -> None:
        for _ in range(60):
            try:
                if all(answer.ok for answer in self.client.clear_faults()):
                    return
            except GraphError:
                pass
            self.spin(0.25)

    def signal(self, node: str, number: signal.Signals) -> None:
        """Send a signal to a node's process."""
        for running in self.supervisor.processes.nodes:
            if running.spec.name == node:
                os.kill(running.process.pid, number)

    def inject(self, request: str) -> None:
        """Have the simulated arm's cameras or joint states go wrong; empty: make them good again."""
        self.client.set_parameter("sim_arm", "inject", request)

    def press(self, pressed: bool) -> None:
        """Press or release the emergency stop."""
        self._e_stop.publish(Bool(data=pressed))
