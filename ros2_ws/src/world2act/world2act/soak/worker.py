"""Gives the graph work: resets, instructions, now and then a cancellation or an emergency stop; clears faults."""

from __future__ import annotations

import time
from collections.abc import Callable

from std_msgs.msg import Bool

from world2act import topics
from world2act.client import GraphClient
from world2act.errors import GraphError
from world2act.soak.counts import Counts
from world2act.soak.listener import Listener
from world2act.soak.steps import Step
from world2act.supervision.session import Session
from world2act_interfaces.srv import ClearFault

INSTRUCTION_S = 120.0
"""No instruction may take longer: the planner gives it up then."""
PATIENCE_S = 150.0
"""A planner that has said nothing by then has stalled."""
CLEAR_S = 20.0
"""How long what was latched may refuse to be cleared: its cause must go away first."""
PAUSE_S = 0.3


class _Enough(Exception):
    """This instruction is to be cancelled."""


class Worker:
    """Carries out steps. `tick` is called all the time and may raise whatever ends the work.

    Everything that talks to the graph is made once and kept.
    """

    def __init__(self, session: Session, listener: Listener, counts: Counts, tick: Callable[[], None]) -> None:
        self._session, self._listener, self._counts, self._tick = session, listener, counts, tick
        node = session.node
        self._client = GraphClient(session)
        self._e_stop = node.create_publisher(Bool, "e_stop", topics.latched())
        # The filter first: while its fault is there, the end of supervision's hold moves nothing.
        self._clear = [node.create_client(ClearFault, name) for name in (topics.CLEAR_FAULT, topics.CLEAR_NODE_LOST)]

    def run(self, step: Step) -> None:
        """One step. What goes wrong is counted, and the next one is tried all the same."""
        try:
            self.clear()
            instruction = self._client.reset(step.seed, kind=step.kind).instruction
            self._counts.resets += 1
            self._progress()
            self._wait(PAUSE_S)
            self._instruct(instruction, step)
        except GraphError as error:
            self._counts.problem(f"{step.kind}, seed {step.seed}: {error}")
            self._wait(1.0)
        finally:
            self._listener.working = False

    def clear(self) -> None:
        """Clear what is latched. Raises GraphError when it stays."""
        if not self._listener.latched:
            return
        until_s = time.monotonic() + CLEAR_S
        while self._listener.latched:
            if time.monotonic() > until_s:
                raise GraphError(f"not cleared within {CLEAR_S:g} s: {', '.join(sorted(self._listener.latched))}")
            for client in self._clear:
                self._session.call(client, ClearFault.Request(), 10.0)
            self._wait(PAUSE_S)
        self._counts.clears += 1
        self._progress()

    def _instruct(self, instruction: str, step: Step) -> None:
        began_s, pressed = time.monotonic(), False

        def tick() -> None:
            nonlocal pressed
            self._tick()
            after_s = time.monotonic() - began_s
            if step.disturbance == "cancel" and after_s > step.after_s:
                self._counts.cancelled += 1
                raise _Enough
            if step.disturbance == "e-stop" and after_s > step.after_s and not pressed:
                pressed = True
                self._press(True)
            if after_s > PATIENCE_S:
                raise GraphError(f"{instruction!r} has not ended after {PATIENCE_S:g} s")

        self._counts.instructions += 1
        self._listener.working = True
        try:
            outcome = self._client.execute(instruction, lambda feedback: self._progress(), tick, None, INSTRUCTION_S)
            self._wait(PAUSE_S)  # the simulator's word on the last command
            self._counts.ended(outcome, self._listener.achieved)
        except _Enough:
            self._wait(PAUSE_S)
        finally:
            self._listener.working = False
            if pressed:
                self._press(False)
        self._progress()

    def _press(self, pressed: bool) -> None:
        self._e_stop.publish(Bool(data=pressed))
        self._counts.e_stops += pressed

    def _progress(self) -> None:
        self._listener.progress.seen(time.time())

    def _wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._tick()
