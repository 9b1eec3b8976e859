"""What has happened so far, in numbers: nothing in here grows with time."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from world2act.client import Outcome

KEPT_PROBLEMS = 30
"""So many are kept word for word, the newest; all are counted."""


@dataclass
class Counts:
    """Instructions and how they ended; what was done to the graph; what it said.

    achieved: instructions that the simulator's judge agrees with; `succeeded` is the policy's own opinion. failed,
    faults, restarts: by name. holds: how often the arm, under way, came to hold.
    """

    instructions: int = 0
    succeeded: int = 0
    achieved: int = 0
    cancelled: int = 0
    e_stops: int = 0
    resets: int = 0
    clears: int = 0
    holds: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    problem_count: int = 0
    problems: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_PROBLEMS))

    def ended(self, outcome: Outcome, achieved: bool) -> None:
        """An instruction has ended by itself."""
        self.succeeded += outcome.success
        self.achieved += achieved
        if not outcome.success:
            self.failed[outcome.error] += 1

    def problem(self, text: str) -> None:
        """Something did not work that should have."""
        self.problem_count += 1
        self.problems.append(text)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "instructions": self.instructions, "succeeded": self.succeeded, "achieved": self.achieved,
            "cancelled": self.cancelled, "e_stops": self.e_stops, "resets": self.resets, "clears": self.clears,
            "holds": self.holds, "failed": dict(self.failed), "faults": dict(self.faults),
            "restarts": dict(self.restarts), "problem_count": self.problem_count, "problems": list(self.problems),
        }  # fmt: skip
