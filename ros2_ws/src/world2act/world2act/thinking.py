"""A plan in the making: a language model asked in a thread of its own, so that the node goes on meanwhile."""

from __future__ import annotations

import threading
import time

from world2act_core.llm_planner import LlmPlanner
from world2act_core.plan import Plan, PlanError


class Thinking:
    """One instruction that is being planned, from now on. Ask `outcome` now and then."""

    def __init__(self, planner: LlmPlanner, instruction: str) -> None:
        self.instruction = instruction
        self.began_s = time.monotonic()
        self._cancel = threading.Event()
        self._outcome: Plan | PlanError | None = None
        self._bug: Exception | None = None
        self._thread = threading.Thread(target=self._work, args=(planner,), name="planning", daemon=True)
        self._thread.start()

    @property
    def outcome(self) -> Plan | PlanError | None:
        """The plan, or why there is none; None while the planner thinks. A bug in the planner is raised here."""
        if self._thread.is_alive():
            return None
        if self._bug is not None:
            raise self._bug
        return self._outcome

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began_s

    def give_up(self) -> None:
        """Tell the planner to stop; returns at once. What it still says is not wanted."""
        self._cancel.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread, after give_up."""
        self._thread.join(timeout_s)

    def _work(self, planner: LlmPlanner) -> None:
        try:
            self._outcome = planner.plan(self.instruction, self._cancel)
        except PlanError as error:
            self._outcome = error
        except Exception as error:
            self._bug = error
